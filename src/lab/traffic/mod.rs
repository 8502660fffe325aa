//! Traffic with a witness: probes that measure how long a path was gone, and transfers that
//! compare every byte by its digest.

mod icmp;
mod ping;
mod transfer;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

pub use icmp::Echo;
pub use ping::{Pinger, Report};
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
