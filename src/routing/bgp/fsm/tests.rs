use super::*;

/// The machine as RFC 4271 §8.2.2 has it, written a second time: one row an event, one cell a
/// state in the order Idle, Connect, Active, OpenSent, OpenConfirm, Established.
#[test]
fn every_cell_of_the_state_machine() {
    use Event as E;
    use State as S;
    use Step as Do;
    type Cell = (State, &'static [Step]);
    const IDLE: Cell = (S::Idle, &[]);
    const CONNECT: Cell = (S::Connect, &[]);
    const ACTIVE: Cell = (S::Active, &[]);
    const OPEN_SENT: Cell = (S::OpenSent, &[]);
    const OPEN_CONFIRM: Cell = (S::OpenConfirm, &[]);
    const ESTABLISHED: Cell = (S::Established, &[]);
    /// Before the connection stands: give up.
    const ABANDON: Cell = (S::Idle, &[Do::StopConnectRetry, Do::Drop]);
    /// Say why, close.
    const TELL: Cell = (S::Idle, &[Do::Notify, Do::Drop]);
    const UNEXPECTED: Cell = (S::Idle, &[Do::NotifyUnexpected, Do::Drop]);
    const DROP: Cell = (S::Idle, &[Do::Drop]);
    const OPENING: Cell = (S::OpenSent, &[Do::StopConnectRetry, Do::SendOpen]);
    const DIAL: &[Step] = &[Do::Connect, Do::StartConnectRetry];
    const REDIAL: &[Step] = &[Do::Drop, Do::Connect, Do::StartConnectRetry];
    const CONFIRM: &[Step] = &[Do::SendKeepalive, Do::RestartHold];
    const HEARD: Cell = (S::Established, &[Do::RestartHold]);
    const TAKEN_IN: Cell = (S::Established, &[Do::RestartHold, Do::Deliver]);

    let standing = [CONNECT, ACTIVE, OPEN_SENT, OPEN_CONFIRM, ESTABLISHED];
    let unmoved =
        |first: Cell| [first, standing[0], standing[1], standing[2], standing[3], standing[4]];
    let fatal = |later: Cell| [IDLE, ABANDON, ABANDON, later, later, later];
    let keepalive_due = |state| (state, &[Do::SendKeepalive][..]);

    #[rustfmt::skip]
    let table: [(Event, [Cell; 6]); 18] = [
        (E::Start, unmoved((S::Connect, DIAL))),
        (E::StartPassive, unmoved((S::Active, &[]))),
        (E::Stop, fatal(TELL)),
        (E::ConnectRetryTimerExpires,
            [IDLE, (S::Connect, REDIAL), (S::Connect, DIAL), UNEXPECTED, UNEXPECTED, UNEXPECTED]),
        (E::HoldTimerExpires, fatal(TELL)),
        (E::KeepaliveTimerExpires,
            [IDLE, ABANDON, ABANDON, UNEXPECTED, keepalive_due(S::OpenConfirm), keepalive_due(S::Established)]),
        (E::TcpConnected, [IDLE, OPENING, OPENING, OPEN_SENT, OPEN_CONFIRM, ESTABLISHED]),
        (E::TcpFails,
            [IDLE, ABANDON, ABANDON, (S::Active, &[Do::Drop, Do::StartConnectRetry]), DROP, DROP]),
        (E::Open, [IDLE, ABANDON, ABANDON, (S::OpenConfirm, CONFIRM), UNEXPECTED, UNEXPECTED]),
        (E::HeaderError, fatal(TELL)),
        (E::OpenError, [IDLE, ABANDON, ABANDON, TELL, TELL, UNEXPECTED]),
        (E::CollisionDump, fatal(TELL)),
        (E::NotificationVersionError, fatal(DROP)),
        (E::Notification, fatal(DROP)),
        (E::Keepalive, [IDLE, ABANDON, ABANDON, UNEXPECTED, HEARD, HEARD]),
        (E::Update, [IDLE, ABANDON, ABANDON, UNEXPECTED, UNEXPECTED, TAKEN_IN]),
        (E::UpdateError, [IDLE, ABANDON, ABANDON, UNEXPECTED, UNEXPECTED, TELL]),
        (E::RouteRefresh, [IDLE, ABANDON, ABANDON, UNEXPECTED, UNEXPECTED, TAKEN_IN]),
    ];

    assert_eq!(table.map(|(event, _)| event), Event::ALL);
    for (event, row) in table {
        for (state, (next, steps)) in State::ALL.into_iter().zip(row) {
            assert_eq!(transition(state, event), Transition { next, steps }, "{state} {event:?}");
        }
    }
}

#[test]
fn whoever_leaves_a_state_with_a_connection_drops_it() {
    for state in [State::OpenSent, State::OpenConfirm, State::Established] {
        for event in Event::ALL {
            let Transition { next, steps } = transition(state, event);
            let leaves = next < state;
            assert_eq!(leaves, steps.contains(&Step::Drop), "{state} {event:?}");
        }
    }
}
