//! The peer is seen elsewhere: whether it really is there, and the move (RFC 7296 §2.23).
//!
//! Nothing is sent to another address than the path's but questions, and few of them, before the
//! peer has answered one from there that went nowhere else. A peer that copies COOKIE2 (RFC 4555
//! §4.2.5), as we do, cannot even vouch for an address where it is not; of another we can only see
//! that its answer comes from there. A peer with a configured address is never looked for at any
//! other, only at other ports of it.

use super::super::config::Way;
use super::super::context::Context;
use super::super::event::Event;
use super::super::exchange::Retransmission;
use super::super::failure::DownReason;
use super::super::path::{Cookie, Path};
use super::super::payloads::{Payloads, notify};
use super::super::protect::Opened;
use super::Established;
use super::asking::Purpose;
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, NotifyType, Payload};
use std::net::SocketAddr;
use std::time::Duration;

/// A place is asked for so long at least: some repetitions fit in.
const SHORTEST_CHECK: Duration = Duration::from_millis(500);

impl Established {
    /// A new, authentic message has come on `path`.
    pub(super) fn on_authentic(&mut self, path: Path, ctx: &mut Context<'_>) {
        self.liveness.on_heard(ctx.now);
        self.on_seen_on(path, ctx);
    }

    /// An authentic ESP packet has come on `path`.
    pub(crate) fn on_traffic_from(&mut self, path: Path, ctx: &mut Context<'_>) {
        self.on_seen_on(path, ctx);
        self.pump(ctx);
    }

    /// What waits for an answer goes there, too: the peer cannot be asked anything else before.
    fn on_seen_on(&mut self, path: Path, ctx: &mut Context<'_>) {
        let ours = path.local == self.path.path().local;
        // Between sides that speak MOBIKE the initiator alone says where the IKE SA runs.
        let follows = !self.may_move() && self.is_active();
        let admitted = ours && self.config.admits(path.remote.ip());
        if !follows || !admitted && !self.is_announced(path) {
            return;
        }
        let until = ctx.now + self.check_time();
        if self.path.on_seen_on(path, ctx.now, until) {
            tracing::debug!(connection = self.connection.0, remote = %path.remote, "peer seen elsewhere");
            self.exchanges.send_again(&path, ctx);
        }
    }

    /// How long the peer is asked at another place: so short that a question which only that
    /// place has got can still be answered by a peer that did not move, before it counts as
    /// unreachable.
    pub(super) fn check_time(&self) -> Duration {
        (self.config.liveness.timeout / 2).max(SHORTEST_CHECK)
    }

    /// The IKE SA is to run on another way: the peer is asked there, and nothing moves before it answers.
    pub(crate) fn try_way(&mut self, way: Way, ctx: &mut Context<'_>) {
        let path = self.path.path().between(way.local, way.remote);
        let until = ctx.now + self.check_time();
        if self.path.on_announced(path, until) {
            // What waits for an answer may never get one where it was asked.
            self.exchanges.send_again(&path, ctx);
            self.pump(ctx);
        }
    }

    /// Asks the peer at the candidate, and nowhere else.
    pub(super) fn check_path(&mut self, ctx: &mut Context<'_>) {
        let Some(candidate) = self.path.candidate() else { return };
        let mut cookie = Cookie::default();
        ctx.random.fill(&mut cookie);
        self.path.on_asked(cookie, ctx.now + self.check_time());
        let question = [notify(NotifyType::COOKIE2, cookie)];
        let schedule = Retransmission::steady(&self.config.retransmit, ctx.now);
        let purpose = Purpose::CheckPath(cookie);
        let exchange = ExchangeType::INFORMATIONAL;
        self.exchanges.ask(&candidate, exchange, &question, purpose, schedule, ctx);
    }

    /// Repeats the outstanding request, if that is due: the question for a candidate there alone
    /// while it is one, any other on the path and at the candidate.
    pub(super) fn repeat_request(&mut self, ctx: &mut Context<'_>) {
        self.follow_way(ctx);
        let before = self.asked_alone();
        self.path.forget_candidate(ctx.now);
        let here = self.path.path();
        match (before, self.asked_alone()) {
            (_, Some(candidate)) => self.exchanges.repeat([candidate].into_iter(), ctx),
            (None, None) => {
                let ways = [here].into_iter().chain(self.path.candidate());
                self.exchanges.repeat(ways.chain(self.alternatives()), ctx);
            }
            // Nobody is there. A peer that did not move has not been asked yet.
            (Some(_), None) => self.exchanges.send_again(&here, ctx),
        }
    }

    /// The candidate, while the outstanding request is the question for it alone.
    fn asked_alone(&self) -> Option<Path> {
        match self.exchanges.purpose() {
            Some(Purpose::CheckPath(cookie)) => self.path.asked_at(cookie),
            _ => None,
        }
    }

    /// When a place is not asked any longer.
    pub(super) fn check_until(&self) -> Option<Timestamp> {
        self.path.candidate_until()
    }

    /// If this answers the question for a candidate, the path may move.
    pub(super) fn on_path_answer(
        &mut self,
        response: &Opened,
        from: SocketAddr,
        ctx: &mut Context<'_>,
    ) {
        let Some(Purpose::CheckPath(cookie)) = self.exchanges.purpose() else { return };
        if self.path.asked_at(cookie).is_none() {
            return;
        }
        let proved = self.proves(response, cookie);
        let before = self.path.path();
        if !self.path.on_checked(from, proved) {
            return;
        }
        let Path { local, remote } = self.path.path();
        if self.may_move() {
            self.left(before, ctx);
        } else {
            tracing::debug!(connection = self.connection.0, %remote, "peer moved");
            ctx.out.event(self.connection, Event::Moved { local, remote, ours: false });
        }
    }

    /// "If the values do not match, the IKE_SA MUST be closed" (RFC 4555 §3.7).
    pub(super) fn on_cookie_back(
        &mut self,
        cookie: &Cookie,
        answer: Payloads<'_>,
        ctx: &mut Context<'_>,
    ) {
        let copied = answer.notify(NotifyType::COOKIE2);
        if copied.is_some_and(|copied| copied.data != cookie) {
            self.close(DownReason::Breach("it sent another COOKIE2 back".to_owned()), ctx);
        }
    }

    /// Whether who answered has got the question. Peers that name slots copy the cookie; others
    /// may not know it.
    fn proves(&self, response: &Opened, cookie: &Cookie) -> bool {
        let payloads = response.payloads().ok().map(Payloads);
        match payloads.and_then(|payloads| payloads.notify(NotifyType::COOKIE2)) {
            Some(copied) => copied.data == cookie,
            None => !self.descent.names_slots && !self.copies_cookies(),
        }
    }
}

/// What the answer to a request copies of it (RFC 4555 §4.2.5).
pub(super) fn copied(payloads: Payloads<'_>) -> Option<Payload> {
    let cookie = payloads.notify(NotifyType::COOKIE2)?;
    (8..=64).contains(&cookie.data.len()).then(|| Payload::Notify(cookie.clone()))
}
