//! A store that fails as told.

use std::{sync::Arc, time::Duration};

use artifact_core::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, Stamp, StoreError, StoreInfo, Suspended, UploadHint, UploadId, VerifiedBlob,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::plan::{Faults, Strike};

const NAME: &str = "failing as told";

/// A store before which a fault waits for its call. What is read in pieces is a call for each.
///
/// Its local files are those of the store behind it, and never fail.
#[derive(Debug)]
pub struct FaultStore {
    inner: Arc<dyn BlobStore>,
    faults: Faults,
}

impl FaultStore {
    /// Returns a store whose calls reach `inner`, but for those that a fault strikes.
    pub fn new(inner: Arc<dyn BlobStore>, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

fn failed(operation: &'static str) -> StoreError {
    StoreError::Unavailable {
        backend: NAME,
        operation,
        source: "as told".into(),
    }
}

/// Makes a call, or fails as told.
async fn through<T>(
    faults: &Faults,
    operation: &'static str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match faults.strike().await {
        Strike::Nothing | Strike::End => call.await,
        Strike::Before => Err(failed(operation)),
        Strike::NoSpace => Err(StoreError::NoSpace {
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

/// Returns a stream that ends early where it is told to.
fn pieces<T: Send + 'static>(
    faults: Faults,
    operation: &'static str,
    bytes: bool,
    inner: BoxStream<'static, Result<T, StoreError>>,
) -> BoxStream<'static, Result<T, StoreError>> {
    let next = move |state: Option<BoxStream<'static, Result<T, StoreError>>>| {
        let faults = faults.clone();
        async move {
            let mut inner = state?;
            match faults.strike_piece(bytes) {
                Strike::End => None,
                Strike::Nothing => inner.next().await.map(|piece| (piece, Some(inner))),
                Strike::Before | Strike::NoSpace | Strike::After => {
                    Some((Err(failed(operation)), None))
                }
            }
        }
    };
    stream::unfold(Some(inner), next).boxed()
}

fn reader(faults: &Faults, inner: BlobReader) -> BlobReader {
    let length = inner.length();
    BlobReader::new(
        length,
        pieces(faults.clone(), "a read", true, inner.boxed()),
    )
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl BlobStore for FaultStore {
    fn info(&self) -> StoreInfo {
        self.inner.info()
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        through(&self.faults, "stat", self.inner.stat(key)).await
    }

    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        let read = through(&self.faults, "read", self.inner.read(key, range)).await?;
        Ok(read.map(|inner| reader(&self.faults, inner)))
    }

    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        let inner = through(&self.faults, "begin", self.inner.begin(id, hint)).await?;
        let faults = self.faults.clone();
        Ok(Box::new(FaultWriter { inner, faults }))
    }

    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        let inner = through(&self.faults, "resume", self.inner.resume(id, at)).await?;
        let faults = self.faults.clone();
        Ok(inner.map(|inner| Box::new(FaultWriter { inner, faults }) as Box<dyn BlobWriter>))
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        through(&self.faults, "is held", self.inner.is_held(key)).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        through(&self.faults, "delete", self.inner.delete(key)).await
    }

    fn linger(&self, key: &BlobKey) -> Duration {
        self.inner.linger(key)
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        // It never ends early without a word: that would be believed.
        pieces(self.faults.clone(), "list", false, self.inner.list())
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        self.inner.local()
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        self.inner.direct_download()
    }
}

/// A writer that fails as told.
#[derive(Debug)]
struct FaultWriter {
    inner: Box<dyn BlobWriter>,
    faults: Faults,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl BlobWriter for FaultWriter {
    fn key(&self) -> &BlobKey {
        self.inner.key()
    }

    fn offset(&self) -> u64 {
        self.inner.offset()
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        through(&self.faults, "write", self.inner.write(chunk)).await
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        let inner = through(&self.faults, "read back", self.inner.read_back()).await?;
        Ok(reader(&self.faults, inner))
    }

    async fn suspend(self: Box<Self>) -> Result<Suspended, StoreError> {
        through(&self.faults, "suspend", self.inner.suspend()).await
    }

    async fn commit(self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        through(&self.faults, "commit", self.inner.commit(blob)).await
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        through(&self.faults, "abort", self.inner.abort()).await
    }
}
