//! SAs as octets, for the process that goes on with them.
//!
//! ```text
//! octet 0        version (1)
//! octet 1        direction: 1 outbound, 2 inbound
//! SPI            4 octets
//! suite          its name behind one octet of length
//! key material   encryption key ‖ integrity key behind one octet of length
//! limits         hard bytes, hard packets, soft bytes, soft packets: 8 octets each
//! window size    4 octets
//!
//! outbound: bytes carried, the number before the first, the last number: 8 octets each
//! inbound:  bytes, packets, replayed, late, not authentic, highest number: 8 octets each;
//!           then one bit for each number of the window, the highest first
//! ```
//!
//! The octets hold keys: they live in a [`Secret`], which wipes itself. The octets of an outbound
//! SA *are* its [`Reservation`]: who carries them over hands them on once and keeps no copy.

use super::inbound::InboundState;
use super::window::{LARGEST, WindowState};
use super::{Limits, ReplayWindow, Reservation, SaConfig};
use crate::crypto::secret::Secret;
use crate::crypto::suite::EspSuite;
use crate::net::EspSpi;
use crate::wire::{DecodeError, Fault, Reader, Writer};

const VERSION: u8 = 1;
const OUTBOUND: u8 = 1;
const INBOUND: u8 = 2;
/// More than any state takes without its window, so that writing never leaves a copy behind.
const FIXED_LEN: usize = 512;

impl Reservation {
    /// The reservation as octets, which stand for it from now on.
    pub fn encode(self) -> Secret {
        let mut writer = Writer::with_capacity(FIXED_LEN);
        write_common(OUTBOUND, &self.config, &mut writer);
        [self.bytes, self.last, self.end].into_iter().for_each(|number| writer.u64(number));
        Secret::from(writer.into_bytes())
    }

    /// The reservation that [`encode`](Reservation::encode) turned into octets.
    ///
    /// # Errors
    ///
    /// When the octets are of another version or direction, or contradict themselves.
    #[expect(clippy::needless_pass_by_value, reason = "the octets are used up")]
    pub fn decode(octets: Secret) -> Result<Reservation, DecodeError> {
        let mut reader = Reader::new("outbound SA", octets.as_bytes());
        let config = read_common(OUTBOUND, &mut reader)?;
        let (bytes, last, end) = (reader.u64()?, reader.u64()?, reader.u64()?);
        if last > end || end > config.highest_sequence() {
            return Err(reader.invalid("impossible sequence numbers"));
        }
        reader.finish()?;
        Ok(Reservation { config, bytes, last, end })
    }
}

impl InboundState {
    /// The state as octets.
    pub fn encode(self) -> Secret {
        let mut writer = Writer::with_capacity(FIXED_LEN + LARGEST as usize / 8);
        write_common(INBOUND, &self.config, &mut writer);
        self.counts.into_iter().for_each(|count| writer.u64(count));
        writer.u64(self.window.highest);
        writer.bytes(&self.window.received);
        Secret::from(writer.into_bytes())
    }

    /// The state that [`encode`](InboundState::encode) turned into octets.
    ///
    /// # Errors
    ///
    /// When the octets are of another version or direction, or contradict themselves.
    #[expect(clippy::needless_pass_by_value, reason = "the octets are used up")]
    pub fn decode(octets: Secret) -> Result<InboundState, DecodeError> {
        let mut reader = Reader::new("inbound SA", octets.as_bytes());
        let config = read_common(INBOUND, &mut reader)?;
        let mut counts = [0; InboundState::COUNTS];
        for count in &mut counts {
            *count = reader.u64()?;
        }
        let highest = reader.u64()?;
        if highest > config.highest_sequence() {
            return Err(reader.invalid("impossible sequence number"));
        }
        let octets = ReplayWindow::size_for(config.replay_window) / 8;
        let received = reader.take(octets as usize)?.to_vec(); // at most 8192
        reader.finish()?;
        Ok(InboundState { config, counts, window: WindowState { highest, received } })
    }
}

fn write_common(direction: u8, config: &SaConfig, writer: &mut Writer) {
    writer.u8(VERSION);
    writer.u8(direction);
    writer.u32(config.spi.0);
    write_short(config.suite.to_string().as_bytes(), writer);
    write_short(config.keymat.as_bytes(), writer);
    for limits in [config.hard, config.soft] {
        writer.u64(limits.bytes);
        writer.u64(limits.packets);
    }
    writer.u32(config.replay_window);
}

fn read_common(direction: u8, reader: &mut Reader<'_>) -> Result<SaConfig, DecodeError> {
    if reader.u8()? != VERSION {
        return Err(reader.invalid("a version that this program does not know"));
    }
    if reader.u8()? != direction {
        return Err(reader.invalid("an SA of the other direction"));
    }
    let spi = EspSpi(reader.u32()?);
    let suite = read_suite(reader)?;
    let keymat = Secret::copy_of(read_short(reader)?);
    if keymat.len() != suite.cipher.keymat_len() {
        return Err(reader.error(Fault::Length(keymat.len())));
    }
    let (hard, soft) = (read_limits(reader)?, read_limits(reader)?);
    Ok(SaConfig { spi, suite, keymat, hard, soft, replay_window: reader.u32()? })
}

fn read_limits(reader: &mut Reader<'_>) -> Result<Limits, DecodeError> {
    Ok(Limits { bytes: reader.u64()?, packets: reader.u64()? })
}

fn read_suite(reader: &mut Reader<'_>) -> Result<EspSuite, DecodeError> {
    let name = std::str::from_utf8(read_short(reader)?).unwrap_or_default();
    let suite: Option<EspSuite> = name.parse().ok();
    let known = suite.filter(|suite| suite.to_string() == name);
    known.ok_or_else(|| reader.invalid("an unknown suite"))
}

/// A name or a key behind one octet of length.
fn write_short(octets: &[u8], writer: &mut Writer) {
    writer.u8(u8::try_from(octets.len()).unwrap_or(u8::MAX)); // names and keys are below 128
    writer.bytes(octets);
}

fn read_short<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let length = reader.u8()?;
    reader.take(length.into())
}

#[cfg(test)]
mod tests;
