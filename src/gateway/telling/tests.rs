use super::*;

#[test]
fn a_flood_is_told_in_few_sentences_and_its_size_in_the_next() {
    let mut telling = Telling::default();
    let start = Timestamp::from_millis(1_000);
    let told = (0..100_000).filter(|_| telling.ask(start) != Verdict::LeaveOut).count();
    assert_eq!(told, 8);
    let later = start + Duration::from_secs(60);
    assert_eq!(telling.ask(later), Verdict::Tell { left_out: 99_992 });
    assert_eq!(telling.ask(later), Verdict::Tell { left_out: 0 });
}
