//! An index in memory that breaks one clause.

use std::num::NonZeroU32;

use artifact_core::{
    Actor, AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, Change, ChangeSet, Committed,
    Conflict, Digest, DocumentKey, DocumentKind, DocumentRecord, Event, Footprint, Found,
    Generation, Head, Horizon, Identity, IndexError, KeyOwner, LeaseRecord, LinkRecord,
    ManifestIndex, ManifestRecord, ManifestSummary, MediaType, Noted, PackageRef, Page, Principal,
    Query, RegistryId, RepositoryName, Revision, Scope, Tag, TagRecord, Timestamp, Totals,
    TrashRecord, UploadId, UploadRecord, Usage,
};
use artifact_store::MemoryIndex;
use async_trait::async_trait;
use futures::FutureExt as _;
use parking_lot::Mutex;

/// What is wrong with an index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mutation {
    None,
    /// It takes manifests that name what is not there.
    DanglingManifests,
    /// It takes tags of manifests that are not there.
    DanglingTags,
    /// Its feed leaves the last event of each revision out.
    DropsEvents,
    /// Its search shows the present, as of whatever revision.
    FindsThePresent,
    /// It does not know whose a key in the trash is.
    ForgetsTrash,
    /// What is pruned takes the whole feed along.
    ForgetsFeed,
    /// What uploads reserve does not count.
    FreeReservations,
    /// It judges expectations, lets others go first, and then makes the changes.
    JudgesEarly,
    /// A claim cannot be given back.
    KeepsClaims,
    /// Other tasks read the tags of one revision ago.
    LagsBehind,
    /// It lists as unwanted what history wants.
    ListsHistory,
    /// It makes a part of what nobody waits for.
    MadeInPart,
    /// A refusal for want of room leaves a document.
    RefusalsLeaveTraces,
    /// Its feed begins with the revision after which it is asked for.
    RepeatsInFeed,
    /// The last item of a page is the first of the next.
    RepeatsInPages,
    /// It leaves out the first item of each page but the first.
    SkipsInPages,
    /// The deletion of a document does not count.
    UncountedDeletions,
    /// It finds the revision of a millisecond later.
    WrongTimes,
}

/// The index.
#[derive(Debug)]
pub(crate) struct Mutant {
    inner: MemoryIndex,
    mutation: Mutation,
    /// The deletions of documents.
    deleted: Mutex<Vec<(DocumentKey, Generation)>>,
    /// Where the feed begins.
    pruned: Mutex<Revision>,
}

/// Makes changes when nobody waits for them any more.
struct Left<'a> {
    index: &'a MemoryIndex,
    changes: Option<ChangeSet>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if let Some(changes) = self.changes.take() {
            // The inner index never waits.
            drop(self.index.apply(changes).now_or_never());
        }
    }
}

impl Mutant {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            inner: MemoryIndex::new(RegistryId::from_random([7; 16])),
            mutation,
            deleted: Mutex::default(),
            pruned: Mutex::default(),
        }
    }

    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    /// Leaves out the first item of each page but the first.
    fn skip<T>(&self, is_first: bool, mut items: Vec<T>) -> Vec<T> {
        if self.is(Mutation::SkipsInPages) && !is_first && !items.is_empty() {
            items.remove(0);
        }
        items
    }

    /// Counts a document's changes without its deletions.
    fn count(&self, key: &DocumentKey, generation: &mut Generation) {
        if self.is(Mutation::UncountedDeletions) {
            let deleted = self.deleted.lock();
            let times = deleted
                .iter()
                .filter(|(deleted, at)| deleted == key && at <= generation);
            *generation = Generation::new(generation.get() - times.count() as u64);
        }
    }

    fn count_events(&self, events: &mut [Event]) {
        for event in events {
            if let Event::DocumentPut {
                key, generation, ..
            }
            | Event::DocumentDeleted { key, generation } = event
            {
                self.count(key, generation);
            }
        }
    }

    /// Returns the state that a task is shown.
    async fn seen(&self, at: AsOf) -> Result<AsOf, IndexError> {
        if at != AsOf::Now || tokio::task::try_id().is_none() || !self.is(Mutation::LagsBehind) {
            return Ok(at);
        }
        let head = self.inner.head().await?.revision.get();
        Ok(AsOf::Revision(Revision::new(head.saturating_sub(1))))
    }

    /// Lets others go first, between what a set expects and what it changes; and lets who waits for it go.
    async fn tarry(&self, changes: &mut ChangeSet) -> Result<(), IndexError> {
        if self.is(Mutation::JudgesEarly) {
            let mut judged = changes.clone();
            (judged.changes, judged.rooms) = (Vec::new(), Vec::new());
            self.inner.apply(judged).await?;
            changes.expectations.clear();
        }
        if self.is(Mutation::JudgesEarly) || self.is(Mutation::MadeInPart) {
            let mut left = changes.clone();
            if self.is(Mutation::MadeInPart) {
                left.changes.truncate(2);
            }
            let mut left = Left {
                index: &self.inner,
                changes: Some(left),
            };
            tokio::task::yield_now().await;
            left.changes = None;
        }
        Ok(())
    }

    /// Says whether a refusal is passed over.
    fn takes(&self, changes: &ChangeSet, conflict: &Conflict) -> bool {
        let dangling = match changes.changes.as_slice() {
            [Change::PutTag(..)] => Mutation::DanglingTags,
            [Change::PutManifest { .. }] => Mutation::DanglingManifests,
            _ => return false,
        };
        let is_absent = matches!(
            conflict,
            Conflict::ManifestUnknown { .. } | Conflict::NotLinked { .. }
        );
        is_absent && self.is(dangling)
    }

    /// Leaves a document behind.
    async fn trace(&self) {
        let body = format!("{:?}", self.inner.head().await);
        let actor = Actor::new(Principal::System, None);
        let trace = ChangeSet::new(actor, Timestamp::default());
        let trace = trace.change(Change::PutDocument(DocumentKey::Mode, body));
        drop(self.inner.apply(trace).await);
    }
}

#[async_trait]
impl ManifestIndex for Mutant {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }

    async fn apply(&self, mut changes: ChangeSet) -> Result<Committed, IndexError> {
        self.tarry(&mut changes).await?;
        let set = changes.clone();
        match self.inner.apply(changes).await {
            Ok(mut committed) => {
                let deleted = committed.events.iter().filter_map(|event| match event {
                    Event::DocumentDeleted { key, generation } => Some((key.clone(), *generation)),
                    _ => None,
                });
                self.deleted.lock().extend(deleted);
                self.count_events(&mut committed.events);
                Ok(committed)
            }
            Err(IndexError::Conflict(conflict)) if self.takes(&set, &conflict) => {
                let revision = self.inner.head().await?.revision;
                Ok(Committed::new(revision, set.time, set.actor, Vec::new()))
            }
            Err(refused) => {
                let of_room = matches!(refused, IndexError::Conflict(Conflict::NoRoom { .. }));
                if of_room && self.is(Mutation::RefusalsLeaveTraces) {
                    self.trace().await;
                }
                Err(refused)
            }
        }
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        if matches!(bookkeeping, Bookkeeping::Release { .. }) && self.is(Mutation::KeepsClaims) {
            return Ok(Noted::new(1));
        }
        if matches!(bookkeeping, Bookkeeping::Prune(..)) && self.is(Mutation::ForgetsFeed) {
            let newest = self.inner.head().await?.revision;
            *self.pruned.lock() = newest;
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
        let oldest = *self.pruned.lock();
        if after < oldest {
            return Err(IndexError::HistoryForgotten { oldest });
        }
        let mut after = after;
        if self.is(Mutation::RepeatsInFeed) {
            after = Revision::new(after.get().saturating_sub(1));
        }
        let mut changes = self.inner.changes(after, limit).await?;
        for committed in &mut changes {
            self.count_events(&mut committed.events);
            if self.is(Mutation::DropsEvents) {
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
        let mut record = self.inner.document(at, key).await?;
        if let Some(record) = &mut record {
            self.count(key, &mut record.generation);
        }
        Ok(record)
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
        self.inner.tag(self.seen(at).await?, package, tag).await
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        let is_first = page.after.is_none();
        let tags = self.inner.tags(at, package, page).await?;
        Ok(self.skip(is_first, tags))
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
        if let Some(after) = page.after
            && self.is(Mutation::RepeatsInPages)
        {
            let all = Page::first(NonZeroU32::MAX);
            let mut items = self.inner.manifests(at, package, all).await?;
            items.retain(|item| item.descriptor.digest >= after);
            items.truncate(page.limit.get() as usize);
            return Ok(items);
        }
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
        let owner = self.inner.key_owner(key).await?;
        let forgets = self.is(Mutation::ForgetsTrash);
        Ok(owner.filter(|owner| !forgets || *owner != KeyOwner::Trash))
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
        if !self.is(Mutation::ListsHistory) {
            return self.inner.unwanted(page).await;
        }
        let packages = self
            .inner
            .packages(AsOf::Now, &Scope::all(), Page::first(NonZeroU32::MAX))
            .await?;
        if packages.is_empty() {
            return self.inner.unwanted(page).await;
        }
        let mut rows = self.inner.blob_rows(Page::first(NonZeroU32::MAX)).await?;
        rows.retain(|row| page.after.is_none_or(|after| row.digest > after));
        for package in packages {
            let mut left = Vec::new();
            for row in rows {
                let link = self.inner.blob(AsOf::Now, &package, &row.digest).await?;
                left.extend(link.is_none().then_some(row));
            }
            rows = left;
        }
        rows.truncate(page.limit.get() as usize);
        Ok(rows)
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.inner.trash(page).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        let mut usage = self.inner.usage(scope).await?;
        if self.is(Mutation::FreeReservations) {
            usage.reserved = 0;
        }
        Ok(usage)
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
        let at = match at {
            AsOf::Revision(_) if self.is(Mutation::FindsThePresent) => AsOf::Now,
            at => at,
        };
        self.inner.search(at, query, page).await
    }
}
