//! How an index fails, and how it says that the world has moved on.

use super::{record::Usage, store_error::BoxError};
use crate::model::{
    digest::Digest,
    document::DocumentKey,
    id::{BlobKey, Epoch, Generation, Holder, Revision, UploadId},
    name::{PackageRef, Scope, Tag},
};

/// How an index fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The backend failed in a way that trying again does not mend.
    #[error("{backend}: {operation} failed")]
    Backend {
        /// The index's name.
        backend: &'static str,
        /// What it was doing.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Another process holds the writer's lock, and does not let go of it.
    #[error("another process is stopped inside a commit: let it go on or end it, and try again")]
    Busy,
    /// An expectation failed, or a change could not be made; nothing changed.
    #[error("{0}")]
    Conflict(Conflict),
    /// A stored row cannot be read.
    #[error("the index is corrupt at {place}: run fsck")]
    Corrupt {
        /// The row.
        place: String,
    },
    /// The revision is below the horizon.
    #[error("what was before revision {oldest} is forgotten")]
    HistoryForgotten {
        /// The oldest revision that can be read.
        oldest: Revision,
    },
    /// The revision is not made yet.
    #[error("revision {asked} is not made yet: the newest is {newest}")]
    FutureRevision {
        /// The revision that was asked for.
        asked: Revision,
        /// The newest one.
        newest: Revision,
    },
    /// No space is left.
    #[error("{backend}: no space is left for {operation}")]
    NoSpace {
        /// The index's name.
        backend: &'static str,
        /// What it was doing.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A sync failed before: nothing more is acknowledged until the index is opened again (I21).
    #[error("{backend}: a sync failed, so nothing more is acknowledged: open the registry again")]
    Poisoned {
        /// The index's name.
        backend: &'static str,
    },
    /// The content was purged.
    #[error("{digest} was purged")]
    Purged {
        /// The content.
        digest: Digest,
    },
    /// The index takes no writes.
    #[error("{backend}: the index is read-only")]
    ReadOnly {
        /// The index's name.
        backend: &'static str,
    },
    /// The registry was rebuilt, migrated or restored since it was opened here.
    #[error("the registry was rebuilt or restored (epoch {found}): open it again", found = .found.get())]
    StaleEpoch {
        /// The epoch that it is in.
        found: Epoch,
    },
    /// The backend does not answer now, or its answer to a commit was lost: the outcome is unknown.
    #[error("{backend}: {operation} is unavailable")]
    Unavailable {
        /// The index's name.
        backend: &'static str,
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl IndexError {
    /// Says whether the same call may succeed later without anybody doing anything.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable { .. })
    }
}

impl From<Conflict> for IndexError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

/// What stood against a change set, and what is there. Where it names one of several, it is the
/// first in byte order.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// A manifest of the package names the blob.
    #[error("{digest} is named by manifest {by}")]
    BlobNamed {
        /// The blob.
        digest: Digest,
        /// One manifest that names it.
        by: Digest,
    },
    /// The blob is pinned.
    #[error("{digest} is pinned as {name}: unpin it first")]
    BlobPinned {
        /// The blob.
        digest: Digest,
        /// One pin.
        name: String,
    },
    /// The registry has no such blob.
    #[error("{digest} is not in the registry")]
    BlobUnknown {
        /// The blob.
        digest: Digest,
    },
    /// Another holder has the claim.
    #[error("{name} is claimed by {holder}", holder = .holder.as_str())]
    Claimed {
        /// What is claimed.
        name: String,
        /// By whom.
        holder: Holder,
    },
    /// The document is at another generation.
    #[error("{key} is at generation {generation}")]
    Document {
        /// The document.
        key: DocumentKey,
        /// Its generation; that of its deletion if it is deleted, [`Generation::NONE`] if it never was.
        generation: Generation,
    },
    /// The content is in use, so it cannot be purged, and nothing can be adopted in its place.
    #[error("{digest} is in {package}: delete it there first")]
    InUse {
        /// The content.
        digest: Digest,
        /// One package that has it.
        package: PackageRef,
    },
    /// The key is in the trash, or another blob or upload has it: its bytes are not the caller's.
    #[error("key {key} is not free")]
    KeyTaken {
        /// The key.
        key: BlobKey,
    },
    /// An index of the package names the manifest.
    #[error("manifest {digest} is named by index {by}")]
    ManifestNamed {
        /// The manifest.
        digest: Digest,
        /// One index that names it.
        by: Digest,
    },
    /// The package has no such manifest.
    #[error("{package} has no manifest {digest}")]
    ManifestUnknown {
        /// The package.
        package: PackageRef,
        /// The manifest.
        digest: Digest,
    },
    /// The package has no link to the blob.
    #[error("{package} has no blob {digest}")]
    NotLinked {
        /// The package.
        package: PackageRef,
        /// The blob.
        digest: Digest,
    },
    /// There would be more than the limit.
    #[error(
        "{scope} would hold {} of {limit} bytes ({} stored, {} reserved)",
        .usage.charged + .usage.reserved, .usage.charged, .usage.reserved
    )]
    NoRoom {
        /// The scope.
        scope: Scope,
        /// What it would hold.
        usage: Usage,
        /// The limit in bytes.
        limit: u64,
    },
    /// There is no such pin.
    #[error("{digest} is not pinned as {name}")]
    PinUnknown {
        /// The blob.
        digest: Digest,
        /// The pin.
        name: String,
    },
    /// The tag is at another generation, or absent, or there.
    #[error("tag {tag} of {package} is at generation {generation}")]
    Tag {
        /// The package.
        package: PackageRef,
        /// The tag.
        tag: Tag,
        /// Its generation; that of its deletion if it is deleted, [`Generation::NONE`] if it never was.
        generation: Generation,
        /// What it points at, if it is there.
        digest: Option<Digest>,
    },
    /// The upload is gone, at another version, or another's.
    #[error("upload {id} went on elsewhere, or ended")]
    Upload {
        /// The upload.
        id: UploadId,
        /// Its version, if it is there.
        version: Option<u64>,
    },
}
