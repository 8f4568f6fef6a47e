//! The pipeline of an upload: receive, hash and write go on side by side.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use artifact::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, MemoryBlobStore, Principal, RequestContext, Spawn, Stamp, StoreError, StoreInfo,
    Suspended, UploadHint, UploadId, UploadOptions, VerifiedBlob,
};
use artifact_testkit::seams::{SeededRng, TokioSpawn};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use tokio::{sync::Semaphore, time::timeout};

use crate::support::{World, bytes, digest, package};

const LONG: Duration = Duration::from_secs(30);

/// What the steps of an upload wait for.
#[derive(Debug)]
struct Gates {
    /// A write has begun: a chunk may be hashed.
    writing: AtomicBool,
    /// A chunk was hashed: its write may end.
    hashed: Semaphore,
    /// The caller has gone on while the chunk is written: its write may end.
    received: Semaphore,
}

async fn pass(gate: &Semaphore) {
    let passed = timeout(LONG, gate.acquire()).await;
    passed
        .expect("one step waits for another")
        .unwrap()
        .forget();
}

/// Hashes only while something is written.
#[derive(Debug)]
struct Hashing(Arc<Gates>, TokioSpawn);

impl Spawn for Hashing {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.1.spawn(future);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let gates = Arc::clone(&self.0);
        let begun = std::time::Instant::now();
        self.1.spawn_blocking(Box::new(move || {
            while !gates.writing.load(Ordering::SeqCst) {
                assert!(begun.elapsed() < LONG / 3, "nothing is written meanwhile");
                std::thread::sleep(Duration::from_millis(1));
            }
            work();
            gates.hashed.add_permits(1);
        }));
    }
}

#[derive(Debug)]
struct Writer(Box<dyn BlobWriter>, Arc<Gates>);

#[async_trait]
impl BlobWriter for Writer {
    fn key(&self) -> &BlobKey {
        self.0.key()
    }
    fn offset(&self) -> u64 {
        self.0.offset()
    }
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.1.writing.store(true, Ordering::SeqCst);
        pass(&self.1.hashed).await;
        pass(&self.1.received).await;
        self.0.write(chunk).await
    }
    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        self.0.read_back().await
    }
    async fn suspend(self: Box<Self>) -> Result<Suspended, StoreError> {
        self.0.suspend().await
    }
    async fn commit(self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        self.0.commit(blob).await
    }
    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.0.abort().await
    }
}

#[derive(Debug)]
struct Store(MemoryBlobStore, Arc<Gates>);

#[async_trait]
impl BlobStore for Store {
    fn info(&self) -> StoreInfo {
        self.0.info()
    }
    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        self.0.stat(key).await
    }
    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        self.0.read(key, range).await
    }
    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        let inner = self.0.begin(id, hint).await?;
        Ok(Box::new(Writer(inner, Arc::clone(&self.1))))
    }
    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        self.0.resume(id, at).await
    }
    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        self.0.is_held(key).await
    }
    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        self.0.delete(key).await
    }
    fn linger(&self, key: &BlobKey) -> Duration {
        self.0.linger(key)
    }
    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        self.0.list()
    }
    fn local(&self) -> Option<&dyn LocalBlobs> {
        None
    }
    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        None
    }
}

/// A chunk is hashed while it is written, and the caller goes on to the next meanwhile: whichever of them
/// waited for another would wait for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_hashed_and_written_while_the_next_comes() {
    let gates = Arc::new(Gates {
        writing: AtomicBool::new(false),
        hashed: Semaphore::new(0),
        received: Semaphore::new(0),
    });
    let store = MemoryBlobStore::new(Arc::new(SeededRng::new(8)));
    let store = Store(store, Arc::clone(&gates));
    let spawn = Hashing(Arc::clone(&gates), TokioSpawn::current());
    let world = tokio::task::spawn_blocking(move || {
        World::in_memory(|parts| {
            parts.store = Arc::new(store);
            parts.spawn = Arc::new(spawn);
        })
    });
    let world = world.await.unwrap();
    let session = world
        .registry
        .session(Principal::Embedder, RequestContext::default());
    let whole = bytes(1, 300_000);
    let size = UploadOptions::default().sized(Some(whole.len() as u64));
    let mut upload = session
        .begin_upload(&package("team/app"), size)
        .await
        .unwrap();
    for chunk in whole.chunks(100_000) {
        let given = upload.write(Bytes::copy_from_slice(chunk));
        let given = timeout(LONG, given).await;
        given.expect("the caller waits for the write").unwrap();
        gates.received.add_permits(1);
    }
    let blob = timeout(LONG, upload.finish(None)).await.unwrap().unwrap();
    assert_eq!(blob.digest, digest(&whole));
}
