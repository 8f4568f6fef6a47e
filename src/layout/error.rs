//! How a layout fails.

use std::{io, path::PathBuf};

use artifact_core::{BoxError, Digest, ErrorKind, ManifestError};

/// How a call of an [`OciLayout`](super::layout::OciLayout) fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// It has several artifacts and none was named.
    #[error("{} holds {count} artifacts: name one by its tag or digest", .path.display())]
    Ambiguous {
        /// The layout.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// A blob's bytes are not those that its digest stands for.
    #[error("{} is corrupt: it has the digest {actual}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The digest of what is in it.
        actual: Digest,
    },
    /// The bytes that came are not those that were announced.
    #[error("the bytes have the digest {actual}, not {expected}")]
    DigestMismatch {
        /// The digest that was announced.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// One of its documents cannot be read.
    #[error("{} cannot be read: {what}", .path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// The parser's word on it.
        #[source]
        source: Option<BoxError>,
    },
    /// The file system failed.
    #[error("{} cannot be {operation}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done with it: `read`, `written`.
        operation: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A manifest in it cannot be taken.
    #[error("the manifest {digest} cannot be taken")]
    Manifest {
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// It is no layout.
    #[error("{} is no OCI image layout: it has no file oci-layout", .path.display())]
    NotALayout {
        /// The directory.
        path: PathBuf,
    },
    /// It is not there.
    #[error("{what} is not in {}", .path.display())]
    NotFound {
        /// The layout.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// What was to be written could not be read.
    #[error("what was to be written to {} cannot be read", .path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl LayoutError {
    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Ambiguous { .. } | Self::Document { .. } | Self::Manifest { .. } => {
                ErrorKind::InvalidArgument
            }
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::DigestMismatch { .. } => ErrorKind::DigestMismatch,
            Self::Io { source, .. } => io_kind(source),
            Self::NotALayout { .. } | Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Source { .. } => ErrorKind::Io,
        }
    }
}

/// Returns the kind of a failure of the file system.
pub(crate) fn io_kind(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::NoSpace,
        _ => ErrorKind::Io,
    }
}
