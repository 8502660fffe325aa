//! Public-key work as values: key exchanges and signatures leave the engine as jobs and come
//! back as answers, so that neither a slow group nor a flood delays a timer.
//!
//! ```text
//!   Endpoint::poll_job ──► Job ──► Job::run, wherever there is time ──► JobAnswer ──► Endpoint::handle_job
//! ```
//!
//! The IKE SA that asks waits in a state that owns all it needs to go on. Every job must be
//! answered, once, in any order; an answer for which nobody waits any more has no effect. Who can
//! do a job no more answers that it is [lost](JobAnswer::lost).
//! Symmetric work (PRF, AEAD) costs microseconds and stays in the engine.
//!
//! Jobs are given out in turns: one for peers, one for strangers, and among the one and the other
//! each [`Client`] in turn. So nobody who asks for much work keeps others from having theirs.

use super::auth::{Evidence, Finding, Scheme};
use super::config::ConnectionId;
use super::context::Context;
use super::limits::Source;
use crate::crypto::kex::{Group, KexError, KeyExchange};
use crate::crypto::private_key::PrivateKey;
use crate::crypto::secret::Secret;
use crate::crypto::signature::Algorithm;
use crate::pki::{Question, Refusal, Vouched};
use crate::wire::ike::{Authentication, IkeSpi};
use std::collections::{BTreeMap, VecDeque};

/// Unanswered jobs at which no stranger's IKE_SA_INIT is taken up any more. Peers that have
/// come further, and we ourselves, are few and may go on.
const MAX_JOBS_WITH_STRANGERS: usize = 256;

/// Which job, of which IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    pub(super) sa: IkeSpi,
    number: u64,
}

/// A piece of public-key work that an IKE SA waits for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct Job {
    id: JobId,
    work: Work,
}

/// What is to be done.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Work {
    /// Our half of a key exchange.
    Generate(Ephemeral),
    /// Our halves of several key exchanges.
    Prepare(Vec<Ephemeral>),
    /// The secret that we share with the owner of a public value.
    Agree { ours: KeyExchange, public: Vec<u8> },
    /// Both: our half, and the secret shared with the owner of a public value.
    Respond { ours: Ephemeral, public: Vec<u8> },
    /// Our signature, as it goes into AUTH.
    Sign { key: PrivateKey, scheme: Scheme, octets: Vec<u8> },
    /// Whose of these a signature is.
    Verify { evidence: Vec<Evidence>, algorithm: Algorithm, octets: Vec<u8>, signature: Vec<u8> },
    /// Whether the certificates of a peer that has proved its identity still hold.
    Recheck(Box<Question>),
}

/// A private key yet to be made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Ephemeral {
    group: Group,
    seed: Secret,
}

/// A job that is done.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct JobAnswer {
    pub(super) id: JobId,
    pub(super) done: Done,
}

/// What came out, in the order of [`Work`].
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Done {
    Generated(Result<KeyExchange, KexError>),
    Prepared(Result<Vec<KeyExchange>, KexError>),
    Agreed(Result<Secret, KexError>),
    Responded(Result<(Vec<u8>, Secret), KexError>),
    /// `None` when the key makes no such signature.
    Signed(Option<Authentication>),
    Verified(Vec<Finding>),
    Rechecked(Result<Box<Vouched>, Refusal>),
    /// Nothing: whoever had the job could not do it.
    Lost,
}

impl JobAnswer {
    /// The answer to a job that cannot be done any more: whoever waits gives up.
    pub fn lost(id: JobId) -> JobAnswer {
        JobAnswer { id, done: Done::Lost }
    }
}

impl Job {
    /// Which job it is: enough to say that it is [lost](JobAnswer::lost).
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Whether it takes some 0.1 ms, so that who has nothing else to do loses less by doing it than by handing
    /// it to another thread.
    pub fn is_brief(&self) -> bool {
        self.work.is_brief()
    }

    /// Does the work; takes tens of microseconds to a few milliseconds, and no lock.
    pub fn run(self) -> JobAnswer {
        JobAnswer { id: self.id, done: self.work.run() }
    }
}

impl Ephemeral {
    /// A private key for `group`, its randomness drawn now.
    pub(super) fn new(group: Group, ctx: &mut Context<'_>) -> Self {
        let mut seed = vec![0; 32];
        ctx.random.fill(&mut seed);
        Ephemeral { group, seed: Secret::from(seed) }
    }

    fn seed(&self) -> Result<&[u8; 32], KexError> {
        self.seed.as_bytes().try_into().map_err(|_| KexError::NoRandomness)
    }

    fn generate(&self) -> Result<KeyExchange, KexError> {
        KeyExchange::from_seed(self.group, self.seed()?)
    }

    fn respond(&self, public: &[u8]) -> Result<(Vec<u8>, Secret), KexError> {
        KeyExchange::respond(self.group, self.seed()?, public)
    }
}

impl Work {
    /// See [`Job::is_brief`].
    fn is_brief(&self) -> bool {
        match self {
            Work::Generate(ours) | Work::Respond { ours, .. } => ours.group.is_brief(),
            Work::Prepare(all) => all.len() <= 2 && all.iter().all(|one| one.group.is_brief()),
            Work::Agree { ours, .. } => ours.group().is_brief(),
            Work::Sign { scheme, .. } => scheme.algorithm == Algorithm::Ed25519,
            Work::Verify { evidence, .. } => matches!(evidence[..], [Evidence::Key(_)]),
            Work::Recheck(_) => false,
        }
    }

    /// Does the work.
    pub(super) fn run(self) -> Done {
        match self {
            Work::Generate(ours) => Done::Generated(ours.generate()),
            Work::Agree { ours, public } => Done::Agreed(ours.agree(&public)),
            Work::Prepare(all) => Done::Prepared(all.iter().map(Ephemeral::generate).collect()),
            Work::Respond { ours, public } => Done::Responded(ours.respond(&public)),
            Work::Sign { key, scheme, octets } => {
                let signature = key.sign(scheme.algorithm, &octets).ok();
                Done::Signed(signature.and_then(|signature| scheme.payload(&signature)))
            }
            Work::Verify { evidence, algorithm, octets, signature } => {
                let find = |one: &Evidence| one.find(algorithm, &octets, &signature);
                Done::Verified(evidence.iter().map(find).collect())
            }
            Work::Recheck(question) => Done::Rechecked(question.answer().map(Box::new)),
        }
    }
}

/// For whom a job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Client {
    /// A connection whose peer is known, or that we bring up.
    Connection(ConnectionId),
    /// Somebody at an address that is configured as a peer's.
    Expected(Source),
    /// Somebody anywhere.
    Stranger(Source),
}

/// Jobs that wait to be polled, and the number of those without an answer.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Jobs {
    of_peers: Turns,
    of_strangers: Turns,
    strangers_turn: bool,
    unanswered: usize,
    asked: u64,
}

/// Jobs of several clients, each of whom has one turn after the other.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
struct Turns {
    queues: BTreeMap<Client, VecDeque<Job>>,
    /// Whose jobs wait, in the order of their turns.
    next: VecDeque<Client>,
}

impl Turns {
    fn push(&mut self, client: Client, job: Job) {
        let queue = self.queues.entry(client).or_default();
        if queue.is_empty() {
            self.next.push_back(client);
        }
        queue.push_back(job);
    }

    fn pop(&mut self) -> Option<Job> {
        let client = self.next.pop_front()?;
        let mut queue = self.queues.remove(&client)?;
        let job = queue.pop_front();
        if !queue.is_empty() {
            self.queues.insert(client, queue);
            self.next.push_back(client);
        }
        job
    }
}

impl Jobs {
    /// Asks for work on behalf of the IKE SA with this SPI of ours.
    pub(super) fn ask(&mut self, client: Client, sa: IkeSpi, work: Work) -> JobId {
        self.asked += 1;
        self.unanswered += 1;
        let id = JobId { sa, number: self.asked };
        let turns = match client {
            Client::Connection(_) | Client::Expected(_) => &mut self.of_peers,
            Client::Stranger(_) => &mut self.of_strangers,
        };
        turns.push(client, Job { id, work });
        id
    }

    /// The next job whose IKE SA still waits for it, as `is_awaited` says.
    pub(super) fn poll(&mut self, is_awaited: impl Fn(JobId) -> bool) -> Option<Job> {
        while let Some(job) = self.next() {
            if is_awaited(job.id) {
                return Some(job);
            }
            self.on_answer();
        }
        None
    }

    fn next(&mut self) -> Option<Job> {
        let (first, second) = match self.strangers_turn {
            true => (&mut self.of_strangers, &mut self.of_peers),
            false => (&mut self.of_peers, &mut self.of_strangers),
        };
        self.strangers_turn = !self.strangers_turn;
        first.pop().or_else(|| second.pop())
    }

    /// A job that was polled has its answer.
    pub(super) fn on_answer(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// How many jobs have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Whether strangers have to wait.
    pub(super) fn is_full(&self) -> bool {
        self.unanswered >= MAX_JOBS_WITH_STRANGERS
    }
}

#[cfg(test)]
mod tests;
