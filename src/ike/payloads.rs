//! Finding payloads in a message, and refusing messages that cannot be understood.

use crate::wire::ike::{
    Authentication, Delete, Identification, KeyExchange, Notify, NotifyType, Payload, PayloadType,
    SecurityAssociation, TrafficSelector,
};

/// A view of the payloads of one message, by what they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payloads<'a>(pub &'a [Payload]);

impl<'a> Payloads<'a> {
    pub fn sa(self) -> Option<&'a SecurityAssociation> {
        self.0.iter().find_map(|payload| match payload {
            Payload::SecurityAssociation(sa) => Some(sa),
            _ => None,
        })
    }

    pub fn key_exchange(self) -> Option<&'a KeyExchange> {
        self.0.iter().find_map(|payload| match payload {
            Payload::KeyExchange(key_exchange) => Some(key_exchange),
            _ => None,
        })
    }

    pub fn nonce(self) -> Option<&'a Vec<u8>> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Nonce(nonce) => Some(nonce),
            _ => None,
        })
    }

    pub fn id_initiator(self) -> Option<&'a Identification> {
        self.0.iter().find_map(|payload| match payload {
            Payload::IdInitiator(id) => Some(id),
            _ => None,
        })
    }

    pub fn id_responder(self) -> Option<&'a Identification> {
        self.0.iter().find_map(|payload| match payload {
            Payload::IdResponder(id) => Some(id),
            _ => None,
        })
    }

    pub fn authentication(self) -> Option<&'a Authentication> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Authentication(auth) => Some(auth),
            _ => None,
        })
    }

    pub fn ts_initiator(self) -> Option<&'a [TrafficSelector]> {
        self.0.iter().find_map(|payload| match payload {
            Payload::TrafficSelectorsInitiator(ts) => Some(ts.selectors.as_slice()),
            _ => None,
        })
    }

    pub fn ts_responder(self) -> Option<&'a [TrafficSelector]> {
        self.0.iter().find_map(|payload| match payload {
            Payload::TrafficSelectorsResponder(ts) => Some(ts.selectors.as_slice()),
            _ => None,
        })
    }

    pub fn notifies(self) -> impl Iterator<Item = &'a Notify> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Notify(notify) => Some(notify),
            _ => None,
        })
    }

    pub fn notify(self, notify_type: NotifyType) -> Option<&'a Notify> {
        self.notifies().find(|notify| notify.notify_type == notify_type)
    }

    /// The first notification of an error.
    pub fn error(self) -> Option<&'a Notify> {
        self.notifies().find(|notify| notify.notify_type.is_error())
    }

    pub fn deletes(self) -> impl Iterator<Item = &'a Delete> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Delete(delete) => Some(delete),
            _ => None,
        })
    }

    /// A payload that we do not know and must not ignore (RFC 7296 §2.5).
    pub fn unknown_critical(self) -> Option<PayloadType> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Unknown(unknown) if unknown.critical => Some(unknown.payload_type),
            _ => None,
        })
    }
}

/// A Notify payload about the IKE SA.
pub(super) fn notify(notify_type: NotifyType, data: impl Into<Vec<u8>>) -> Payload {
    Payload::Notify(Notify::new(notify_type, data))
}
