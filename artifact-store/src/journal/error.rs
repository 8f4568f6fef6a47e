//! How the journal fails.

use std::path::PathBuf;

use artifact_core::{IndexError, Revision};

use crate::vfs::VfsError;

/// How the journal fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The journal has a revision already that is to be appended.
    #[error(
        "the journal is at revision {last} already, so {revision} is not the next: the index is behind it"
    )]
    Ahead {
        /// The newest revision of the journal.
        last: Revision,
        /// What was to be appended.
        revision: Revision,
    },
    /// A line is not what was written.
    #[error("{} is damaged at byte {offset}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the line begins, in bytes.
        offset: u64,
    },
    /// An entry cannot be written as JSON.
    #[error("revision {revision} cannot be written to the journal")]
    Encode {
        /// The entry.
        revision: Revision,
        /// The serializer's word on it.
        #[source]
        source: serde_json::Error,
    },
    /// A newer program wrote the file.
    #[error("{} has form {found}, and this program knows up to {known}: use a newer one", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form that is known here.
        known: u32,
    },
    /// Revisions are missing.
    #[error("{} goes on at revision {next} after {after}: what is between is missing", .path.display())]
    Gap {
        /// The file that goes on.
        path: PathBuf,
        /// The newest revision before.
        after: Revision,
        /// The first one after.
        next: Revision,
    },
    /// The index, which the journal is to be mended from, fails.
    #[error("the index does not tell what the journal lacks")]
    Index(#[source] IndexError),
    /// The file system failed.
    #[error("the journal cannot be used")]
    Io(#[source] VfsError),
    /// A sync failed before: what the files hold is not known until they are opened again (I21).
    #[error(
        "a sync of the journal failed, so nothing more is written to it: open the registry again"
    )]
    Poisoned,
}

impl JournalError {
    /// Says whether no space is left.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Self::Io(error) if error.is_no_space())
    }

    /// Says whether what follows can be read although this cannot.
    pub const fn is_passable(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Gap { .. })
    }
}

impl From<VfsError> for JournalError {
    fn from(error: VfsError) -> Self {
        Self::Io(error)
    }
}
