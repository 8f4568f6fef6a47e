//! The index: the model in memory, with the durability and the faults that a contract allows.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use artifact_core::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Clock as _, Committed, Digest,
    DocumentKey, DocumentKind, DocumentRecord, Footprint, Found, Head, Horizon, Identity,
    IndexError, KeyOwner, LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary,
    MediaType, Noted, PackageRef, Page, Query, RegistryId, RepositoryName, Revision, Scope,
    Spawn as _, Tag, TagRecord, Timestamp, Totals, TrashRecord, UploadId, UploadRecord, Usage,
};
use artifact_store::MemoryIndex;
use artifact_testkit::seams::{FakeClock, Simulated};
use async_trait::async_trait;
use futures::{FutureExt as _, channel::oneshot};
use parking_lot::Mutex;

use crate::{book::Book, chance::Chance, oracle::Oracle, trace::Trace};

const NAME: &str = "simulated";

/// Which faults an index has: each once in so many calls, or never (0).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IndexFaults {
    /// A write is refused before it does anything.
    pub(crate) refuse: u64,
    /// A write is made, and its answer is lost (F19).
    pub(crate) lose: u64,
    /// The sync of a write fails: nobody knows whether it is made, and no more is taken (F6).
    pub(crate) sync: u64,
    /// A read fails.
    pub(crate) read: u64,
}

/// The rows, which outlive processes.
#[derive(Debug)]
pub(crate) struct Rows {
    state: Mutex<State>,
    oracle: Arc<Oracle>,
    clock: FakeClock,
    chance: Chance,
    trace: Trace,
}

#[derive(Debug)]
struct State {
    /// What every process sees.
    now: Arc<MemoryIndex>,
    /// What was there before the bookkeeping that a power cut may take back, in its order.
    synced: Option<MemoryIndex>,
    notes: Vec<Bookkeeping>,
    /// A change set whose sync failed: who opens the index next finds it made, or not.
    limbo: Option<ChangeSet>,
    faults: IndexFaults,
}

impl Rows {
    /// Returns no rows.
    pub(crate) fn new(seed: u64, oracle: Arc<Oracle>, clock: FakeClock, trace: Trace) -> Self {
        let now = Arc::new(MemoryIndex::new(RegistryId::from_random([7; 16])));
        Self {
            state: Mutex::new(State {
                now,
                synced: None,
                notes: Vec::new(),
                limbo: None,
                faults: IndexFaults::default(),
            }),
            oracle,
            clock,
            chance: Chance::new(seed, 2),
            trace,
        }
    }

    pub(crate) fn set_faults(&self, faults: IndexFaults) {
        self.state.lock().faults = faults;
    }

    /// Returns the rows as they are.
    pub(crate) fn now(&self) -> Arc<MemoryIndex> {
        Arc::clone(&self.state.lock().now)
    }

    /// Leaves what a power cut leaves: every change set, and the first of the bookkeeping since.
    pub(crate) fn cut_power(&self) {
        self.lose_notes();
        // It was made before the power was cut, if at all, and is judged by the clock of then.
        self.recover();
    }

    fn lose_notes(&self) {
        let mut state = self.state.lock();
        let notes = std::mem::take(&mut state.notes);
        let Some(synced) = state.synced.take() else {
            return;
        };
        let kept = self.chance.index(notes.len() + 1);
        self.trace
            .tell(|| format!("the index keeps {kept} of {} notes", notes.len()));
        for note in notes.into_iter().take(kept) {
            // It was made once on the same rows.
            drop(synced.note(note).now_or_never());
        }
        state.now = Arc::new(synced);
    }

    /// Finds what became of a change set whose sync failed.
    fn recover(&self) {
        let limbo = self.state.lock().limbo.take();
        if let Some(changes) = limbo.filter(|_| self.chance.one_in(2)) {
            drop(self.apply(changes));
        }
    }

    /// Makes a change set, durably.
    fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        let mut state = self.state.lock();
        let made = state.now.apply(changes).now_or_never();
        let committed = made.expect("the model does not wait")?;
        // One sync covers the bookkeeping before it, too.
        state.synced = None;
        state.notes.clear();
        state.limbo = None;
        let now = Arc::clone(&state.now);
        drop(state);
        if !committed.events.is_empty() {
            self.trace
                .tell(|| format!("revision {}: {:?}", committed.revision, committed.events));
            self.oracle.committed(&committed, &now, &self.clock.boot());
        }
        Ok(committed)
    }

    fn note(&self, note: Bookkeeping) -> Result<Noted, IndexError> {
        let mut state = self.state.lock();
        if state.synced.is_none() {
            state.synced = Some(state.now.fork());
        }
        state.notes.push(note.clone());
        self.trace.tell(|| format!("note {note:?}"));
        let noted = state.now.note(note).now_or_never();
        noted.expect("the model does not wait")
    }
}

/// The index, as one process has it open.
#[derive(Clone, Debug)]
pub(crate) struct SimIndex {
    rows: Arc<Rows>,
    work: Simulated,
    poisoned: Arc<AtomicBool>,
    /// Absent while a registry is made.
    book: Option<Arc<Book>>,
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    Lose,
    Refuse,
    Sync,
}

fn unavailable(operation: &'static str) -> IndexError {
    IndexError::Unavailable {
        backend: NAME,
        operation,
        source: "as the seed wants".into(),
    }
}

impl SimIndex {
    /// Opens the index.
    pub(crate) fn open(rows: &Arc<Rows>, work: &Simulated, book: Option<Arc<Book>>) -> Self {
        rows.recover();
        Self {
            rows: Arc::clone(rows),
            work: work.clone(),
            poisoned: Arc::default(),
            book,
        }
    }

    /// Says whether a sync failed, so that the index must be opened again.
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// Hands work to who writes: it is done even if nobody waits for it any more.
    async fn hand_over<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (send, receive) = oneshot::channel();
        let this = self.clone();
        let write = async move {
            this.pause().await;
            let outcome = if this.is_poisoned() {
                Err(IndexError::Poisoned { backend: NAME })
            } else {
                work(&this)
            };
            this.pause().await;
            drop(send.send(outcome));
        };
        self.work.spawn(write.boxed());
        receive
            .await
            .unwrap_or_else(|_| Err(unavailable("a write")))
    }

    async fn pause(&self) {
        for _ in 0..self.rows.chance.below(3) {
            self.work.pause().await;
        }
    }

    fn fault(&self) -> Fault {
        let faults = self.rows.state.lock().faults;
        let chance = &self.rows.chance;
        let (fault, name) = if chance.one_in(faults.refuse) {
            (Fault::Refuse, "refusals of the index")
        } else if chance.one_in(faults.lose) {
            (Fault::Lose, "answers of the index that were lost")
        } else if chance.one_in(faults.sync) {
            (Fault::Sync, "failed syncs of the index")
        } else {
            return Fault::None;
        };
        self.rows.oracle.count(name);
        fault
    }

    /// Makes a change set, and keeps the journal as the contract of that says.
    fn commit(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        if let Some(book) = &self.book {
            let now = self.rows.now();
            let head = now
                .head()
                .now_or_never()
                .expect("the model does not wait")?;
            book.fill(&now, head.revision)?;
        }
        let committed = self.rows.apply(changes)?;
        if let Some(book) = self.book.as_ref().filter(|_| !committed.events.is_empty()) {
            book.append(&committed);
        }
        Ok(committed)
    }

    fn poison(&self) -> IndexError {
        self.rows
            .trace
            .tell(|| String::from("a sync of the index fails"));
        self.poisoned.store(true, Ordering::Relaxed);
        IndexError::Backend {
            backend: NAME,
            operation: "the sync of a commit",
            source: "as the seed wants".into(),
        }
    }

    async fn read(&self) -> Result<Arc<MemoryIndex>, IndexError> {
        if self.rows.chance.one_in(3) {
            self.work.pause().await;
        }
        let state = self.rows.state.lock();
        if self.rows.chance.one_in(state.faults.read) {
            return Err(unavailable("a read"));
        }
        Ok(Arc::clone(&state.now))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ManifestIndex for SimIndex {
    fn identity(&self) -> Identity {
        self.rows.now().identity()
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        self.hand_over(|this| match this.fault() {
            Fault::None => this.commit(changes),
            Fault::Refuse => Err(IndexError::Busy),
            Fault::Lose => {
                this.commit(changes)?;
                Err(unavailable("the answer to a commit"))
            }
            Fault::Sync => {
                this.rows.state.lock().limbo = Some(changes);
                Err(this.poison())
            }
        })
        .await
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        self.hand_over(|this| match this.fault() {
            Fault::None => this.rows.note(bookkeeping),
            Fault::Refuse => Err(IndexError::Busy),
            Fault::Lose => {
                this.rows.note(bookkeeping)?;
                Err(unavailable("the answer to a note"))
            }
            Fault::Sync => Err(this.poison()),
        })
        .await
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.read().await?.head().await
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        self.read().await?.revision_at(time).await
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.read().await?.changes(after, limit).await
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        self.read().await?.horizon(repository).await
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.read().await?.document(at, key).await
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.read().await?.documents(at, kind, page).await
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.read().await?.tag(at, package, tag).await
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.read().await?.tags(at, package, page).await
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.read().await?.manifest(at, package, digest).await
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.read().await?.manifests(at, package, page).await
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        let now = self.read().await?;
        now.referrers(at, package, subject, artifact_type, page)
            .await
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.read().await?.packages(at, scope, page).await
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.read().await?.blob(at, package, digest).await
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.read().await?.blob_row(digest).await
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read().await?.blob_rows(page).await
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        self.read().await?.key_owner(key).await
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        self.read().await?.upload(id).await
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        self.read().await?.uploads(page).await
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        self.read().await?.foreign_leases(now, limit).await
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read().await?.unwanted(page).await
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.read().await?.trash(page).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        self.read().await?.usage(scope).await
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        self.read().await?.footprint(scope).await
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        self.read().await?.totals().await
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.read().await?.search(at, query, page).await
    }
}
