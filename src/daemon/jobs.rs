//! The threads that do the gateway's public-key work, so that a slow key exchange or a flood of
//! them holds up neither a timer nor a datagram.
//!
//! The queue is short: what does not fit stays with the gateway, which gives it out in turns and
//! forgets the work that nobody waits for any more.
//!
//! A brief piece of work costs less than waking a thread and being woken by it. The event loop does the first
//! ones after an input itself; where an input brings more, the threads have the others.

use crate::ike::{Job, JobAnswer, JobId};
use crate::os::memory::scrub_stack;
use anyhow::{Context, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc as queue};
use std::thread;
use tokio::sync::mpsc;

/// Jobs in the hands of the threads, done or not, at most: none of the threads ever waits for
/// work, and a job that has just come waits for few others.
const CAPACITY: usize = 16;
/// Threads at most: the packets need the cores more.
const MAX_THREADS: usize = 2;

/// Brief jobs that the event loop does itself after an input: less than half a millisecond together.
const HERE: usize = 3;

/// The threads' queue, as the event loop sees it.
#[derive(Debug)]
pub(super) struct JobPool {
    queue: queue::SyncSender<Job>,
    under_way: usize,
}

impl JobPool {
    /// Starts the threads; their answers come out of the receiver.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give.
    pub(super) fn start() -> Result<(JobPool, mpsc::Receiver<JobAnswer>)> {
        let (queue, jobs) = queue::sync_channel(CAPACITY);
        let (answers, answered) = mpsc::channel(CAPACITY);
        let jobs = Arc::new(Mutex::new(jobs));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for number in 0..cores.min(MAX_THREADS) {
            let (jobs, answers) = (Arc::clone(&jobs), answers.clone());
            thread::Builder::new()
                .name(format!("vpngw-job{number}"))
                .spawn(move || work(&jobs, &answers))
                .context("no thread for public-key work")?;
        }
        Ok((JobPool { queue, under_way: 0 }, answered))
    }

    /// Takes on work as long as there is room. After an input `done_here` begins at zero: until so many brief
    /// jobs are done, the next comes back as an answer.
    pub(super) fn fill(
        &mut self,
        done_here: &mut usize,
        mut next: impl FnMut() -> Option<Job>,
    ) -> Option<JobAnswer> {
        while self.under_way < CAPACITY {
            let job = next()?;
            if *done_here < HERE && job.is_brief() {
                *done_here += 1;
                return Some(answer(job.id(), || job.run()));
            }
            // As many fit into the queue as may be under way, and the threads outlive it.
            if self.queue.try_send(job).is_ok() {
                self.under_way += 1;
            }
        }
        None
    }

    /// An answer has come out.
    pub(super) fn on_answer(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

/// The answer to a job, also when doing it is a mistake of ours: who waits must hear of it.
fn answer(id: JobId, run: impl FnOnce() -> JobAnswer) -> JobAnswer {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        tracing::error!(job = ?id, "public-key work has failed");
        JobAnswer::lost(id)
    })
}

/// Works until the pool is gone.
fn work(jobs: &Mutex<queue::Receiver<Job>>, answers: &mpsc::Sender<JobAnswer>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let answer = answer(job.id(), || job.run());
        scrub_stack();
        if answers.blocking_send(answer).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
