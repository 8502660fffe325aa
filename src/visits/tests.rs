use super::*;

#[test]
fn visits_are_counted_from_one_look_at_the_count_to_the_next() {
    let visits = Visits::default();
    visits.one();
    visits.many(3);
    assert_eq!((visits.take(), visits.take()), (4, 0));
}
