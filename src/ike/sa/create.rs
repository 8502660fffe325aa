//! CREATE_CHILD_SA for Child SAs: new ones and new keys for old ones, in both roles
//! (RFC 7296 §1.3.1, §1.3.3). Only the negotiation: what becomes of the Child SAs that there
//! are is for the IKE SA to say.
//!
//! ```text
//! HDR, SK {[N(REKEY_SA),] SA, Ni, [KEi,] TSi, TSr}  ──►
//!                                          ◄──  HDR, SK {SA, Nr, [KEr,] TSi, TSr}
//! ```

use super::super::child::{Accepted, Agreed, Offer, notify_of};
use super::super::config::{ConnectionConfig, SlotConfig, SlotId};
use super::super::context::Context;
use super::super::event::ChildId;
use super::super::failure::ChildRefusal;
use super::super::job::Work;
use super::super::keys::{Nonces, Secrets};
use super::super::payloads::{
    Payloads, child_notify, invalid_ke, notify, public_value, public_value_of, wanted_group,
};
use super::super::proposal::{Beside, group_of, method_of, with_group_first};
use super::super::selector::{Lack, Traffic};
use super::super::state::state_of_fields;
use super::following::{Conclusion, Granted, Halves};
use super::held;
use super::replacement::{Attempt, Outcome};
use crate::crypto::kex::{Group, KexError};
use crate::crypto::secret::Secret;
use crate::crypto::suite::Additional;
use crate::net::EspSpi;
use crate::wire::ike::{NotifyType, Payload};

/// Deletions remembered during one attempt, at most.
const MAX_DELETED: usize = 16;

/// A Child SA that we have asked for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct ChildAttempt {
    pub lack: Lack,
    pub replaces: Option<ChildId>,
    pub race: Attempt<ChildId>,
    offer: Offer,
    halves: Halves,
    /// What the peer has granted, of which key exchanges are yet to be made.
    granted: Option<Granted<Agreed>>,
    /// What the peer has deleted meanwhile, by its own SPIs: perhaps what we have asked for, if
    /// its answer was lost.
    deleted: Vec<EspSpi>,
    /// Whether the slot has changed meanwhile: then what comes of it is not wanted.
    pub outdated: bool,
}

/// What an attempt is for.
pub(super) struct Asked<'c> {
    pub lack: Lack,
    pub config: &'c SlotConfig,
    /// The Child SA whose place it is to take, and what that is for: new keys are for the same
    /// traffic (RFC 7296 §2.9.2).
    pub replaces: Option<(ChildId, Traffic)>,
    /// Our halves of key exchanges, if there are any.
    pub halves: Halves,
    /// Whether it is the second try, with the group that the peer asked for.
    pub regrouped: bool,
}

/// The group of the key exchange that we would choose for a slot under an IKE SA of the group `ike`.
pub(super) fn first_group(config: &SlotConfig, ike: Group) -> Option<Group> {
    with_group_first(&config.esp_suites, ike).first().and_then(|suite| suite.group)
}

/// What the peer answered to our attempt.
pub(super) enum Answer {
    Agreed,
    /// It wants a key exchange of this group, which we have offered (RFC 7296 §1.3).
    OtherGroup(Group),
    /// TEMPORARY_FAILURE (RFC 7296 §2.25).
    Later,
    /// It does not have the Child SA that is to be replaced (RFC 7296 §2.25.1).
    NotFound,
    Refused(ChildRefusal),
}

/// What an exchange has made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Made {
    pub slot: SlotId,
    pub agreed: Agreed,
    pub secrets: Secrets,
    pub nonces: Nonces,
}

impl ChildAttempt {
    /// An attempt under an IKE SA of the group `ike` with `additional` key exchanges; with `naming`
    /// the peer is told the slot's name.
    pub(super) fn begin(
        asked: Asked<'_>,
        (ike, additional): (Group, Additional),
        naming: bool,
        ctx: &mut Context<'_>,
    ) -> ChildAttempt {
        let Asked { lack, config, replaces, halves, regrouped } = asked;
        let suites = with_group_first(&config.esp_suites, ike);
        let (replaces, replaced) = replaces.unzip();
        let traffic = replaced.unwrap_or_else(|| lack.traffic(config));
        let offer = Offer::new((lack.slot, config), traffic, (suites, additional), naming, ctx);
        let race = Attempt::new(ctx.nonce(), regrouped);
        ChildAttempt {
            lack,
            replaces,
            race,
            offer,
            halves,
            granted: None,
            deleted: Vec::new(),
            outdated: false,
        }
    }

    /// The request; `replaced` is the inbound SPI of the Child SA that is to be replaced.
    pub(super) fn request(&self, replaced: Option<EspSpi>) -> Vec<Payload> {
        let mut payloads = Vec::new();
        payloads.extend(replaced.map(|spi| child_notify(NotifyType::REKEY_SA, spi)));
        payloads.push(self.offer.sa());
        payloads.push(Payload::Nonce(self.race.nonce().to_vec()));
        payloads.extend(self.halves.first().map(public_value));
        payloads.extend(self.offer.selectors());
        payloads.extend(self.offer.name());
        payloads.extend(self.offer.aggfrag());
        payloads
    }

    /// What the answer says.
    pub(super) fn read(&self, answer: Payloads<'_>) -> Answer {
        let Some(error) = answer.error() else { return Answer::Agreed };
        match error.notify_type {
            NotifyType::INVALID_KE_PAYLOAD if self.race.may_regroup() => {
                let offered = |&group: &Group| self.offer.groups().any(|ours| ours == group);
                match wanted_group(error).filter(offered) {
                    Some(group) => Answer::OtherGroup(group),
                    None => Answer::Refused(ChildRefusal::Notified(error.notify_type)),
                }
            }
            NotifyType::TEMPORARY_FAILURE | NotifyType::STATE_NOT_FOUND => Answer::Later,
            NotifyType::CHILD_SA_NOT_FOUND => Answer::NotFound,
            other => Answer::Refused(
                self.offer.accept(answer).err().unwrap_or(ChildRefusal::Notified(other)),
            ),
        }
    }

    /// The work by which this answer can be concluded, if it takes some.
    pub(super) fn work(&mut self, answer: Payloads<'_>) -> Option<Work> {
        let (ours, public) = match &self.granted {
            Some(granted) => granted.work(&mut self.halves, answer)?,
            None => {
                let group = self.offer.accept(answer).ok()?.suite.group?;
                self.halves.agree_first(group, answer)?
            }
        };
        Some(Work::Agree { ours, public })
    }

    /// The Child SA on which both have agreed, and whether it stays if the peer made one, too, or how
    /// to go on; `secret` is what came of the [`work`](ChildAttempt::work).
    ///
    /// # Errors
    ///
    /// What is wrong with the answer: the peer has a Child SA then that we cannot have.
    pub(super) fn conclude(
        &mut self,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<Conclusion<Made, Outcome<ChildId>>, ChildRefusal> {
        let is_last = match &mut self.granted {
            Some(granted) => {
                granted.on_answer(&self.halves, answer, secret).map_err(ChildRefusal::Breach)?
            }
            None => {
                let granted = self.grant(answer, secret)?;
                let is_last = granted.what.additional.is_none();
                self.granted = Some(granted);
                is_last
            }
        };
        let granted = self.granted.take().ok_or(ChildRefusal::Breach("nothing was granted"))?;
        if !is_last {
            let request = granted.request(&self.halves);
            self.granted = Some(granted);
            return Ok(Conclusion::Followed(request));
        }
        let Granted { what: agreed, nonce, secrets, .. } = granted;
        let (nonces, outcome) = self.race.conclude(&nonce);
        let made = Made { slot: self.offer.slot, agreed, secrets, nonces };
        Ok(Conclusion::Made(made, outcome))
    }

    /// What the answer to CREATE_CHILD_SA grants.
    fn grant(
        &self,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<Granted<Agreed>, ChildRefusal> {
        let agreed = self.offer.accept(answer)?;
        let nonce = answer.nonce().ok_or(ChildRefusal::Breach("the answer holds no nonce"))?;
        let secrets = match (agreed.suite.group, secret) {
            (None, _) => Secrets::default(),
            (Some(_), Some(Ok(shared))) => Secrets::first(shared),
            (Some(_), Some(Err(_))) => return Err(ChildRefusal::PublicValue),
            (Some(_), None) => {
                let breach = "the key exchange is of another group than the suite";
                return Err(ChildRefusal::Breach(breach));
            }
        };
        let nonce = nonce.to_vec();
        match agreed.additional.is_none() {
            true => Ok(Granted::whole(agreed, nonce, secrets)),
            false => Granted::begin(agreed, nonce, secrets, answer).map_err(ChildRefusal::Breach),
        }
    }

    /// Of an exchange that the peer has granted, and of which key exchanges are yet to be made: its
    /// nonces, and whether it would stay as things are.
    pub(super) fn granted(&self) -> Option<(Nonces, Outcome<ChildId>)> {
        self.granted.as_ref().map(|granted| self.race.conclude(&granted.nonce))
    }

    /// Whether another process could go on with it.
    pub(super) fn is_portable(&self) -> bool {
        self.halves.are_portable()
    }

    /// The peer has deleted a Child SA that we do not know yet.
    pub(super) fn on_deleted(&mut self, spi: EspSpi) {
        if self.deleted.len() < MAX_DELETED {
            self.deleted.push(spi);
        }
    }

    /// What the peer has deleted since we asked.
    pub(super) fn deleted(&self) -> &[EspSpi] {
        &self.deleted
    }

    /// The SPI that we have given to our side of it.
    pub(super) fn spi(&self) -> EspSpi {
        self.offer.spi
    }

    /// The slot that it is for.
    pub(super) fn slot(&self) -> SlotId {
        self.lack.slot
    }

    /// Gives back what the attempt had taken.
    pub(super) fn release(&self, ctx: &mut Context<'_>) {
        ctx.pool.release(self.offer.spi);
    }
}

/// Why a request of the peer makes no Child SA.
pub(super) enum Refusal {
    /// It is told to ask again in another way, or later.
    Notify(Payload),
    /// We and the peer do not fit together.
    Unfit(ChildRefusal),
}

/// Whether the peer's request for a Child SA fits: one that replaces the Child SA of a slot, or
/// else a new one for a slot of the connection, those first that have none.
///
/// # Errors
///
/// What does not fit.
pub(super) fn check(
    config: &ConnectionConfig,
    replaced: Option<SlotId>,
    has_child: impl Fn(SlotId) -> bool,
    request: Payloads<'_>,
) -> Result<Accepted, ChildRefusal> {
    let begun = request.key_exchange().and_then(|ke| group_of(ke.method));
    let exchanges = (Beside::of_requested_child(config.post_quantum), begun);
    let Some(slot) = replaced else {
        let suites = |slot: &SlotConfig| slot.esp_suites.clone();
        return Accepted::for_some_slot(config, has_child, suites, request, exchanges);
    };
    let known =
        config.slots.get(&slot).ok_or(ChildRefusal::Notified(NotifyType::TS_UNACCEPTABLE))?;
    Accepted::check((slot, known), &known.esp_suites, request, exchanges)
}

/// The key exchange that our answer takes, with the peer's public value; `None` when it takes
/// none, or the peer has begun another.
pub(super) fn key_exchange(accepted: &Accepted, request: Payloads<'_>) -> Option<(Group, Vec<u8>)> {
    let group = accepted.choice.suite.group?;
    let public = request.key_exchange().filter(|public| public.method == method_of(group))?;
    request.nonce().map(|_| (group, public.data.clone()))
}

/// The Child SA for which the peer asks, and our answer; `responded` is what came of the
/// [`key_exchange`].
///
/// # Errors
///
/// Why there is none; nothing has been allocated then.
pub(super) fn answer(
    accepted: &Accepted,
    request: Payloads<'_>,
    responded: Option<held::Responded>,
    ctx: &mut Context<'_>,
) -> Result<(Made, Vec<Payload>), Refusal> {
    let without = ChildRefusal::Breach("CREATE_CHILD_SA without nonce");
    let nonce = request.nonce().ok_or(Refusal::Unfit(without))?;
    let begun = request.key_exchange().and_then(|ke| group_of(ke.method));
    let group = accepted.choice.suite.group;
    if let Some(wanted) = group.filter(|_| begun != group) {
        return Err(Refusal::Notify(invalid_ke(wanted)));
    }
    let (public, secrets) = match group {
        None => (None, Secrets::default()),
        Some(group) => {
            let (public, shared) = half(responded)?;
            (Some(public_value_of(group, public)), Secrets::first(shared))
        }
    };
    let nonces = Nonces { initiator: nonce.to_vec(), responder: ctx.nonce() };
    let agreed = accepted.agree(ctx);
    let mut payloads = vec![accepted.sa(&agreed), Payload::Nonce(nonces.responder.clone())];
    payloads.extend(public);
    payloads.extend(accepted.selectors());
    payloads.extend(accepted.aggfrag());
    Ok((Made { slot: accepted.slot, agreed, secrets, nonces }, payloads))
}

/// Whether a refusal means that the peer's message breaks the protocol.
pub(super) fn is_breach(refusal: &ChildRefusal) -> bool {
    notify_of(refusal) == NotifyType::INVALID_SYNTAX
}

/// What the answer needs of a key exchange.
fn half(responded: Option<held::Responded>) -> Result<(Vec<u8>, Secret), Refusal> {
    match responded {
        Some(Ok(half)) => Ok(half),
        Some(Err(KexError::NoRandomness)) | None => {
            Err(Refusal::Notify(notify(NotifyType::TEMPORARY_FAILURE, [])))
        }
        Some(Err(KexError::Length { .. } | KexError::PublicValue(_))) => {
            Err(Refusal::Unfit(ChildRefusal::PublicValue))
        }
    }
}

state_of_fields!(ChildAttempt { lack, replaces, race, offer, halves, granted, deleted, outdated });
state_of_fields!(Made { slot, agreed, secrets, nonces });
