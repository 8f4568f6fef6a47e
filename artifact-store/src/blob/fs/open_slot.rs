//! A slot that is being written.

use std::sync::Arc;

use super::{
    append::Batch,
    live::Grip,
    place::Slot,
    slot_bytes::{bury, copy},
    slot_lock::SlotLock,
    table::{Row, State},
};
use crate::vfs::{VfsError, VfsFile};

/// A slot that is being written; unless it is kept, it is dead when this is dropped.
#[derive(Debug)]
pub(super) struct OpenSlot {
    file: Arc<dyn VfsFile>,
    slot: Slot,
    lock: Arc<SlotLock>,
    /// Whether the table or the blocks know of it, so that it must be made dead.
    touched: bool,
}

impl OpenSlot {
    /// Returns the slot of the segment `file` that was just reserved.
    pub(super) fn new(file: Arc<dyn VfsFile>, slot: Slot, lock: SlotLock) -> Self {
        Self {
            file,
            slot,
            lock: Arc::new(lock),
            touched: false,
        }
    }

    pub(super) const fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(super) const fn file(&self) -> &Arc<dyn VfsFile> {
        &self.file
    }

    /// Says whether there is work to do when it is dropped.
    pub(super) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// Returns its lock, for who goes on with the upload elsewhere.
    pub(super) fn lock(&self) -> Arc<SlotLock> {
        Arc::clone(&self.lock)
    }

    /// Returns what the writer has: when it is dropped, the upload is given up.
    pub(super) fn grip(&self) -> Grip {
        self.lock.grip()
    }

    /// Writes bytes; a process that dies now leaves a row that tells of them.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), VfsError> {
        if !self.touched {
            self.touched = true;
            Row::new(self.slot, State::Reserved, 0, 0).write(&*self.file)?;
        }
        batch.write(&*self.file, self.slot.range().start)
    }

    /// Writes the last bytes, and the row that tells of all of them; it counts when it was synced.
    pub(super) fn finish(&mut self, batches: &[Batch], row: &Row) -> Result<(), VfsError> {
        self.touched = true;
        for batch in batches {
            batch.write(&*self.file, self.slot.range().start)?;
        }
        row.write(&*self.file)
    }

    /// Keeps what was finished, for a sync has covered it.
    pub(super) fn keep(&mut self, state: State) {
        self.touched = false;
        if state == State::Written {
            // Where this fails, who looks first does it: the checksum shows that all is there.
            let _later = Row::write_synced(&self.slot, &*self.file);
        }
    }

    /// Copies its first `length` bytes to the begin of another file; `false` when there are fewer.
    pub(super) fn copy_to(&self, target: &dyn VfsFile, length: u64) -> Result<bool, VfsError> {
        copy(&*self.file, &self.slot, target, length)
    }

    /// Takes away what was written.
    pub(super) fn bury(&mut self) -> Result<(), VfsError> {
        if std::mem::take(&mut self.touched) {
            bury(&*self.file, &self.slot)?;
        }
        Ok(())
    }
}

impl Drop for OpenSlot {
    fn drop(&mut self) {
        // What cannot be buried now is found by the scrub.
        let _found = self.bury();
    }
}
