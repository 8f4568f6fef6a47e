//! What an index answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

use super::{blob_store::Stamp, change::Location};
use crate::model::{
    descriptor::Descriptor,
    digest::Digest,
    document::DocumentKey,
    id::{BlobKey, Epoch, Generation, RegistryId, Revision, UploadId},
    media_type::MediaType,
    name::{PackageRef, RepositoryName, Scope, Tag},
    time::{BootTime, Lease, Timestamp},
};

/// Which state a read is of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an index must answer for each of them"
)]
pub enum AsOf {
    /// The newest.
    #[default]
    Now,
    /// The one that this revision left.
    Revision(Revision),
}

/// A part of an ordered list: the items after a key, at most so many.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and a bound are all there is to it"
)]
pub struct Page<K> {
    /// The key after which it begins; from the start when `None`. It need not exist.
    pub after: Option<K>,
    /// How many items at most.
    pub limit: NonZeroU32,
}

impl<K> Page<K> {
    /// Returns the first page.
    pub const fn first(limit: NonZeroU32) -> Self {
        Self { after: None, limit }
    }

    /// Returns the page after a key.
    pub const fn after(key: K, limit: NonZeroU32) -> Self {
        Self {
            after: Some(key),
            limit,
        }
    }
}

/// What an index is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The registry.
    pub registry: RegistryId,
    /// The epoch that it was opened in.
    pub epoch: Epoch,
}

impl Identity {
    /// Returns the identity.
    pub const fn new(registry: RegistryId, epoch: Epoch) -> Self {
        Self { registry, epoch }
    }
}

/// A tag.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TagRecord {
    /// Its name.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// Its generation.
    pub generation: Generation,
    /// The revision that put it there.
    pub revision: Revision,
    /// When that was.
    pub changed_at: Timestamp,
}

impl TagRecord {
    /// Returns the record.
    pub const fn new(
        tag: Tag,
        digest: Digest,
        generation: Generation,
        revision: Revision,
        changed_at: Timestamp,
    ) -> Self {
        Self {
            tag,
            digest,
            generation,
            revision,
            changed_at,
        }
    }
}

/// A manifest in a package.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ManifestRecord {
    /// Its digest.
    pub digest: Digest,
    /// The type under which it was pushed.
    pub media_type: MediaType,
    /// The type of the artifact.
    pub artifact_type: Option<MediaType>,
    /// Its bytes.
    pub bytes: Bytes,
    /// The revision that put it into the package.
    pub revision: Revision,
    /// When that was.
    pub first_seen_at: Timestamp,
    /// When its publisher, or its origin, says that it was published.
    pub published_at: Option<Timestamp>,
}

impl ManifestRecord {
    /// Returns the record of a manifest without times of its publisher.
    pub const fn new(
        digest: Digest,
        media_type: MediaType,
        artifact_type: Option<MediaType>,
        bytes: Bytes,
        revision: Revision,
        first_seen_at: Timestamp,
    ) -> Self {
        Self {
            digest,
            media_type,
            artifact_type,
            bytes,
            revision,
            first_seen_at,
            published_at: None,
        }
    }
}

/// A manifest in a list: all but its bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ManifestSummary {
    /// What an index would say of it, with its annotations and its artifact's type.
    pub descriptor: Descriptor,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// The revision that put it into the package.
    pub revision: Revision,
    /// When that was.
    pub first_seen_at: Timestamp,
    /// When its publisher, or its origin, says that it was published.
    pub published_at: Option<Timestamp>,
}

impl ManifestSummary {
    /// Returns the summary of a manifest without a subject.
    pub const fn new(descriptor: Descriptor, revision: Revision, first_seen_at: Timestamp) -> Self {
        Self {
            descriptor,
            subject: None,
            revision,
            first_seen_at,
            published_at: None,
        }
    }
}

/// A document.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DocumentRecord {
    /// Its key.
    pub key: DocumentKey,
    /// Its generation.
    pub generation: Generation,
    /// What it says; `None` when it was deleted.
    pub body: Option<String>,
    /// The revision that wrote it.
    pub revision: Revision,
}

impl DocumentRecord {
    /// Returns the record.
    pub const fn new(
        key: DocumentKey,
        generation: Generation,
        body: Option<String>,
        revision: Revision,
    ) -> Self {
        Self {
            key,
            generation,
            body,
            revision,
        }
    }
}

/// A blob of the registry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlobRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes are.
    pub location: Location,
    /// The stamp of the bytes when they were last hashed.
    pub stamp: Option<Stamp>,
    /// When they were last hashed.
    pub hashed_at: Timestamp,
    /// Whether the bytes were found wrong.
    pub quarantined: bool,
}

impl BlobRecord {
    /// Returns the record of a sound blob.
    pub const fn new(
        digest: Digest,
        size: u64,
        location: Location,
        stamp: Option<Stamp>,
        hashed_at: Timestamp,
    ) -> Self {
        Self {
            digest,
            size,
            location,
            stamp,
            hashed_at,
            quarantined: false,
        }
    }
}

/// A blob as a package has it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LinkRecord {
    /// The blob.
    pub blob: BlobRecord,
    /// The first manifest of the package that names it, in any role, at the state that is read.
    pub named_by: Option<Digest>,
    /// The lease that holds it now.
    pub lease: Option<Lease>,
}

impl LinkRecord {
    /// Returns the record.
    pub const fn new(blob: BlobRecord, named_by: Option<Digest>, lease: Option<Lease>) -> Self {
        Self {
            blob,
            named_by,
            lease,
        }
    }
}

/// Who knows of a key of the blob store.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the scrub must decide on each of them"
)]
pub enum KeyOwner {
    /// A blob has its bytes there.
    Blob(Digest),
    /// It waits to be deleted.
    Trash,
    /// An upload writes there.
    Upload(UploadId),
}

/// A key that waits to be deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TrashRecord {
    /// The key.
    pub key: BlobKey,
    /// Its length in bytes, where known (a blob's, or what an upload had suspended there); else 0.
    pub size: u64,
    /// When a collector first saw it there, by its boot clock
    /// ([`Bookkeeping::SeeTrash`](super::change::Bookkeeping::SeeTrash)); what must linger is counted
    /// from then, so no wall clock decides (I17).
    pub seen: Option<BootTime>,
}

impl TrashRecord {
    /// Returns the record of a key that no collector has seen.
    pub const fn new(key: BlobKey, size: u64) -> Self {
        Self {
            key,
            size,
            seen: None,
        }
    }
}

/// What a scope is charged for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// The bytes of the distinct blobs and manifests that each of its repositories links, summed
    /// over the repositories.
    pub charged: u64,
    /// The bytes that its uploads have reserved.
    pub reserved: u64,
}

impl Usage {
    /// Returns the usage.
    pub const fn new(charged: u64, reserved: u64) -> Self {
        Self { charged, reserved }
    }

    /// Returns both together.
    pub const fn total(&self) -> u64 {
        self.charged.saturating_add(self.reserved)
    }
}

/// What a scope, or the whole registry, holds: counted, not looked up.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Footprint {
    /// Packages that have a manifest.
    pub packages: u64,
    /// Tags.
    pub tags: u64,
    /// Manifests, a manifest in two packages counted twice.
    pub manifests: u64,
    /// Distinct blobs that are linked.
    pub blobs: u64,
    /// The bytes of those blobs, each counted once for the scope.
    pub blob_bytes: u64,
    /// The bytes of blobs that only kept history wants: past manifests that can still be read name
    /// them, and in the scope nothing links them.
    pub history_bytes: u64,
}

/// What the whole registry holds, beside what repositories hold (I9).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Totals {
    /// Rows of blobs.
    pub blobs: u64,
    /// Their bytes in the blob store.
    pub stored_bytes: u64,
    /// Their bytes in the index itself.
    pub inline_bytes: u64,
    /// The bytes of the distinct manifests that are in a package or in a past row, purged ones apart.
    pub manifest_bytes: u64,
    /// Keys that wait to be deleted.
    pub trash: u64,
    /// Their bytes.
    pub trash_bytes: u64,
    /// Uploads that are under way or suspended.
    pub uploads: u64,
    /// Blobs that were found wrong.
    pub quarantined: u64,
}

/// What to search manifests for; all that is given must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// The repositories to search.
    pub scope: Scope,
    /// The type of the artifact.
    pub artifact_type: Option<MediaType>,
    /// Annotations with their values.
    pub annotations: Vec<(String, String)>,
}

/// A manifest that a search found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and its content are all there is to it"
)]
pub struct Found {
    /// The package.
    pub package: PackageRef,
    /// The manifest.
    pub digest: Digest,
}

/// The newest revision, and how far back reads go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Head {
    /// The newest revision.
    pub revision: Revision,
    /// Its time.
    pub time: Timestamp,
}

impl Head {
    /// Returns the head.
    pub const fn new(revision: Revision, time: Timestamp) -> Self {
        Self { revision, time }
    }
}

/// The oldest revision of a repository that can be read.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Horizon {
    /// The repository.
    pub repository: RepositoryName,
    /// The oldest of its revisions that can be read.
    pub revision: Revision,
}

impl Horizon {
    /// Returns the horizon of a repository.
    pub const fn new(repository: RepositoryName, revision: Revision) -> Self {
        Self {
            repository,
            revision,
        }
    }
}

/// What a piece of bookkeeping did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Noted {
    /// How many rows it touched: past rows that were pruned; keys that went to the trash, left it or
    /// were given a time there. Else one, and none where a claim is not the holder's to release or no
    /// blob is at the key.
    pub rows: u64,
}

impl Noted {
    /// Returns the count.
    pub const fn new(rows: u64) -> Self {
        Self { rows }
    }
}

/// A lease in a list.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a link and its lease are all there is to it"
)]
pub struct LeaseRecord {
    /// The package.
    pub package: PackageRef,
    /// The blob.
    pub digest: Digest,
    /// The lease.
    pub lease: Lease,
}
