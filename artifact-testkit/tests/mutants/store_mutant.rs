//! A store in memory that breaks one clause.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use artifact_core::{
    Algorithm, BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange,
    DirectDownload, Hasher, LocalBlobs, Stamp, StoreError, StoreInfo, Suspended, UploadHint,
    UploadId, VerifiedBlob,
};
use artifact_store::MemoryBlobStore;
use artifact_testkit::seams::SeededRng;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use parking_lot::Mutex;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mutation {
    None,
    CommitsUnsynced,
    CommitsWhenDropped,
    ForgetsDeletions,
    ForgetsLargeBlobs,
    ForgetsSuspensions,
    GoesOnAfterFailure,
    HalfFiles,
    HidesSuspended,
    HoldsNothing,
    KeepsAborted,
    MindsAbsence,
    PublishesAborted,
    ReplacesFiles,
    RestlessStamps,
    ResumesWithLess,
    ReusesKeys,
    ShiftedFiles,
    ShortRanges,
    SuspendsUnsynced,
    TakesAnyLength,
}

/// The store.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) inner: MemoryBlobStore,
    pub(crate) mutation: Mutation,
    /// Whether it was closed and opened again.
    closed: Arc<AtomicBool>,
    /// Whether the next sync fails, and whether one did.
    pub(crate) sync_fails: Arc<AtomicBool>,
    pub(crate) poisoned: Arc<AtomicBool>,
    /// The keys that are used again, with those that the inner store knows.
    keys: Arc<Mutex<BTreeMap<BlobKey, BlobKey>>>,
    stamps: Arc<AtomicU64>,
    /// What was deleted, and comes back.
    deleted: Arc<Mutex<BTreeMap<BlobKey, Bytes>>>,
}

impl Mutant {
    pub(crate) fn new(mutation: Mutation) -> Self {
        Self {
            inner: MemoryBlobStore::new(Arc::new(SeededRng::new(5))),
            mutation,
            closed: Arc::default(),
            sync_fails: Arc::default(),
            poisoned: Arc::default(),
            keys: Arc::default(),
            stamps: Arc::default(),
            deleted: Arc::default(),
        }
    }

    /// Closes it, and opens it again.
    pub(crate) async fn reopen(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.poisoned.store(false, Ordering::SeqCst);
        if self.is(Mutation::ForgetsLargeBlobs) {
            let listed: Vec<BlobEntry> = self.inner.list().try_collect().await.unwrap();
            for entry in listed.iter().filter(|e| !e.staged && e.size > 1 << 20) {
                self.inner.delete(&entry.key).await.unwrap();
            }
        }
        let deleted = std::mem::take(&mut *self.deleted.lock());
        for (key, bytes) in deleted {
            let (id, hint) = (UploadId::from_random([0; 16]), UploadHint::default());
            let mut writer = self.inner.begin(&id, hint).await.unwrap();
            let inner = writer.key().clone();
            writer.write(bytes.clone()).await.unwrap();
            let blob = Hasher::hash(Algorithm::Sha256, &bytes);
            writer.commit(&blob).await.unwrap();
            self.keys.lock().insert(key, inner);
        }
    }

    /// Keeps the bytes of what is deleted.
    async fn keep(&self, key: &BlobKey) -> Result<(), StoreError> {
        let inner = self.inner_key(key);
        if let Some(reader) = self.inner.read(&inner, ByteRange::ALL).await? {
            let chunks: Vec<Bytes> = reader.try_collect().await?;
            let bytes = chunks.concat().into();
            self.deleted.lock().insert(key.clone(), bytes);
        }
        Ok(())
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    /// Returns the key that the inner store knows.
    pub(crate) fn inner_key(&self, key: &BlobKey) -> BlobKey {
        self.keys.lock().get(key).unwrap_or(key).clone()
    }

    /// Returns the first of few keys that no blob has now.
    async fn outer_key(&self, inner: &BlobKey) -> BlobKey {
        if !self.is(Mutation::ReusesKeys) {
            return inner.clone();
        }
        let listed: Vec<BlobEntry> = self.inner.list().try_collect().await.unwrap();
        let mut keys = self.keys.lock();
        keys.retain(|_, inner| listed.iter().any(|entry| entry.key == *inner));
        let names = (0..).map(|number| format!("again/{number}").parse().unwrap());
        let free = names
            .into_iter()
            .find(|name| !keys.contains_key(name))
            .unwrap();
        keys.insert(free.clone(), inner.clone());
        free
    }

    async fn writer(&self, id: UploadId, inner: Box<dyn BlobWriter>) -> Box<dyn BlobWriter> {
        Box::new(MutantWriter {
            key: self.outer_key(inner.key()).await,
            inner: Some(inner),
            store: self.clone(),
            id,
            resumed: false,
        })
    }

    fn poison(&self) -> StoreError {
        let backend = self.inner.info().name;
        StoreError::Poisoned { backend }
    }

    /// What a sync does, unless the mutation leaves it out: it fails when it was told to, and then for good.
    fn sync(&self, unless: Mutation) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::SeqCst) && !self.is(Mutation::GoesOnAfterFailure) {
            return Err(self.poison());
        }
        if !self.is(unless) && self.sync_fails.swap(false, Ordering::SeqCst) {
            self.poisoned.store(true, Ordering::SeqCst);
            return Err(StoreError::Backend {
                backend: self.inner.info().name,
                operation: "sync",
                source: Box::new(io::Error::other("as the test wants")),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl BlobStore for Mutant {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        let mut stat = self.inner.stat(&self.inner_key(key)).await?;
        if let Some(stat) = &mut stat
            && self.is(Mutation::RestlessStamps)
        {
            let count = self.stamps.fetch_add(1, Ordering::SeqCst);
            stat.stamp = Some(Stamp::new(count.to_string()));
        }
        Ok(stat)
    }

    async fn read(
        &self,
        key: &BlobKey,
        mut range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        if self.is(Mutation::ShortRanges) {
            range.length = range.length.map(|length| length.saturating_sub(1));
        }
        self.inner.read(&self.inner_key(key), range).await
    }

    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        let inner = self.inner.begin(id, hint).await?;
        Ok(self.writer(*id, inner).await)
    }

    async fn resume(
        &self,
        id: &UploadId,
        mut at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        if self.closed.load(Ordering::SeqCst) && self.is(Mutation::ForgetsSuspensions) {
            return Ok(None);
        }
        let key = at.key.clone();
        at.key = self.inner_key(&key);
        let mut resumed = self.inner.resume(id, at.clone()).await?;
        if resumed.is_none() && self.is(Mutation::ResumesWithLess) {
            at.offset = 0;
            resumed = self.inner.resume(id, at).await?;
        }
        let Some(inner) = resumed else {
            return Ok(None);
        };
        Ok(Some(Box::new(MutantWriter {
            key,
            inner: Some(inner),
            store: self.clone(),
            id: *id,
            resumed: true,
        })))
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        if self.is(Mutation::HoldsNothing) {
            return Ok(false);
        }
        self.inner.is_held(&self.inner_key(key)).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        let inner = self.inner_key(key);
        if self.is(Mutation::MindsAbsence) {
            let entries: Vec<BlobEntry> = self.inner.list().try_collect().await?;
            if entries.iter().all(|entry| entry.key != inner) {
                let key = inner;
                return Err(StoreError::Corrupt { key });
            }
        }
        if self.is(Mutation::ForgetsDeletions) {
            self.keep(key).await?;
        }
        self.inner.delete(&inner).await
    }

    fn linger(&self, key: &BlobKey) -> Duration {
        self.inner.linger(key)
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        let keys = self.keys.lock().clone();
        let outer = move |mut entry: BlobEntry| {
            let used = keys.iter().find(|(_, inner)| **inner == entry.key);
            entry.key = used.map_or(entry.key, |(outer, _)| outer.clone());
            entry
        };
        let hides = self.is(Mutation::HidesSuspended);
        let shown = move |entry: &BlobEntry| std::future::ready(!hides || !entry.staged);
        let listed = self.inner.list().map_ok(outer);
        listed.try_filter(shown).boxed()
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        Some(self)
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        None
    }
}

#[derive(Debug)]
struct MutantWriter {
    store: Mutant,
    id: UploadId,
    key: BlobKey,
    inner: Option<Box<dyn BlobWriter>>,
    resumed: bool,
}

impl MutantWriter {
    fn inner(&mut self) -> &mut dyn BlobWriter {
        &mut **self.inner.as_mut().unwrap()
    }

    /// Commits whatever was written.
    async fn commit_all(mut inner: Box<dyn BlobWriter>) -> Result<Option<Stamp>, StoreError> {
        let chunks: Vec<Bytes> = inner.read_back().await?.try_collect().await?;
        let blob = Hasher::hash(Algorithm::Sha256, &chunks.concat());
        inner.commit(&blob).await
    }
}

#[async_trait]
impl BlobWriter for MutantWriter {
    fn key(&self) -> &BlobKey {
        &self.key
    }

    fn offset(&self) -> u64 {
        self.inner.as_ref().unwrap().offset()
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.inner().write(chunk).await
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        self.inner().read_back().await
    }

    async fn suspend(mut self: Box<Self>) -> Result<Suspended, StoreError> {
        self.store.sync(Mutation::SuspendsUnsynced)?;
        let mut at = self.inner.take().unwrap().suspend().await?;
        at.key.clone_from(&self.key);
        Ok(at)
    }

    async fn commit(mut self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        let inner = self.inner.take().unwrap();
        self.store.sync(Mutation::CommitsUnsynced)?;
        if self.store.is(Mutation::TakesAnyLength) {
            return Self::commit_all(inner).await;
        }
        let id = self.id;
        let committed = inner.commit(blob).await;
        committed.map_err(|error| match error {
            StoreError::OffsetMismatch {
                expected, actual, ..
            } => StoreError::OffsetMismatch {
                id,
                expected,
                actual,
            },
            other => other,
        })
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        let inner = self.inner.take().unwrap();
        if self.store.is(Mutation::PublishesAborted) {
            return Self::commit_all(inner).await.map(|_| ());
        }
        if self.store.is(Mutation::KeepsAborted) {
            return inner.suspend().await.map(|_| ());
        }
        inner.abort().await
    }
}

impl Drop for MutantWriter {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && self.store.is(Mutation::CommitsWhenDropped)
            && !self.resumed
        {
            // The inner store never waits.
            drop(Self::commit_all(inner).now_or_never());
        }
    }
}
