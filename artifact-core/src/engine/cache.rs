//! What was read of settings and users, kept as long as it is exact.

use std::{collections::HashMap, sync::Arc};

use crate::{
    contract::change::{Expectation, Room},
    model::{
        document::{Mode, StageSettings, User},
        id::{Generation, Revision},
        name::{RepositoryName, UserName},
    },
};

/// What holds for one repository, and the documents that say so.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) stage: StageSettings,
    /// The quotas that it lies under.
    pub(crate) rooms: Vec<Room>,
    /// The documents that this was read from, at their generations, also those that were absent.
    pub(crate) read: Vec<Expectation>,
}

/// A document as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Read<T> {
    pub(crate) generation: Generation,
    pub(crate) value: Option<T>,
}

/// What was read at one revision. Documents change with revisions alone, so it is exact as long as
/// the revision is the same, whichever process makes the next.
#[derive(Debug, Default)]
pub(crate) struct SettingsCache {
    revision: Revision,
    pub(crate) repositories: HashMap<RepositoryName, Arc<Effective>>,
    /// Repositories that are not there, with the generations of their records.
    pub(crate) absent: HashMap<RepositoryName, Generation>,
    pub(crate) users: HashMap<UserName, Arc<Read<User>>>,
    pub(crate) mode: Option<Arc<Read<Mode>>>,
}

/// The cache holds no more repositories, absent names or users than this.
pub(crate) const CACHED: usize = 10_000;

impl SettingsCache {
    /// Returns the cache of a revision, emptied if it was of an older one.
    pub(crate) fn at(&mut self, revision: Revision) -> Option<&mut Self> {
        if revision > self.revision {
            *self = Self {
                revision,
                ..Self::default()
            };
        }
        // A reader that was overtaken must not put old settings under a new revision.
        (revision == self.revision).then_some(self)
    }
}
