//! The writer of a blob that has a slot.

use std::sync::Arc;

use artifact_core::{
    BlobKey, BlobReader, BlobWriter, ByteRange, Stamp, StoreError, Suspended, UploadId,
    VerifiedBlob,
};
use async_trait::async_trait;
use bytes::Bytes;

use super::{
    append::{Appender, Batch},
    error::{broken, failed},
    file_writer::{FileWriter, check_size},
    group::{Group, Request},
    live::Grip,
    open_slot::OpenSlot,
    place::Slot,
    read::reader,
    shared::Shared,
    staged::Staged,
    table::State,
};

/// The writer of a blob that has a slot, or had one until it outgrew it.
#[derive(Debug)]
pub(super) struct SlotWriter {
    shared: Arc<Shared>,
    id: UploadId,
    key: BlobKey,
    slot: Slot,
    group: Arc<Group>,
    /// `None` while a call is under way; a call that failed or was dropped leaves it so.
    open: Option<OpenSlot>,
    appender: Appender,
    /// The batch that is to be written next. It waits for the commit, which writes and syncs at
    /// once; only another batch drives it out.
    pending: Option<Batch>,
    checksum: crc32fast::Hasher,
    outgrown: Option<Box<FileWriter>>,
    _grip: Grip,
}

impl SlotWriter {
    /// Returns the writer of a slot that was just reserved.
    pub(super) fn new(
        shared: &Arc<Shared>,
        id: UploadId,
        open: OpenSlot,
        group: Arc<Group>,
    ) -> Self {
        let slot = *open.slot();
        Self {
            shared: Arc::clone(shared),
            id,
            key: slot.key(),
            slot,
            group,
            _grip: open.grip(),
            open: Some(open),
            appender: Appender::new(0),
            pending: None,
            checksum: crc32fast::Hasher::new(),
            outgrown: None,
        }
    }

    /// Writes what is pending, where that may block.
    async fn put(&mut self) -> Result<(), StoreError> {
        let Some(batch) = self.pending.take() else {
            return Ok(());
        };
        let mut open = self.take()?;
        let work = move |_: &Arc<Shared>| {
            open.write(&batch).map_err(failed)?;
            Ok((open, batch))
        };
        let (open, batch) = self.shared.run(work).await?;
        self.open = Some(open);
        self.appender.recycle(batch);
        Ok(())
    }

    fn take(&mut self) -> Result<OpenSlot, StoreError> {
        self.open.take().ok_or_else(broken)
    }

    /// Returns what is not written yet, in order.
    fn unwritten(&mut self) -> Vec<Batch> {
        let gathered = self.appender.flush();
        self.pending.take().into_iter().chain([gathered]).collect()
    }

    /// Moves to a file of its own, for more bytes come than were announced; the key stays.
    async fn outgrow(&mut self) -> Result<&mut FileWriter, StoreError> {
        let written = self.appender.offset();
        let batches = self.unwritten();
        let in_slot = written - batches.iter().map(Batch::len).sum::<u64>();
        let mut open = self.take()?;
        let work = move |shared: &Arc<Shared>| {
            let staged = Staged::spill(shared, open.slot().spill(), open.lock())?;
            if !open.copy_to(staged.file(), in_slot).map_err(failed)? {
                // Somebody cut the segment: what was taken in is not all there any more.
                let key = open.slot().key();
                return Err(StoreError::Corrupt { key });
            }
            for batch in batches {
                batch.write(staged.file(), 0).map_err(failed)?;
            }
            open.bury().map_err(failed)?;
            Ok(staged)
        };
        let staged = self.shared.run(work).await?;
        let writer = FileWriter::new(&self.shared, self.id, self.key.clone(), staged, written);
        Ok(self.outgrown.insert(Box::new(writer)))
    }

    async fn settle(&mut self, state: State) -> Result<(), StoreError> {
        let request = Request {
            slot: self.take()?,
            length: u32::try_from(self.appender.offset()).unwrap_or(u32::MAX),
            batches: self.unwritten(),
            state,
            checksum: self.checksum.clone().finalize(),
        };
        self.group.settle(&self.shared, request).await
    }
}

#[async_trait]
impl BlobWriter for SlotWriter {
    fn key(&self) -> &BlobKey {
        &self.key
    }

    fn offset(&self) -> u64 {
        match &self.outgrown {
            Some(writer) => writer.offset(),
            None => self.appender.offset(),
        }
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if let Some(writer) = &mut self.outgrown {
            return writer.write(chunk).await;
        }
        if self.open.is_none() {
            return Err(broken());
        }
        if self.appender.offset() + chunk.len() as u64 > self.slot.capacity() {
            return self.outgrow().await?.write(chunk).await;
        }
        self.checksum.update(&chunk);
        if let Some(batch) = self.appender.push(chunk) {
            self.put().await?;
            self.pending = Some(batch);
        }
        Ok(())
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        if let Some(writer) = &mut self.outgrown {
            return writer.read_back().await;
        }
        self.put().await?;
        self.pending = Some(self.appender.flush());
        self.put().await?;
        let file = Arc::clone(self.open.as_ref().ok_or_else(broken)?.file());
        let (offset, size) = (self.slot.range().start, self.appender.offset());
        reader(&self.shared, &self.key, file, offset, size, ByteRange::ALL)
    }

    async fn suspend(mut self: Box<Self>) -> Result<Suspended, StoreError> {
        if let Some(writer) = self.outgrown.take() {
            return writer.suspend().await;
        }
        self.settle(State::Suspended).await?;
        let offset = self.appender.offset();
        Ok(Suspended::new(self.key.clone(), offset, Bytes::new()))
    }

    async fn commit(mut self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        if let Some(writer) = self.outgrown.take() {
            return writer.commit(blob).await;
        }
        check_size(self.id, blob, self.appender.offset())?;
        // A segment has no stamp.
        self.settle(State::Written).await.map(|()| None)
    }

    async fn abort(mut self: Box<Self>) -> Result<(), StoreError> {
        if let Some(writer) = self.outgrown.take() {
            return writer.abort().await;
        }
        // After a failed write the slot is dead already.
        let Some(mut open) = self.open.take() else {
            return Ok(());
        };
        self.shared.run(move |_| open.bury().map_err(failed)).await
    }
}

impl Drop for SlotWriter {
    fn drop(&mut self) {
        if let Some(open) = self.open.take().filter(OpenSlot::is_touched) {
            // To give its blocks back may block.
            self.shared
                .spawn
                .spawn_blocking(Box::new(move || drop(open)));
        }
    }
}
