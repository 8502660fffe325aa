use super::*;
use nix::sys::eventfd::EfdFlags;
use std::sync::mpsc;

#[test]
fn a_turn_takes_a_few_in_order_and_the_rest_wakes_again() {
    let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).expect("one");
    let (wake, (sender, items)) = (Arc::new(wake), mpsc::channel());
    let inbox = Inbox::new(items, Arc::clone(&wake));
    (0..TURN + 1).for_each(|item| sender.send(item).expect("it is there"));
    wake.write(1).expect("room");
    assert_eq!(inbox.turn(), (0..TURN).collect::<Vec<_>>());
    assert!(wake.read().is_ok(), "woken again");
    wake.write(1).expect("room");
    assert_eq!(inbox.turn(), [TURN]);
    assert!(wake.read().is_err(), "all is taken");
}
