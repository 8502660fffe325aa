//! Payloads of one message: found by what they are, and made as every exchange makes them.

use super::failure::{FailureReason, NoProposal};
use super::proposal::{Beside, Suite, describe_suites, group_of, method_of};
use crate::crypto::kex::{self, Group};
use crate::crypto::suite::IkeSuite;
use crate::net::EspSpi;
use crate::wire::ike::{
    Authentication, Certificate, Delete, Identification, KeyExchange, Notify, NotifyType, Payload,
    PayloadType, ProtocolId, SecurityAssociation, TrafficSelector,
};

/// A view of the payloads of one message, by what they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payloads<'a>(pub &'a [Payload]);

impl<'a> Payloads<'a> {
    pub(super) fn sa(self) -> Option<&'a SecurityAssociation> {
        self.0.iter().find_map(|payload| match payload {
            Payload::SecurityAssociation(sa) => Some(sa),
            _ => None,
        })
    }

    /// The protocol of the first proposal for an SA that there is here, or of the first at all: a peer
    /// may prefer others (RFC 7296 §3.3.6).
    pub(super) fn proposed_protocol(self) -> Option<ProtocolId> {
        let mut all = self.sa()?.proposals.iter().map(|proposal| proposal.protocol);
        let ours = [ProtocolId::IKE, ProtocolId::ESP];
        all.clone().find(|protocol| ours.contains(protocol)).or_else(|| all.next())
    }

    pub(super) fn key_exchange(self) -> Option<&'a KeyExchange> {
        self.0.iter().find_map(|payload| match payload {
            Payload::KeyExchange(key_exchange) => Some(key_exchange),
            _ => None,
        })
    }

    pub(super) fn nonce(self) -> Option<&'a Vec<u8>> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Nonce(nonce) => Some(nonce),
            _ => None,
        })
    }

    pub(super) fn id_initiator(self) -> Option<&'a Identification> {
        self.0.iter().find_map(|payload| match payload {
            Payload::IdInitiator(id) => Some(id),
            _ => None,
        })
    }

    pub(super) fn id_responder(self) -> Option<&'a Identification> {
        self.0.iter().find_map(|payload| match payload {
            Payload::IdResponder(id) => Some(id),
            _ => None,
        })
    }

    pub(super) fn authentication(self) -> Option<&'a Authentication> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Authentication(auth) => Some(auth),
            _ => None,
        })
    }

    pub(super) fn certificates(self) -> impl Iterator<Item = &'a Certificate> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Certificate(certificate) => Some(certificate),
            _ => None,
        })
    }

    pub(super) fn ts_initiator(self) -> Option<&'a [TrafficSelector]> {
        self.0.iter().find_map(|payload| match payload {
            Payload::TrafficSelectorsInitiator(ts) => Some(ts.selectors.as_slice()),
            _ => None,
        })
    }

    pub(super) fn ts_responder(self) -> Option<&'a [TrafficSelector]> {
        self.0.iter().find_map(|payload| match payload {
            Payload::TrafficSelectorsResponder(ts) => Some(ts.selectors.as_slice()),
            _ => None,
        })
    }

    pub(super) fn notifies(self) -> impl Iterator<Item = &'a Notify> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Notify(notify) => Some(notify),
            _ => None,
        })
    }

    pub(super) fn notify(self, notify_type: NotifyType) -> Option<&'a Notify> {
        self.notifies().find(|notify| notify.notify_type == notify_type)
    }

    /// The first notification of an error.
    pub(super) fn error(self) -> Option<&'a Notify> {
        self.notifies().find(|notify| notify.notify_type.is_error())
    }

    pub(super) fn deletes(self) -> impl Iterator<Item = &'a Delete> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Delete(delete) => Some(delete),
            _ => None,
        })
    }

    /// A payload that we do not know and must not ignore (RFC 7296 §2.5).
    pub(super) fn unknown_critical(self) -> Option<PayloadType> {
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

/// A Notify payload about the Child SA that the peer knows by this SPI.
pub(super) fn child_notify(notify_type: NotifyType, spi: EspSpi) -> Payload {
    Payload::Notify(Notify {
        protocol: ProtocolId::ESP,
        spi: spi.0.to_be_bytes().to_vec(),
        notify_type,
        data: Vec::new(),
    })
}

/// The SPI of an ESP SA, which has 4 octets.
pub(super) fn esp_spi(octets: &[u8]) -> Option<EspSpi> {
    <[u8; 4]>::try_from(octets).ok().map(|octets| EspSpi(u32::from_be_bytes(octets)))
}

/// Our half of a key exchange, for the peer.
pub(super) fn public_value(key_exchange: &kex::KeyExchange) -> Payload {
    public_value_of(key_exchange.group(), key_exchange.public().to_vec())
}

/// The public value of a key exchange in a group.
pub(super) fn public_value_of(group: Group, data: Vec<u8>) -> Payload {
    Payload::KeyExchange(KeyExchange { method: method_of(group), data })
}

/// The refusal of a key exchange of another group than `wanted` (RFC 7296 §1.2, §1.3).
pub(super) fn invalid_ke(wanted: Group) -> Payload {
    notify(NotifyType::INVALID_KE_PAYLOAD, method_of(wanted).0.to_be_bytes())
}

/// The group that the peer wants instead, if the notification is an INVALID_KE_PAYLOAD and we
/// know the group.
pub(super) fn wanted_group(notify: &Notify) -> Option<Group> {
    let invalid_ke = notify.notify_type == NotifyType::INVALID_KE_PAYLOAD;
    let octets = <[u8; 2]>::try_from(notify.data.as_slice()).ok().filter(|_| invalid_ke)?;
    group_of(u16::from_be_bytes(octets).into())
}

/// What NO_PROPOSAL_CHOSEN says about the suites that we have offered.
pub(super) fn none_chosen<S: Suite>(
    notify: NotifyType,
    offered: &[S],
    beside: Beside,
) -> Option<NoProposal> {
    let refused = notify == NotifyType::NO_PROPOSAL_CHOSEN;
    refused.then(|| NoProposal::Theirs { offered: describe_suites(offered, beside) })
}

/// Why the peer refused an exchange that was to make an IKE SA of one of the `offered` suites.
pub(super) fn ike_refused(
    exchange: &'static str,
    notify: NotifyType,
    offered: &[IkeSuite],
    beside: Beside,
) -> FailureReason {
    none_chosen(notify, offered, beside)
        .map_or(FailureReason::Refused { exchange, notify }, FailureReason::IkeProposal)
}
