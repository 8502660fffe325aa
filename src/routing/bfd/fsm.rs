//! The state machine of RFC 5880 §6.2 and §6.8: a total function of state and event.
//!
//! ```text
//!                              +--+
//!                              |  | UP, ADMIN DOWN, TIMER
//!                              |  V
//!                      DOWN  +------+  INIT
//!               +------------|      |------------+
//!               |            | DOWN |            |
//!               |  +-------->|      |<--------+  |
//!               |  |         +------+         |  |
//!               |  |               ADMIN DOWN,|  |
//!               |  |ADMIN DOWN,          DOWN,|  |
//!               |  |TIMER                TIMER|  |
//!               V  |                          |  V
//!             +------+                      +------+
//!        +----|      |                      |      |----+
//!    DOWN|    | INIT |--------------------->|  UP  |    |INIT, UP
//!        +--->|      | INIT, UP             |      |<---+
//!             +------+                      +------+
//! ```
//!
//! Not drawn: AdminDown, which is entered from everywhere and left by our operator alone.

use crate::wire::bfd::{Diagnostic, State};

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A Control packet says that the peer's session is in this state.
    Heard(State),
    /// Nothing was heard for a Detection Time (§6.8.4).
    DetectionTimeExpires,
    /// Something else than BFD says that the path ends (§6.8.16).
    PathEnds,
    /// Our operator holds the session down (§6.8.16).
    Disable,
    /// Our operator wants the session.
    Enable,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 8] = [
        Event::Heard(State::AdminDown),
        Event::Heard(State::Down),
        Event::Heard(State::Init),
        Event::Heard(State::Up),
        Event::DetectionTimeExpires,
        Event::PathEnds,
        Event::Disable,
        Event::Enable,
    ];
}

/// The answer of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state afterwards.
    pub next: State,
    /// Why, where the peer is to be told (bfd.LocalDiag).
    pub diagnostic: Option<Diagnostic>,
}

/// What `event` does in `state`.
pub fn transition(state: State, event: Event) -> Transition {
    use Diagnostic as Diag;
    use Event as E;
    use State as S;
    let to = |next| Transition { next, diagnostic: None };
    let because = |next, diagnostic| Transition { next, diagnostic: Some(diagnostic) };
    match (state, event) {
        (_, E::PathEnds) => because(S::AdminDown, Diag::PATH_DOWN),
        (_, E::Disable) => because(S::AdminDown, Diag::ADMINISTRATIVELY_DOWN),
        (S::AdminDown, E::Enable) => because(S::Down, Diag::NONE),
        (S::AdminDown, E::Heard(_) | E::DetectionTimeExpires) => to(S::AdminDown),
        (S::Down | S::Init | S::Up, E::Enable) => to(state),

        (S::Down, E::Heard(S::Down)) => to(S::Init),
        (S::Down, E::Heard(S::Init)) => because(S::Up, Diag::NONE),
        // The peer has not yet noticed that we are down.
        (S::Down, E::Heard(S::Up | S::AdminDown) | E::DetectionTimeExpires) => to(S::Down),

        (S::Init, E::Heard(S::Down)) => to(S::Init),
        (S::Init, E::Heard(S::Init | S::Up)) => because(S::Up, Diag::NONE),

        (S::Up, E::Heard(S::Init | S::Up)) => to(S::Up),
        (S::Up, E::Heard(S::Down)) | (S::Init | S::Up, E::Heard(S::AdminDown)) => {
            because(S::Down, Diag::NEIGHBOR_SIGNALED_SESSION_DOWN)
        }
        (S::Init | S::Up, E::DetectionTimeExpires) => {
            because(S::Down, Diag::CONTROL_DETECTION_TIME_EXPIRED)
        }
    }
}

#[cfg(test)]
mod tests;
