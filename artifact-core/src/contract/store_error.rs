//! How a blob store fails.

use std::path::PathBuf;

use crate::model::id::{BlobKey, UploadId};

/// An error of any kind, as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a blob store fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend failed in a way that trying again does not mend.
    #[error("{backend}: {operation} failed")]
    Backend {
        /// The store's name.
        backend: &'static str,
        /// What it was doing.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The stored bytes are not those that were committed.
    #[error("blob {key} is corrupt")]
    Corrupt {
        /// The blob.
        key: BlobKey,
    },
    /// What was to be made is there already, and nothing is replaced.
    #[error("{} is there already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A live writer, reader or mapping holds the blob or upload.
    #[error("{key} is held by a live writer or reader")]
    Held {
        /// What is held.
        key: BlobKey,
    },
    /// None of the ways that were given makes this file of the blob, here.
    #[error("{} can be made in none of the ways that were given", .path.display())]
    NoWay {
        /// The file.
        path: PathBuf,
        /// Why not in the last of them.
        #[source]
        source: BoxError,
    },
    /// No space is left, or no quota of the system's.
    #[error("{backend}: no space is left for {operation}")]
    NoSpace {
        /// The store's name.
        backend: &'static str,
        /// What it was doing.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// An upload does not hold as many bytes as it must.
    #[error("upload {id} holds {actual} bytes, not {expected}")]
    OffsetMismatch {
        /// The upload.
        id: UploadId,
        /// The bytes that it should hold.
        expected: u64,
        /// The bytes that it holds.
        actual: u64,
    },
    /// A sync failed before: nothing more is acknowledged until the store is opened again (I21).
    #[error("{backend}: a sync failed, so nothing more is acknowledged: open the registry again")]
    Poisoned {
        /// The store's name.
        backend: &'static str,
    },
    /// The range starts after the end.
    #[error("range starts after the {size} bytes of the blob")]
    RangeNotSatisfiable {
        /// The length of the blob.
        size: u64,
    },
    /// The store takes no writes.
    #[error("{backend}: the store is read-only")]
    ReadOnly {
        /// The store's name.
        backend: &'static str,
    },
    /// The backend does not answer now.
    #[error("{backend}: {operation} is unavailable")]
    Unavailable {
        /// The store's name.
        backend: &'static str,
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl StoreError {
    /// Says whether the same call may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Unavailable { .. })
    }
}

impl From<StoreError> for std::io::Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Exists { .. } => std::io::ErrorKind::AlreadyExists,
            StoreError::NoSpace { .. } => std::io::ErrorKind::StorageFull,
            StoreError::NoWay { .. } => std::io::ErrorKind::Unsupported,
            StoreError::ReadOnly { .. } => std::io::ErrorKind::ReadOnlyFilesystem,
            StoreError::Corrupt { .. } => std::io::ErrorKind::InvalidData,
            StoreError::RangeNotSatisfiable { .. } => std::io::ErrorKind::InvalidInput,
            _ => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
