//! An index in memory that breaks one clause.

use std::num::NonZeroU32;

use artifact_core::{
    Actor, AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, Change, ChangeSet, Committed, Digest,
    DocumentKey, DocumentKind, DocumentRecord, Footprint, Found, Generation, Head, Horizon,
    Identity, IndexError, KeyOwner, LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord,
    ManifestSummary, MediaType, Noted, PackageRef, Page, Principal, Query, RegistryId,
    RepositoryName, Revision, Scope, Tag, TagRecord, Timestamp, Totals, TrashRecord, UploadId,
    UploadRecord, Usage,
};
use artifact_store::MemoryIndex;
use async_trait::async_trait;

/// What is wrong with an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mutation {
    None,
    CountsByOneMore,
    DropsEvents,
    ExpectsNothing,
    ForgetsTrash,
    FreeReservations,
    GhostTags,
    HidesUploads,
    KeepsClaims,
    LosesNamedLinks,
    MadeInPart,
    PastIsNow,
    RefusalsLeaveTraces,
    SkipsInPages,
    WantsNothing,
    WrongTimes,
}

/// The index.
#[derive(Debug)]
pub(crate) struct Mutant {
    inner: MemoryIndex,
    mutation: Mutation,
}

impl Mutant {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            inner: MemoryIndex::new(RegistryId::from_random([7; 16])),
            mutation,
        }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    /// Returns the state that is read instead.
    fn at(&self, at: AsOf) -> AsOf {
        match at {
            AsOf::Revision(_) if self.is(Mutation::PastIsNow) => AsOf::Now,
            at => at,
        }
    }

    /// Leaves out the first item of each page but the first.
    fn skip<T>(&self, is_first: bool, mut items: Vec<T>) -> Vec<T> {
        if self.is(Mutation::SkipsInPages) && !is_first && !items.is_empty() {
            items.remove(0);
        }
        items
    }

    fn count(&self, mut record: TagRecord) -> TagRecord {
        if self.is(Mutation::CountsByOneMore) {
            record.generation = Generation::new(record.generation.get() + 1);
        }
        record
    }
}

#[async_trait]
impl ManifestIndex for Mutant {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn apply(&self, mut changes: ChangeSet) -> Result<Committed, IndexError> {
        if self.is(Mutation::ExpectsNothing) {
            changes.expectations.clear();
        }
        let mut first = changes.clone();
        first.changes.truncate(1);
        let applied = self.inner.apply(changes).await;
        if applied.is_err() && self.is(Mutation::MadeInPart) {
            drop(self.inner.apply(first).await);
        }
        if applied.is_err() && self.is(Mutation::RefusalsLeaveTraces) {
            let body = format!("{:?}", self.inner.head().await);
            let actor = Actor::new(Principal::System, None);
            let trace = ChangeSet::new(actor, Timestamp::default());
            let trace = trace.change(Change::PutDocument(DocumentKey::Mode, body));
            drop(self.inner.apply(trace).await);
        }
        applied
    }

    async fn note(&self, mut bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        if let Bookkeeping::BeginUpload(record, _) = &mut bookkeeping
            && self.is(Mutation::FreeReservations)
        {
            record.reserved = 0;
        }
        if matches!(bookkeeping, Bookkeeping::Release { .. }) && self.is(Mutation::KeepsClaims) {
            return Ok(Noted::new(1));
        }
        self.inner.note(bookkeeping).await
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.inner.head().await
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        let later = i64::from(self.is(Mutation::WrongTimes));
        self.inner.revision_at(time.plus_millis(later)).await
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        let mut changes = self.inner.changes(after, limit).await?;
        if self.is(Mutation::DropsEvents) {
            for committed in &mut changes {
                committed.events.pop();
            }
        }
        Ok(changes)
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        self.inner.horizon(repository).await
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.inner.document(self.at(at), key).await
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.inner.documents(self.at(at), kind, page).await
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        let record = self.inner.tag(self.at(at), package, tag).await?;
        Ok(record.map(|record| self.count(record)))
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        let is_first = page.after.is_none();
        let mut tags = self.inner.tags(self.at(at), package, page).await?;
        if let Some(record) = tags.first().cloned()
            && self.is(Mutation::GhostTags)
            && is_first
        {
            let ghost = "zz-ghost".parse().unwrap();
            let TagRecord {
                digest,
                generation,
                revision,
                changed_at,
                ..
            } = record;
            tags.push(TagRecord::new(
                ghost, digest, generation, revision, changed_at,
            ));
        }
        let tags = self.skip(is_first, tags).into_iter();
        Ok(tags.map(|record| self.count(record)).collect())
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.inner.manifest(self.at(at), package, digest).await
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.inner.manifests(self.at(at), package, page).await
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        let at = self.at(at);
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
        self.inner.packages(self.at(at), scope, page).await
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        let link = self.inner.blob(self.at(at), package, digest).await?;
        let is_lost = self.is(Mutation::LosesNamedLinks);
        Ok(link.filter(|link| !is_lost || link.named_by.is_none()))
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.inner.blob_row(digest).await
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.inner.blob_rows(page).await
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        let owner = self.inner.key_owner(key).await?;
        let forgets = self.is(Mutation::ForgetsTrash);
        Ok(owner.filter(|owner| !forgets || *owner != KeyOwner::Trash))
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        let upload = self.inner.upload(id).await?;
        Ok(upload.filter(|_| !self.is(Mutation::HidesUploads)))
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
        if self.is(Mutation::WantsNothing) {
            return self.inner.blob_rows(page).await;
        }
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
        self.inner.search(self.at(at), query, page).await
    }
}
