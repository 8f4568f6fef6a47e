//! What can be changed in an index, on which conditions, and what is then said of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{blob_store::Stamp, principal::Principal, upload_record::UploadRecord};
use crate::model::{
    digest::Digest,
    document::DocumentKey,
    hasher::VerifiedBlob,
    id::{BlobKey, Generation, Holder, Revision, UploadId},
    manifest::Manifest,
    media_type::MediaType,
    name::{PackageRef, RepositoryName, Scope, Tag},
    time::{BootTime, Lease, Timestamp},
};

/// Where the bytes of a digest are.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "who reads a blob must know every home of its bytes"
)]
pub enum Location {
    /// In the index itself: at most 64 KiB, one sync with the rest, gone with the row.
    Inline(Bytes),
    /// In the blob store.
    Key(BlobKey),
}

/// Expectations, then changes: judged together at their place in the serial order.
///
/// The first expectation that fails gives a [`Conflict`](super::index_error::Conflict) with what is
/// there, and nothing changes. The changes are made in their order, each on what those before it
/// left; one that cannot be made is a conflict, too.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChangeSet {
    /// Who asked, and in which request.
    pub actor: Actor,
    /// The wall time of the change; the revision's time is at least it and later than the one before.
    pub time: Timestamp,
    /// What must hold before.
    pub expectations: Vec<Expectation>,
    /// What must hold after.
    pub rooms: Vec<Room>,
    /// What is changed.
    pub changes: Vec<Change>,
}

impl ChangeSet {
    /// Returns the change set that changes nothing yet.
    pub const fn new(actor: Actor, time: Timestamp) -> Self {
        Self {
            actor,
            time,
            expectations: Vec::new(),
            rooms: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Adds an expectation.
    #[must_use]
    pub fn expect(mut self, expectation: Expectation) -> Self {
        self.expectations.push(expectation);
        self
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// Adds a bound on a usage.
    #[must_use]
    pub fn room(mut self, room: Room) -> Self {
        self.rooms.push(room);
        self
    }
}

/// Who asked for a change, and in which request: it stands in the feed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Actor {
    /// Who asked.
    pub principal: Principal,
    /// The id of the request, as the answer carried it; at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Actor {
    /// Returns the actor.
    pub const fn new(principal: Principal, request: Option<String>) -> Self {
        Self { principal, request }
    }
}

/// What must hold for a change set to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "an index must judge each of them")]
pub enum Expectation {
    /// The document is at this generation; [`Generation::NONE`] if it never was. A deleted document
    /// has the generation of its deletion.
    Document(DocumentKey, Generation),
    /// There is no such tag.
    TagAbsent(PackageRef, Tag),
    /// The tag is there, at this generation.
    TagAt(PackageRef, Tag, Generation),
    /// The upload is there, at this version, written by this holder.
    Upload(UploadId, u64, Holder),
}

/// A bound that must hold after the changes, where they raise the usage.
///
/// Σ(charged + reserved) of the scope's repositories is at most the limit (I14). A change set that
/// does not raise that sum is never refused for it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and its bound are all there is to it"
)]
pub struct Room {
    /// The repositories that share the bound.
    pub scope: Scope,
    /// The bound, in bytes.
    pub limit: u64,
}

/// One change.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an index must make each of them")]
pub enum Change {
    /// Moves the packages of the default repository whose OCI name lies below this repository into
    /// it, with their tags, manifests, links, leases, pins and uploads. They are there since this
    /// revision: what was stays where it was. Under the new name tags have the higher of both
    /// generations, deleted ones too, and go on counting from it; one that is there under the new name
    /// stays as it is. Under the old name they are deleted ones of the generation that they had, and
    /// no generation is raised by the move. Where both packages have content, links or manifests, it is
    /// a conflict ([`InUse`](super::index_error::Conflict::InUse), with what the new name has).
    /// One event a package that has content or uploads. Tags and manifests keep the revision and the
    /// times that their records tell.
    Adopt(RepositoryName),
    /// Deletes the rows of those of the blobs that nothing wants, and puts their keys in the trash.
    /// What is wanted is passed over.
    Collect(Vec<Digest>),
    /// Deletes a document. One that is absent is a conflict.
    DeleteDocument(DocumentKey),
    /// Takes a manifest out of a package, with the tags that point at it, and with the links of
    /// blobs that no other manifest of the package names and no lease or pin holds. One that an
    /// index of the package names is a conflict; one that is absent, too. Its events are those of
    /// the tags, the manifest's own, and those of the links by digest.
    DeleteManifest(PackageRef, Digest),
    /// Deletes a tag. One that is absent is a conflict.
    DeleteTag(PackageRef, Tag),
    /// Ends the leases of which nothing is left in this boot, at most so many, the earliest deadline
    /// first, then by package and digest, with the links that no manifest and no pin keeps. Leases of
    /// other boots stay.
    ExpireLeases {
        /// The boot time now.
        now: BootTime,
        /// How many at most.
        limit: u32,
    },
    /// Moves the horizon of a repository forward to a revision; backward changes nothing. One after
    /// the newest is [`FutureRevision`](super::index_error::IndexError::FutureRevision).
    Forget(RepositoryName, Revision),
    /// Links a blob to a package. One that the registry does not have is a conflict. With a lease,
    /// the blob is kept until it ends or a manifest takes the blob. A link that is there already takes
    /// the lease that is given, whether it had one or not and whether a manifest names the blob or
    /// not, unless its own ends later ([`Lease::or_later`]): who was slower must not take from another what
    /// was acknowledged. Where none is given it stays as it is. None of this has an event.
    Link(PackageRef, Digest, Option<Lease>),
    /// Keeps a linked blob under a name until it is unpinned. One that is not linked is a conflict; a
    /// pin that is there changes nothing.
    Pin(PackageRef, Digest, String),
    /// Removes the bytes of a blob or manifest, also from what was. A manifest that is in any
    /// package now, and a blob that is linked to any now, is a conflict. What is not there changes
    /// nothing; what is stored again is no longer purged: a blob when it is entered, a manifest when it
    /// is put into any package, and not when its bytes are entered as a blob. Lists of what was leave a
    /// purged manifest out, and what it named it still names.
    Purge(Digest),
    /// Enters a blob of which the bytes are stored, and ends its upload. Where the digest is there
    /// already and sound, the row stays, and the key given here goes to the trash; where it is
    /// quarantined, the row takes this location and is sound again, and its old key goes to the
    /// trash. So does the upload's key where it is another. A key that is in the trash, or another
    /// blob's or upload's, is a conflict ([`KeyTaken`](super::index_error::Conflict::KeyTaken)); the
    /// row's own may be given again, and stays the row's. The revision's time is when it was hashed.
    /// That the upload is gone already is no conflict, and the blob is entered: who minds expects the
    /// upload ([`Expectation::Upload`]). A row that stays has no event.
    PutBlob {
        /// The proof of what the bytes are.
        blob: VerifiedBlob,
        /// Where the bytes are.
        location: Location,
        /// The stamp of the bytes at rest.
        stamp: Option<Stamp>,
        /// The upload that brought them; its row and reservation go.
        upload: Option<UploadId>,
    },
    /// Writes a document. What it says already changes nothing.
    PutDocument(DocumentKey, String),
    /// Puts a manifest into a package. Each config and layer must be linked to the package, and each
    /// child be a manifest of it or linked to it, else it is a conflict over the first in the order of
    /// the manifest that is not ([`NotLinked`](super::index_error::Conflict::NotLinked) for config and
    /// layers, [`ManifestUnknown`](super::index_error::Conflict::ManifestUnknown) for a child); what may
    /// be absent may be. The leases of the blobs it names end. One that is there already changes
    /// nothing, no lease either.
    PutManifest {
        /// The package.
        package: PackageRef,
        /// The manifest.
        manifest: Box<Manifest>,
        /// When its publisher, or its origin, says that it was published.
        published_at: Option<Timestamp>,
    },
    /// Makes or moves a tag. A digest that is no manifest of the package is a conflict. The digest
    /// that it has already changes nothing.
    PutTag(PackageRef, Tag, Digest),
    /// Takes a blob's link out of a package, with its lease. One that is not linked is a conflict; one
    /// that a manifest of the package names, too; a pinned one, too: the first of these that holds.
    Unlink(PackageRef, Digest),
    /// Ends a pin, and with its last pin the link, where no manifest names the blob and no lease
    /// holds it. A pin that is absent is a conflict.
    Unpin(PackageRef, Digest, String),
}

/// What was committed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Committed {
    /// The revision: of this change set, or of the registry where nothing changed.
    pub revision: Revision,
    /// When that revision was made, in wall time; later than the revision before.
    pub time: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// What happened, in order; empty where nothing changed.
    pub events: Vec<Event>,
}

impl Committed {
    /// Returns the record of what happened.
    pub const fn new(
        revision: Revision,
        time: Timestamp,
        actor: Actor,
        events: Vec<Event>,
    ) -> Self {
        Self {
            revision,
            time,
            actor,
            events,
        }
    }
}

/// One thing that happened, as the feed tells it: small, and complete without what was before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Event {
    /// A package of the default repository now belongs to this one.
    Adopted {
        /// The package under its new repository.
        package: PackageRef,
    },
    /// A blob was linked to a package.
    BlobLinked {
        /// The package.
        package: PackageRef,
        /// The blob.
        digest: Digest,
    },
    /// A blob was entered, or entered again at another place.
    BlobStored {
        /// The blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
        /// Where its bytes are; in the index itself when `None`.
        key: Option<BlobKey>,
    },
    /// A blob's link to a package ended.
    BlobUnlinked {
        /// The package.
        package: PackageRef,
        /// The blob.
        digest: Digest,
    },
    /// Nothing wanted a blob any more, and its row is gone.
    Collected {
        /// The blob.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
    /// A document was deleted.
    DocumentDeleted {
        /// The document.
        key: DocumentKey,
        /// Its generation from now on.
        generation: Generation,
    },
    /// A document was written.
    DocumentPut {
        /// The document.
        key: DocumentKey,
        /// Its generation from now on.
        generation: Generation,
        /// What it says.
        body: String,
    },
    /// The horizon of a repository moved.
    Forgotten {
        /// The repository.
        repository: RepositoryName,
        /// Its horizon from now on.
        horizon: Revision,
    },
    /// A manifest left a package.
    ManifestDeleted {
        /// The package.
        package: PackageRef,
        /// The manifest.
        digest: Digest,
    },
    /// A manifest came into a package.
    ManifestPut {
        /// The package.
        package: PackageRef,
        /// The manifest.
        digest: Digest,
        /// Its type.
        media_type: MediaType,
        /// Its length in bytes.
        size: u64,
        /// When its publisher says that it was published.
        published_at: Option<Timestamp>,
    },
    /// A blob was pinned.
    Pinned {
        /// The package.
        package: PackageRef,
        /// The blob.
        digest: Digest,
        /// The name of the pin.
        name: String,
    },
    /// The bytes of some content were removed.
    Purged {
        /// The content.
        digest: Digest,
    },
    /// A tag was deleted.
    TagDeleted {
        /// The package.
        package: PackageRef,
        /// The tag.
        tag: Tag,
        /// What it pointed at.
        digest: Digest,
        /// Its generation from now on.
        generation: Generation,
    },
    /// A tag was made or moved.
    TagPut {
        /// The package.
        package: PackageRef,
        /// The tag.
        tag: Tag,
        /// What it points at.
        digest: Digest,
        /// What it pointed at before.
        previous: Option<Digest>,
        /// Its generation from now on.
        generation: Generation,
    },
    /// A pin ended.
    Unpinned {
        /// The package.
        package: PackageRef,
        /// The blob.
        digest: Digest,
        /// The name of the pin.
        name: String,
    },
}

/// What makes no revision: visible at once, durable with the next change, and leaking when lost.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an index must record each of them")]
pub enum Bookkeeping {
    /// Enters an upload. One that is there already is a conflict, and so is a key that is in the trash
    /// or another's.
    BeginUpload(Box<UploadRecord>, Vec<Room>),
    /// Replaces an upload that is at this version by one of the next version, whatever version the new
    /// record tells. The key that it had, where the new one has another or none, goes to the trash. A
    /// new key is as in `BeginUpload`.
    AdvanceUpload(u64, Box<UploadRecord>, Vec<Room>),
    /// Removes an upload that is at this version, and its reservation; its key goes to the trash.
    EndUpload(UploadId, u64),
    /// Takes a claim, or takes it over when nothing is left of it, for a length of time from now. A
    /// holder renews its own claim so, of whichever boot. A live claim of another holder is a conflict.
    /// So is another holder's of another boot: it lives on at its full length from now, and this much
    /// is written although the answer is a conflict.
    Claim {
        /// What is claimed.
        name: String,
        /// By whom.
        holder: Holder,
        /// Until when.
        lease: Lease,
        /// The boot time now.
        now: BootTime,
    },
    /// Gives a claim of this holder back.
    Release {
        /// What was claimed.
        name: String,
        /// By whom.
        holder: Holder,
    },
    /// Gives a linked blob a lease, or replaces the one it has, unless that ends later
    /// ([`Lease::or_later`]). One that is not linked is a conflict.
    Lease(PackageRef, Digest, Lease),
    /// Deletes at most so many past rows, of tags and manifests, of the repository that its horizon
    /// has passed, and puts what they named up for review. It is passed when the revision that ended
    /// the row is at or before the horizon. Which go first is the index's own, but it answers that
    /// none went only when none is left, or none was asked for. A revision may then leave the feed, too,
    /// uncounted, when the horizon of every repository that ever had a link or manifest is at or after
    /// it; its number and time stay.
    Prune(RepositoryName, u32),
    /// Marks a blob whose bytes at this key are wrong; reads of it fail until it is stored again.
    Quarantine(Digest, BlobKey),
    /// Records when a collector first saw these keys in the trash; keys that have such a time of the
    /// same boot keep it.
    SeeTrash(Vec<BlobKey>, BootTime),
    /// Records that the blob's bytes at this key were hashed right; a quarantine of them ends.
    Stamp {
        /// The blob.
        digest: Digest,
        /// Where its bytes are.
        key: BlobKey,
        /// Their stamp.
        stamp: Option<Stamp>,
        /// When they were hashed.
        hashed_at: Timestamp,
    },
    /// Puts keys in the trash, those of them that no row and no upload names and that are not there
    /// already.
    Trash(Vec<BlobKey>),
    /// Takes keys out of the trash: their bytes are gone.
    Untrash(Vec<BlobKey>),
}
