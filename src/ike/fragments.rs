//! IKE fragmentation (RFC 7383): a message that is too long for the path leaves as fragments, each
//! with protection of its own, and comes together again at the other end.
//!
//! A fragment is authenticated before it is kept, so nobody but the peer of the IKE SA can make us
//! keep anything; that is bounded in octets, in number and in time all the same, for the peer of a
//! half-open IKE SA may be anybody.
//!
//! IKE_SA_INIT is never fragmented: it has no keys (RFC 7383 §2.4).

use super::fault::{self, Fault};
use super::path::Path;
use super::payloads::Payloads;
use super::protect::{OpenKey, Opened, OpenedFragment, SealKey};
use super::state::{State, StateReader, StateWriter, state_of_fields};
use super::stats::Discard;
use crate::time::Timestamp;
use crate::wire::DecodeError;
use crate::wire::ike::{
    Fragment, Header, Message, Notify, NotifyType, Payload, PayloadType, encode_chain,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Fragments of one message that we take at most.
const MAX_FRAGMENTS: u16 = 64;
/// More than so many of our own are not sent, if larger ones may fit: peers take no more.
const MANY_FRAGMENTS: usize = 16;
/// Octets of one message that we take in fragments at most: some ten times what our longest takes.
const MAX_OCTETS: usize = 32 << 10;
/// How long fragments wait for the others: longer than the peer takes to repeat them.
const LIFETIME: Duration = Duration::from_secs(10);

/// IP packets of so many octets hardly need fragments of their own: 576 over IPv4, 1280 over IPv6
/// (RFC 7383 §2.5.1).
const START_IPV4: u16 = 576;
const START_IPV6: u16 = 1280;
/// What a fragment must have room for in any case.
const SMALLEST: u16 = 256;
/// UDP header and non-ESP marker.
const UDP: u16 = 8 + 4;

/// IKEV2_FRAGMENTATION_SUPPORTED (RFC 7383 §2.3).
pub(super) fn supported() -> Payload {
    Payload::Notify(Notify::new(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, []))
}

/// Whether the sender of an IKE_SA_INIT takes fragments.
pub(super) fn are_taken_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED).is_some()
}

/// A protected message as it is sent: in one piece, or as its fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sealed(Vec<Vec<u8>>);

impl Sealed {
    /// A message in one piece.
    pub(super) fn whole(message: Vec<u8>) -> Sealed {
        Sealed(vec![message])
    }

    /// What is sent, one datagram after the other.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// Whether messages of an IKE SA may be fragmented, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragmentation {
    /// Both sides have said that they take fragments.
    pub agreed: bool,
    /// The MTU of the path, where it is known, in octets. Cut to more than [`START_IPV6`] octets, a
    /// message that is being repeated would be stuck when the path shrinks.
    pub path_mtu: Option<u16>,
}

impl Fragmentation {
    /// As agreed on, on a path of which nothing is known.
    pub(super) fn agreed(agreed: bool) -> Fragmentation {
        Fragmentation { agreed, path_mtu: None }
    }

    /// On this path: a stream takes whole messages (RFC 9329 §7.5), and fragments are only received.
    pub(super) fn on(self, path: &Path) -> Fragmentation {
        Fragmentation { agreed: self.agreed && !path.is_streamed(), ..self }
    }

    /// The message with `inner` inside, in fragments if it is too long for the path.
    pub(super) fn seal(
        &self,
        key: &mut SealKey,
        header: &Header,
        inner: &[Payload],
        remote: SocketAddr,
    ) -> Sealed {
        let whole = key.seal(header, inner);
        if !self.agreed || whole.len() <= self.room(remote, None) {
            return Sealed::whole(whole);
        }
        self.seal_fragments(key, header, inner, remote)
    }

    /// The same message in fragments, be it long or not.
    pub(super) fn seal_fragments(
        &self,
        key: &mut SealKey,
        header: &Header,
        inner: &[Payload],
        remote: SocketAddr,
    ) -> Sealed {
        let (first_inner, chain) = encode_chain(inner);
        let empty = Fragment { first_inner, number: 1, total: 1, part: &[] };
        let overhead = key.seal_fragment(header, empty).len();
        let part_of = |mtu| self.room(remote, mtu).saturating_sub(overhead).max(1);
        let mut part = part_of(None);
        if chain.len().div_ceil(part) > MANY_FRAGMENTS {
            part = part.max(part_of(Some(START_IPV6)));
        }
        let total = u16::try_from(chain.len().div_ceil(part)).unwrap_or(u16::MAX);
        let fragment = |(number, part)| {
            let first_inner = if number == 1 { first_inner } else { PayloadType::NONE };
            key.seal_fragment(header, Fragment { first_inner, number, total, part })
        };
        Sealed((1..=total).zip(chain.chunks(part)).map(fragment).collect())
    }

    /// Octets of a message for which a datagram to `remote` has room.
    fn room(&self, remote: SocketAddr, mtu: Option<u16>) -> usize {
        let (start, ip) = if remote.is_ipv4() { (START_IPV4, 20) } else { (START_IPV6, 40) };
        let known = self.path_mtu.map(|mtu| mtu.min(START_IPV6));
        let mtu = mtu.or(known).unwrap_or(start).max(SMALLEST);
        usize::from(mtu - ip - UDP)
    }
}

/// Messages of one direction: those in one piece, and those that come in fragments.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    partial: Option<Partial>,
}

/// A message of which fragments are still missing.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Partial {
    header: Header,
    total: u16,
    parts: BTreeMap<u16, Vec<u8>>,
    first: Option<First>,
    octets: usize,
    until: Timestamp,
}

/// What only the first fragment tells.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct First {
    inner: PayloadType,
    digest: [u8; 32],
    /// See [`OpenedFragment::outer`]: no IKE SA has an IKE_INTERMEDIATE when it goes to another process.
    outer: Vec<u8>,
}

impl Reassembly {
    /// Opens a datagram: the message that it is, or that it completes; `None` while fragments
    /// are missing.
    ///
    /// # Errors
    ///
    /// Why the datagram had no effect.
    pub(super) fn open(
        &mut self,
        key: &OpenKey,
        agreed: bool,
        datagram: &[u8],
        now: Timestamp,
    ) -> Result<Option<Opened>, Discard> {
        self.forget_old(now);
        let message = Message::decode(datagram).map_err(|_| Discard::Malformed)?;
        let Some(Payload::EncryptedFragment(fragment)) = message.payloads.last() else {
            let opened = key.open(datagram)?;
            self.partial = None;
            return Ok(Some(opened));
        };
        if !agreed {
            return Err(Discard::Fragment);
        }
        let (number, total) = (fragment.fragment_number, fragment.total_fragments);
        if total > MAX_FRAGMENTS {
            return Err(Discard::FragmentLimit);
        }
        if self.partial.as_ref().is_some_and(|known| known.is_done_with(&message, number, total)) {
            return Err(Discard::FragmentRepeated);
        }
        self.take(key.open_fragment(&message, fragment, datagram)?, now)
    }

    /// What waits too long is forgotten.
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.partial.take_if(|partial| partial.until <= now);
    }

    /// Keeps an authentic fragment. One of another message, or of the same one cut into more
    /// fragments, takes the place of what is there (RFC 7383 §2.6).
    fn take(
        &mut self,
        fragment: OpenedFragment,
        now: Timestamp,
    ) -> Result<Option<Opened>, Discard> {
        let goes_on = |partial: &Partial| partial.goes_on_with(&fragment.header, fragment.total);
        if !self.partial.as_ref().is_some_and(goes_on) {
            self.partial = None;
        }
        let partial = self.partial.get_or_insert_with(|| Partial::new(&fragment, now));
        if partial.octets + fragment.part.len() > MAX_OCTETS {
            self.partial = None;
            return Err(Discard::FragmentLimit);
        }
        partial.insert(fragment);
        if partial.parts.len() < usize::from(partial.total) {
            return Ok(None);
        }
        Ok(self.partial.take().and_then(Partial::assemble))
    }
}

impl Partial {
    fn new(fragment: &OpenedFragment, now: Timestamp) -> Partial {
        Partial {
            header: fragment.header,
            total: fragment.total,
            parts: BTreeMap::new(),
            first: None,
            octets: 0,
            until: now + LIFETIME,
        }
    }

    fn is_of(&self, header: &Header) -> bool {
        let of = |header: &Header| (header.message_id, header.exchange_type, header.flags);
        of(&self.header) == of(header)
    }

    fn goes_on_with(&self, header: &Header, total: u16) -> bool {
        self.is_of(header) && self.total == total
    }

    /// The fragment is there already, or the message has been cut into more fragments since.
    fn is_done_with(&self, message: &Message, number: u16, total: u16) -> bool {
        let joins_anyhow = fault::is_on(Fault::JoinsAsTheyCome);
        let known = total == self.total && self.parts.contains_key(&number) && !joins_anyhow;
        self.is_of(&message.header) && (known || total < self.total)
    }

    fn insert(&mut self, fragment: OpenedFragment) {
        if fragment.number == 1 {
            let OpenedFragment { first_inner: inner, digest, ref outer, .. } = fragment;
            self.first = Some(First { inner, digest, outer: outer.clone() });
        }
        self.octets += fragment.part.len();
        let order = self.parts.len() as u16 + 1;
        let in_order = fault::is_on(Fault::JoinsAsTheyCome);
        self.parts.insert(if in_order { order } else { fragment.number }, fragment.part);
    }

    fn assemble(self) -> Option<Opened> {
        let First { inner, digest, outer } = self.first?;
        let chain: Vec<u8> = self.parts.into_values().flatten().collect();
        Some(Opened::assembled(self.header, inner, &chain, (digest, &outer)))
    }
}

/// Whether a datagram is the first fragment of a message of `key`'s IKE SA.
pub(super) fn is_first_fragment(key: &OpenKey, datagram: &[u8]) -> bool {
    let Ok(message) = Message::decode(datagram) else { return false };
    match message.payloads.last() {
        Some(Payload::EncryptedFragment(fragment)) if fragment.fragment_number == 1 => {
            key.open_fragment(&message, fragment, datagram).is_ok()
        }
        Some(_) | None => false,
    }
}

state_of_fields!(Fragmentation { agreed, path_mtu });

state_of_fields!(Reassembly { partial });

/// Of the header only what is looked at again: all but its last two fields.
impl State for Partial {
    fn write(&self, out: &mut StateWriter) {
        let header = Message { header: self.header, payloads: Vec::new() }.encode();
        (header, self.total).write(out);
        self.parts.write(out);
        self.first.as_ref().map(|first| (first.inner.0, first.digest)).write(out);
        self.until.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (header, total) = <(Vec<u8>, u16)>::read(from)?;
        let (header, parts) = (Header::decode(&header)?, BTreeMap::<u16, Vec<u8>>::read(from)?);
        let first = Option::<(u8, [u8; 32])>::read(from)?;
        let first = first.map(|(inner, digest)| First {
            inner: PayloadType(inner),
            digest,
            outer: Vec::new(),
        });
        let (octets, until) = (parts.values().map(Vec::len).sum(), State::read(from)?);
        let waits = parts.len() < total.into() && parts.keys().all(|one| (1..=total).contains(one));
        if !waits || octets > MAX_OCTETS || first.is_some() != parts.contains_key(&1) {
            return Err(from.invalid("no message in fragments"));
        }
        Ok(Partial { header, total, parts, first, octets, until })
    }
}

impl State for Sealed {
    fn write(&self, out: &mut StateWriter) {
        self.0.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        Vec::<Vec<u8>>::read(from).map(Sealed)
    }
}

#[cfg(test)]
mod tests;
