//! The blob store of a directory: files, with what the directory as a whole demands.

use std::{sync::Arc, time::Duration};

use artifact_core::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, StoreError, StoreInfo, Suspended, UploadHint, UploadId, guard,
};
use async_trait::async_trait;
use futures::stream::BoxStream;

use super::parts::Parts;

/// The blob store that a registry's directory is worked with. As long as it lives, so does the
/// process's seat. Where the disk is nearly full it begins no uploads.
#[derive(Debug)]
pub(super) struct HomeStore {
    parts: Arc<Parts>,
}

impl HomeStore {
    pub(super) const fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    fn refuse(&self) -> Result<(), StoreError> {
        match &self.parts.writing {
            Some(writing) if !writing.room.is_left() => Err(StoreError::NoSpace {
                backend: self.parts.store.info().name,
                operation: "an upload",
                source: writing.room.shortage().into(),
            }),
            _ => Ok(()),
        }
    }

    async fn give_up_reserve(&self) -> bool {
        match &self.parts.writing {
            Some(writing) => writing.upkeep.give_up_reserve().await,
            None => false,
        }
    }
}

#[async_trait]
impl BlobStore for HomeStore {
    fn info(&self) -> StoreInfo {
        self.parts.store.info()
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        self.parts.store.stat(key).await
    }

    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        self.parts.store.read(key, range).await
    }

    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        guard!(425, self.refuse())?;
        self.parts.store.begin(id, hint).await
    }

    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        guard!(426, self.refuse())?;
        self.parts.store.resume(id, at).await
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        self.parts.store.is_held(key).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        match self.parts.store.delete(key).await {
            // Some file systems write before they free.
            Err(StoreError::NoSpace { .. }) if self.give_up_reserve().await => {
                self.parts.store.delete(key).await
            }
            done => done,
        }
    }

    fn linger(&self, key: &BlobKey) -> Duration {
        self.parts.store.linger(key)
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        self.parts.store.list()
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        self.parts.store.local()
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        self.parts.store.direct_download()
    }
}
