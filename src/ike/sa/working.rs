//! Messages come in, and those that take a key exchange wait until it is computed.

use super::super::context::Context;
use super::super::job::{Client, Done, Ephemeral, JobId, Work};
use super::super::limits::Wish;
use super::super::path::Path;
use super::super::payloads::Payloads;
use super::super::protect::Opened;
use super::super::stats::Discard;
use super::asking::{Purpose, fatal};
use super::exchanges::Request;
use super::held::Released;
use super::{Established, create, rekey};
use crate::crypto::kex::Group;
use crate::wire::ike::{ExchangeType, ProtocolId};

impl Established {
    /// A request with the number that is expected: new, or the one again that is being worked
    /// on, which is not computed twice.
    pub(super) fn receive_request(&mut self, request: Request, ctx: &mut Context<'_>) {
        if let Some(held) = self.held.request() {
            let again = held.digest() == request.opened.digest();
            let count = if again { Discard::Retransmission } else { Discard::OutsideWindow };
            return ctx.out.count(count);
        }
        self.on_authentic(request.path, ctx);
        self.handle_request(request, ctx);
        self.pump(ctx);
    }

    /// An answer to the outstanding request.
    pub(super) fn receive_response(&mut self, response: Opened, path: Path, ctx: &mut Context<'_>) {
        if self.held.has_answer() {
            return ctx.out.count(Discard::StrayResponse);
        }
        self.on_path_answer(&response, path.remote, ctx);
        self.on_answer_from(path, ctx);
        self.on_authentic(path, ctx);
        self.handle_response(response, ctx);
        self.pump(ctx);
    }

    /// For whom its jobs are done.
    pub(super) fn client(&self) -> Client {
        Client::Connection(self.connection)
    }

    /// Whether a message waits for this job.
    pub(crate) fn awaits(&self, job: JobId) -> bool {
        self.held.awaits(job) || self.vouching.awaits(job)
    }

    /// A job is done: the message that has waited for it goes on.
    pub(crate) fn resume(&mut self, job: JobId, done: Done, ctx: &mut Context<'_>) {
        if self.vouching.awaits(job) {
            self.rechecked(done, ctx);
            return self.pump(ctx);
        }
        match self.held.release(job, done) {
            None => {}
            Some(Released::Request(request, responded)) => self.answer(&request, responded, ctx),
            Some(Released::Answer(answer, secret)) => self.conclude(&answer, Some(secret), ctx),
            Some(Released::Draft(draft, ours)) => self.resume_draft(draft, ours, ctx),
            Some(Released::Stranded) => self.strand(ctx),
        }
        self.pump(ctx);
    }
}

/// The peer's requests.
impl Established {
    /// A new request. It is held while the key exchange is computed that its answer takes.
    fn handle_request(&mut self, request: Request, ctx: &mut Context<'_>) {
        if let Some((wish, count)) = self.wish_of(&request)
            && !ctx.accounts.take(self.connection, wish, ctx.now)
        {
            ctx.out.count(count);
            return self.put_off(&request, ctx);
        }
        match self.key_exchange_of(&request) {
            None => self.answer(&request, None, ctx),
            Some((group, public)) => {
                let work = Work::Respond { ours: Ephemeral::new(group, ctx), public };
                let job = ctx.jobs.ask(self.client(), self.id().local, work);
                self.held.hold_request(job, request);
            }
        }
    }

    /// What of that which is limited in time a request asks for, and how it counts beyond the
    /// limit.
    fn wish_of(&self, request: &Request) -> Option<(Wish, Discard)> {
        let creates = request.opened.header().exchange_type == ExchangeType::CREATE_CHILD_SA;
        let payloads = request.opened.payloads().ok().filter(|_| creates).map(Payloads)?;
        match payloads.proposed_protocol()? {
            ProtocolId::IKE => Some((Wish::RekeyIke, Discard::TooManyRekeyings)),
            // It hears NO_ADDITIONAL_SAS, however seldom it asks.
            ProtocolId::ESP if self.is_crowded() => None,
            ProtocolId::ESP => {
                let strands = self.config.strands();
                Some((Wish::Child { strands }, Discard::TooManyChildSas))
            }
            _ => None,
        }
    }

    /// The key exchange with the peer's public value that an answer takes, if the request is one
    /// that would be granted now.
    fn key_exchange_of(&self, request: &Request) -> Option<(Group, Vec<u8>)> {
        let payloads = request.opened.payloads().ok().map(Payloads)?;
        if !self.is_active() || payloads.unknown_critical().is_some() {
            return None;
        }
        match request.opened.header().exchange_type {
            ExchangeType::CREATE_CHILD_SA => {}
            ExchangeType::IKE_FOLLOWUP_KE => return self.followup_of(payloads),
            _ => return None,
        }
        match payloads.proposed_protocol()? {
            ProtocolId::IKE if !self.is_busy() && !self.is_following_up(None) => {
                let (choice, public) =
                    rekey::choose(&self.rekey_suites(), self.beside_requested(), payloads).ok()?;
                Some((choice.suite.group, public))
            }
            ProtocolId::ESP => {
                let (_, accepted) = self.acceptable_child(payloads).ok()?;
                create::key_exchange(&accepted, payloads)
            }
            _ => None,
        }
    }
}

/// The peer's answers.
impl Established {
    /// The answer to the outstanding request. It is held while the secret of a key exchange is
    /// computed.
    fn handle_response(&mut self, response: Opened, ctx: &mut Context<'_>) {
        if self.liveness.on_answer(ctx.now, self.exchanges.round_trip(ctx.now)) {
            tracing::debug!(connection = self.connection.0, ike = %self.id(), "peer answers again");
        }
        match self.work_of(&response) {
            None => self.conclude(&response, None, ctx),
            Some(work) => {
                let job = ctx.jobs.ask(self.client(), self.id().local, work);
                self.held.hold_answer(job, response);
            }
        }
    }

    /// The work that an answer takes.
    fn work_of(&mut self, response: &Opened) -> Option<Work> {
        let payloads = response.payloads().ok().map(Payloads)?;
        if fatal(payloads).is_some() || payloads.error().is_some() {
            return None;
        }
        match self.exchanges.purpose_mut()? {
            Purpose::Child(attempt) => attempt.work(payloads),
            Purpose::RekeyIke(attempt) => attempt.work(payloads),
            Purpose::Probe | Purpose::CheckPath(_) | Purpose::Measure(_) => None,
            Purpose::UpdateAddresses => None,
            Purpose::DeleteChild(_) | Purpose::DeleteIke => None,
        }
    }
}
