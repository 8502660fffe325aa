//! The state machine of RFC 9568 §6.4: a total function of state and event.

use std::fmt;

/// A state of RFC 9568 §6.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for startup.
    Initialize,
    /// Watches the Active Router.
    Backup,
    /// Answers for the virtual addresses.
    Active,
}

impl State {
    /// Every state.
    pub const ALL: [State; 3] = [State::Initialize, State::Backup, State::Active];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How the sender of an advertisement stands to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It gives up being active (priority 0).
    Resigning,
    /// It may be active.
    Superior,
    /// We should be active rather than it.
    Inferior,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The interface is there.
    Startup {
        /// Whether the virtual addresses are our own (priority 255).
        owner: bool,
    },
    /// The interface goes, or we stop.
    Shutdown,
    /// Adver_Timer fires.
    AdvertisementTimer,
    /// Active_Down_Timer fires.
    ActiveDownTimer,
    /// An advertisement that may stand.
    Advertisement(Claim),
    /// Our priority changed.
    PriorityChanged,
    /// The address that we send from changed.
    LocalAddressChanged,
    /// We did not run for so long that another router has taken over, or has said meanwhile that it
    /// is there.
    Overslept,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 11] = [
        Event::Startup { owner: false },
        Event::Startup { owner: true },
        Event::Shutdown,
        Event::AdvertisementTimer,
        Event::ActiveDownTimer,
        Event::Advertisement(Claim::Resigning),
        Event::Advertisement(Claim::Superior),
        Event::Advertisement(Claim::Inferior),
        Event::PriorityChanged,
        Event::LocalAddressChanged,
        Event::Overslept,
    ];
}

/// What to do on the way to the next state, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send an advertisement with our priority.
    Advertise,
    /// Send one with priority 0.
    Resign,
    /// Advertise again after Advertisement_Interval.
    StartAdvertisementTimer,
    /// Assume our own interval for the Active Router until it says otherwise.
    ForgetActiveInterval,
    /// Take over after Active_Down_Interval.
    StartActiveDownTimer,
    /// Take over after Skew_Time.
    StartSkewTimer,
    /// Wait for nothing.
    StopTimer,
    /// Answer for the virtual addresses, and announce them.
    TakeAddresses,
    /// Announce the virtual addresses: hosts may have learned something else.
    AnnounceAgain,
    /// Do not answer for them.
    LeaveAddresses,
}

/// The answer of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state afterwards.
    pub next: State,
    /// What to do, in order.
    pub steps: &'static [Step],
}

/// What `event` does in `state`.
pub fn transition(state: State, event: Event) -> Transition {
    use Event as E;
    use State as S;
    use Step as Do;
    let to = |next, steps| Transition { next, steps };
    const TAKE_OVER: &[Step] = &[Do::Advertise, Do::TakeAddresses, Do::StartAdvertisementTimer];
    match (state, event) {
        // §6.4.1
        (S::Initialize, E::Startup { owner: true }) => to(S::Active, TAKE_OVER),
        (S::Initialize, E::Startup { owner: false }) => {
            to(S::Backup, &[Do::ForgetActiveInterval, Do::StartActiveDownTimer, Do::LeaveAddresses])
        }
        (
            S::Initialize,
            E::Shutdown
            | E::AdvertisementTimer
            | E::ActiveDownTimer
            | E::Advertisement(_)
            | E::PriorityChanged
            | E::LocalAddressChanged
            | E::Overslept,
        ) => to(S::Initialize, &[]),

        // §6.4.2
        (S::Backup, E::Shutdown) => to(S::Initialize, &[Do::StopTimer]),
        (S::Backup, E::ActiveDownTimer) => to(S::Active, TAKE_OVER),
        (S::Backup, E::Advertisement(Claim::Resigning)) => to(S::Backup, &[Do::StartSkewTimer]),
        (S::Backup, E::Advertisement(Claim::Superior)) => {
            to(S::Backup, &[Do::StartActiveDownTimer])
        }
        (S::Backup, E::Advertisement(Claim::Inferior)) => to(S::Backup, &[]),
        (
            S::Backup,
            E::Startup { .. } | E::AdvertisementTimer | E::PriorityChanged | E::LocalAddressChanged,
        ) => to(S::Backup, &[]),

        // §6.4.3
        (S::Active, E::Shutdown) => {
            to(S::Initialize, &[Do::StopTimer, Do::Resign, Do::LeaveAddresses])
        }
        (S::Active, E::AdvertisementTimer | E::PriorityChanged | E::LocalAddressChanged) => {
            to(S::Active, &[Do::Advertise, Do::StartAdvertisementTimer])
        }
        (S::Active, E::Advertisement(Claim::Resigning | Claim::Inferior)) => {
            to(S::Active, &[Do::Advertise, Do::StartAdvertisementTimer, Do::AnnounceAgain])
        }
        // More than the RFC asks for: the last word of who yields. The better router may not have
        // heard that there were two, and must tell the hosts, which it then does.
        (S::Active, E::Advertisement(Claim::Superior)) => {
            to(S::Backup, &[Do::Advertise, Do::StartActiveDownTimer, Do::LeaveAddresses])
        }
        (S::Active, E::Startup { .. } | E::ActiveDownTimer) => to(S::Active, &[]),

        // The RFC's routers never sleep. One that claimed to be active still would draw the hosts
        // to itself before it knows whether its paths work.
        (S::Backup, E::Overslept) => to(S::Backup, &[Do::StartActiveDownTimer]),
        (S::Active, E::Overslept) => {
            to(S::Backup, &[Do::ForgetActiveInterval, Do::StartActiveDownTimer, Do::LeaveAddresses])
        }
    }
}
