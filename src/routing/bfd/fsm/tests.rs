use super::*;

/// RFC 5880 §6.8.6 and §6.8.16, cell by cell.
#[test]
fn every_cell_of_the_state_machine() {
    use Diagnostic as Diag;
    use Event::{DetectionTimeExpires, Disable, Enable, Heard, PathEnds};
    use State::{AdminDown, Down, Init, Up};
    const TIME: Option<Diagnostic> = Some(Diag::CONTROL_DETECTION_TIME_EXPIRED);
    const TOLD: Option<Diagnostic> = Some(Diag::NEIGHBOR_SIGNALED_SESSION_DOWN);
    const PATH: Option<Diagnostic> = Some(Diag::PATH_DOWN);
    const ADMIN: Option<Diagnostic> = Some(Diag::ADMINISTRATIVELY_DOWN);
    const FINE: Option<Diagnostic> = Some(Diag::NONE);
    type Row = (Event, [(State, Option<Diagnostic>); 4]);
    // In AdminDown, Down, Init, Up.
    let table: &[Row] = &[
        (Heard(AdminDown), [(AdminDown, None), (Down, None), (Down, TOLD), (Down, TOLD)]),
        (Heard(Down), [(AdminDown, None), (Init, None), (Init, None), (Down, TOLD)]),
        (Heard(Init), [(AdminDown, None), (Up, FINE), (Up, FINE), (Up, None)]),
        (Heard(Up), [(AdminDown, None), (Down, None), (Up, FINE), (Up, None)]),
        (DetectionTimeExpires, [(AdminDown, None), (Down, None), (Down, TIME), (Down, TIME)]),
        (PathEnds, [(AdminDown, PATH), (AdminDown, PATH), (AdminDown, PATH), (AdminDown, PATH)]),
        (Disable, [(AdminDown, ADMIN), (AdminDown, ADMIN), (AdminDown, ADMIN), (AdminDown, ADMIN)]),
        (Enable, [(Down, FINE), (Down, None), (Init, None), (Up, None)]),
    ];
    assert_eq!(table.len(), Event::ALL.len());
    for (event, row) in table {
        assert!(Event::ALL.contains(event));
        for (state, (next, diagnostic)) in State::ALL.into_iter().zip(row) {
            let expected = Transition { next: *next, diagnostic: *diagnostic };
            assert_eq!(transition(state, *event), expected, "{state} {event:?}");
        }
    }
}

#[test]
fn two_that_hear_each_other_come_up_and_one_that_hears_nothing_goes_down() {
    let (mut a, mut b) = (State::Down, State::Down);
    for _ in 0..3 {
        (a, b) = (transition(a, Event::Heard(b)).next, transition(b, Event::Heard(a)).next);
    }
    assert_eq!((a, b), (State::Up, State::Up));
    a = transition(a, Event::DetectionTimeExpires).next;
    assert_eq!(transition(b, Event::Heard(a)).next, State::Down);
}
