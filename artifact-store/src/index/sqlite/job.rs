//! What the writer is asked for.

use std::fmt;

use artifact_core::{Bookkeeping, ChangeSet, Committed, IndexError, Noted};
use futures::channel::oneshot;
use rusqlite::Connection;

use super::{failure::Outcome, refusal::Refusal};

/// Where an answer goes. Nobody may be there to take it.
pub(super) type Answer<T> = oneshot::Sender<Result<T, IndexError>>;

/// Other work inside a transaction: it returns a number.
pub(super) type Work = Box<dyn FnOnce(&Connection) -> Outcome<u64> + Send>;

/// Something to be done.
pub(super) enum Job {
    /// A change set.
    Apply(ChangeSet, Answer<Committed>),
    /// Closing the connections, after all that came before.
    Close(Answer<()>),
    /// Bookkeeping.
    Note(Bookkeeping, Answer<Noted>),
    /// Anything else, durable as a change set is.
    Work(Work, Answer<u64>),
}

impl Job {
    /// Answers that it was not done.
    pub(super) fn refuse(self, refusal: &Refusal) {
        // Whoever asked may be gone.
        match self {
            Self::Apply(_, answer) => drop(answer.send(Err(refusal.error()))),
            Self::Close(answer) => drop(answer.send(Err(refusal.error()))),
            Self::Note(_, answer) => drop(answer.send(Err(refusal.error()))),
            Self::Work(_, answer) => drop(answer.send(Err(refusal.error()))),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply(..) => "Apply",
            Self::Close(_) => "Close",
            Self::Note(..) => "Note",
            Self::Work(..) => "Work",
        })
    }
}
