//! An index around another one: it counts what is committed, and leaves the rest to the other.
//!
//! So does an index that hands commits on, meters calls or refuses some. It forwards every method;
//! there is no default that could be forgotten.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use artifact::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Footprint, Found, Head, Horizon, Identity, IndexError, KeyOwner,
    LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary, MediaType, Noted,
    PackageRef, Page, Query, RepositoryName, Revision, Scope, Tag, TagRecord, Timestamp, Totals,
    TrashRecord, UploadId, UploadRecord, Usage,
};
use async_trait::async_trait;

/// Counts the change sets that another index commits.
#[derive(Debug)]
pub struct WatchedIndex<I> {
    inner: I,
    committed: AtomicU64,
}

impl<I> WatchedIndex<I> {
    /// Returns the index around another one.
    pub const fn new(inner: I) -> Self {
        Self {
            inner,
            committed: AtomicU64::new(0),
        }
    }

    /// Returns how many change sets made a revision here.
    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl<I: ManifestIndex> ManifestIndex for WatchedIndex<I> {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        let committed = self.inner.apply(changes).await?;
        let made = u64::from(!committed.events.is_empty());
        self.committed.fetch_add(made, Ordering::Relaxed);
        Ok(committed)
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        self.inner.note(bookkeeping).await
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.inner.head().await
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        self.inner.revision_at(time).await
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.inner.changes(after, limit).await
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        self.inner.horizon(repository).await
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.inner.document(at, key).await
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.inner.documents(at, kind, page).await
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.inner.tag(at, package, tag).await
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.inner.tags(at, package, page).await
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.inner.manifest(at, package, digest).await
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.inner.manifests(at, package, page).await
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.inner
            .referrers(at, package, subject, artifact_type, page)
            .await
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.inner.packages(at, scope, page).await
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.inner.blob(at, package, digest).await
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.inner.blob_row(digest).await
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.inner.blob_rows(page).await
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        self.inner.key_owner(key).await
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        self.inner.upload(id).await
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        self.inner.uploads(page).await
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        self.inner.foreign_leases(now, limit).await
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.inner.unwanted(page).await
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.inner.trash(page).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        self.inner.usage(scope).await
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        self.inner.footprint(scope).await
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        self.inner.totals().await
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.inner.search(at, query, page).await
    }
}
