//! Committing: what was decided on settings that have changed since is decided again.

use super::{session::Session, settings::is_stale};
use crate::{
    contract::{
        change::{ChangeSet, Committed},
        index_error::{Conflict, IndexError},
    },
    error::Error,
};

/// How often something is decided again before the caller is told to try later.
pub(crate) const TRIES: usize = 32;

/// What to do after a change set.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is committed.
    Done(Committed),
    /// The world moved between the decision and the commit: decide again.
    Again,
}

impl Session {
    /// Commits a change set. Conflicts over documents, which the decision rests on, mean to decide
    /// again; all others are the caller's to judge.
    pub(crate) async fn apply(&self, changes: ChangeSet) -> Result<Outcome, IndexError> {
        match self.inner().index().apply(changes).await {
            Ok(committed) => Ok(Outcome::Done(committed)),
            Err(error) if is_stale(&error) => Ok(Outcome::Again),
            Err(error) => Err(error),
        }
    }

    /// Commits a change set whose conflicts over tags mean to decide again, too.
    pub(crate) async fn apply_tags(&self, changes: ChangeSet) -> Result<Outcome, IndexError> {
        match self.apply(changes).await {
            Err(IndexError::Conflict(Conflict::Tag { .. })) => Ok(Outcome::Again),
            outcome => outcome,
        }
    }
}

/// Returns the error for something that was decided again too often.
pub(crate) fn contended(what: impl Into<String>) -> Error {
    Error::Precondition { what: what.into() }
}
