//! BFD Control packets (RFC 5880 §4.1), and the UDP port that they go to (RFC 5881 §4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       My Discriminator                        |
//! |                      Your Discriminator                       |
//! |                 Desired Min TX Interval, in µs                |
//! |                 Required Min RX Interval, in µs               |
//! |                 Required Min Echo RX Interval, in µs          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! An authentication section (§4.2) is refused, as §6.8.6 asks of who does not use one: the SA
//! that carries the packet authenticates it. The checks of §6.8.6 that need no session are made
//! here, those that do are the session's.

use super::{DecodeError, Fault, Reader, Writer, registry};
use std::fmt;

/// Where Control packets of one hop go (RFC 5881 §4).
pub const PORT: u16 = 3784;
/// Where Control packets may come from (RFC 5881 §4).
pub const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// TTL or hop limit of every packet: it has not come through a router (RFC 5881 §5, RFC 5082).
pub const TTL: u8 = 255;
/// Octets of a packet without an authentication section.
pub const LEN: usize = 24;

const VERSION: u8 = 1;
const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const CONTROL_PLANE_INDEPENDENT: u8 = 0x08;
const AUTHENTICATION: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

registry! {
    /// Why a session last left Up (RFC 5880 §4.1, 5 bits).
    pub struct Diagnostic(u8) {
        NONE = 0,
        CONTROL_DETECTION_TIME_EXPIRED = 1,
        ECHO_FUNCTION_FAILED = 2,
        NEIGHBOR_SIGNALED_SESSION_DOWN = 3,
        FORWARDING_PLANE_RESET = 4,
        PATH_DOWN = 5,
        CONCATENATED_PATH_DOWN = 6,
        ADMINISTRATIVELY_DOWN = 7,
        REVERSE_CONCATENATED_PATH_DOWN = 8,
    }
}

/// The state of a session (RFC 5880 §4.1, §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by its operator.
    AdminDown = 0,
    /// Nothing is heard, or the other side does not hear.
    Down = 1,
    /// The other side is heard and wants the session.
    Init = 2,
    /// Both sides hear each other.
    Up = 3,
}

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [State::AdminDown, State::Down, State::Init, State::Up];

    fn of_bits(bits: u8) -> State {
        match bits & 3 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A Control packet without an authentication section. Intervals are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender's session last left Up.
    pub diagnostic: Diagnostic,
    /// The state of the sender's session.
    pub state: State,
    /// The sender asks for an answer at once.
    pub poll: bool,
    /// This is such an answer.
    pub is_final: bool,
    /// The sender's BFD does not depend on its control plane.
    pub control_plane_independent: bool,
    /// The sender would like not to be sent packets periodically.
    pub demand: bool,
    /// How many intervals may pass in silence; not zero.
    pub detect_mult: u8,
    /// The sender's name of the session; not zero.
    pub my_discriminator: u32,
    /// The receiver's name of the session; zero while the sender does not know it.
    pub your_discriminator: u32,
    /// How fast the sender would like to send.
    pub desired_min_tx: u32,
    /// How fast the sender can receive; zero when it does not want periodic packets.
    pub required_min_rx: u32,
    /// How fast the sender sends Echo packets back; zero when it does not.
    pub required_min_echo_rx: u32,
}

impl ControlPacket {
    /// Reads the payload of a UDP datagram: the first ten checks of RFC 5880 §6.8.6. Octets behind
    /// the packet are no fault there, and are none here.
    ///
    /// # Errors
    ///
    /// When one of these checks fails.
    pub fn decode(payload: &[u8]) -> Result<ControlPacket, DecodeError> {
        let mut reader = Reader::new("BFD Control packet", payload);
        let [first, flags, detect_mult, length] = reader.array()?;
        if first >> 5 != VERSION {
            return Err(reader.invalid("the version is not 1"));
        }
        if usize::from(length) < LEN || usize::from(length) > payload.len() {
            return Err(reader.error(Fault::Length(length.into())));
        }
        if flags & AUTHENTICATION != 0 || usize::from(length) != LEN {
            return Err(reader.invalid("an authentication section, which is not in use"));
        }
        if detect_mult == 0 {
            return Err(reader.invalid("Detect Mult is zero"));
        }
        if flags & MULTIPOINT != 0 {
            return Err(reader.invalid("the Multipoint bit is set"));
        }
        let packet = ControlPacket {
            diagnostic: Diagnostic(first & 0x1f),
            state: State::of_bits(flags >> 6),
            poll: flags & POLL != 0,
            is_final: flags & FINAL != 0,
            control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
            demand: flags & DEMAND != 0,
            detect_mult,
            my_discriminator: reader.u32()?,
            your_discriminator: reader.u32()?,
            desired_min_tx: reader.u32()?,
            required_min_rx: reader.u32()?,
            required_min_echo_rx: reader.u32()?,
        };
        packet.check(&reader)?;
        Ok(packet)
    }

    fn check(&self, reader: &Reader<'_>) -> Result<(), DecodeError> {
        if self.my_discriminator == 0 {
            return Err(reader.invalid("My Discriminator is zero"));
        }
        if self.your_discriminator == 0 && self.state > State::Down {
            return Err(reader.invalid("Your Discriminator is zero in Init or Up"));
        }
        Ok(())
    }

    /// The payload of a UDP datagram. Only five bits of the diagnostic have a place.
    pub fn encode(&self) -> [u8; LEN] {
        let mut writer = Writer::with_capacity(LEN);
        writer.u8(VERSION << 5 | self.diagnostic.0 & 0x1f);
        writer.u8(self.flags());
        writer.u8(self.detect_mult);
        writer.u8(LEN as u8);
        writer.u32(self.my_discriminator);
        writer.u32(self.your_discriminator);
        writer.u32(self.desired_min_tx);
        writer.u32(self.required_min_rx);
        writer.u32(self.required_min_echo_rx);
        let mut bytes = [0; LEN];
        bytes.copy_from_slice(&writer.into_bytes());
        bytes
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        (self.state as u8) << 6
            | flag(self.poll, POLL)
            | flag(self.is_final, FINAL)
            | flag(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | flag(self.demand, DEMAND)
    }
}

#[cfg(test)]
mod tests;
