//! The contract of what keeps names, manifests, links and history.

use std::{fmt, num::NonZeroU32};

use async_trait::async_trait;

use super::{
    change::{Bookkeeping, ChangeSet, Committed},
    index_error::IndexError,
    record::{
        AsOf, BlobRecord, DocumentRecord, Footprint, Found, Head, Horizon, Identity, KeyOwner,
        LeaseRecord, LinkRecord, ManifestRecord, ManifestSummary, Noted, Page, Query, TagRecord,
        Totals, TrashRecord, Usage,
    },
    upload_record::UploadRecord,
};
use crate::model::{
    digest::Digest,
    document::{DocumentKey, DocumentKind},
    id::{BlobKey, Revision, UploadId},
    media_type::MediaType,
    name::{PackageRef, RepositoryName, Scope, Tag},
    time::{BootTime, Timestamp},
};

/// Keeps everything that is not the bytes of large blobs, with its history, in one serial order.
///
/// It knows no policy: who may do what was decided before, and what that decision rests on stands
/// among the expectations.
///
/// # Contract
/// * MI-1 All or nothing: a change set is made whole or not at all, also over a crash; when `apply`
///   returned, it is durable.
/// * MI-2 Serializable: change sets take effect in one order. Sets that share one sync fail alone.
/// * MI-3 No dangling tag: a tag always points at a manifest of its package.
/// * MI-4 No dangling manifest: what a manifest of a package names is linked to, or a manifest of,
///   that package, what may be absent apart; and its blobs have rows.
/// * MI-5 Read your writes: a read that begins after `apply` or `note` returned sees it.
/// * MI-6 Ordered pages: lists are in byte order of their key, complete, without repeats, and a
///   page costs one range read, whatever the length of the list.
/// * MI-7 A key is in the trash, in a blob's row or in an upload's, never in two.
/// * MI-8 A read as of revision r never changes while r is kept, purged content apart, which
///   answers [`IndexError::Purged`]. Below a repository's horizon it answers
///   [`IndexError::HistoryForgotten`]; above the newest revision [`IndexError::FutureRevision`].
/// * MI-9 The feed is complete: state at r = state at the horizon + the events up to r.
/// * MI-10 Generations: each change of a tag or document raises its generation by one, also a
///   deletion, and a record that is made anew goes on counting.
/// * MI-11 Revisions have no gaps, and their times rise strictly, from the epoch as that of
///   revision zero. A change set without events makes no revision; what it did to leases, keys and
///   uploads stands all the same.
/// * MI-12 Usage is exact: a repository is charged once for each distinct digest that its packages
///   link or have as manifest, and [`Room`](super::change::Room)s hold at every instant.
/// * MI-13 Bookkeeping makes no revision, and is seen by all at once.
/// * MI-14 A collection deletes the row of a blob only in a transaction in which no manifest that
///   was in any package at or after that package's repository's horizon names it, and no link, lease,
///   pin or upload holds it (I8).
/// * MI-15 Bad input changes nothing: every error leaves the state as it was.
///
/// Packages are in the byte order of their OCI names, and of their repositories where those are
/// equal, which the engine does not let happen. What one change set makes and undoes stands in its
/// events, and no read finds it.
///
/// A *past row* is a tag or manifest as a package had it when some revision was made, and has it no
/// more: it was moved, deleted or adopted since. What is left of a deleted tag, its generation, is no
/// past row, and is never pruned. Documents keep all their versions, and those are none either.
///
/// Reads return owned records, and hold no lock or transaction when they have returned. All methods
/// may be called from several tasks at once, of any runtime or none: what blocks runs on a
/// [`Spawn`](super::seams::Spawn) that the index is given when it is made. What was handed to `apply` or `note` is made even if
/// the returned future is dropped.
#[async_trait]
pub trait ManifestIndex: fmt::Debug + Send + Sync + 'static {
    /// Returns which registry the index is of, and the epoch it was opened in.
    fn identity(&self) -> Identity;

    /// Makes a change set, durably.
    ///
    /// # Errors
    /// [`IndexError::Conflict`] when an expectation fails, a change cannot be made or a room is
    /// exceeded; [`IndexError::Busy`], [`IndexError::StaleEpoch`], [`IndexError::ReadOnly`],
    /// [`IndexError::NoSpace`], [`IndexError::Poisoned`], and where the backend fails.
    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError>;

    /// Records bookkeeping.
    ///
    /// # Errors
    /// As `apply`.
    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError>;

    /// Returns the newest revision, and its time; [`Revision::ZERO`] and the epoch in an empty index.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn head(&self) -> Result<Head, IndexError>;

    /// Returns the newest revision whose time is not after `time`; [`Revision::ZERO`] if there is
    /// none.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError>;

    /// Returns what was committed after a revision, oldest first, at most so many.
    ///
    /// # Errors
    /// [`IndexError::HistoryForgotten`] when a revision after `after` was pruned from the feed; its
    /// `oldest` is the oldest `after` that is answered. One above the newest revision is answered
    /// with nothing.
    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError>;

    /// Returns the horizon of a repository; [`Revision::ZERO`] when it never moved.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError>;

    /// Returns a document; with an absent body when it was deleted, and `None` when it never was.
    ///
    /// # Errors
    /// Those of a read as of a revision; documents outlive every horizon.
    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError>;

    /// Lists the documents of a kind that are there, by their name.
    ///
    /// # Errors
    /// As `document`.
    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError>;

    /// Returns a tag.
    ///
    /// # Errors
    /// Those of a read as of a revision.
    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError>;

    /// Lists the tags of a package.
    ///
    /// # Errors
    /// As `tag`.
    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError>;

    /// Returns a manifest of a package.
    ///
    /// # Errors
    /// Those of a read as of a revision, and [`IndexError::Purged`].
    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError>;

    /// Lists the manifests of a package, by digest.
    ///
    /// # Errors
    /// Those of a read as of a revision.
    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError>;

    /// Lists the manifests of a package whose subject is `subject`, by digest; of one artifact type
    /// where it is given. The subject need not be there.
    ///
    /// # Errors
    /// Those of a read as of a revision.
    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError>;

    /// Lists the packages that have a manifest, in the byte order of their OCI names, of the
    /// repositories of a scope. One whose manifests of then were all purged is still listed.
    ///
    /// # Errors
    /// Those of a read as of a revision below the highest horizon in the scope.
    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError>;

    /// Returns a blob as a package has it. As of a revision, the newest too, a package has the blobs
    /// that its manifests of then name, without leases, if there is a row or it was purged.
    ///
    /// # Errors
    /// Those of a read as of a revision, and [`IndexError::Purged`].
    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError>;

    /// Returns the row of a blob, whoever has it; for the engine's own work, never for a caller's.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError>;

    /// Lists the rows of all blobs, by digest; for the scrub.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError>;

    /// Returns who knows of a key; for the scrub.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError>;

    /// Returns an upload.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError>;

    /// Lists the uploads.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError>;

    /// Lists leases of links that are of another boot than `now`'s, by package and digest: a collector
    /// rewrites them at full length.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError>;

    /// Lists the blobs that nothing wants, by digest, from what is up for review; what turns out to
    /// be wanted is passed over.
    ///
    /// Up for review is a blob that was entered, whose link to a package ended, or that a manifest
    /// names which left a package or whose past row was pruned. So each blob that nothing wants is
    /// listed, at the latest when the past rows that named it are pruned.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError>;

    /// Lists the trash, by key.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError>;

    /// Returns what the repositories of a scope are charged for.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError>;

    /// Counts what the repositories of a scope hold. It may read all of it.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError>;

    /// Counts what the registry holds. It may read all rows of blobs.
    ///
    /// # Errors
    /// Where the backend fails.
    async fn totals(&self) -> Result<Totals, IndexError>;

    /// Lists manifests that fit a query, by package and digest.
    ///
    /// # Errors
    /// As `packages`.
    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError>;
}
