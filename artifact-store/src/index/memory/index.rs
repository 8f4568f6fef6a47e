//! The index itself: the state behind one lock, and the feed.

use std::num::NonZeroU32;

use artifact_core::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Epoch, Footprint, Found, Head, Horizon, Identity, IndexError,
    KeyOwner, LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary, MediaType,
    Noted, PackageRef, Page, Query, RegistryId, RepositoryName, Revision, Scope, Tag, TagRecord,
    Timestamp, Totals, TrashRecord, UploadId, UploadRecord, Usage,
};
use async_trait::async_trait;
use parking_lot::Mutex;

use super::{apply::apply, note::note, read::page, state::State};

/// An index in memory: the model that other indexes are compared with.
///
/// Nothing of it survives its last handle, and a change costs as much as there is in it.
#[derive(Debug)]
pub struct MemoryIndex {
    identity: Identity,
    all: Mutex<All>,
}

#[derive(Clone, Debug, Default)]
struct All {
    state: State,
    feed: Vec<Committed>,
}

impl MemoryIndex {
    /// Returns the index of a new registry.
    pub fn new(registry: RegistryId) -> Self {
        Self {
            identity: Identity::new(registry, Epoch::default()),
            all: Mutex::default(),
        }
    }

    /// Returns an index that holds the same, and goes its own way from here.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            identity: self.identity,
            all: Mutex::new(self.all.lock().clone()),
        }
    }

    /// Asks the state a question.
    fn ask<T>(&self, question: impl FnOnce(&State) -> T) -> T {
        question(&self.all.lock().state)
    }
}

#[async_trait]
impl ManifestIndex for MemoryIndex {
    fn identity(&self) -> Identity {
        self.identity
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        let mut all = self.all.lock();
        let committed = apply(&mut all.state, changes)?;
        if !committed.events.is_empty() {
            all.feed.push(committed.clone());
        }
        Ok(committed)
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        Ok(note(&mut self.all.lock().state, bookkeeping)?)
    }

    async fn head(&self) -> Result<Head, IndexError> {
        Ok(self.ask(|state| state.head))
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        let all = self.all.lock();
        let mut newest_first = all.feed.iter().rev();
        let found = newest_first.find(|committed| committed.time <= time);
        Ok(found.map_or(Revision::ZERO, |committed| committed.revision))
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        let all = self.all.lock();
        let later = all.feed.iter().filter(|c| c.revision > after).cloned();
        Ok(later.take(limit.get() as usize).collect())
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        let revision = self.ask(|state| state.horizon(repository));
        Ok(Horizon::new(repository.clone(), revision))
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.ask(|state| state.document(at, key))
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.ask(|state| state.documents(at, kind, &page))
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.ask(|state| state.tag(at, package, tag))
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.ask(|state| state.tags(at, package, &page))
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.ask(|state| state.manifest(at, package, digest))
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.ask(|state| state.manifests(at, package, &page))
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.ask(|state| state.referrers(at, package, subject, artifact_type, &page))
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.ask(|state| state.list_packages(at, scope, &page))
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.ask(|state| state.blob(at, package, digest))
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        Ok(self.ask(|state| state.blobs.get(digest).cloned()))
    }

    async fn blob_rows(&self, after: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        Ok(self.ask(|state| page(state.blobs.values().cloned(), &after, |row| row.digest)))
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        Ok(self.ask(|state| state.key_owner(key)))
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        Ok(self.ask(|state| state.uploads.get(id).cloned()))
    }

    async fn uploads(&self, after: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        Ok(self.ask(|state| page(state.uploads.values().cloned(), &after, |up| up.id)))
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        Ok(self.ask(|state| state.foreign_leases(now, limit.get() as usize)))
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        Ok(self.ask(|state| state.unwanted(&page)))
    }

    async fn trash(&self, after: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        Ok(self.ask(|state| {
            let trash = state.trash.values().cloned();
            page(trash, &after, |record| record.key.clone())
        }))
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        Ok(self.ask(|state| state.usage(scope)))
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        Ok(self.ask(|state| state.footprint(scope)))
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        Ok(self.ask(State::totals))
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.ask(|state| state.search(at, query, &page))
    }
}
