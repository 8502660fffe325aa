//! Which flows without connections the host has begun itself, so that the answers find in.

use super::flow::Flow;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Flows that are remembered at once; a new one takes the place of an old one.
const PLACES: usize = 256;
/// Words that tell a flow from every other.
const WORDS: usize = 5;

/// Flows of UDP and the like that the host itself has sent into the tunnels of a VPC. A place holds
/// the last flow that fell on it, and what stands there for long does no harm: it names both ends.
/// Two that are noted at the same moment in the same place may both be forgotten.
#[derive(Debug, Default)]
pub struct Conversations(OnceLock<Box<[[AtomicU64; WORDS]]>>);

impl Conversations {
    /// The host has sent this.
    pub(super) fn note(&self, sent: &Flow) {
        let empty = || (0..PLACES).map(|_| [const { AtomicU64::new(0) }; WORDS]).collect();
        let words = words(&sent.turned_round());
        if let Some(place) = self.0.get_or_init(empty).get(place(&words)) {
            place.iter().zip(words).for_each(|(there, word)| there.store(word, Ordering::Relaxed));
        }
    }

    /// Whether this answers what the host has sent.
    pub(super) fn knows(&self, received: &Flow) -> bool {
        let words = words(received);
        let known = self.0.get().and_then(|places| places.get(place(&words)));
        known.is_some_and(|known| {
            known.iter().zip(words).all(|(there, word)| there.load(Ordering::Relaxed) == word)
        })
    }
}

/// The flow as words; the last is never 0.
fn words(flow: &Flow) -> [u64; WORDS] {
    let halves = |address: IpAddr| {
        let bits = match address {
            IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
            IpAddr::V6(six) => six.to_bits(),
        };
        [(bits >> 64) as u64, bits as u64]
    };
    let ([a, b], [c, d]) = (halves(flow.source), halves(flow.destination));
    let (from, to) = flow.ports().unwrap_or_default();
    let ports = u64::from(from) << 16 | u64::from(to);
    [a, b, c, d, 1 << 63 | u64::from(flow.protocol()) << 32 | ports]
}

/// Where a flow has its place: by a multiplication that mixes what differs between flows.
fn place(words: &[u64; WORDS]) -> usize {
    let mixed = words
        .iter()
        .fold(0_u64, |sum, word| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    (mixed >> 32) as usize % PLACES
}
