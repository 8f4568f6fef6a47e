//! Which clause is looked at: a case checks one, and beside it what every case checks of every backend.

use std::sync::{Arc, Mutex, PoisonError};

use super::clause::{Clause, clause_of};

/// The clause that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Focus(Arc<Mutex<Option<Clause>>>);

impl Focus {
    /// Returns the clause that a case is of.
    pub(crate) fn of(case: &str) -> Self {
        Self(Arc::new(Mutex::new(clause_of(case))))
    }

    /// Returns the clause that is looked at now: after a panic, the one that is broken.
    pub(crate) fn clause(&self) -> Option<Clause> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, to: Option<Clause>) -> Option<Clause> {
        std::mem::replace(
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner),
            to,
        )
    }

    /// Looks at another clause for as long as `checks` takes. Where that panics, it stays the one.
    pub(crate) async fn on<T>(&self, number: &str, checks: impl Future<Output = T>) -> T {
        let prefix = format!("{}_", number.to_lowercase().replace('-', "_"));
        let before = self.turn(clause_of(&prefix));
        let checked = checks.await;
        self.turn(before);
        checked
    }
}
