//! Traffic with a witness: probes and streams that measure how long a path was gone, and transfers
//! that compare every byte by its digest.

mod icmp;
mod ping;
mod stream;
mod transfer;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

pub use icmp::Echo;
pub use ping::{Pinger, Report};
pub use stream::{Delivery, Stream};
pub use transfer::{Transfer, transfer};

/// From one host to an address of another.
#[derive(Clone, Debug)]
pub struct Journey {
    /// Who starts, by name.
    pub from: String,
    /// The namespace of who starts.
    pub namespace: String,
    /// Who is at the end, by name.
    pub to: String,
    /// Where.
    pub target: IpAddr,
}

impl Journey {
    /// True when an echo comes back at once.
    pub fn succeeds(&self) -> bool {
        const ENOUGH: Duration = Duration::from_millis(300);
        ping::once(&self.namespace, self.target, ENOUGH).unwrap_or(false)
    }
}

impl fmt::Display for Journey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} ({})", self.from, self.to, self.target)
    }
}

/// The longest interruption of what was sent at these times and came through or not, as
/// [`Report::longest_gap`] says.
fn longest_gap(outcomes: impl Iterator<Item = (Instant, bool)>) -> Duration {
    let (mut longest, mut last_good, mut is_open) = (Duration::ZERO, None, false);
    for (sent, came_through) in outcomes {
        let since = sent - *last_good.get_or_insert(sent);
        if is_open || !came_through {
            longest = longest.max(since);
        }
        is_open = !came_through;
        if came_through {
            last_good = Some(sent);
        }
    }
    longest
}

/// Any address of the family of another.
fn any_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}
