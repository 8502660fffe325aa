use super::*;

/// One probe every 10 ms; `#` was answered.
fn report(fates: &str) -> Report {
    let start = Instant::now();
    let probe = |(index, fate): (usize, char)| {
        let sent = start + Duration::from_millis(10) * u32::try_from(index).unwrap();
        Probe { sent, answered: (fate == '#').then_some(sent + Duration::from_millis(1)) }
    };
    Report { probes: fates.chars().enumerate().map(probe).collect() }
}

#[test]
fn a_stream_without_loss_has_no_gap() {
    assert_eq!(report("####").longest_gap(), Duration::ZERO);
    assert_eq!(report("").longest_gap(), Duration::ZERO);
}

#[test]
fn a_gap_lasts_from_the_last_good_probe_to_the_next() {
    assert_eq!(report("##..#").longest_gap(), Duration::from_millis(30));
}

#[test]
fn the_longest_of_several_gaps_counts() {
    assert_eq!(report("#.#...##.#").longest_gap(), Duration::from_millis(40));
}

#[test]
fn a_gap_that_has_not_ended_counts_up_to_the_last_probe() {
    assert_eq!(report("#...").longest_gap(), Duration::from_millis(30));
}

#[test]
fn loss_is_counted() {
    let report = report("#..#");
    assert_eq!((report.sent(), report.lost()), (4, 2));
    assert!(report.to_string().contains("4 probes, 2 lost, longest gap 30 ms"));
}

#[test]
fn an_answer_belongs_to_the_newest_probe_of_its_number() {
    let mut report = report("....");
    report.answer(2, Instant::now());
    report.answer(77, Instant::now());
    assert_eq!(report.lost(), 3);
}
