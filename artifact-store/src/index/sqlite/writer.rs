//! The one who writes: a queue, and a job that empties it.
//!
//! There is no thread that waits. Who puts something into an empty queue spawns the job that takes
//! it out; who comes while it is at work only adds to the queue, and what has gathered by then goes
//! into its next transaction. So one sync serves all who wait, and nobody waits for company.
//!
//! What was put into the queue is made, whether or not somebody still waits for the answer.

use std::{collections::VecDeque, sync::Arc};

use artifact_core::{Bookkeeping, ChangeSet, Committed, IndexError, Noted, Spawn};
use futures::channel::oneshot;
use parking_lot::Mutex;

use super::{
    committer::Committer,
    failure::BACKEND,
    job::{Answer, Job, Work},
};

/// How much goes into one transaction at most.
const BATCH: usize = 256;

/// The one who writes.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    spawn: Arc<dyn Spawn>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    committer: Mutex<Committer>,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: VecDeque<Job>,
    at_work: bool,
}

impl Writer {
    /// Returns a writer whose committer has nothing to do yet.
    pub(super) fn new(committer: Committer, spawn: Arc<dyn Spawn>) -> Self {
        let shared = Shared {
            queue: Mutex::default(),
            committer: Mutex::new(committer),
        };
        Self {
            shared: Arc::new(shared),
            spawn,
        }
    }

    /// Makes a change set.
    pub(super) async fn apply(&self, set: ChangeSet) -> Result<Committed, IndexError> {
        self.hand_over(|answer| Job::Apply(set, answer)).await
    }

    /// Records bookkeeping.
    pub(super) async fn note(&self, what: Bookkeeping) -> Result<Noted, IndexError> {
        self.hand_over(|answer| Job::Note(what, answer)).await
    }

    /// Does other work.
    pub(super) async fn work(&self, work: Work) -> Result<u64, IndexError> {
        self.hand_over(|answer| Job::Work(work, answer)).await
    }

    /// Closes the connections after all that was handed over before.
    pub(super) async fn close(&self) -> Result<(), IndexError> {
        self.hand_over(Job::Close).await
    }

    /// Puts a job into the queue, and waits for its answer.
    async fn hand_over<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, IndexError> {
        let (answer, waiting) = oneshot::channel();
        self.push(job(answer));
        waiting.await.unwrap_or_else(|lost| {
            Err(IndexError::Unavailable {
                backend: BACKEND,
                operation: "a commit",
                source: lost.into(),
            })
        })
    }

    fn push(&self, job: Job) {
        let mut queue = self.shared.queue.lock();
        queue.jobs.push_back(job);
        let first = !std::mem::replace(&mut queue.at_work, true);
        drop(queue);
        if first {
            let shift = Shift {
                shared: Arc::clone(&self.shared),
                ended: false,
            };
            self.spawn.spawn_blocking(Box::new(move || shift.work()));
        }
    }
}

/// The time from the first job in an empty queue to the next empty queue.
struct Shift {
    shared: Arc<Shared>,
    ended: bool,
}

impl Shift {
    /// Empties the queue.
    fn work(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut committer = shared.committer.lock();
        loop {
            let mut queue = shared.queue.lock();
            let count = queue.jobs.len().min(BATCH);
            let batch: Vec<Job> = queue.jobs.drain(..count).collect();
            if batch.is_empty() {
                // From here on the next job begins another shift.
                queue.at_work = false;
                self.ended = true;
                return;
            }
            drop(queue);
            committer.commit(batch);
        }
    }
}

impl Drop for Shift {
    /// Where the work panicked, or never ran, lets go of all who wait: their senders go, so they hear
    /// that the outcome is unknown.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if std::thread::panicking() {
            self.shared.committer.lock().poison();
        }
        let mut queue = self.shared.queue.lock();
        queue.at_work = false;
        queue.jobs.clear();
    }
}
