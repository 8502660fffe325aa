use super::*;

#[test]
fn visits_are_counted_from_one_look_at_the_count_to_the_next() {
    let visits = Visits::default();
    visits.one();
    visits.many(3);
    assert_eq!((visits.take(), visits.take()), (4, 0));
}

#[test]
fn a_counted_map_counts_what_it_hands_out() {
    let mut map = Counted::default();
    (0..5).for_each(|key| drop(map.insert(key, "value".to_owned())));
    let visits = |map: &Counted<i32, String>| map.visits().take();
    assert_eq!(visits(&map), 0);
    map.get(&1);
    map.get_mut(&2);
    assert_eq!((map.range(3..).count(), visits(&map)), (2, 4));
    assert_eq!((map.keys().count(), map.values().count(), map.iter_mut().count()), (5, 5, 5));
    assert_eq!(visits(&map), 15);
}
