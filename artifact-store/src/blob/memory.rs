//! Blobs in memory.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use artifact_core::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, Rng, Stamp, StoreError, StoreInfo, Suspended, UploadHint, UploadId, VerifiedBlob,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};
use parking_lot::Mutex;

const NAME: &str = "memory";

/// Keeps blobs in memory, in the chunks in which they came.
///
/// Clones share one store. Nothing of it survives the last of them, and nothing else can fail.
#[derive(Clone, Debug)]
pub struct MemoryBlobStore {
    rng: Arc<dyn Rng>,
    all: Arc<Mutex<All>>,
}

#[derive(Debug, Default)]
struct All {
    /// How many keys were made, so that none is made twice whatever the chance.
    keys: u64,
    blobs: BTreeMap<BlobKey, Chunks>,
    staged: BTreeMap<BlobKey, Staged>,
}

/// What an upload has brought.
#[derive(Debug)]
struct Staged {
    id: UploadId,
    bytes: Chunks,
    /// The bytes that survive a writer, once it was suspended.
    kept: Option<u64>,
    /// Whether a writer lives.
    held: bool,
}

/// Bytes in chunks.
#[derive(Clone, Debug, Default)]
struct Chunks {
    chunks: Vec<Bytes>,
    length: u64,
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        self.length += chunk.len() as u64;
        self.chunks.push(chunk);
    }

    /// Returns the bytes from `start` to `end`.
    fn slice(&self, start: u64, end: u64) -> Self {
        let mut slice = Self::default();
        let mut at = 0;
        for chunk in &self.chunks {
            let within = |place: u64| {
                let place = usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
                place.min(chunk.len())
            };
            let (from, to) = (within(start), within(end));
            if from < to {
                slice.push(chunk.slice(from..to));
            }
            at += chunk.len() as u64;
        }
        slice
    }

    fn reader(self) -> BlobReader {
        BlobReader::new(self.length, stream::iter(self.chunks).map(Ok))
    }
}

impl MemoryBlobStore {
    /// Returns a store that holds nothing.
    pub fn new(rng: Arc<dyn Rng>) -> Self {
        Self {
            rng,
            all: Arc::default(),
        }
    }

    fn writer(&self, id: UploadId, key: BlobKey, offset: u64) -> Box<dyn BlobWriter> {
        Box::new(MemoryWriter {
            all: Arc::clone(&self.all),
            id,
            key,
            offset,
        })
    }

    /// Makes the next key.
    fn make_key(&self, all: &mut All) -> Result<BlobKey, StoreError> {
        let mut random = [0; 16];
        self.rng.fill(&mut random);
        all.keys += 1;
        let mut text = format!("m/{:x}-", all.keys);
        for byte in random {
            // To write to a string never fails.
            let _ = write!(text, "{byte:02x}");
        }
        text.try_into().map_err(|error| StoreError::Backend {
            backend: NAME,
            operation: "begin",
            source: Box::new(error),
        })
    }
}

#[async_trait]
impl BlobStore for MemoryBlobStore {
    fn info(&self) -> StoreInfo {
        let mut info = StoreInfo::new(NAME, 64);
        info.durable = false;
        info
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        let all = self.all.lock();
        let blob = all.blobs.get(key);
        Ok(blob.map(|blob| BlobStat::new(blob.length, Some(stamp(key, blob.length)))))
    }

    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        let all = self.all.lock();
        let Some(blob) = all.blobs.get(key) else {
            return Ok(None);
        };
        let size = blob.length;
        let end = range.end(size);
        let end = end.ok_or(StoreError::RangeNotSatisfiable { size })?;
        Ok(Some(blob.slice(range.offset, end).reader()))
    }

    async fn begin(
        &self,
        id: &UploadId,
        _hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        let mut all = self.all.lock();
        let key = self.make_key(&mut all)?;
        let staged = Staged {
            id: *id,
            bytes: Chunks::default(),
            kept: None,
            held: true,
        };
        all.staged.insert(key.clone(), staged);
        Ok(self.writer(*id, key, 0))
    }

    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        let mut all = self.all.lock();
        let Some(staged) = all.staged.get_mut(&at.key).filter(|s| s.id == *id) else {
            return Ok(None);
        };
        if staged.held {
            return Err(StoreError::Held { key: at.key });
        }
        if staged.kept.is_none_or(|kept| kept < at.offset) {
            return Ok(None);
        }
        staged.bytes = staged.bytes.slice(0, at.offset);
        staged.kept = Some(at.offset);
        staged.held = true;
        Ok(Some(self.writer(*id, at.key, at.offset)))
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        let all = self.all.lock();
        Ok(all.staged.get(key).is_some_and(|staged| staged.held))
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        let mut all = self.all.lock();
        if all.staged.get(key).is_some_and(|staged| staged.held) {
            return Err(StoreError::Held { key: key.clone() });
        }
        all.staged.remove(key);
        all.blobs.remove(key);
        Ok(())
    }

    fn linger(&self, _key: &BlobKey) -> Duration {
        // A reader has the chunks that it gives.
        Duration::ZERO
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        let all = self.all.lock();
        let blobs = all.blobs.iter();
        let blobs = blobs.map(|(key, blob)| BlobEntry::new(key.clone(), blob.length, false));
        let staged = all.staged.iter();
        let staged = staged.map(|(key, s)| BlobEntry::new(key.clone(), s.bytes.length, true));
        let entries: Vec<BlobEntry> = blobs.chain(staged).collect();
        stream::iter(entries).map(Ok).boxed()
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        None
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        None
    }
}

/// The stamp of a blob; nobody can change its bytes behind the store's back.
fn stamp(key: &BlobKey, size: u64) -> Stamp {
    Stamp::new(format!("{key}:{size}"))
}

/// Writes one upload. What it has not suspended goes with it.
#[derive(Debug)]
struct MemoryWriter {
    all: Arc<Mutex<All>>,
    id: UploadId,
    key: BlobKey,
    offset: u64,
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    fn key(&self) -> &BlobKey {
        &self.key
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        let mut all = self.all.lock();
        if let Some(staged) = all.staged.get_mut(&self.key) {
            self.offset += chunk.len() as u64;
            staged.bytes.push(chunk);
        }
        Ok(())
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        let all = self.all.lock();
        let staged = all.staged.get(&self.key);
        let bytes = staged.map(|staged| staged.bytes.clone());
        Ok(bytes.unwrap_or_default().reader())
    }

    async fn suspend(self: Box<Self>) -> Result<Suspended, StoreError> {
        let mut all = self.all.lock();
        if let Some(staged) = all.staged.get_mut(&self.key) {
            staged.kept = Some(self.offset);
        }
        Ok(Suspended::new(self.key.clone(), self.offset, Bytes::new()))
    }

    async fn commit(self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        if blob.size() != self.offset {
            return Err(StoreError::OffsetMismatch {
                id: self.id,
                expected: blob.size(),
                actual: self.offset,
            });
        }
        let mut all = self.all.lock();
        if let Some(staged) = all.staged.remove(&self.key) {
            all.blobs.insert(self.key.clone(), staged.bytes);
        }
        Ok(Some(stamp(&self.key, self.offset)))
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        self.all.lock().staged.remove(&self.key);
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let Some(staged) = all.staged.get_mut(&self.key) else {
            return;
        };
        staged.held = false;
        match staged.kept {
            Some(kept) => staged.bytes = staged.bytes.slice(0, kept),
            None => drop(all.staged.remove(&self.key)),
        }
    }
}
