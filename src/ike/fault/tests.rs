//! Which fault is on: one for each thread, that of the test which runs there.

use super::*;
use std::cell::Cell;

thread_local! {
    static ON: Cell<Option<Fault>> = const { Cell::new(None) };
}

pub(super) fn is_on(fault: Fault) -> bool {
    ON.get() == Some(fault)
}

/// Runs `act` in an engine that has this fault, or none.
pub(crate) fn with<T>(fault: Option<Fault>, act: impl FnOnce() -> T) -> T {
    let before = ON.replace(fault);
    let result = act();
    ON.set(before);
    result
}

#[test]
fn a_fault_is_on_only_where_it_was_asked_for() {
    assert!(!is_on(Fault::SendsEarly));
    with(Some(Fault::SendsEarly), || {
        assert!(is_on(Fault::SendsEarly) && !is_on(Fault::SwapsKeys));
        with(None, || assert!(!is_on(Fault::SendsEarly)));
    });
    assert!(!is_on(Fault::SendsEarly));
}
