//! Key exchanges beside the first when an SA is made in CREATE_CHILD_SA: IKE_FOLLOWUP_KE, in both roles
//! (RFC 9370 §2.2.4).
//!
//! ```text
//! HDR(CREATE_CHILD_SA), SK {SA, Ni, KEi, …}  ──►
//!                  ◄──  HDR(CREATE_CHILD_SA), SK {SA, Nr, KEr, …, N(ADDITIONAL_KEY_EXCHANGE)(link)}
//! HDR(IKE_FOLLOWUP_KE), SK {KEi(1), N(ADDITIONAL_KEY_EXCHANGE)(link)}  ──►
//!                  ◄──  HDR(IKE_FOLLOWUP_KE), SK {KEr(1) [, N(ADDITIONAL_KEY_EXCHANGE)(next link)]}
//! ```
//!
//! The SA comes to be with the last of them, and only then counts what else there is: until then
//! nothing of it is in use, and it may come to nothing on either side. So whatever holds of one
//! CREATE_CHILD_SA that crosses another (RFC 7296 §2.8.1, §2.25) holds of the last exchange here. But who
//! knows from the nonces that its SA would be the one to go does not go on with it, and who is going on
//! puts off whoever asks for the same.

use super::super::context::Context;
use super::super::event::{ChildId, Role};
use super::super::fault::{self, Fault};
use super::super::keys::{Nonces, Secrets};
use super::super::payloads::{Payloads, notify, public_value, public_value_of};
use super::super::proposal::method_of;
use super::super::state::{state_of_fields, state_of_variants};
use super::exchanges::Request;
use super::replacement::{Outcome, loses};
use super::{Established, create, held, rekey};
use crate::crypto::kex::{Group, KexError, KeyExchange};
use crate::crypto::secret::Secret;
use crate::crypto::suite::Additional;
use crate::net::EspSpi;
use crate::time::Timestamp;
use crate::wire::ike::{NotifyType, Payload};
use std::time::Duration;

/// How long the peer may take for the next of them: "5-20 seconds" (RFC 9370 §2.2.4).
const PATIENCE: Duration = Duration::from_secs(15);

/// Our halves of the key exchanges of one request, until the peer's are there.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Halves {
    first: Option<KeyExchange>,
    more: Vec<KeyExchange>,
}

impl Halves {
    /// The first, and those beside it in their order.
    pub(super) fn new(halves: Vec<KeyExchange>) -> Halves {
        let mut halves = halves.into_iter();
        Halves { first: halves.next(), more: halves.collect() }
    }

    /// The first.
    pub(super) fn first(&self) -> Option<&KeyExchange> {
        self.first.as_ref()
    }

    /// The work that gives the secret of the first, if `answer` is for a key exchange of `group`.
    pub(super) fn agree_first(
        &mut self,
        group: Group,
        answer: Payloads<'_>,
    ) -> Option<(KeyExchange, Vec<u8>)> {
        let public = answer.key_exchange().filter(|public| public.method == method_of(group))?;
        let ours = self.first.take_if(|ours| ours.group() == group)?;
        Some((ours, public.data.clone()))
    }

    /// The same of the next one beside it.
    fn agree_next(&mut self, answer: Payloads<'_>) -> Option<(KeyExchange, Vec<u8>)> {
        let group = self.more.first()?.group();
        let public = answer.key_exchange().filter(|public| public.method == method_of(group))?;
        Some((self.more.remove(0), public.data.clone()))
    }

    /// Whether another process could go on with them.
    pub(super) fn are_portable(&self) -> bool {
        self.first.iter().chain(&self.more).all(|ours| ours.private().is_some())
    }
}

/// What the peer has granted in CREATE_CHILD_SA, of which key exchanges are yet to be made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Granted<T> {
    /// What it is.
    pub what: T,
    /// The peer's nonce.
    pub nonce: Vec<u8>,
    /// Of the key exchanges made so far.
    pub secrets: Secrets,
    link: Vec<u8>,
}

impl<T> Granted<T> {
    /// What `answer` to CREATE_CHILD_SA grants.
    ///
    /// # Errors
    ///
    /// When it does not say how to go on.
    pub(super) fn begin(
        what: T,
        nonce: Vec<u8>,
        secrets: Secrets,
        answer: Payloads<'_>,
    ) -> Result<Granted<T>, &'static str> {
        Ok(Granted { what, nonce, secrets, link: link_of(answer)? })
    }

    /// The same when nothing is left to be made.
    pub(super) fn whole(what: T, nonce: Vec<u8>, secrets: Secrets) -> Granted<T> {
        Granted { what, nonce, secrets, link: Vec::new() }
    }

    /// The next request, with the first of our `halves` that are left.
    pub(super) fn request(&self, halves: &Halves) -> Vec<Payload> {
        let ours = halves.more.first().map(public_value);
        let link = notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, self.link.clone());
        ours.into_iter().chain([link]).collect()
    }

    /// The work that the answer takes.
    pub(super) fn work(
        &self,
        halves: &mut Halves,
        answer: Payloads<'_>,
    ) -> Option<(KeyExchange, Vec<u8>)> {
        halves.agree_next(answer)
    }

    /// The answer to a request has brought a secret; whether that was the last.
    ///
    /// # Errors
    ///
    /// What is wrong with the answer.
    pub(super) fn on_answer(
        &mut self,
        halves: &Halves,
        answer: Payloads<'_>,
        secret: Option<held::Agreed>,
    ) -> Result<bool, &'static str> {
        let secret = secret.ok_or("the answer to IKE_FOLLOWUP_KE is of another key exchange")?;
        self.secrets.push(secret.map_err(|_| "the peer's public value is not acceptable")?);
        let is_last = halves.more.is_empty();
        if !is_last {
            self.link = link_of(answer)?;
        }
        Ok(is_last)
    }
}

/// Where the peer says how its next request is to be linked.
fn link_of(answer: Payloads<'_>) -> Result<Vec<u8>, &'static str> {
    let link = answer.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
    let missing = "the answer agrees on more key exchanges and does not say how to go on";
    link.map(|link| link.data.clone()).ok_or(missing)
}

/// What comes of an answer.
pub(super) enum Conclusion<T, O> {
    /// What both have agreed on, and whether it stays if the peer made one, too.
    Made(T, O),
    /// More key exchanges are to be made, by this request.
    Followed(Vec<Payload>),
}

/// What the peer has asked for, and we have granted, if it makes the key exchanges that are left.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Followups {
    wanted: Wanted,
    open: Vec<Group>,
    link: Vec<u8>,
    pub expires_at: Timestamp,
}

/// What they are for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Wanted {
    Child(ChildWanted),
    Ike(rekey::Agreed),
}

/// A Child SA, in place of another or not.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct ChildWanted {
    pub replaces: Option<ChildId>,
    pub made: create::Made,
}

impl Wanted {
    fn secrets(&mut self) -> &mut Secrets {
        match self {
            Wanted::Child(ChildWanted { made, .. }) => &mut made.secrets,
            Wanted::Ike(agreed) => &mut agreed.secrets,
        }
    }

    fn spi(&self) -> Option<EspSpi> {
        match self {
            Wanted::Child(ChildWanted { made, .. }) => Some(made.agreed.inbound),
            Wanted::Ike(_) => None,
        }
    }

    /// Whether it is to replace this Child SA, or with `None` the IKE SA.
    fn replaces(&self, child: Option<ChildId>) -> bool {
        match self {
            Wanted::Child(wanted) => wanted.replaces.is_some() && wanted.replaces == child,
            Wanted::Ike(_) => child.is_none(),
        }
    }

    fn nonces(&self) -> &Nonces {
        match self {
            Wanted::Child(ChildWanted { made, .. }) => &made.nonces,
            Wanted::Ike(agreed) => agreed.nonces(),
        }
    }
}

impl Followups {
    /// The key exchange that is next, if the request is for it, with the peer's public value.
    fn next(&self, request: Payloads<'_>) -> Option<(Group, Vec<u8>)> {
        let group = *self.open.first()?;
        let public = request.key_exchange().filter(|public| public.method == method_of(group))?;
        self.is_meant(request).then(|| (group, public.data.clone()))
    }

    fn is_meant(&self, request: Payloads<'_>) -> bool {
        let link = request.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
        link.is_some_and(|link| link.data == self.link)
    }

    /// The ESP SPI that we have given to our side of it.
    pub(super) fn spi(&self) -> Option<EspSpi> {
        self.wanted.spi()
    }
}

impl Established {
    /// What we have granted comes to be with the key exchanges beside the first. Says how the peer is
    /// to go on.
    pub(super) fn follow(
        &mut self,
        wanted: Wanted,
        additional: Additional,
        ctx: &mut Context<'_>,
    ) -> Payload {
        self.drop_followups(ctx);
        let link = new_link(ctx);
        let expires_at = ctx.now + PATIENCE;
        let open = additional.groups().collect();
        self.followups = Some(Followups { wanted, open, link: link.clone(), expires_at });
        notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, link)
    }

    /// The peer does not go on with it.
    pub(super) fn drop_followups(&mut self, ctx: &mut Context<'_>) {
        if let Some(spi) = self.followups.take().and_then(|followups| followups.spi()) {
            ctx.pool.release(spi);
        }
    }

    /// Whether the peer has made the same replacement, of this Child SA or with `None` of the IKE SA, or
    /// is making it, and ours, of which this is granted, would go in the end: "the initiator of this
    /// exchange just stops the rekeying process" (RFC 9370 §2.2.4).
    pub(super) fn leaves_it_to_the_peer<K>(
        &self,
        child: Option<ChildId>,
        (nonces, outcome): &(Nonces, Outcome<K>),
    ) -> bool {
        let under_way = self.followups.as_ref().map(|followups| &followups.wanted);
        let under_way = under_way.filter(|wanted| wanted.replaces(child));
        let made = matches!(outcome, Outcome::Theirs(_));
        made || under_way.is_some_and(|wanted| loses(nonces, wanted.nonces().lowest()))
    }

    /// The peer has taken too long.
    pub(super) fn expire_followups(&mut self, ctx: &mut Context<'_>) {
        if self.followups.as_ref().is_some_and(|followups| followups.expires_at <= ctx.now) {
            self.drop_followups(ctx);
        }
    }

    /// The key exchange with the peer's public value that an IKE_FOLLOWUP_KE is for.
    pub(super) fn followup_of(&self, request: Payloads<'_>) -> Option<(Group, Vec<u8>)> {
        self.followups.as_ref()?.next(request)
    }

    /// The peer makes one more key exchange; `responded` is what came of it.
    pub(super) fn followed_up(
        &mut self,
        request: &Request,
        (payloads, responded): (Payloads<'_>, Option<held::Responded>),
        ctx: &mut Context<'_>,
    ) {
        let followups = self.followups.take_if(|known| known.is_meant(payloads));
        let Some(followups) = followups.filter(|_| self.is_active()) else {
            return self.refuse(request, NotifyType::STATE_NOT_FOUND, ctx);
        };
        let (public, shared) = match responded {
            Some(Ok(half)) => half,
            // Something has gone wrong with us: the peer is to begin anew.
            Some(Err(KexError::NoRandomness)) => return self.let_go(request, followups, ctx),
            None if followups.next(payloads).is_some() => {
                return self.let_go(request, followups, ctx);
            }
            Some(Err(KexError::Length { .. } | KexError::PublicValue(_))) | None => {
                self.followups = Some(followups);
                let why = "IKE_FOLLOWUP_KE holds no acceptable public value of the agreed method";
                return self.refuse_syntax(request, why.to_owned(), ctx);
            }
        };
        self.go_on_with(request, followups, (public, shared), ctx);
    }

    fn go_on_with(
        &mut self,
        request: &Request,
        mut followups: Followups,
        (public, shared): (Vec<u8>, Secret),
        ctx: &mut Context<'_>,
    ) {
        let group = followups.open.remove(0);
        if !fault::is_on(Fault::ForgetsFollowups) {
            followups.wanted.secrets().push(shared);
        }
        let public = public_value_of(group, public);
        if followups.open.is_empty() {
            return self.complete(request, followups, public, ctx);
        }
        followups.link = new_link(ctx);
        followups.expires_at = ctx.now + PATIENCE;
        let link = notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, followups.link.clone());
        self.followups = Some(followups);
        self.respond(request, &[public, link], ctx);
    }

    /// All key exchanges are made: what was granted comes to be, if it still may.
    fn complete(
        &mut self,
        request: &Request,
        followups: Followups,
        public: Payload,
        ctx: &mut Context<'_>,
    ) {
        match followups.wanted {
            Wanted::Child(ref wanted) if !self.may_replace(wanted.replaces) => {
                self.let_go(request, followups, ctx);
            }
            Wanted::Child(ChildWanted { replaces, made }) => {
                self.install_requested(made, replaces, ctx);
                self.respond(request, &[public], ctx);
            }
            Wanted::Ike(_) if self.is_busy() => {
                self.refuse(request, NotifyType::STATE_NOT_FOUND, ctx);
            }
            Wanted::Ike(agreed) => match agreed.derive(&self.exchanges.keys, Role::Responder) {
                Some(made) => {
                    let token = ctx.crash_token(made.id, request.path.local.ip());
                    let answer: Vec<Payload> = [public].into_iter().chain(token).collect();
                    self.respond(request, &answer, ctx);
                    self.give_way(made, ctx);
                }
                None => self.refuse(request, NotifyType::STATE_NOT_FOUND, ctx),
            },
        }
    }

    /// What was granted comes to nothing, and the peer may ask anew.
    fn let_go(&mut self, request: &Request, followups: Followups, ctx: &mut Context<'_>) {
        self.followups = Some(followups);
        self.drop_followups(ctx);
        self.refuse(request, NotifyType::STATE_NOT_FOUND, ctx);
    }
}

/// Octets by which the peer's next request is known to belong to this one.
fn new_link(ctx: &mut Context<'_>) -> Vec<u8> {
    let mut link = vec![0; 8];
    ctx.random.fill(&mut link);
    link
}

state_of_fields!(Halves { first, more });
state_of_fields!(Granted<T> { what, nonce, secrets, link });
state_of_fields!(Followups { wanted, open, link, expires_at });
state_of_fields!(ChildWanted { replaces, made });
state_of_variants!(Wanted { 0 => Child(wanted), 1 => Ike(agreed), });
