//! What happens on the rungs of the ladder.

use std::fmt;
use std::str::FromStr;
use std::thread::sleep;
use std::time::Duration;

use vpngw::lab::{FaultKind, Lab};

use crate::support::adversity::{Burners, drop_in_underlay, let_pass};

/// How long a link that flaps is down each time, and up again.
const FLAP: Duration = Duration::from_millis(250);

/// One rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    /// The victim fails.
    Fails(FaultKind),
    /// Its cable to the underlay comes and goes, three times.
    Flap,
    /// Nothing passes between its region and the one that the streams do not go to.
    Partition,
    /// The underlay loses a fifth of all packets.
    Loss,
    /// All cores are busy with something else.
    Busy,
    /// The underlay drops ICMP.
    Icmp,
}

/// What lasts until a rung ends.
pub(super) struct Lasting {
    _busy: Option<Burners>,
}

impl Rung {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Rung> {
        let others = [Rung::Flap, Rung::Partition, Rung::Loss, Rung::Busy, Rung::Icmp];
        FaultKind::ALL.into_iter().map(Rung::Fails).chain(others)
    }

    /// Of the paths that gateways have lost from `before` to `after` those that there was no reason to lose.
    pub(super) fn lost_falsely(self, before: &[(String, u32)], after: &[(String, u32)]) -> u32 {
        match self {
            Rung::Loss | Rung::Busy | Rung::Icmp => {
                let lost = before.iter().zip(after).map(|((_, before), (_, after))| after - before);
                lost.sum()
            }
            Rung::Fails(_) | Rung::Flap | Rung::Partition => 0,
        }
    }

    /// Begins it; the streams go from the victim's region to that of `far`.
    pub(super) fn begin(self, lab: &mut Lab, victim: &str, far: &str) -> Lasting {
        match self {
            Rung::Fails(kind) => lab.fail(kind, victim).unwrap(),
            Rung::Flap => {
                for _ in 0..3 {
                    lab.fail(FaultKind::WanDown, victim).unwrap();
                    sleep(FLAP);
                    lab.heal(Some(victim)).unwrap();
                    sleep(FLAP);
                }
            }
            Rung::Partition => {
                let [here, there] = [victim, far].map(region);
                let third = ["east", "north", "south"].into_iter();
                let third = third.clone().find(|one| *one != here && *one != there).unwrap();
                let ways = [(here, third), (third, here)];
                let ways = ways.map(|(from, to)| format!("iifname {from} oifname {to}"));
                drop_in_underlay(lab, &ways.each_ref().map(String::as_str));
            }
            Rung::Loss => drop_in_underlay(lab, &["numgen random mod 100 < 20"]),
            Rung::Icmp => drop_in_underlay(lab, &["meta l4proto { icmp, ipv6-icmp }"]),
            Rung::Busy => {}
        }
        Lasting { _busy: (self == Rung::Busy).then(Burners::begin) }
    }

    /// Ends it.
    pub(super) fn end(self, lab: &mut Lab, lasting: Lasting) {
        drop(lasting);
        match self {
            Rung::Fails(_) => drop(lab.heal(None).unwrap()),
            Rung::Partition | Rung::Loss | Rung::Icmp => let_pass(lab),
            Rung::Flap | Rung::Busy => {}
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Rung::Fails(kind) => kind.name(),
            Rung::Flap => "flap",
            Rung::Partition => "partition",
            Rung::Loss => "loss",
            Rung::Busy => "busy",
            Rung::Icmp => "icmp",
        }
    }
}

/// The region of a node.
fn region(node: &str) -> &str {
    node.split('-').next().unwrap_or_default()
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rung {
    type Err = String;

    fn from_str(text: &str) -> Result<Rung, String> {
        let found = Rung::all().find(|rung| rung.name() == text);
        found.ok_or_else(|| format!("there is no rung {text:?}"))
    }
}
