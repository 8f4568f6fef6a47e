//! How an index is opened.

use std::{path::PathBuf, sync::Arc};

use artifact_core::{Epoch, IndexError, RegistryId, Spawn};

use super::ladder::Ladder;
use crate::journal::Journal;

/// What a handle on an index may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Access {
    /// Read only, of a file that nobody changes: no lock is taken and no file made. What is not in
    /// the file itself is refused ([`OpenError::Wal`]).
    Immutable,
    /// Read only, beside others that write.
    ReadOnly,
    /// Read and write.
    #[default]
    ReadWrite,
}

/// Where an index is, and what it works with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// The file of the index; SQLite keeps two more beside it.
    pub path: PathBuf,
    /// The file whose lock stands before each transaction that writes; it is made when it is absent.
    pub lock: PathBuf,
    /// Runs the committer.
    pub spawn: Arc<dyn Spawn>,
    /// Where each commit is written down once more; nowhere when `None`.
    pub journal: Option<Arc<Journal>>,
    /// What the handle may do.
    pub access: Access,
    /// The epoch that the index must be in; any when `None`.
    pub epoch: Option<Epoch>,
    /// The versions of the tables that are known.
    pub(crate) ladder: Ladder,
}

impl SqliteOptions {
    /// Returns the options of a handle that reads and writes.
    pub fn new(path: impl Into<PathBuf>, lock: impl Into<PathBuf>, spawn: Arc<dyn Spawn>) -> Self {
        Self {
            path: path.into(),
            lock: lock.into(),
            spawn,
            journal: None,
            access: Access::ReadWrite,
            epoch: None,
            ladder: Ladder::SHIPPED,
        }
    }

    /// Sets what the handle may do.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Sets where each commit is written down once more.
    #[must_use]
    pub fn journal(mut self, journal: Arc<Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Sets the epoch that the index must be in.
    #[must_use]
    pub const fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }
}

/// What a new index is of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NewIndex {
    /// The registry.
    pub registry: RegistryId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The bytes of a page: a power of two from 512 to 65,536.
    pub page_size: u32,
    /// The versions of the tables that are known: it gets the newest.
    pub(crate) ladder: Ladder,
}

impl NewIndex {
    /// Returns what the index of a new registry is of.
    pub const fn new(registry: RegistryId) -> Self {
        Self {
            registry,
            epoch: Epoch::new(1),
            page_size: 4096,
            ladder: Ladder::SHIPPED,
        }
    }
}

/// Why an index cannot be opened or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is a file already.
    #[error("{} is there already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The index itself fails.
    #[error("the index cannot be opened")]
    Index(#[from] IndexError),
    /// The SQLite that is linked is too old.
    #[error("SQLite {found} can corrupt an index that several processes use: link 3.51.3 or newer")]
    Library {
        /// Its version.
        found: &'static str,
    },
    /// A newer program made it.
    #[error(
        "{} is of index version {found}, and this program knows {known}: use the newer program",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The file is something else.
    #[error("{} is not an index of a registry", .path.display())]
    NotAnIndex {
        /// The file.
        path: PathBuf,
    },
    /// An older program made it, and its tables must be changed before.
    #[error(
        "{} is of index version {found}, and this program works with {known}: open the registry once where it can \
         be written",
        .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version that is needed here.
        known: u32,
    },
    /// A setting did not take.
    #[error("SQLite's {name} is {found}, not {wanted}: the disk or file system may be failing")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it must be.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The newest commits are not in the file of the index yet.
    #[error("{} is not empty: open the registry once where it can be written", .path.display())]
    Wal {
        /// The file that holds them.
        path: PathBuf,
    },
}
