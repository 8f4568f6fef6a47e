//! An index that fails as told.

use std::{num::NonZeroU32, sync::Arc};

use artifact_core::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Footprint, Found, Head, Horizon, Identity, IndexError, KeyOwner,
    LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary, MediaType, Noted,
    PackageRef, Page, Query, RepositoryName, Revision, Scope, Tag, TagRecord, Timestamp, Totals,
    TrashRecord, UploadId, UploadRecord, Usage,
};
use async_trait::async_trait;

use super::plan::{Faults, Strike};

const NAME: &str = "failing as told";

/// An index before which a fault waits for its call.
#[derive(Debug)]
pub struct FaultIndex {
    inner: Arc<dyn ManifestIndex>,
    faults: Faults,
}

impl FaultIndex {
    /// Returns an index whose calls reach `inner`, but for those that a fault strikes.
    pub fn new(inner: Arc<dyn ManifestIndex>, faults: Faults) -> Self {
        Self { inner, faults }
    }

    /// Makes a call that writes, or fails as told.
    async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, IndexError>>,
    ) -> Result<T, IndexError> {
        match self.faults.strike().await {
            Strike::Nothing | Strike::End => call.await,
            Strike::Before => Err(failed(operation)),
            Strike::NoSpace => Err(IndexError::NoSpace {
                backend: NAME,
                operation,
                source: "as told".into(),
            }),
            Strike::After => {
                call.await?;
                Err(failed(operation))
            }
        }
    }

    /// Makes a call that reads, or fails as told.
    async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, IndexError>>,
    ) -> Result<T, IndexError> {
        match self.faults.strike().await {
            Strike::Nothing | Strike::End => call.await,
            Strike::Before | Strike::NoSpace | Strike::After => Err(failed(operation)),
        }
    }
}

fn failed(operation: &'static str) -> IndexError {
    IndexError::Unavailable {
        backend: NAME,
        operation,
        source: "as told".into(),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ManifestIndex for FaultIndex {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        self.write("apply", self.inner.apply(changes)).await
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        self.write("note", self.inner.note(bookkeeping)).await
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.read("head", self.inner.head()).await
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        self.read("revision at", self.inner.revision_at(time)).await
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.read("changes", self.inner.changes(after, limit)).await
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        self.read("horizon", self.inner.horizon(repository)).await
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.read("document", self.inner.document(at, key)).await
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.read("documents", self.inner.documents(at, kind, page))
            .await
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.read("tag", self.inner.tag(at, package, tag)).await
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.read("tags", self.inner.tags(at, package, page)).await
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.read("manifest", self.inner.manifest(at, package, digest))
            .await
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.read("manifests", self.inner.manifests(at, package, page))
            .await
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.read(
            "referrers",
            self.inner
                .referrers(at, package, subject, artifact_type, page),
        )
        .await
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.read("packages", self.inner.packages(at, scope, page))
            .await
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.read("blob", self.inner.blob(at, package, digest))
            .await
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.read("blob row", self.inner.blob_row(digest)).await
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read("blob rows", self.inner.blob_rows(page)).await
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        self.read("key owner", self.inner.key_owner(key)).await
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        self.read("upload", self.inner.upload(id)).await
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        self.read("uploads", self.inner.uploads(page)).await
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        self.read("foreign leases", self.inner.foreign_leases(now, limit))
            .await
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read("unwanted", self.inner.unwanted(page)).await
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.read("trash", self.inner.trash(page)).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        self.read("usage", self.inner.usage(scope)).await
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        self.read("footprint", self.inner.footprint(scope)).await
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        self.read("totals", self.inner.totals()).await
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.read("search", self.inner.search(at, query, page))
            .await
    }
}
