//! Trust in bytes at rest: hashed once, believed while nothing about them changed (I3).

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{limits::millis, pipe::hash_chunk, registry::Inner, trust::REMEMBERED};
use crate::{
    contract::{
        blob_store::{BlobReader, ByteRange, Stamp},
        change::Bookkeeping,
        record::{BlobRecord, KeyOwner},
        store_error::StoreError,
    },
    error::{Error, What},
    guard,
    model::{digest::Digest, hasher::Hasher, id::BlobKey, time::Timestamp},
};

impl Inner {
    /// Says whether the blob's bytes at `key` may be given away unhashed.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the bytes are gone or are not as many; they are then quarantined.
    /// [`Error::NotFound`] when they are no blob's any more.
    pub(crate) async fn is_trusted(
        &self,
        blob: &BlobRecord,
        key: &BlobKey,
        always: bool,
    ) -> Result<bool, Error> {
        if guard!(208) && blob.quarantined {
            return Err(Error::Corrupt {
                digest: blob.digest,
            });
        }
        let stat = match self.store().stat(key).await? {
            Some(stat) if stat.size == blob.size => stat,
            _ => return Err(self.refuse(blob.digest, key).await),
        };
        let interval = millis(self.parts.limits.scrub_interval);
        if guard!(210) && always {
            return Ok(false);
        }
        match (&stat.stamp, &blob.stamp) {
            (Some(now), Some(then)) => {
                let age = self.parts.clock.now().as_millis() - blob.hashed_at.as_millis();
                let fresh = guard!(211, u64::try_from(age).unwrap_or(0) < interval);
                Ok(fresh && guard!(212, now == then))
            }
            (Some(_), None) => Ok(false),
            (None, _) => Ok(guard!(213, self.remembers(key, interval))),
        }
    }

    fn remembers(&self, key: &BlobKey, interval: u64) -> bool {
        let now = self.parts.clock.boot();
        let trust = self.trust.lock();
        let hashed = trust.hashed.get(key).filter(|then| then.boot == now.boot);
        hashed.is_some_and(|then| guard!(214, now.millis.saturating_sub(then.millis) < interval))
    }

    /// Records that the bytes at `key` were hashed and are the blob's.
    pub(crate) async fn trust(&self, digest: Digest, key: &BlobKey, stamp: Option<Stamp>) {
        if stamp.is_none() {
            let now = self.parts.clock.boot();
            let mut trust = self.trust.lock();
            if trust.hashed.len() >= REMEMBERED {
                trust.hashed.clear();
            }
            trust.hashed.insert(key.clone(), now);
            return;
        }
        let hashed_at: Timestamp = self.parts.clock.now();
        let note = Bookkeeping::Stamp {
            digest,
            key: key.clone(),
            stamp,
            hashed_at,
        };
        // Where it cannot be recorded, the next reader hashes again.
        drop(self.index().note(note).await);
    }

    /// Ends the quarantine of a blob that was hashed right again. Bytes that have a stamp have got it with the
    /// hash, and with it this.
    pub(crate) async fn end_quarantine(&self, digest: Digest, key: &BlobKey) -> Result<(), Error> {
        if self
            .store()
            .stat(key)
            .await?
            .is_some_and(|stat| stat.stamp.is_none())
        {
            let hashed_at = self.parts.clock.now();
            let (key, stamp) = (key.clone(), None);
            let note = Bookkeeping::Stamp {
                digest,
                key,
                stamp,
                hashed_at,
            };
            // Where it cannot be recorded, the next scrub hashes again.
            drop(self.index().note(note).await);
        }
        Ok(())
    }

    /// Marks a blob whose bytes are wrong, so that no read of it succeeds until it is repaired (I22), and
    /// returns how the read fails. Bytes that no row has any more were collected, or are elsewhere now, since
    /// the row was read: there is nothing wrong with that.
    async fn refuse(&self, digest: Digest, key: &BlobKey) -> Error {
        self.trust.lock().hashed.remove(key);
        let note = Bookkeeping::Quarantine(digest, key.clone());
        match self.index().note(note).await {
            Ok(noted) if noted.rows == 0 => Error::not_found(What::Blob, digest),
            Ok(_) => Error::Corrupt { digest },
            // Where it cannot be recorded, the next reader finds out again.
            Err(_) => match self.index().key_owner(key).await {
                Ok(Some(KeyOwner::Blob(_))) | Err(_) => Error::Corrupt { digest },
                Ok(_) => Error::not_found(What::Blob, digest),
            },
        }
    }

    /// Hashes a blob whole, and records the outcome.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the bytes are not the blob's, [`Error::NotFound`] when they are no blob's any
    /// more.
    pub(crate) async fn hash_whole(
        self: &Arc<Self>,
        digest: Digest,
        key: &BlobKey,
    ) -> Result<(), Error> {
        let before = self.store().stat(key).await?.and_then(|stat| stat.stamp);
        let mut reader = self.open(digest, key, ByteRange::ALL).await?;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(chunk) = reader.next().await {
            hasher = hash_chunk(&self.parts.spawn, hasher, chunk?).await?;
        }
        self.judge(digest, key, hasher, before).await
    }

    async fn judge(
        &self,
        digest: Digest,
        key: &BlobKey,
        hasher: Hasher,
        stamp: Option<Stamp>,
    ) -> Result<(), Error> {
        if guard!(215, hasher.finish().digest() == digest) {
            self.trust(digest, key, stamp).await;
            return Ok(());
        }
        if !guard!(216) {
            return Err(Error::Corrupt { digest });
        }
        Err(self.refuse(digest, key).await)
    }

    /// Opens a blob's bytes; that they are gone, or fewer than they were, is corruption.
    pub(crate) async fn open(
        &self,
        digest: Digest,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<BlobReader, Error> {
        let reader = self.store().read(key, range).await?;
        let whole = |reader: &BlobReader| range.length.is_none_or(|all| all == reader.length());
        if let Some(reader) = reader.filter(whole) {
            return Ok(exact(self.store().info().name, reader));
        }
        Err(self.refuse(digest, key).await)
    }

    /// Streams a whole blob while it is hashed. Its last frame is kept back until the digest is
    /// right, so corrupt bytes never look like a success.
    pub(crate) async fn stream_hashed(
        self: &Arc<Self>,
        digest: Digest,
        key: BlobKey,
    ) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
        let stamp = self.store().stat(&key).await?.and_then(|stat| stat.stamp);
        let reader = self.open(digest, &key, ByteRange::ALL).await?;
        let hashing = Hashing {
            inner: Arc::clone(self),
            reader,
            hasher: Some(Hasher::new(digest.algorithm())),
            digest,
            key,
            stamp,
            last: None,
        };
        Ok(stream::try_unfold(hashing, Hashing::next))
    }
}

/// Returns a reader that ends with an error where the store's ends before its length (F9): nothing is
/// known of the bytes then, and they must not be taken for all, nor for wrong.
fn exact(backend: &'static str, reader: BlobReader) -> BlobReader {
    let length = reader.length();
    let next = move |(mut reader, left): (BlobReader, u64)| async move {
        match reader.try_next().await? {
            Some(chunk) => match left.checked_sub(chunk.len() as u64) {
                Some(left) => Ok(Some((chunk, (reader, left)))),
                None => Err(cut(backend, "it gave more bytes than it said")),
            },
            None if left == 0 => Ok(None),
            None => Err(cut(backend, "it gave fewer bytes than it said")),
        }
    };
    BlobReader::new(length, stream::try_unfold((reader, length), next))
}

fn cut(backend: &'static str, what: &'static str) -> StoreError {
    StoreError::Backend {
        backend,
        operation: "a read",
        source: what.into(),
    }
}

struct Hashing {
    inner: Arc<Inner>,
    reader: BlobReader,
    hasher: Option<Hasher>,
    digest: Digest,
    key: BlobKey,
    stamp: Option<Stamp>,
    last: Option<Bytes>,
}

impl Hashing {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        loop {
            let Some(hasher) = self.hasher.take() else {
                return Ok(None);
            };
            let Some(chunk) = self.reader.next().await else {
                let stamp = self.stamp.take();
                self.inner
                    .judge(self.digest, &self.key, hasher, stamp)
                    .await?;
                return Ok(self.last.take().map(|frame| (frame, self)));
            };
            let chunk = chunk?;
            let spawn = &self.inner.parts.spawn;
            self.hasher = Some(hash_chunk(spawn, hasher, chunk.clone()).await?);
            if let Some(frame) = self.last.replace(chunk) {
                return Ok(Some((frame, self)));
            }
        }
    }
}
