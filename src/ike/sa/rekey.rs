//! CREATE_CHILD_SA for the IKE SA itself: the negotiation of its successor, in both roles
//! (RFC 7296 §1.3.2, §2.18).
//!
//! ```text
//! HDR, SK {SA, Ni, KEi}  ──►
//!               ◄──  HDR, SK {SA, Nr, KEr}      then, perhaps, IKE_FOLLOWUP_KE; see `following`
//! ```
//!
//! The new IKE SA inherits the Child SAs, and who asked for it deletes the old one.

use super::super::config::PostQuantum;
use super::super::context::Context;
use super::super::event::{IkeSaId, Role};
use super::super::failure::{FailureReason, NoProposal};
use super::super::job::Work;
use super::super::keys::{IkeKeys, Nonces, Secrets, Spis};
use super::super::payloads::{
    Payloads, ike_refused, invalid_ke, notify, public_value, public_value_of, wanted_group,
};
use super::super::proposal::{self, Beside, Choice, group_of};
use super::super::state::state_of_fields;
use super::following::{Conclusion, Granted, Halves};
use super::held;
use super::replacement::{Attempt, Outcome};
use crate::crypto::kex::{Group, KexError};
use crate::crypto::secret::Secret;
use crate::crypto::suite::{Additional, IkeSuite};
use crate::wire::ike::{IkeSpi, NotifyType, Payload};

/// A successor that we have asked for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct IkeAttempt {
    pub race: Attempt<IkeSpi>,
    spi: IkeSpi,
    suites: Vec<IkeSuite>,
    /// The key exchanges that we offer beside the first, and whether we take one without.
    additional: Additional,
    or_none: bool,
    halves: Halves,
    /// What the peer has granted, of which key exchanges are yet to be made.
    granted: Option<Granted<Agreed>>,
}

/// A successor on which both have agreed, but for the key exchanges that are yet to be made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Agreed {
    suite: IkeSuite,
    additional: Additional,
    id: IkeSaId,
    nonces: Nonces,
    pub secrets: Secrets,
}

impl Agreed {
    /// The successor, derived from the present `keys`; `None` when the suite does not fit.
    pub(super) fn derive(self, keys: &IkeKeys, role: Role) -> Option<Made> {
        let Agreed { suite, additional, id, nonces, secrets } = self;
        let (initiator, responder) = match role {
            Role::Initiator => (id.local, id.remote),
            Role::Responder => (id.remote, id.local),
        };
        let spis = Spis { initiator, responder };
        let keys = keys.rekeyed(suite, &secrets, &nonces, spis, role).ok()?;
        Some(Made { id, role, keys, nonces, additional })
    }
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
    /// Its key exchanges beside the first.
    pub additional: Additional,
}

impl IkeAttempt {
    /// An attempt to make one of `suites` with our `halves` of key exchanges; `regrouped` when it is
    /// the second try, with the group that the peer asked for.
    pub(super) fn begin(
        suites: Vec<IkeSuite>,
        (additional, wanted): (Additional, PostQuantum),
        halves: Halves,
        regrouped: bool,
        ctx: &mut Context<'_>,
    ) -> IkeAttempt {
        let (spi, nonce) = (ctx.ike_spi(), ctx.nonce());
        let race = Attempt::new(nonce, regrouped);
        let or_none = wanted != PostQuantum::Require;
        IkeAttempt { race, spi, suites, additional, or_none, halves, granted: None }
    }

    fn beside(&self) -> Beside {
        Beside::again(self.additional, self.or_none)
    }

    /// Of an exchange that the peer has granted, and of which key exchanges are yet to be made: its
    /// nonces, and whether it would stay as things are.
    pub(super) fn granted(&self) -> Option<(Nonces, Outcome<IkeSpi>)> {
        self.granted.as_ref().map(|granted| self.race.conclude(&granted.nonce))
    }

    /// Whether another process could go on with it.
    pub(super) fn is_portable(&self) -> bool {
        self.halves.are_portable()
    }

    /// The request.
    pub(super) fn request(&self) -> Vec<Payload> {
        let mut payloads = vec![
            Payload::SecurityAssociation(proposal::offer(&self.suites, self.beside(), &self.spi.0)),
            Payload::Nonce(self.race.nonce().to_vec()),
        ];
        payloads.extend(self.halves.first().map(public_value));
        payloads
    }

    /// What the answer says.
    pub(super) fn read(&self, answer: Payloads<'_>) -> Answer {
        let Some(error) = answer.error() else { return Answer::Agreed };
        let offered = |&group: &Group| self.suites.iter().any(|suite| suite.group == group);
        let wanted = wanted_group(error).filter(offered).filter(|_| self.race.may_regroup());
        match (error.notify_type, wanted) {
            (NotifyType::TEMPORARY_FAILURE | NotifyType::STATE_NOT_FOUND, _) => Answer::Later,
            (_, Some(group)) => Answer::OtherGroup(group),
            (refusal, None) => {
                let exchange = "rekeying of the IKE SA";
                Answer::Refused(ike_refused(exchange, refusal, &self.suites, self.beside()))
            }
        }
    }

    /// The work by which this answer can be concluded, if it takes some.
    pub(super) fn work(&mut self, answer: Payloads<'_>) -> Option<Work> {
        let (ours, public) = match &self.granted {
            Some(granted) => granted.work(&mut self.halves, answer)?,
            None => {
                let chosen = proposal::chosen(answer.sa()?, &self.suites, self.beside())?;
                self.halves.agree_first(chosen.suite.group, answer)?
            }
        };
        Some(Work::Agree { ours, public })
    }

    /// The successor on which both have agreed, derived from the present `keys`, and whether it
    /// stays if the peer made one, too, or how to go on; `secret` is what came of the
    /// [`work`](IkeAttempt::work).
    ///
    /// # Errors
    ///
    /// What is wrong with the answer: the peer has a successor then that we cannot have.
    pub(super) fn conclude(
        &mut self,
        keys: &IkeKeys,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<Conclusion<Made, Outcome<IkeSpi>>, &'static str> {
        let is_last = match &mut self.granted {
            Some(granted) => granted.on_answer(&self.halves, answer, secret)?,
            None => {
                let granted = self.grant(answer, secret)?;
                let is_last = granted.what.additional.is_none();
                self.granted = Some(granted);
                is_last
            }
        };
        let granted = self.granted.take().ok_or("nothing was granted")?;
        if !is_last {
            let request = granted.request(&self.halves);
            self.granted = Some(granted);
            return Ok(Conclusion::Followed(request));
        }
        let Granted { what, nonce, secrets, .. } = granted;
        let (nonces, outcome) = self.race.conclude(&nonce);
        let agreed = Agreed { nonces, secrets, ..what };
        let made = agreed.derive(keys, Role::Initiator);
        let made = made.ok_or("the key schedule does not fit the suite")?;
        Ok(Conclusion::Made(made, outcome))
    }

    /// What the answer to CREATE_CHILD_SA grants.
    fn grant(
        &self,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<Granted<Agreed>, &'static str> {
        let (Some(sa), Some(_), Some(nonce)) = (answer.sa(), answer.key_exchange(), answer.nonce())
        else {
            return Err("the answer to the rekeying of the IKE SA lacks a payload");
        };
        let choice = proposal::chosen(sa, &self.suites, self.beside())
            .ok_or("the answer chooses a proposal that was not offered")?;
        let shared = secret.ok_or("the key exchange is of another group than the suite")?;
        let remote = ike_spi(&choice).ok_or("the SPI of an IKE SA has 8 octets, not all zero")?;
        let shared = shared.map_err(|_| "the peer's public value is not acceptable")?;
        let agreed = Agreed {
            suite: choice.suite,
            additional: choice.additional,
            id: IkeSaId { local: self.spi, remote },
            nonces: Nonces { initiator: Vec::new(), responder: Vec::new() },
            secrets: Secrets::default(),
        };
        let (nonce, secrets) = (nonce.to_vec(), Secrets::first(shared));
        match choice.additional.is_none() {
            true => Ok(Granted::whole(agreed, nonce, secrets)),
            false => Granted::begin(agreed, nonce, secrets, answer),
        }
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

/// What the peer asks for, one of `suites` with the key exchanges `beside` the first, and the peer's
/// public value.
///
/// # Errors
///
/// Why there can be none.
pub(super) fn choose(
    suites: &[IkeSuite],
    beside: Beside,
    request: Payloads<'_>,
) -> Result<(Choice<IkeSuite>, Vec<u8>), Refusal> {
    let (Some(sa), Some(public), Some(_)) = (request.sa(), request.key_exchange(), request.nonce())
    else {
        return Err(Refusal::Breach("rekeying lacks a payload"));
    };
    let begun = group_of(public.method);
    let choice = proposal::choose(sa, suites, beside, begun).map_err(Refusal::Proposal)?;
    let group = choice.suite.group;
    if begun != Some(group) {
        return Err(Refusal::Notify(invalid_ke(group)));
    }
    Ok((choice, public.data.clone()))
}

/// The successor for which the peer asks, one of `suites`, and our answer; `responded` is what came
/// of the key exchange that [`choose`] has named.
///
/// # Errors
///
/// Why there is none.
pub(super) fn answer(
    suites: &[IkeSuite],
    beside: Beside,
    request: Payloads<'_>,
    responded: Option<held::Responded>,
    ctx: &mut Context<'_>,
) -> Result<(Agreed, Vec<Payload>), Refusal> {
    let (choice, _) = choose(suites, beside, request)?;
    let nonce = request.nonce().ok_or(Refusal::Breach("rekeying lacks a payload"))?;
    let (public, shared) = half(responded)?;
    let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
    let (local, remote) = (ctx.ike_spi(), ike_spi(&choice).ok_or(UNACCEPTABLE)?);
    let payloads = vec![
        Payload::SecurityAssociation(proposal::answer(&choice, &local.0)),
        Payload::Nonce(nonces.responder.clone()),
        public_value_of(choice.suite.group, public),
    ];
    let (suite, additional) = (choice.suite, choice.additional);
    let (id, secrets) = (IkeSaId { local, remote }, Secrets::first(shared));
    Ok((Agreed { suite, additional, id, nonces, secrets }, payloads))
}

impl Agreed {
    /// Those of the exchange that the peer began.
    pub(super) fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// The key exchanges that are yet to be made.
    pub(super) fn additional(&self) -> Additional {
        self.additional
    }
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

/// The SPI that the peer gave to its side of the successor.
fn ike_spi(choice: &Choice<IkeSuite>) -> Option<IkeSpi> {
    let spi = IkeSpi(<[u8; 8]>::try_from(choice.spi.as_slice()).ok()?);
    (!spi.is_zero()).then_some(spi)
}

state_of_fields!(IkeAttempt { race, spi, suites, additional, or_none, halves, granted });
state_of_fields!(Agreed { suite, additional, id, nonces, secrets });
