//! Room for TCP connections in which nobody has proved to be a peer yet. Whoever comes when all is
//! taken takes the place of the one that has waited longest: those who only connect keep nobody out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Strangers at a time.
const TOTAL: usize = 256;
/// Of them from one address, or one /64 of IPv6: gateways behind one NAT that start together.
const FROM_ONE: usize = 16;

/// Who is a stranger now.
#[derive(Debug, Default)]
pub(super) struct Seats {
    seated: Mutex<Seated>,
}

#[derive(Debug, Default)]
struct Seated {
    /// The number of the next.
    next: u64,
    by_age: BTreeMap<u64, (IpAddr, Arc<Notify>)>,
    by_source: BTreeMap<IpAddr, usize>,
}

/// A place for a stranger, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    /// Somebody else has the place now.
    pub(super) taken: Arc<Notify>,
}

impl Seats {
    /// A place for a connection from `address`, unless that has too many.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut seated = self.seated();
        let source = source(address);
        if seated.by_source.get(&source).is_some_and(|&count| count >= FROM_ONE) {
            return None;
        }
        if seated.by_age.len() >= TOTAL
            && let Some((_, (oldest, told))) = seated.by_age.pop_first()
        {
            seated.leave(oldest);
            told.notify_one();
        }
        let (number, taken) = (seated.next, Arc::new(Notify::new()));
        seated.next += 1;
        seated.by_age.insert(number, (source, Arc::clone(&taken)));
        *seated.by_source.entry(source).or_default() += 1;
        Some(Seat { seats: Arc::clone(self), number, taken })
    }

    fn seated(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seated {
    fn leave(&mut self, source: IpAddr) {
        match self.by_source.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(self.by_source.remove(&source)),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seated = self.seats.seated();
        if let Some((source, _)) = seated.by_age.remove(&self.number) {
            seated.leave(source);
        }
    }
}

/// Who has one address of IPv6 has its /64.
fn source(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests;
