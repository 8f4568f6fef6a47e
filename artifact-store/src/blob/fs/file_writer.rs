//! The writer of a blob that has a file of its own.

use std::sync::Arc;

use artifact_core::{
    BlobKey, BlobReader, BlobWriter, ByteRange, Stamp, StoreError, Suspended, UploadId,
    VerifiedBlob,
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{
    append::{Appender, Batch},
    error::{broken, failed, no_store},
    live::Grip,
    read::reader,
    shared::Shared,
    staged::Staged,
};
use crate::vfs::{OpenMode, VfsFile};

/// The writer of a blob that has a file of its own.
#[derive(Debug)]
pub(super) struct FileWriter {
    shared: Arc<Shared>,
    id: UploadId,
    key: BlobKey,
    /// `None` while a call is under way; a call that failed or was dropped leaves it so.
    staged: Option<Arc<Staged>>,
    appender: Appender,
    _grips: Vec<Grip>,
}

impl FileWriter {
    /// Returns the writer of `staged`, which holds `offset` bytes.
    pub(super) fn new(
        shared: &Arc<Shared>,
        id: UploadId,
        key: BlobKey,
        staged: Staged,
        offset: u64,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            id,
            key,
            _grips: staged.grips(),
            staged: Some(Arc::new(staged)),
            appender: Appender::new(offset),
        }
    }

    /// Writes a batch, where that may block.
    async fn put(&mut self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let staged = self.take()?;
        let work = move |_: &Arc<Shared>| {
            batch.write(staged.file(), 0).map_err(failed)?;
            Ok((staged, batch))
        };
        let (staged, batch) = self.shared.run(work).await?;
        self.staged = Some(staged);
        self.appender.recycle(batch);
        Ok(())
    }

    fn take(&mut self) -> Result<Arc<Staged>, StoreError> {
        self.staged.take().ok_or_else(broken)
    }
}

#[async_trait]
impl BlobWriter for FileWriter {
    fn key(&self) -> &BlobKey {
        &self.key
    }

    fn offset(&self) -> u64 {
        self.appender.offset()
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if self.staged.is_none() {
            return Err(broken());
        }
        match self.appender.push(chunk) {
            Some(batch) => self.put(batch).await,
            None => Ok(()),
        }
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        let batch = self.appender.flush();
        self.put(batch).await?;
        let staged = self.staged.as_ref().ok_or_else(broken)?;
        let path = self.shared.layout.staged(staged.name());
        // An opening of its own: it shall not keep the upload locked when the writer is gone.
        let open = move |shared: &Arc<Shared>| {
            let file = shared.vfs.open(&path, OpenMode::Read).map_err(failed)?;
            file.ok_or_else(|| no_store("read back", path))
        };
        let file: Arc<dyn VfsFile> = self.shared.run(open).await?.into();
        let size = self.appender.offset();
        reader(&self.shared, &self.key, file, 0, size, ByteRange::ALL)
    }

    async fn suspend(mut self: Box<Self>) -> Result<Suspended, StoreError> {
        let (staged, batch) = (self.take()?, self.appender.flush());
        let work = move |_: &Arc<Shared>| {
            batch.write(staged.file(), 0).map_err(failed)?;
            staged.suspend()
        };
        self.shared.run(work).await?;
        Ok(Suspended::new(
            self.key.clone(),
            self.appender.offset(),
            Bytes::new(),
        ))
    }

    async fn commit(mut self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        check_size(self.id, blob, self.appender.offset())?;
        let (staged, batch) = (self.take()?, self.appender.flush());
        let work = move |_: &Arc<Shared>| {
            batch.write(staged.file(), 0).map_err(failed)?;
            staged.publish()
        };
        self.shared.run(work).await.map(Some)
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        // After a failed write the file is gone already, or stays for who resumes it.
        let Some(staged) = self.staged.take() else {
            return Ok(());
        };
        self.shared.run(move |_| staged.abort()).await
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            // To take a large file away may block.
            self.shared
                .spawn
                .spawn_blocking(Box::new(move || drop(staged)));
        }
    }
}

/// Refuses a proof of other bytes than were written.
pub(super) fn check_size(
    id: UploadId,
    blob: &VerifiedBlob,
    written: u64,
) -> Result<(), StoreError> {
    if blob.size() == written {
        return Ok(());
    }
    Err(StoreError::OffsetMismatch {
        id,
        expected: blob.size(),
        actual: written,
    })
}
