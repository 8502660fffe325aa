use super::*;

const MANY: Arrivals = Arrivals { arrived: 90, lost: 10 };
const FEW: Arrivals = Arrivals { arrived: 9, lost: 1 };

#[test]
fn only_what_was_asked_for_is_taken() {
    let mut counting = Counting::default();
    counting.on_report(0, MANY, FEW);
    assert_eq!(counting.reported, None);
    assert_eq!(counting.inquire(), 0);
    counting.on_report(1, MANY, FEW);
    assert_eq!(counting.reported, None);
    counting.on_report(0, MANY, FEW);
    assert_eq!(counting.reported, Some(Reported { number: 0, there: MANY, here: FEW }));
}

#[test]
fn a_report_that_comes_late_or_twice_changes_nothing() {
    let mut counting = Counting::default();
    assert_eq!([counting.inquire(), counting.inquire()], [0, 1]);
    counting.on_report(1, MANY, MANY);
    for number in [0, 1] {
        counting.on_report(number, FEW, FEW);
        assert_eq!(counting.reported, Some(Reported { number: 1, there: MANY, here: MANY }));
    }
}
