//! What waits for public-key work: authentic messages, which are the peer's request and the answer
//! to ours, and a request of ours that is yet to go out.
//!
//! A message that is held counts as one that is still on its way, so that whatever happens
//! meanwhile is judged as if it had come before. Only the peer's sign of life counts at once.

use super::super::job::{Done, JobId};
use super::super::protect::Opened;
use super::drafting::Draft;
use super::exchanges::Request;
use crate::crypto::kex::{KexError, KeyExchange};
use crate::crypto::secret::Secret;

/// Our half of the key exchange that the peer has begun, and the secret.
pub(super) type Responded = Result<(Vec<u8>, Secret), KexError>;
/// The secret of the key exchange that we have begun.
pub(super) type Agreed = Result<Secret, KexError>;

/// What an IKE SA holds back: one message of each direction at most, for the windows are one.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Held {
    request: Option<(JobId, Request)>,
    answer: Option<(JobId, Opened)>,
    draft: Option<(JobId, Draft)>,
}

/// A message that goes on.
pub(super) enum Released {
    /// The request, and what came of the work, if it was done.
    Request(Request, Option<Responded>),
    Answer(Opened, Agreed),
    /// Our request, and our halves of its key exchanges, if they could be made.
    Draft(Draft, Option<Vec<KeyExchange>>),
    /// The answer cannot be concluded: our private key is gone with the work.
    Stranded,
}

impl Held {
    /// Holds the peer's request until our answer to it can be made.
    pub(super) fn hold_request(&mut self, job: JobId, request: Request) {
        self.request = Some((job, request));
    }

    /// Holds the peer's answer until the secret is there.
    pub(super) fn hold_answer(&mut self, job: JobId, answer: Opened) {
        self.answer = Some((job, answer));
    }

    /// Holds a request of ours until our half of its key exchange is made.
    pub(super) fn hold_draft(&mut self, job: JobId, draft: Draft) {
        self.draft = Some((job, draft));
    }

    /// Whether a request of ours waits.
    pub(super) fn has_draft(&self) -> bool {
        self.draft.is_some()
    }

    /// The request that is held.
    pub(super) fn request(&self) -> Option<&Opened> {
        self.request.as_ref().map(|(_, request)| &request.opened)
    }

    /// Whether the peer has answered our request.
    pub(super) fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.request.is_none() && self.answer.is_none() && self.draft.is_none()
    }

    /// Whether this job is waited for.
    pub(super) fn awaits(&self, job: JobId) -> bool {
        let request = self.request.as_ref().map(|(id, _)| *id);
        let answer = self.answer.as_ref().map(|(id, _)| *id);
        let draft = self.draft.as_ref().map(|(id, _)| *id);
        [request, answer, draft].contains(&Some(job))
    }

    /// The message that waited for this job, which is done.
    pub(super) fn release(&mut self, job: JobId, done: Done) -> Option<Released> {
        match done {
            Done::Responded(responded) => {
                let (_, request) = self.request.take_if(|(id, _)| *id == job)?;
                Some(Released::Request(request, Some(responded)))
            }
            Done::Agreed(agreed) => {
                let (_, answer) = self.answer.take_if(|(id, _)| *id == job)?;
                Some(Released::Answer(answer, agreed))
            }
            Done::Prepared(ours) => {
                let (_, draft) = self.draft.take_if(|(id, _)| *id == job)?;
                Some(Released::Draft(draft, ours.ok()))
            }
            Done::Lost => self.lose(job),
            Done::Generated(_) | Done::Signed(_) => None,
            Done::Verified(_) | Done::Rechecked(_) => None,
        }
    }

    /// Nobody can do this job any more.
    fn lose(&mut self, job: JobId) -> Option<Released> {
        if let Some((_, request)) = self.request.take_if(|(id, _)| *id == job) {
            return Some(Released::Request(request, None));
        }
        if let Some((_, draft)) = self.draft.take_if(|(id, _)| *id == job) {
            return Some(Released::Draft(draft, None));
        }
        self.answer.take_if(|(id, _)| *id == job).map(|_| Released::Stranded)
    }
}
