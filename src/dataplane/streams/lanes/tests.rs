use super::*;

fn take(queue: &mut Queue) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut octets = Vec::new();
    assert!(runtime.block_on(queue.take(&mut octets)));
    octets
}

#[test]
fn what_is_urgent_leaves_first() {
    let (lanes, mut queue) = Lanes::new();
    assert!(lanes.put(Urgency::Ordinary, vec![1, 1]));
    assert!(lanes.put(Urgency::Urgent, vec![2]));
    assert_eq!(take(&mut queue), [2, 1, 1]);
}

#[test]
fn a_connection_that_stands_still_drops_what_comes_and_takes_more_once_it_moves() {
    let (lanes, mut queue) = Lanes::new();
    let taken = (0..).take_while(|_| lanes.put(Urgency::Ordinary, vec![0; 1400])).count();
    assert_eq!(taken, ORDINARY / 1400);
    assert!(!lanes.has_room(Urgency::Ordinary, 1400));
    assert!(lanes.put(Urgency::Urgent, vec![0; 1400]), "IKE does not wait for room");
    assert!(take(&mut queue).len() < BATCH + 1400);
    assert!(lanes.put(Urgency::Ordinary, vec![0; 1400]));
}

#[test]
fn nothing_is_put_where_nobody_takes() {
    let (lanes, queue) = Lanes::new();
    drop(queue);
    assert!(!lanes.put(Urgency::Urgent, vec![1]));
    assert!(lanes.has_room(Urgency::Urgent, URGENT), "and nothing counts as waiting");
}
