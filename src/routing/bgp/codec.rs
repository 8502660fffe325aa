//! Messages to bytes and back. `netgauze-bgp-pkt` knows the encodings of values; nothing of it
//! leaves this module.
//!
//! Decoding cuts every capability, attribute and prefix out by its own length first and only
//! then reads the value, so that an error in one cannot shift the next: that is what the graded
//! error handling of RFC 7606 needs. Encoding hands whole messages to the library.

mod encode;
mod open;
mod prefixes;
mod update;

pub use encode::{
    announcements, end_of_rib, keepalive, notification, open, route_refresh, withdrawals,
};

use super::{
    Cause, Family, Frame, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, Message, MessageType, Notification,
    Refresh,
};
use std::collections::BTreeSet;

/// What both speakers agreed on, as far as it changes how messages are read and written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// AS numbers are four octets wide (RFC 6793).
    pub four_octet: bool,
    /// Both speakers are of one AS.
    pub internal: bool,
    /// Families that both carry.
    pub families: BTreeSet<Family>,
    /// IPv4 routes may have an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// Messages may be longer (RFC 8654).
    pub extended_messages: bool,
}

impl Context {
    /// The longest message.
    pub(super) fn longest(&self) -> usize {
        if self.extended_messages { MAX_EXTENDED_MESSAGE } else { MAX_MESSAGE }
    }
}

/// Reads one message.
///
/// # Errors
/// The [`Cause`] for which RFC 4271 §6 and RFC 7606 end the session. What they let pass comes
/// back inside the message.
pub fn decode(frame: &Frame, context: &Context) -> Result<Message, Cause> {
    match frame.message_type {
        MessageType::Open => open::decode(&frame.body).map(Message::Open),
        MessageType::Update => update::decode(&frame.body, context).map(Message::Update),
        MessageType::Notification => Ok(Message::Notification(decode_notification(&frame.body))),
        MessageType::Keepalive => Ok(Message::Keepalive),
        MessageType::RouteRefresh => Ok(Message::RouteRefresh(decode_refresh(&frame.body))),
    }
}

/// RFC 4271 §4.5. The frame's length bounds vouch for the two codes.
fn decode_notification(body: &[u8]) -> Notification {
    match body {
        [code, subcode, data @ ..] => {
            Notification { code: *code, subcode: *subcode, data: data.to_vec() }
        }
        [code] => Notification { code: *code, subcode: 0, data: Vec::new() },
        [] => Notification { code: 0, subcode: 0, data: Vec::new() },
    }
}

/// RFC 2918 §3, RFC 7313 §3.2: AFI, an octet that was reserved, SAFI. A family that is not ours is no
/// error, and neither is a subtype that we do not know (RFC 7313 §5).
fn decode_refresh(body: &[u8]) -> Option<(Family, Refresh)> {
    let [high, low, subtype, safi] = body else { return None };
    let refresh = match subtype {
        0 => Refresh::Wanted,
        1 => Refresh::Begins,
        2 => Refresh::Ends,
        _ => return None,
    };
    let family = Family::from_afi_safi(u16::from_be_bytes([*high, *low]), *safi)?;
    Some((family, refresh))
}

#[cfg(test)]
mod tests;
