use super::*;
use crate::cli::look::tests::PLAIN;

fn passage(arrived: u64, lost: u64) -> PassageView {
    PassageView { arrived, lost }
}

fn counted(there: Option<PassageView>, here: PassageView) -> Counted {
    Counted { there, here }
}

#[test]
fn what_was_counted_before_does_not_count() {
    let before = counted(Some(passage(100, 7)), passage(50, 0));
    let after = counted(Some(passage(130, 10)), passage(80, 0));
    let passage = after.since(&before);
    assert_eq!(passage.there, Some(Lost { sent: 33, lost: 3 }));
    assert_eq!(passage.back, Some(Lost { sent: 30, lost: 0 }));
    let text = in_words(&passage, PLAIN);
    assert_eq!(text, "ESP packets: there 3 of 33 lost, back none of 30 lost");
}

#[test]
fn what_nobody_tells_is_not_known() {
    let before = counted(None, passage(50, 0));
    let after = counted(Some(passage(130, 10)), passage(50, 0));
    let passage = after.since(&before);
    assert_eq!(passage, Passage { there: None, back: None });
    let text = in_words(&passage, PLAIN);
    assert_eq!(text, "ESP packets: there not known, back not known");
}

#[test]
fn a_peer_that_has_begun_anew_has_counted_other_packets() {
    let before = counted(Some(passage(1000, 7)), passage(50, 3));
    // A late packet has come meanwhile.
    let after = counted(Some(passage(30, 0)), passage(60, 2));
    let passage = after.since(&before);
    assert_eq!(passage, Passage { there: None, back: Some(Lost { sent: 10, lost: 0 }) });
}
