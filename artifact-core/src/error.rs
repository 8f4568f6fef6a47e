//! How the engine fails.

use crate::{
    contract::{
        index_error::{Conflict, IndexError},
        record::Usage,
        store_error::{BoxError, StoreError},
    },
    model::{
        digest::Digest,
        error_kind::ErrorKind,
        id::{Revision, UploadId},
        manifest::ManifestError,
        name::Scope,
    },
};

/// How a call of the engine fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is there already, and nothing is replaced.
    #[error("{what}")]
    AlreadyExists {
        /// What is there, and what to do.
        what: String,
    },
    /// A blob that a manifest names is not in the package.
    #[error("{digest} is not in the package: push it first")]
    BlobUnknown {
        /// The blob.
        digest: Digest,
    },
    /// Something that is there stands against it.
    #[error("{what}")]
    Blocked {
        /// What stands against what, and what to do.
        what: String,
    },
    /// In use: the call cannot be made now, here.
    #[error("{what}")]
    Busy {
        /// What is in use, and what to do.
        what: String,
    },
    /// The stored bytes are wrong; they are quarantined.
    #[error("the stored bytes of {digest} are corrupt: push it again, or restore it")]
    Corrupt {
        /// The content.
        digest: Digest,
    },
    /// It is refused.
    #[error("denied: {reason}")]
    Denied {
        /// Why.
        reason: String,
    },
    /// The bytes that came are not those that were announced.
    #[error("the bytes have the digest {actual}, not {expected}")]
    DigestMismatch {
        /// The digest that was announced.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The revision is below the horizon.
    #[error("what was before revision {oldest} is forgotten")]
    HistoryForgotten {
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The index failed.
    #[error("the index failed")]
    Index(#[source] IndexError),
    /// What was given cannot be meant.
    #[error("{what}")]
    Invalid {
        /// What is wrong, and what would be right.
        what: String,
        /// The parser's word on it.
        #[source]
        source: Option<BoxError>,
    },
    /// The manifest cannot be taken.
    #[error("the manifest cannot be taken")]
    Manifest(#[source] ManifestError),
    /// Something uses it.
    #[error("{digest} is in use by {by}: delete that first")]
    Named {
        /// What was to go.
        digest: Digest,
        /// The manifest that names it.
        by: Digest,
    },
    /// It is not there, or not to be seen.
    #[error("there is no {what} {name}")]
    NotFound {
        /// What.
        what: What,
        /// Its name, as the caller gave it.
        name: String,
    },
    /// The upload does not continue where the caller thinks.
    #[error("the upload holds {offset} bytes: go on from there")]
    Offset {
        /// The upload.
        id: UploadId,
        /// The bytes that it holds.
        offset: u64,
    },
    /// A condition of the caller's does not hold.
    #[error("{what} has changed: read it again")]
    Precondition {
        /// What was to be changed.
        what: String,
    },
    /// The content was purged.
    #[error("{digest} was purged")]
    Purged {
        /// The content.
        digest: Digest,
    },
    /// No room within the quota.
    #[error(
        "the quota of {scope} is {limit} bytes, and it would hold {} ({} stored, {} reserved)",
        .usage.total(), .usage.charged, .usage.reserved
    )]
    Quota {
        /// Whose quota.
        scope: Scope,
        /// What it would hold.
        usage: Usage,
        /// The quota in bytes.
        limit: u64,
    },
    /// The range starts after the end.
    #[error("the range starts after the {size} bytes of the blob")]
    Range {
        /// The length of the blob.
        size: u64,
    },
    /// The range ends before it starts.
    #[error(
        "the range ends at byte {last}, before its start at byte {first}: give the lower one first"
    )]
    RangeReversed {
        /// The first byte that was asked for.
        first: u64,
        /// The last one.
        last: u64,
        /// The length of the blob.
        size: u64,
    },
    /// The registry takes no writes.
    #[error("the registry is read-only: {reason}")]
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// A descriptor tells another size than the content has.
    #[error("the manifest says that {digest} has {said} bytes, and it has {actual}")]
    Size {
        /// The content.
        digest: Digest,
        /// What the manifest says.
        said: u64,
        /// What it is.
        actual: u64,
    },
    /// The blob store failed.
    #[error("the blob store failed")]
    Store(#[source] StoreError),
    /// More than is taken.
    #[error("{what} has {size} bytes, and {limit} are taken")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its length in bytes.
        size: u64,
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// Who asks must say who it is.
    #[error("say who you are: this is not open to everybody")]
    Unauthenticated,
    /// It cannot be done here.
    #[error("{what}")]
    Unsupported {
        /// What cannot be done, and what can.
        what: String,
    },
}

/// The kinds of things that can be missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A blob.
    Blob,
    /// A document: settings, a user.
    Document,
    /// A manifest.
    Manifest,
    /// A package.
    Package,
    /// A repository.
    Repository,
    /// A tag.
    Tag,
    /// An upload.
    Upload,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Blob => "blob",
            Self::Document => "record",
            Self::Manifest => "manifest",
            Self::Package => "package",
            Self::Repository => "repository",
            Self::Tag => "tag",
            Self::Upload => "upload",
        })
    }
}

/// Returns what an error says, with all that caused it, in one line: for logs, and for people who get no
/// chain.
///
/// ```
/// let cause = std::io::Error::other("the disk is gone");
/// let error = artifact_core::StoreError::Backend {
///     backend: "fs",
///     operation: "a read",
///     source: cause.into(),
/// };
/// assert_eq!(artifact_core::story(&error), "fs: a read failed: the disk is gone");
/// ```
pub fn story(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl Error {
    /// Returns the error for something that is not there, or not to be seen.
    ///
    /// ```
    /// use artifact_core::{Error, What};
    ///
    /// let error = Error::not_found(What::Tag, "v1");
    /// assert_eq!(error.to_string(), "there is no tag v1");
    /// ```
    pub fn not_found(what: What, name: impl std::fmt::Display) -> Self {
        Self::NotFound {
            what,
            name: name.to_string(),
        }
    }

    /// Returns the error for an argument that cannot be meant.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            source: None,
        }
    }

    /// Returns what kind of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::BlobUnknown { .. } | Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Busy { .. } => ErrorKind::Busy,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Denied { .. } => ErrorKind::Denied,
            Self::DigestMismatch { .. } => ErrorKind::DigestMismatch,
            Self::HistoryForgotten { .. } => ErrorKind::HistoryForgotten,
            Self::Index(error) => index_kind(error),
            Self::Manifest(ManifestError::TooLarge { .. }) | Self::TooLarge { .. } => {
                ErrorKind::TooLarge
            }
            Self::Invalid { .. } | Self::Manifest(_) | Self::Size { .. } => {
                ErrorKind::InvalidArgument
            }
            Self::Named { .. } | Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Offset { .. } | Self::Range { .. } | Self::RangeReversed { .. } => {
                ErrorKind::Range
            }
            Self::Blocked { .. } | Self::Precondition { .. } => ErrorKind::Conflict,
            Self::Purged { .. } => ErrorKind::Purged,
            Self::Quota { .. } => ErrorKind::Quota,
            Self::ReadOnly { .. } => ErrorKind::ReadOnly,
            Self::Store(error) => store_kind(error),
            Self::Unauthenticated => ErrorKind::Unauthenticated,
        }
    }
}

const fn index_kind(error: &IndexError) -> ErrorKind {
    match error {
        IndexError::Backend { .. } => ErrorKind::Backend,
        IndexError::Busy => ErrorKind::Busy,
        IndexError::Conflict(_) | IndexError::StaleEpoch { .. } => ErrorKind::Conflict,
        IndexError::Corrupt { .. } => ErrorKind::Corrupt,
        IndexError::HistoryForgotten { .. } => ErrorKind::HistoryForgotten,
        IndexError::FutureRevision { .. } => ErrorKind::NotFound,
        IndexError::NoSpace { .. } => ErrorKind::NoSpace,
        IndexError::Poisoned { .. } | IndexError::ReadOnly { .. } => ErrorKind::ReadOnly,
        IndexError::Purged { .. } => ErrorKind::Purged,
        IndexError::Unavailable { .. } => ErrorKind::Unavailable,
    }
}

const fn store_kind(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::Backend { .. } => ErrorKind::Backend,
        StoreError::Corrupt { .. } => ErrorKind::Corrupt,
        StoreError::Exists { .. } => ErrorKind::AlreadyExists,
        StoreError::Held { .. } => ErrorKind::Busy,
        StoreError::NoSpace { .. } => ErrorKind::NoSpace,
        StoreError::NoWay { .. } => ErrorKind::Unsupported,
        StoreError::OffsetMismatch { .. } | StoreError::RangeNotSatisfiable { .. } => {
            ErrorKind::Range
        }
        StoreError::Poisoned { .. } | StoreError::ReadOnly { .. } => ErrorKind::ReadOnly,
        StoreError::Unavailable { .. } => ErrorKind::Unavailable,
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Conflict(Conflict::NoRoom {
                scope,
                usage,
                limit,
            }) => Self::Quota {
                scope,
                usage,
                limit,
            },
            IndexError::Conflict(
                Conflict::BlobNamed { digest, by } | Conflict::ManifestNamed { digest, by },
            ) => Self::Named { digest, by },
            IndexError::Conflict(
                Conflict::NotLinked { digest, .. } | Conflict::BlobUnknown { digest },
            ) => Self::BlobUnknown { digest },
            IndexError::Conflict(Conflict::ManifestUnknown { digest, .. }) => {
                Self::not_found(What::Manifest, digest)
            }
            IndexError::Conflict(Conflict::Upload { id, .. }) => Self::not_found(What::Upload, id),
            IndexError::Conflict(
                conflict @ (Conflict::InUse { .. } | Conflict::BlobPinned { .. }),
            ) => Self::Blocked {
                what: conflict.to_string(),
            },
            IndexError::Conflict(conflict) => Self::Precondition {
                what: conflict.to_string(),
            },
            IndexError::HistoryForgotten { oldest } => Self::HistoryForgotten { oldest },
            IndexError::Purged { digest } => Self::Purged { digest },
            IndexError::ReadOnly { .. } => Self::ReadOnly {
                reason: error.to_string(),
            },
            other => Self::Index(other),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists { path } => Self::AlreadyExists {
                what: format!(
                    "{} is there already: name another file, or remove it first",
                    path.display()
                ),
            },
            StoreError::NoWay { path, source } => Self::Unsupported {
                what: format!(
                    "{} can be made in none of the ways that were given ({source}): let it be copied, \
                     or read the blob",
                    path.display()
                ),
            },
            StoreError::RangeNotSatisfiable { size } => Self::Range { size },
            StoreError::ReadOnly { .. } => Self::ReadOnly {
                reason: error.to_string(),
            },
            other => Self::Store(other),
        }
    }
}

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}
