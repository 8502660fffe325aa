//! The Child SAs of one tunnel (RFC 7296 §2.8, RFC 4301 §4.1): which one sends, which ones still
//! receive, and what their counters say.
//!
//! ```text
//!   ChildUp ──► receiving ──► (sendable) sending ──► (ChildDown) draining ──► gone
//! ```
//!
//! Several pairs send when they are for different traffic: one of each strand, and a packet takes
//! the newest that permits it (RFC 4301 §4.4.1). Which one of a strand it is, is the IKE engine's
//! choice; it knows what the peer has installed.
//! An inbound SA outlives its Child SA by a grace period, because packets sealed under it may
//! still be under way; an outbound SA does not outlive it by one packet.

use super::rates::{Rates, Totals};
use super::silence::Silence;
use crate::config::PeerConfig;
use crate::crypto::cipher::KeyError;
use crate::crypto::suite::EspSuite;
use crate::esp::aggfrag::{Pacer, Unpacker};
use crate::esp::{InboundSa, Limits, OutboundSa, Reservation, SaConfig};
use crate::forward::Selectors;
use crate::ike::{ChildId, ChildKeys, ChildUp, Strand};
use crate::net::EspSpi;
use crate::routing::Reach;
use crate::time::Timestamp;
use crate::wire::echo::Arrivals;
use crate::wire::ike::TrafficSelector;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

/// How long an inbound SA is kept after its Child SA was deleted.
pub(super) const DRAIN: Duration = Duration::from_secs(5);

/// One pair of SAs.
#[derive(Debug)]
pub(super) struct Child {
    /// Receives.
    pub inbound: Arc<InboundSa>,
    /// Sends.
    pub outbound: Arc<OutboundSa>,
    /// What both were negotiated with.
    pub suite: EspSuite,
    strand: Strand,
    /// Our side's traffic selectors.
    pub local_ts: Selectors,
    /// The peer's side's traffic selectors.
    pub remote_ts: Selectors,
    /// Our side's traffic selectors, for people.
    pub local_words: Vec<String>,
    /// The peer's side's traffic selectors, for people.
    pub remote_words: Vec<String>,
    /// Our end on the underlay.
    pub local: SocketAddr,
    /// The peer's end on the underlay.
    pub remote: SocketAddr,
    /// Where the pieces of cut packets wait, if both ends have agreed on AGGFRAG payloads (RFC 9347).
    pub aggfrag: Option<Arc<Unpacker>>,
    /// Where packets wait, if they leave at a constant rate: the same for all of a strand.
    pub pacer: Option<Arc<Pacer>>,
    /// Since when the SAs exist.
    pub since: Timestamp,
    /// What they carry now.
    pub rates: Rates,
    opened_before: u64,
    soft_limit_told: bool,
    silence: Silence,
}

impl Child {
    /// What it takes, for people: traffic of our side to the peer's.
    pub(super) fn in_words(&self) -> String {
        format!("{} to {}", self.local_words.join(", "), self.remote_words.join(", "))
    }
}

/// An inbound SA whose Child SA is gone.
#[derive(Debug)]
pub(super) struct Draining {
    /// Receives until the grace period ends.
    pub inbound: Arc<InboundSa>,
    /// Our side's traffic selectors.
    pub local_ts: Selectors,
    /// The peer's side's traffic selectors.
    pub remote_ts: Selectors,
    /// Where the peer was.
    pub remote: SocketAddr,
    /// Where the pieces of cut packets wait.
    pub aggfrag: Option<Arc<Unpacker>>,
    until: Timestamp,
}

/// What a look at the counters found about a Child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Packets came in since the last look.
    Inbound(ChildId),
    /// A soft limit in bytes or packets was passed: time to rekey.
    SoftLimit(ChildId),
    /// Packets go out and nothing comes back, so often in a row already: the peer may have lost it.
    Doubtful(ChildId, u32),
}

/// All SAs of one tunnel.
#[derive(Debug, Default)]
pub(super) struct Sas {
    children: BTreeMap<ChildId, Child>,
    sending: BTreeMap<Strand, ChildId>,
    /// How often in a row there was doubt whether the peer has what a strand sends with.
    doubts: BTreeMap<Strand, u32>,
    draining: Vec<Draining>,
    /// What became of the packets of inbound SAs that are gone.
    before: Arrivals,
}

impl Sas {
    /// Takes a new pair of SAs into use: for receiving at once; for sending when the engine says
    /// that the peer has it (RFC 7296 §2.8).
    ///
    /// # Errors
    ///
    /// When the keys do not fit the suite, which is a fault of ours.
    pub(super) fn install(
        &mut self,
        up: &ChildUp,
        config: &PeerConfig,
        now: Timestamp,
    ) -> Result<(), KeyError> {
        let limits = (config.lifetimes.child_bytes, config.lifetimes.child_packets);
        let inbound = InboundSa::new(sa_config(&up.inbound, limits, config.replay_window))?;
        let keys = sa_config(&up.outbound, limits, config.replay_window);
        let outbound = OutboundSa::new(Reservation::first_use(keys))?;
        let child = Child {
            inbound: Arc::new(inbound),
            outbound: Arc::new(outbound),
            suite: up.inbound.suite,
            strand: up.strand,
            local_ts: Selectors::from(up.local_ts.as_slice()),
            remote_ts: Selectors::from(up.remote_ts.as_slice()),
            local_words: words(&up.local_ts),
            remote_words: words(&up.remote_ts),
            local: up.local,
            remote: up.remote,
            aggfrag: up.aggfrag.then(Arc::default),
            pacer: config
                .constant_rate
                .filter(|_| up.aggfrag)
                .map(|rate| self.pacer(up.strand, rate)),
            since: now,
            rates: Rates::default(),
            opened_before: 0,
            soft_limit_told: false,
            silence: Silence::default(),
        };
        self.children.insert(up.child, child);
        if up.sendable {
            self.on_sendable(up.child);
        }
        Ok(())
    }

    /// The pacer of a strand, with what waits in it.
    fn pacer(&self, strand: Strand, rate: NonZeroU64) -> Arc<Pacer> {
        let of_strand = self.children.values().filter(|child| child.strand == strand);
        let known =
            of_strand.filter_map(|child| child.pacer.clone()).find(|one| one.rate() == rate);
        known.unwrap_or_else(|| Arc::new(Pacer::new(rate)))
    }

    /// Packets of its strand are sent with this pair from now on.
    pub(super) fn on_sendable(&mut self, id: ChildId) {
        if let Some(child) = self.children.get(&id) {
            self.sending.insert(child.strand, id);
        }
    }

    /// The pair is deleted: sending ends at once, receiving after the grace period.
    pub(super) fn retire(&mut self, id: ChildId, now: Timestamp) {
        let Some(child) = self.children.remove(&id) else { return };
        self.sending.retain(|_, sending| *sending != id);
        let lives = |strand| self.children.values().any(|child| child.strand == strand);
        self.doubts.retain(|strand, _| lives(*strand));
        self.draining.push(Draining {
            inbound: child.inbound,
            local_ts: child.local_ts,
            remote_ts: child.remote_ts,
            remote: child.remote,
            aggfrag: child.aggfrag,
            until: now + DRAIN,
        });
    }

    /// All pairs are deleted.
    pub(super) fn retire_all(&mut self, now: Timestamp) {
        let ids: Vec<ChildId> = self.children.keys().copied().collect();
        ids.into_iter().for_each(|id| self.retire(id, now));
    }

    /// The peer's end of the underlay path changed (RFC 7296 §2.23).
    pub(super) fn move_to(&mut self, local: SocketAddr, remote: SocketAddr) {
        for child in self.children.values_mut() {
            (child.local, child.remote) = (local, remote);
        }
    }

    /// The pairs that send, the newest first.
    pub(super) fn sending(&self) -> impl DoubleEndedIterator<Item = (ChildId, &Child)> {
        let sends = |(id, child): &(ChildId, &Child)| self.sending.get(&child.strand) == Some(id);
        self.children().rev().filter(sends)
    }

    /// The destinations that the pairs that send take; `None` when there is none.
    pub(super) fn reach(&self) -> Option<Reach> {
        let mut sending = self.sending().map(|(_, child)| &child.remote_ts).peekable();
        sending.peek()?;
        Some(Reach::of(sending.flat_map(Selectors::addresses)))
    }

    /// What the pairs that send take with some protocols or ports only, in words: traffic of our side
    /// to the peer's.
    pub(super) fn parts(&self) -> Vec<String> {
        let whole = |child: &&Child| child.local_ts.whole().next().is_some();
        let sending = || self.sending().map(|(_, child)| child);
        let wide: Vec<_> =
            sending().filter(whole).flat_map(|child| child.remote_ts.whole()).collect();
        let narrow = |child: &&Child| {
            !child.remote_ts.addresses().all(|one| wide.iter().any(|range| range.covers(&one)))
        };
        sending().filter(narrow).map(Child::in_words).collect()
    }

    /// Whether this pair sends.
    pub(super) fn is_sending(&self, id: ChildId) -> bool {
        self.sending().any(|(sending, _)| sending == id)
    }

    /// Whether there is no pair.
    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// All pairs.
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = (ChildId, &Child)> {
        self.children.iter().map(|(id, child)| (*id, child))
    }

    /// The pair that receives under this SPI.
    pub(super) fn receiving_by(&self, spi: EspSpi) -> Option<ChildId> {
        self.children().find(|(_, child)| child.inbound.spi() == spi).map(|(id, _)| id)
    }

    /// Inbound SAs in their grace period.
    pub(super) fn draining(&self) -> &[Draining] {
        &self.draining
    }

    /// Whether nothing comes back of what some strand sends, with new keys neither.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubts.values().any(|doubts| *doubts > 1)
    }

    /// Looks at the counters of all pairs; `tested` says whether something else shows that packets
    /// pass both ways.
    pub(super) fn inspect(&mut self, tested: bool, now: Timestamp) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (&id, child) in &mut self.children {
            let opened = child.inbound.opened_packets();
            let heard = std::mem::replace(&mut child.opened_before, opened) != opened;
            if heard {
                self.doubts.remove(&child.strand);
                findings.push(Finding::Inbound(id));
            }
            let (received, sent) = (child.inbound.usage(), child.outbound.usage());
            let doubts = self.doubts.get(&child.strand).copied().unwrap_or(0);
            if child.silence.look(sent.packets, heard, doubts, now) && !tested {
                self.doubts.insert(child.strand, doubts + 1);
                findings.push(Finding::Doubtful(id, doubts));
            }
            let soft = received.soft_exceeded || sent.soft_exceeded;
            if soft && !child.soft_limit_told {
                child.soft_limit_told = true;
                findings.push(Finding::SoftLimit(id));
            }
        }
        findings
    }

    /// Takes a look at what each pair has carried.
    pub(super) fn sample(&mut self, now: Timestamp) {
        for child in self.children.values_mut() {
            let (rx_bytes, tx_bytes) = (child.inbound.usage().bytes, child.outbound.usage().bytes);
            child.rates.sample(Totals { tx_bytes, rx_bytes }, now);
        }
    }

    /// Ends grace periods that are over.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        for gone in self.draining.extract_if(.., |sa| sa.until <= now) {
            self.before = sum(self.before, arrivals(&gone.inbound));
        }
    }

    /// What has become of the peer's packets in all SAs so far.
    pub(super) fn arrivals(&self) -> Arrivals {
        let receiving = self.children.values().map(|child| &child.inbound);
        let all = receiving.chain(self.draining.iter().map(|sa| &sa.inbound));
        all.map(|inbound| arrivals(inbound)).fold(self.before, sum)
    }

    /// When the next grace period ends.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.draining.iter().map(|sa| sa.until).min()
    }
}

fn arrivals(inbound: &InboundSa) -> Arrivals {
    Arrivals { arrived: inbound.opened_packets(), lost: inbound.lost() }
}

fn sum(one: Arrivals, other: Arrivals) -> Arrivals {
    Arrivals {
        arrived: one.arrived.saturating_add(other.arrived),
        lost: one.lost.saturating_add(other.lost),
    }
}

fn words(selectors: &[TrafficSelector]) -> Vec<String> {
    selectors.iter().map(TrafficSelector::to_string).collect()
}

/// Soft limits stand at nine tenths of the hard ones, so that a rekey has time to finish.
fn sa_config(keys: &ChildKeys, (bytes, packets): (u64, u64), replay_window: u32) -> SaConfig {
    SaConfig {
        spi: keys.spi,
        suite: keys.suite,
        keymat: keys.keymat.clone(),
        hard: Limits { bytes, packets },
        soft: Limits { bytes: bytes / 10 * 9, packets: packets / 10 * 9 },
        replay_window,
    }
}
