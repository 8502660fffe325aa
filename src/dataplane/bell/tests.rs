use super::*;

#[test]
fn items_come_out_in_their_order_and_none_is_slept_through() {
    let (sender, receiver) = queue().unwrap();
    assert_eq!(receiver.wait(Some(Duration::ZERO)), None);
    assert!(sender.send(1) && sender.clone().send(2));
    assert_eq!((receiver.wait(None), receiver.next(), receiver.next()), (Some(1), Some(2), None));
    // The bell has rung for what is out already.
    sender.send(3);
    assert_eq!(receiver.next(), Some(3));
    assert_eq!(receiver.wait(None), None);
    let other = std::thread::spawn(move || sender.send(4));
    let item = std::iter::repeat_with(|| receiver.wait(None)).find_map(|item| item);
    assert_eq!(item, Some(4));
    assert!(other.join().unwrap());
}

#[test]
fn who_sends_to_nobody_is_told() {
    let (sender, receiver) = queue().unwrap();
    drop(receiver);
    assert!(!sender.send(()));
}
