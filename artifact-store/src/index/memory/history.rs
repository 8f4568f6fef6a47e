//! Rows with the revisions in which they were there.

use artifact_core::{AsOf, Revision};

/// A value, and when it was there.
#[derive(Clone, Debug)]
pub(crate) struct Row<T> {
    /// The first revision that has it.
    from: Revision,
    /// The first revision that no longer has it; `None` while it is there.
    to: Option<Revision>,
    /// What it is.
    value: T,
}

/// All values that one key had, at most one at a time, the oldest first.
#[derive(Clone, Debug)]
pub(crate) struct History<T>(Vec<Row<T>>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> History<T> {
    /// Returns the value that is there now.
    pub(crate) fn now(&self) -> Option<&T> {
        self.at(AsOf::Now)
    }

    /// Returns the value that was there at a state.
    pub(crate) fn at(&self, at: AsOf) -> Option<&T> {
        let there = |row: &&Row<T>| match at {
            AsOf::Now => row.to.is_none(),
            AsOf::Revision(r) => row.from <= r && row.to.is_none_or(|to| r < to),
        };
        self.0.iter().find(there).map(|row| &row.value)
    }

    /// Returns all values of which a row is left.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|row| &row.value)
    }

    /// Returns the values that were there at a revision or later, and are not there now.
    pub(crate) fn past_since(&self, horizon: Revision) -> impl Iterator<Item = &T> {
        let kept = move |row: &&Row<T>| row.to.is_some_and(|to| horizon < to);
        self.0.iter().filter(kept).map(|row| &row.value)
    }

    /// Enters a value from a revision on; the one before has ended.
    pub(crate) fn begin(&mut self, revision: Revision, value: T) {
        self.0.push(Row {
            from: revision,
            to: None,
            value,
        });
    }

    /// Ends the value that is there. One that began in the same revision was never there.
    pub(crate) fn end(&mut self, revision: Revision) {
        for row in self.0.iter_mut().filter(|row| row.to.is_none()) {
            row.to = Some(revision);
        }
        self.0.retain(|row| row.to != Some(row.from));
    }

    /// Deletes at most `limit` rows that had ended at a horizon; returns how many.
    pub(crate) fn prune(&mut self, horizon: Revision, limit: u64) -> u64 {
        let mut pruned = 0;
        self.0.retain(|row| {
            let goes = pruned < limit && row.to.is_some_and(|to| to <= horizon);
            pruned += u64::from(goes);
            !goes
        });
        pruned
    }
}
