//! IKE SAs as octets, for the process that goes on with them: every part says in its own file
//! which of its fields make its state, and in which order.
//!
//! Points in time are written as their distance from the present, so that they mean something to
//! a process with another clock; the calendar tells it how long the octets lay about.
//!
//! The octets hold keys: they live in buffers that wipe themselves. They *are* the IKE SAs from
//! then on: two processes that went on with the same would use the same nonces.

use super::config::{ConnectionId, SlotId};
use super::event::{ChildId, IkeSaId, NatStatus, Role, Strand};
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::crypto::digest::sha256;
use crate::crypto::integrity::Integrity;
use crate::crypto::kex::{Group, KeyExchange};
use crate::crypto::secret::Secret;
use crate::crypto::suite::{Additional, EspSuite, IkeSuite};
use crate::net::{AddressRange, EspSpi};
use crate::time::Timestamp;
use crate::wire::ike::{
    ExchangeType, IdType, Identification, Identity, IkeSpi, MessageId, TrafficSelector,
};
use crate::wire::{DecodeError, Reader};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use zeroize::Zeroizing;

/// What is written; it wipes itself, also what it outgrows.
pub(super) struct StateWriter {
    bytes: Zeroizing<Vec<u8>>,
    now: Timestamp,
}

impl StateWriter {
    pub(super) fn new(now: Timestamp) -> Self {
        StateWriter { bytes: Zeroizing::new(Vec::with_capacity(4096)), now }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.bytes.len() + bytes.len() > self.bytes.capacity() {
            let room = 2 * (self.bytes.len() + bytes.len());
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What was written, with a digest by which damage shows.
    pub(super) fn finish(mut self) -> Secret {
        let digest = sha256(&[&self.bytes]);
        self.bytes(&digest);
        Secret::copy_of(&self.bytes)
    }
}

/// What is read.
pub(super) struct StateReader<'a> {
    reader: Reader<'a>,
    now: Timestamp,
}

impl<'a> StateReader<'a> {
    /// Octets that a [`StateWriter`] has finished.
    ///
    /// # Errors
    ///
    /// When they have changed since.
    pub(super) fn new(octets: &'a [u8], now: Timestamp) -> Result<Self, DecodeError> {
        let whole = Reader::new("IKE state", octets);
        match octets.split_last_chunk() {
            Some((written, digest)) if sha256(&[written]) == *digest => {
                Ok(StateReader { reader: Reader::new("IKE state", written), now })
            }
            Some(_) | None => Err(whole.invalid("octets that were damaged")),
        }
    }

    /// The octets were written that long ago.
    pub(super) fn set_age(&mut self, age: Duration) {
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        self.now = Timestamp::from_micros(self.now.as_micros().saturating_sub(micros));
    }

    pub(super) fn invalid(&self, why: &'static str) -> DecodeError {
        self.reader.invalid(why)
    }

    /// Succeeds when everything has been read.
    ///
    /// # Errors
    ///
    /// When octets are left over.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        self.reader.finish()
    }
}

/// A part of an IKE SA that can be written and read again.
pub(super) trait State: Sized {
    fn write(&self, out: &mut StateWriter);

    /// # Errors
    ///
    /// When the octets are no such part.
    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError>;
}

/// The state of a structure: these fields in this order.
macro_rules! state_of_fields {
    ($name:ident $(<$generic:ident>)? { $($field:ident),* $(,)? }) => {
        impl $(<$generic: crate::ike::state::State>)? crate::ike::state::State
            for $name $(<$generic>)?
        {
            fn write(&self, out: &mut crate::ike::state::StateWriter) {
                $(self.$field.write(out);)*
            }

            fn read(
                from: &mut crate::ike::state::StateReader<'_>,
            ) -> Result<Self, crate::wire::DecodeError> {
                Ok($name { $($field: crate::ike::state::State::read(from)?),* })
            }
        }
    };
}

/// The state of an enumeration: a number for each variant, then its fields.
macro_rules! state_of_variants {
    ($name:ident { $($tag:literal => $variant:ident $({ $($field:ident),* })? $(( $value:ident ))?,)* }) => {
        impl crate::ike::state::State for $name {
            fn write(&self, out: &mut crate::ike::state::StateWriter) {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $value ))? => {
                        out.bytes(&[$tag]);
                        $($($field.write(out);)*)?
                        $($value.write(out);)?
                    })*
                }
            }

            fn read(
                from: &mut crate::ike::state::StateReader<'_>,
            ) -> Result<Self, crate::wire::DecodeError> {
                match <u8 as crate::ike::state::State>::read(from)? {
                    $($tag => Ok($name::$variant
                        $({ $($field: crate::ike::state::State::read(from)?),* })?
                        $(({ let $value = crate::ike::state::State::read(from)?; $value }))?
                    ),)*
                    _ => Err(from.invalid(concat!("no ", stringify!($name)))),
                }
            }
        }
    };
}

pub(super) use {state_of_fields, state_of_variants};

/// Numbers in network byte order.
macro_rules! state_of_number {
    ($($number:ty)*) => {$(
        impl State for $number {
            fn write(&self, out: &mut StateWriter) {
                out.bytes(&self.to_be_bytes());
            }

            fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
                from.reader.array().map(<$number>::from_be_bytes)
            }
        }
    )*};
}

/// Numbers with a role, as the numbers that they are.
macro_rules! state_of_newtype {
    ($($name:ident)*) => {$(
        impl State for $name {
            fn write(&self, out: &mut StateWriter) {
                self.0.write(out);
            }

            fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
                State::read(from).map($name)
            }
        }
    )*};
}

/// Suites by their names.
macro_rules! state_of_suite {
    ($($suite:ident)*) => {$(
        impl State for $suite {
            fn write(&self, out: &mut StateWriter) {
                self.to_string().write(out);
            }

            fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
                let name = String::read(from)?;
                name.parse().map_err(|_| from.invalid("no suite"))
            }
        }
    )*};
}

state_of_number!(u8 u16 u32 u64 i64);
state_of_newtype!(ChildId ConnectionId EspSpi ExchangeType IdType IkeSpi MessageId SlotId Strand);
state_of_suite!(EspSuite IkeSuite);
state_of_fields!(IkeSaId { local, remote });
state_of_fields!(NatStatus { local, remote });
state_of_variants!(Role { 0 => Initiator, 1 => Responder, });
state_of_variants!(CbcAlgorithm { 0 => Aes128Cbc, 1 => Aes256Cbc, });
state_of_variants!(Integrity {
    0 => HmacSha1_96, 1 => HmacSha256_128, 2 => HmacSha384_192, 3 => HmacSha512_256,
});
state_of_variants!(AeadAlgorithm { 0 => Aes128Gcm16, 1 => Aes256Gcm16, 2 => ChaCha20Poly1305, });

/// The kind before its algorithms.
impl State for Cipher {
    fn write(&self, out: &mut StateWriter) {
        match *self {
            Cipher::Aead(algorithm) => {
                out.bytes(&[0]);
                algorithm.write(out);
            }
            Cipher::CbcHmac(cbc, integrity) => {
                out.bytes(&[1]);
                (cbc, integrity).write(out);
            }
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        match u8::read(from)? {
            0 => State::read(from).map(Cipher::Aead),
            1 => {
                <(CbcAlgorithm, Integrity)>::read(from).map(|(cbc, mac)| Cipher::CbcHmac(cbc, mac))
            }
            _ => Err(from.invalid("no cipher")),
        }
    }
}

state_of_variants!(Group {
    0 => Curve25519, 1 => Ecp256, 2 => Ecp384, 3 => Modp2048, 4 => Modp3072, 5 => Modp4096,
    6 => Modp1024, 7 => Modp1536, 8 => MlKem512, 9 => MlKem768, 10 => MlKem1024, 11 => Ecp521,
});
/// Places and methods.
impl State for Additional {
    fn write(&self, out: &mut StateWriter) {
        let places = self.places().map(|(place, group)| (place as u8, group)); // below seven
        places.collect::<Vec<_>>().write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let places = Vec::<(u8, Group)>::read(from)?;
        let mut all = places.into_iter();
        let read =
            all.try_fold(Additional::NONE, |read, (place, group)| read.with(place.into(), group));
        read.ok_or(from.invalid("no additional key exchanges"))
    }
}

state_of_variants!(IpAddr { 4 => V4(v4), 6 => V6(v6), });

impl<const N: usize> State for [u8; N] {
    fn write(&self, out: &mut StateWriter) {
        out.bytes(self);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        from.reader.array()
    }
}

impl State for bool {
    fn write(&self, out: &mut StateWriter) {
        u8::from(*self).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        match u8::read(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(from.invalid("neither true nor false")),
        }
    }
}

/// Distance from the present in microseconds; the largest number is [`Timestamp::MAX`].
impl State for Timestamp {
    fn write(&self, out: &mut StateWriter) {
        let signed = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
        let distance = signed(self.as_micros()).saturating_sub(signed(out.now.as_micros()));
        if *self == Timestamp::MAX { i64::MAX } else { distance }.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let distance = i64::read(from)?;
        let micros = from.now.as_micros().saturating_add_signed(distance);
        Ok(if distance == i64::MAX { Timestamp::MAX } else { Timestamp::from_micros(micros) })
    }
}

impl State for Duration {
    fn write(&self, out: &mut StateWriter) {
        u64::try_from(self.as_micros()).unwrap_or(u64::MAX).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        u64::read(from).map(Duration::from_micros)
    }
}

impl<T: State> State for Option<T> {
    fn write(&self, out: &mut StateWriter) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        if bool::read(from)? { T::read(from).map(Some) } else { Ok(None) }
    }
}

impl<T: State> State for Box<T> {
    fn write(&self, out: &mut StateWriter) {
        (**self).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        T::read(from).map(Box::new)
    }
}

fn write_all<'t, T: State + 't>(
    values: impl ExactSizeIterator<Item = &'t T>,
    out: &mut StateWriter,
) {
    u32::try_from(values.len()).unwrap_or(u32::MAX).write(out);
    values.for_each(|value| value.write(out));
}

/// Memory grows with what is read, never with what is announced.
impl<T: State> State for Vec<T> {
    fn write(&self, out: &mut StateWriter) {
        write_all(self.iter(), out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let count = u32::read(from)?;
        (0..count).map(|_| T::read(from)).collect()
    }
}

impl<T: State + Ord> State for BTreeSet<T> {
    fn write(&self, out: &mut StateWriter) {
        write_all(self.iter(), out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        Vec::read(from).map(BTreeSet::from_iter)
    }
}

impl<K: State, V: State> State for (K, V) {
    fn write(&self, out: &mut StateWriter) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        Ok((K::read(from)?, V::read(from)?))
    }
}

impl<K: State + Ord, V: State> State for BTreeMap<K, V> {
    fn write(&self, out: &mut StateWriter) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).write(out);
        for (key, value) in self {
            key.write(out);
            value.write(out);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        Vec::<(K, V)>::read(from).map(BTreeMap::from_iter)
    }
}

impl State for String {
    fn write(&self, out: &mut StateWriter) {
        write_all(self.as_bytes().iter(), out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        String::from_utf8(Vec::read(from)?).map_err(|_| from.invalid("no text"))
    }
}

impl State for Secret {
    fn write(&self, out: &mut StateWriter) {
        write_all(self.as_bytes().iter(), out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let length = u32::read(from)?;
        let length = usize::try_from(length).map_err(|_| from.invalid("no secret"))?;
        from.reader.take(length).map(Secret::copy_of)
    }
}

impl State for Ipv4Addr {
    fn write(&self, out: &mut StateWriter) {
        out.bytes(&self.octets());
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        from.reader.array::<4>().map(Ipv4Addr::from)
    }
}

impl State for Ipv6Addr {
    fn write(&self, out: &mut StateWriter) {
        out.bytes(&self.octets());
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        from.reader.array::<16>().map(Ipv6Addr::from)
    }
}

impl State for SocketAddr {
    fn write(&self, out: &mut StateWriter) {
        (self.ip(), self.port()).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (address, port) = State::read(from)?;
        Ok(SocketAddr::new(address, port))
    }
}

impl State for TrafficSelector {
    fn write(&self, out: &mut StateWriter) {
        (self.protocol, (self.start_port, self.end_port)).write(out);
        (self.addresses.first(), self.addresses.last()).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (protocol, (start_port, end_port)) = State::read(from)?;
        let (first, last) = State::read(from)?;
        let addresses = AddressRange::new(first, last).ok_or(from.invalid("no range"))?;
        Ok(TrafficSelector { protocol, start_port, end_port, addresses })
    }
}

impl State for Identity {
    fn write(&self, out: &mut StateWriter) {
        let Identification { id_type, data, .. } = self.to_wire();
        (id_type, data).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (id_type, data): (_, Vec<u8>) = State::read(from)?;
        Ok(Identity::from_wire(&Identification::new(id_type, data)))
    }
}

/// Only those can be written whose private key can leave; see [`KeyExchange::private`].
impl State for KeyExchange {
    fn write(&self, out: &mut StateWriter) {
        self.group().write(out);
        self.private().write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (group, private) = <(Group, Option<Secret>)>::read(from)?;
        let ours = private.and_then(|private| KeyExchange::from_private(group, &private));
        ours.ok_or(from.invalid("no private key"))
    }
}
