//! The index itself.

use std::{num::NonZeroU32, sync::Arc};

use artifact::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Epoch, Footprint, Found, Head, Horizon, Identity, IndexError,
    KeyOwner, LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary, MediaType,
    Noted, PackageRef, Page, Query, RegistryId, RepositoryName, Revision, Scope, Tag, TagRecord,
    Timestamp, Totals, TrashRecord, UploadId, UploadRecord, Usage,
};
use async_trait::async_trait;
use parking_lot::Mutex;

use super::{
    apply::apply,
    count::{footprint, totals, usage},
    note::note,
    state::{State, document_place, version},
    view::list,
};

/// Keeps names, manifests and history in memory: plainly, every state that it was in.
#[derive(Debug)]
pub struct PlainIndex {
    identity: Identity,
    /// The newest state. Who makes the next one holds the lock, so change sets are made one after
    /// another (MI-2); who reads holds it only to take the pointer.
    newest: Mutex<Arc<State>>,
}

impl PlainIndex {
    /// Returns the empty index of a registry.
    pub fn new(registry: RegistryId) -> Self {
        Self {
            identity: Identity::new(registry, Epoch::new(0)),
            newest: Mutex::new(Arc::new(State::new())),
        }
    }

    fn newest(&self) -> Arc<State> {
        Arc::clone(&self.newest.lock())
    }
}

#[async_trait]
impl ManifestIndex for PlainIndex {
    fn identity(&self) -> Identity {
        self.identity
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        let mut newest = self.newest.lock();
        let mut next = State::clone(&newest);
        let committed = apply(&mut next, changes)?;
        *newest = Arc::new(next);
        Ok(committed)
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        let mut newest = self.newest.lock();
        let mut next = State::clone(&newest);
        let noted = note(&mut next, bookkeeping);
        if noted.as_ref().map_or_else(|refused| refused.keep, |_| true) {
            *newest = Arc::new(next);
        }
        noted
            .map(Noted::new)
            .map_err(|refused| refused.conflict.into())
    }

    async fn head(&self) -> Result<Head, IndexError> {
        Ok(self.newest().head)
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        let state = self.newest();
        let count = state.times.partition_point(|made| *made <= time);
        Ok(Revision::new(count as u64))
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.newest().changes(after, limit)
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        let horizon = self.newest().horizon(repository);
        Ok(Horizon::new(repository.clone(), horizon))
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        let state = self.newest();
        let revision = state.documents_at(at)?;
        let versions = state.documents.get(&document_place(key));
        Ok(versions.and_then(|versions| version(versions, revision).cloned()))
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.newest().list_documents(at, kind, &page)
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        let state = self.newest();
        let found = state.package_at(at, package)?;
        let row = found.and_then(|found| found.tags.get(tag));
        Ok(row.and_then(|row| row.record(tag)))
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        let state = self.newest();
        let found = state.package_at(at, package)?;
        let tags = found.map(|found| list(&found.tags, &page, |tag, row| row.record(tag)));
        Ok(tags.unwrap_or_default())
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        let state = self.newest();
        let found = state.package_at(at, package)?;
        let Some(row) = found.and_then(|found| found.manifests.get(digest)) else {
            return Ok(None);
        };
        match state.manifests.get(digest) {
            Some(bytes) => Ok(Some(row.record(bytes))),
            None => Err(IndexError::Purged { digest: *digest }),
        }
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.newest().list_manifests(at, package, &page, |_| true)
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.newest().list_manifests(at, package, &page, |summary| {
            let is = summary.descriptor.artifact_type.as_ref();
            summary.subject.as_ref() == Some(subject)
                && (artifact_type.is_none() || is == artifact_type)
        })
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.newest().list_packages(at, scope, &page)
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.newest().blob_at(at, package, digest)
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        Ok(self.newest().blobs.get(digest).cloned())
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        let state = self.newest();
        Ok(list(&state.blobs, &page, |_, row| Some(row.clone())))
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        Ok(self.newest().keys.owner(key))
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        Ok(self.newest().uploads.get(id).cloned())
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        let state = self.newest();
        Ok(list(&state.uploads, &page, |_, row| Some(row.clone())))
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        Ok(self.newest().foreign_leases(now, limit))
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        Ok(self.newest().unwanted(&page))
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        let state = self.newest();
        Ok(list(&state.keys.trash, &page, |_, row| Some(row.clone())))
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        Ok(usage(&self.newest(), scope))
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        Ok(footprint(&self.newest(), scope))
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        Ok(totals(&self.newest()))
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.newest().search(at, query, &page)
    }
}
