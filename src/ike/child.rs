//! Negotiation of a Child SA: what both roles of IKE_AUTH and CREATE_CHILD_SA have in common
//! (RFC 7296 §1.2, §1.3, §2.9).

use super::aggfrag;
use super::config::{ConnectionConfig, SlotConfig, SlotId};
use super::context::Context;
use super::failure::ChildRefusal;
use super::payloads::{Payloads, esp_spi, none_chosen};
use super::proposal::{self, Beside, Choice};
use super::selector::{Traffic, describe, is_within, narrow};
use super::slots;
use super::state::state_of_fields;
use crate::crypto::kex::Group;
use crate::crypto::suite::{Additional, EspSuite};
use crate::net::EspSpi;
use crate::wire::ike::{NotifyType, Payload, TrafficSelector};

/// What both sides agreed on.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub suite: EspSuite,
    /// The key exchanges beside the first.
    pub additional: Additional,
    pub inbound: EspSpi,
    pub outbound: EspSpi,
    pub local_ts: Vec<TrafficSelector>,
    pub remote_ts: Vec<TrafficSelector>,
    /// Whether its packets are AGGFRAG payloads (RFC 9347 §5.1).
    pub aggfrag: bool,
}

impl Agreed {
    /// Its traffic.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic { local: self.local_ts.clone(), remote: self.remote_ts.clone() }
    }
}

/// Our offer of a Child SA, as initiator.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Offer {
    pub slot: SlotId,
    pub spi: EspSpi,
    name: Option<String>,
    suites: Vec<EspSuite>,
    /// The key exchanges that may stand beside the first.
    additional: Additional,
    traffic: Traffic,
    aggfrag: bool,
    aggfrag_required: bool,
}

impl Offer {
    /// An offer for `traffic` of a slot, of `suites`, perhaps with `additional` key exchanges; with
    /// `naming` the peer is told the slot's name.
    pub(super) fn new(
        (slot, config): (SlotId, &SlotConfig),
        traffic: Traffic,
        (suites, additional): (Vec<EspSuite>, Additional),
        naming: bool,
        ctx: &mut Context<'_>,
    ) -> Self {
        let name = Some(config.name.clone()).filter(|name| naming && !name.is_empty());
        let SlotConfig { aggfrag, aggfrag_required, .. } = *config;
        let spi = ctx.esp_spi();
        Offer { slot, spi, name, suites, additional, traffic, aggfrag, aggfrag_required }
    }

    /// The wish for AGGFRAG payloads.
    pub(super) fn aggfrag(&self) -> Option<Payload> {
        self.aggfrag.then(aggfrag::wanted)
    }

    /// The name of the slot, when the peer is to know it.
    pub(super) fn name(&self) -> Option<Payload> {
        self.name.as_deref().map(slots::name)
    }

    /// The groups that the peer may ask for.
    pub(super) fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        self.suites.iter().filter_map(|suite| suite.group)
    }

    pub(super) fn sa(&self) -> Payload {
        let spi = self.spi.0.to_be_bytes();
        Payload::SecurityAssociation(proposal::offer_by_group(&self.suites, self.beside(), &spi))
    }

    fn beside(&self) -> Beside {
        Beside::of_child(self.additional)
    }

    pub(super) fn selectors(&self) -> [Payload; 2] {
        [
            Payload::TrafficSelectorsInitiator(self.traffic.local.clone().into()),
            Payload::TrafficSelectorsResponder(self.traffic.remote.clone().into()),
        ]
    }

    /// Checks the peer's answer.
    ///
    /// # Errors
    ///
    /// Why there is no Child SA: the peer's refusal, or what is wrong with its answer.
    pub(super) fn accept(&self, answer: Payloads<'_>) -> Result<Agreed, ChildRefusal> {
        if let Some(error) = answer.error() {
            return Err(self.explain(error.notify_type));
        }
        let (Some(sa), Some(ts_initiator), Some(ts_responder)) =
            (answer.sa(), answer.ts_initiator(), answer.ts_responder())
        else {
            return Err(ChildRefusal::Breach("the answer holds neither a Child SA nor an error"));
        };
        let choice = proposal::chosen(sa, &self.suites, self.beside())
            .ok_or(ChildRefusal::Breach("the answer chooses a proposal that was not offered"))?;
        let narrowed = is_within(ts_initiator, &self.traffic.local)
            && is_within(ts_responder, &self.traffic.remote);
        if !narrowed {
            return Err(ChildRefusal::Breach("the answer widens the traffic selectors"));
        }
        let aggfrag = self.aggfrag && aggfrag::is_granted(answer)?;
        if self.aggfrag_required && !aggfrag {
            return Err(ChildRefusal::NoAggfrag);
        }
        Ok(Agreed {
            suite: choice.suite,
            additional: choice.additional,
            inbound: self.spi,
            outbound: outbound_spi(&choice.spi)?,
            local_ts: ts_initiator.to_vec(),
            remote_ts: ts_responder.to_vec(),
            aggfrag,
        })
    }

    fn explain(&self, notify: NotifyType) -> ChildRefusal {
        if let Some(refusal) = none_chosen(notify, &self.suites, self.beside()) {
            return ChildRefusal::Proposal(refusal);
        }
        match notify {
            NotifyType::TS_UNACCEPTABLE => ChildRefusal::Selectors(format!(
                "the peer accepts none of local {} with remote {}",
                describe(&self.traffic.local),
                describe(&self.traffic.remote)
            )),
            NotifyType::SINGLE_PAIR_REQUIRED => ChildRefusal::Selectors(format!(
                "the peer takes one pair of ranges at a time, not local {} with remote {}",
                describe(&self.traffic.local),
                describe(&self.traffic.remote)
            )),
            slots::DISABLED => ChildRefusal::DisabledByPeer,
            other => ChildRefusal::Notified(other),
        }
    }
}

/// The peer's request, accepted as far as proposals and selectors go. Nothing is allocated yet.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Accepted {
    pub slot: SlotId,
    pub choice: Choice<EspSuite>,
    outbound: EspSpi,
    local_ts: Vec<TrafficSelector>,
    remote_ts: Vec<TrafficSelector>,
    aggfrag: bool,
}

impl Accepted {
    /// Checks the peer's request for a new Child SA against the connection: for the slot that
    /// the peer names, else for the first that fits, those first that have no Child SA. The
    /// peer has begun a key exchange of `begun`, and others may stand `beside` it.
    ///
    /// # Errors
    ///
    /// Why no slot fits.
    pub(super) fn for_some_slot(
        config: &ConnectionConfig,
        has_child: impl Fn(SlotId) -> bool,
        suites_of: impl Fn(&SlotConfig) -> Vec<EspSuite>,
        request: Payloads<'_>,
        (beside, begun): (Beside, Option<Group>),
    ) -> Result<Accepted, ChildRefusal> {
        let check = |(&id, slot): (&SlotId, &SlotConfig)| {
            Accepted::check((id, slot), &suites_of(slot), request, (beside, begun))
        };
        if let Some(asked) = slots::named(request) {
            if config.refused_slots.contains(asked.as_ref()) {
                return Err(ChildRefusal::Disabled(asked.into_owned()));
            }
            let named = config.slots.iter().find(|(_, slot)| slot.name == asked);
            return named.map_or_else(|| Err(no_such_slot(config, &asked)), check);
        }
        let (filled, empty): (Vec<_>, Vec<_>) =
            config.slots.iter().partition(|(id, _)| has_child(**id));
        let mut failure = None;
        for slot in empty.into_iter().chain(filled) {
            match check(slot) {
                Ok(accepted) => return Ok(accepted),
                Err(refusal) => failure = failure.or(Some(refusal)),
            }
        }
        Err(failure.unwrap_or(ChildRefusal::Breach("the connection has no slots")))
    }

    /// Checks the peer's request against one slot, choosing one of `suites`; the peer has begun
    /// a key exchange of `begun`, and others may stand `beside` it.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub(super) fn check(
        (slot, config): (SlotId, &SlotConfig),
        suites: &[EspSuite],
        request: Payloads<'_>,
        (beside, begun): (Beside, Option<Group>),
    ) -> Result<Accepted, ChildRefusal> {
        let (Some(sa), Some(ts_initiator), Some(ts_responder)) =
            (request.sa(), request.ts_initiator(), request.ts_responder())
        else {
            return Err(ChildRefusal::Breach("the request holds no Child SA"));
        };
        let choice = proposal::choose(sa, suites, beside, begun).map_err(ChildRefusal::Proposal)?;
        let outbound = outbound_spi(&choice.spi)?;
        let remote_ts = narrow(ts_initiator, &config.remote_ts);
        let local_ts = narrow(ts_responder, &config.local_ts);
        if remote_ts.is_empty() || local_ts.is_empty() {
            return Err(no_common_traffic(config, ts_initiator, ts_responder));
        }
        let aggfrag = config.aggfrag && aggfrag::may_be_granted(request);
        if config.aggfrag_required && !aggfrag {
            return Err(ChildRefusal::NoAggfrag);
        }
        Ok(Accepted { slot, choice, outbound, local_ts, remote_ts, aggfrag })
    }

    pub(super) fn agree(&self, ctx: &mut Context<'_>) -> Agreed {
        Agreed {
            suite: self.choice.suite,
            additional: self.choice.additional,
            inbound: ctx.esp_spi(),
            outbound: self.outbound,
            local_ts: self.local_ts.clone(),
            remote_ts: self.remote_ts.clone(),
            aggfrag: self.aggfrag,
        }
    }

    /// The word that the peer's wish for AGGFRAG payloads is granted.
    pub(super) fn aggfrag(&self) -> Option<Payload> {
        self.aggfrag.then(aggfrag::wanted)
    }

    pub(super) fn sa(&self, agreed: &Agreed) -> Payload {
        let spi = agreed.inbound.0.to_be_bytes();
        Payload::SecurityAssociation(proposal::answer(&self.choice, &spi))
    }

    pub(super) fn selectors(&self) -> [Payload; 2] {
        [
            Payload::TrafficSelectorsInitiator(self.remote_ts.clone().into()),
            Payload::TrafficSelectorsResponder(self.local_ts.clone().into()),
        ]
    }
}

fn no_such_slot(config: &ConnectionConfig, asked: &str) -> ChildRefusal {
    let names: Vec<&str> = config.slots.values().map(|slot| slot.name.as_str()).collect();
    let named = names.iter().any(|name| !name.is_empty());
    let ours = if named { names.join(", ") } else { "no names".to_owned() };
    ChildRefusal::Slot { asked: asked.to_owned(), ours }
}

fn no_common_traffic(
    config: &SlotConfig,
    ts_initiator: &[TrafficSelector],
    ts_responder: &[TrafficSelector],
) -> ChildRefusal {
    ChildRefusal::Selectors(format!(
        "the peer offers {} on its side with {} on this one; this side accepts {} with {}",
        describe(ts_initiator),
        describe(ts_responder),
        describe(&config.remote_ts),
        describe(&config.local_ts)
    ))
}

/// The notification that tells the peer.
pub(super) fn notify_of(refusal: &ChildRefusal) -> NotifyType {
    match refusal {
        ChildRefusal::Proposal(_) | ChildRefusal::NoAggfrag => NotifyType::NO_PROPOSAL_CHOSEN,
        ChildRefusal::Selectors(_) | ChildRefusal::Slot { .. } => NotifyType::TS_UNACCEPTABLE,
        ChildRefusal::Disabled(_) | ChildRefusal::DisabledByPeer => slots::DISABLED,
        ChildRefusal::Notified(notify) => *notify,
        ChildRefusal::Breach(_) => NotifyType::INVALID_SYNTAX,
        // Such a peer is malicious or broken (RFC 6989 §2.5).
        ChildRefusal::PublicValue => NotifyType::INVALID_SYNTAX,
    }
}

/// The peer's inbound SPI, which is our outbound one.
fn outbound_spi(spi: &[u8]) -> Result<EspSpi, ChildRefusal> {
    let spi = esp_spi(spi).ok_or(ChildRefusal::Breach("the SPI of an ESP SA has 4 octets"))?;
    let reserved = spi < EspSpi::FIRST;
    if reserved { Err(ChildRefusal::Breach("the SPI is a reserved one")) } else { Ok(spi) }
}

state_of_fields!(Offer { slot, spi, name, suites, additional, traffic, aggfrag, aggfrag_required });
state_of_fields!(Agreed { suite, additional, inbound, outbound, local_ts, remote_ts, aggfrag });
