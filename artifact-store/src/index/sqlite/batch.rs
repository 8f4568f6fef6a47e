//! Jobs that share one transaction, and fail alone.

use artifact_core::{Bookkeeping, ChangeSet, Committed, IndexError, Noted};
use rusqlite::Connection;

use super::{
    apply::set,
    failure::{Outcome, of_sql},
    job::{Answer, Job, Work},
    note::one,
    refusal::Refusal,
    statement::run,
};
use crate::journal::JournalEntry;

/// Jobs that share one transaction.
pub(super) struct Batch<'c> {
    conn: &'c Connection,
    /// What is to be answered once the transaction has ended. Nobody hears of what is not durable,
    /// so a conflict with it waits, too (I5).
    pending: Vec<Pending>,
    entries: Vec<JournalEntry>,
    /// Why nothing of it can be committed any more.
    lost: Option<Refusal>,
}

/// An answer that waits for the end of the transaction.
pub(super) enum Pending {
    Applied(Result<Committed, IndexError>, Answer<Committed>),
    Noted(Result<Noted, IndexError>, Answer<Noted>),
    Worked(Result<u64, IndexError>, Answer<u64>),
}

/// What is left of a batch when all jobs have run.
pub(super) struct Ran {
    /// The answers.
    pub(super) pending: Vec<Pending>,
    /// What the journal is to have.
    pub(super) entries: Vec<JournalEntry>,
    /// Why nothing of it can be committed any more.
    pub(super) lost: Option<Refusal>,
}

impl<'c> Batch<'c> {
    /// Runs jobs in a transaction that has begun.
    pub(super) fn run_all(conn: &'c Connection, jobs: Vec<Job>) -> Ran {
        let mut batch = Self {
            conn,
            pending: Vec::new(),
            entries: Vec::new(),
            lost: None,
        };
        for job in jobs {
            batch.run(job);
        }
        Ran {
            pending: batch.pending,
            entries: batch.entries,
            lost: batch.lost,
        }
    }

    /// Runs a job, all of it or nothing.
    fn run(&mut self, job: Job) {
        if let Some(lost) = &self.lost {
            return job.refuse(lost);
        }
        match job {
            Job::Apply(set, answer) => {
                let outcome = self.alone("a change", |batch| batch.apply(set));
                self.pending.push(Pending::Applied(outcome, answer));
            }
            Job::Close(answer) => {
                // The committer takes these out before; whoever is here is told that it goes on.
                let _heard = answer.send(Err(IndexError::Busy));
            }
            Job::Note(what, answer) => {
                let outcome = self.alone("bookkeeping", |batch| batch.note(what));
                let outcome = outcome.and_then(|recorded| recorded);
                self.pending.push(Pending::Noted(outcome, answer));
            }
            Job::Work(work, answer) => {
                let outcome = self.alone("maintenance", |batch| batch.work(work));
                self.pending.push(Pending::Worked(outcome, answer));
            }
        }
    }

    fn apply(&mut self, set: ChangeSet) -> Outcome<Committed> {
        let applied = set::apply(self.conn, set)?;
        if !applied.committed.events.is_empty() {
            self.entries.push(JournalEntry {
                committed: applied.committed.clone(),
                contents: applied.contents,
            });
        }
        Ok(applied.committed)
    }

    fn note(&self, what: Bookkeeping) -> Outcome<Result<Noted, IndexError>> {
        let recorded = one::note(self.conn, what)?;
        Ok(recorded.map_err(|failure| failure.at("bookkeeping")))
    }

    fn work(&self, work: Work) -> Outcome<u64> {
        work(self.conn)
    }

    /// Runs something in a savepoint, which is rolled back when it fails.
    fn alone<T>(
        &mut self,
        operation: &'static str,
        work: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Result<T, IndexError> {
        let entries = self.entries.len();
        let began = run(self.conn, "SAVEPOINT one", []);
        let outcome = match began {
            Ok(_) => work(self).and_then(|made| {
                run(self.conn, "RELEASE one", [])?;
                Ok(made)
            }),
            Err(error) => Err(error.into()),
        };
        outcome.map_err(|failure| {
            self.entries.truncate(entries);
            let error = failure.at(operation);
            self.undo(&error);
            error
        })
    }

    /// Takes back what the job at hand did. After some errors SQLite has taken back everything.
    fn undo(&mut self, error: &IndexError) {
        if self.conn.is_autocommit() {
            self.lost = Some(Refusal::of(error));
            return;
        }
        let undone =
            run(self.conn, "ROLLBACK TO one", []).and_then(|_| run(self.conn, "RELEASE one", []));
        if let Err(error) = undone {
            self.lost = Some(Refusal::of(&of_sql(error, "taking a change back")));
        }
    }
}

impl Pending {
    /// Gives the answer.
    pub(super) fn answer(self) {
        // Whoever asked may be gone; what was asked is made all the same.
        match self {
            Self::Applied(outcome, answer) => drop(answer.send(outcome)),
            Self::Noted(outcome, answer) => drop(answer.send(outcome)),
            Self::Worked(outcome, answer) => drop(answer.send(outcome)),
        }
    }

    /// Answers that nothing was made after all.
    pub(super) fn refuse(self, refusal: &Refusal) {
        match self {
            Self::Applied(_, answer) => drop(answer.send(Err(refusal.error()))),
            Self::Noted(_, answer) => drop(answer.send(Err(refusal.error()))),
            Self::Worked(_, answer) => drop(answer.send(Err(refusal.error()))),
        }
    }
}
