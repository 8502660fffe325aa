//! CREATE_CHILD_SA for the IKE SA itself: the negotiation of its successor, in both roles
//! (RFC 7296 §1.3.2, §2.18).
//!
//! ```text
//! HDR, SK {SA, Ni, KEi}  ──►
//!               ◄──  HDR, SK {SA, Nr, KEr}
//! ```
//!
//! The new IKE SA inherits the Child SAs, and who asked for it deletes the old one.

use super::super::context::Context;
use super::super::event::{IkeSaId, Role};
use super::super::failure::{FailureReason, NoProposal};
use super::super::job::Work;
use super::super::keys::{IkeKeys, Nonces, Spis};
use super::super::payloads::{
    Payloads, ike_refused, invalid_ke, notify, public_value, public_value_of, wanted_group,
};
use super::super::proposal::{self, Choice, group_of, method_of};
use super::super::state::state_of_fields;
use super::held;
use super::replacement::{Attempt, Outcome};
use crate::crypto::kex::{Group, KexError, KeyExchange};
use crate::crypto::secret::Secret;
use crate::crypto::suite::IkeSuite;
use crate::wire::ike::{IkeSpi, NotifyType, Payload};

/// A successor that we have asked for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct IkeAttempt {
    pub race: Attempt<IkeSpi>,
    spi: IkeSpi,
    suites: Vec<IkeSuite>,
    /// Our half of it, until the peer's is there.
    key_exchange: Option<KeyExchange>,
}

/// What the peer answered to our attempt.
pub(super) enum Answer {
    Agreed,
    /// It wants a key exchange of this group, which we have offered (RFC 7296 §1.3).
    OtherGroup(Group),
    /// TEMPORARY_FAILURE (RFC 7296 §2.25).
    Later,
    Refused(FailureReason),
}

/// A successor as both sides have it.
pub(super) struct Made {
    pub id: IkeSaId,
    pub role: Role,
    pub keys: IkeKeys,
    pub nonces: Nonces,
}

impl IkeAttempt {
    /// An attempt to make one of `suites` with our half `ours` of a key exchange; `regrouped` when
    /// it is the second try, with the group that the peer asked for.
    pub(super) fn begin(
        suites: Vec<IkeSuite>,
        ours: KeyExchange,
        regrouped: bool,
        ctx: &mut Context<'_>,
    ) -> IkeAttempt {
        let (spi, nonce) = (ctx.ike_spi(), ctx.nonce());
        let race = Attempt::new(nonce, regrouped);
        IkeAttempt { race, spi, suites, key_exchange: Some(ours) }
    }

    /// Whether another process could go on with it.
    pub(super) fn is_portable(&self) -> bool {
        self.key_exchange.as_ref().is_none_or(|ours| ours.private().is_some())
    }

    /// The request.
    pub(super) fn request(&self) -> Vec<Payload> {
        let mut payloads = vec![
            Payload::SecurityAssociation(proposal::offer(&self.suites, &self.spi.0)),
            Payload::Nonce(self.race.nonce().to_vec()),
        ];
        payloads.extend(self.key_exchange.as_ref().map(public_value));
        payloads
    }

    /// What the answer says.
    pub(super) fn read(&self, answer: Payloads<'_>) -> Answer {
        let Some(error) = answer.error() else { return Answer::Agreed };
        let offered = |&group: &Group| self.suites.iter().any(|suite| suite.group == group);
        let wanted = wanted_group(error).filter(offered).filter(|_| self.race.may_regroup());
        match (error.notify_type, wanted) {
            (NotifyType::TEMPORARY_FAILURE, _) => Answer::Later,
            (_, Some(group)) => Answer::OtherGroup(group),
            (refusal, None) => {
                let exchange = "rekeying of the IKE SA";
                Answer::Refused(ike_refused(exchange, refusal, &self.suites))
            }
        }
    }

    /// The work by which this answer can be concluded, if it takes some.
    pub(super) fn work(&mut self, answer: Payloads<'_>) -> Option<Work> {
        let group = proposal::chosen(answer.sa()?, &self.suites)?.suite.group;
        let public = answer.key_exchange().filter(|public| public.method == method_of(group))?;
        let ours = self.key_exchange.take_if(|ours| ours.group() == group)?;
        Some(Work::Agree { ours, public: public.data.clone() })
    }

    /// The successor on which both have agreed, derived from the present `keys`, and whether it
    /// stays if the peer made one, too; `secret` is what came of the [`work`](IkeAttempt::work).
    ///
    /// # Errors
    ///
    /// What is wrong with the answer: the peer has a successor then that we cannot have.
    pub(super) fn conclude(
        self,
        keys: &IkeKeys,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<(Made, Outcome<IkeSpi>), &'static str> {
        let (Some(sa), Some(_), Some(responder)) =
            (answer.sa(), answer.key_exchange(), answer.nonce())
        else {
            return Err("the answer to the rekeying of the IKE SA lacks a payload");
        };
        let choice = proposal::chosen(sa, &self.suites)
            .ok_or("the answer chooses a proposal that was not offered")?;
        let shared = secret.ok_or("the key exchange is of another group than the suite")?;
        let remote = ike_spi(&choice).ok_or("the SPI of an IKE SA has 8 octets, not all zero")?;
        let shared = shared.map_err(|_| "the peer's public value is not acceptable")?;
        let (nonces, outcome) = self.race.conclude(responder);
        let spis = Spis { initiator: self.spi, responder: remote };
        let keys = keys
            .rekeyed(choice.suite, &shared, &nonces, spis, Role::Initiator)
            .map_err(|_| "the key schedule does not fit the suite")?;
        let id = IkeSaId { local: self.spi, remote };
        Ok((Made { id, role: Role::Initiator, keys, nonces }, outcome))
    }
}

/// Why a request of the peer makes no successor.
pub(super) enum Refusal {
    /// It is told to ask again in another way, or later.
    Notify(Payload),
    /// No common suite.
    Proposal(NoProposal),
    /// It breaks the protocol.
    Breach(&'static str),
}

/// A peer with such a public value or SPI is malicious or broken (RFC 6989 §2.5).
const UNACCEPTABLE: Refusal =
    Refusal::Breach("the SPI or the public value of a rekeying is unacceptable");

/// What the peer asks for, one of `suites`, with the peer's public value.
///
/// # Errors
///
/// Why there can be none.
pub(super) fn choose(
    suites: &[IkeSuite],
    request: Payloads<'_>,
) -> Result<(Choice<IkeSuite>, Vec<u8>), Refusal> {
    let (Some(sa), Some(public), Some(_)) = (request.sa(), request.key_exchange(), request.nonce())
    else {
        return Err(Refusal::Breach("rekeying lacks a payload"));
    };
    let begun = group_of(public.method);
    let choice = proposal::choose(sa, suites, begun).map_err(Refusal::Proposal)?;
    let group = choice.suite.group;
    if begun != Some(group) {
        return Err(Refusal::Notify(invalid_ke(group)));
    }
    Ok((choice, public.data.clone()))
}

/// The successor for which the peer asks, one of `suites`, derived from the present `keys`, and
/// our answer; `responded` is what came of the key exchange that [`choose`] has named.
///
/// # Errors
///
/// Why there is none.
pub(super) fn answer(
    keys: &IkeKeys,
    suites: &[IkeSuite],
    request: Payloads<'_>,
    responded: Option<held::Responded>,
    ctx: &mut Context<'_>,
) -> Result<(Made, [Payload; 3]), Refusal> {
    let (choice, _) = choose(suites, request)?;
    let nonce = request.nonce().ok_or(Refusal::Breach("rekeying lacks a payload"))?;
    let (public, shared) = half(responded)?;
    let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
    let local = ctx.ike_spi();
    let made = derive(keys, &choice, &shared, nonces, local).ok_or(UNACCEPTABLE)?;
    let payloads = [
        Payload::SecurityAssociation(proposal::answer(&choice, &local.0)),
        Payload::Nonce(made.nonces.responder.clone()),
        public_value_of(choice.suite.group, public),
    ];
    Ok((made, payloads))
}

/// What the answer needs of a key exchange.
fn half(responded: Option<held::Responded>) -> Result<(Vec<u8>, Secret), Refusal> {
    match responded {
        Some(Ok(half)) => Ok(half),
        Some(Err(KexError::NoRandomness)) | None => {
            Err(Refusal::Notify(notify(NotifyType::TEMPORARY_FAILURE, [])))
        }
        Some(Err(KexError::Length { .. } | KexError::PublicValue(_))) => Err(UNACCEPTABLE),
    }
}

fn derive(
    keys: &IkeKeys,
    choice: &Choice<IkeSuite>,
    shared: &Secret,
    nonces: Nonces,
    local: IkeSpi,
) -> Option<Made> {
    let remote = ike_spi(choice)?;
    let spis = Spis { initiator: remote, responder: local };
    let keys = keys.rekeyed(choice.suite, shared, &nonces, spis, Role::Responder).ok()?;
    Some(Made { id: IkeSaId { local, remote }, role: Role::Responder, keys, nonces })
}

/// The SPI that the peer gave to its side of the successor.
fn ike_spi(choice: &Choice<IkeSuite>) -> Option<IkeSpi> {
    let spi = IkeSpi(<[u8; 8]>::try_from(choice.spi.as_slice()).ok()?);
    (!spi.is_zero()).then_some(spi)
}

state_of_fields!(IkeAttempt { race, spi, suites, key_exchange });
