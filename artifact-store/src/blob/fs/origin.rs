//! The slot that an upload was suspended in before it went on elsewhere.
//!
//! Who goes on locks the slot's row of the table, not its blocks: nobody else goes on from there, but
//! the bytes, which were copied, may be deleted.

use super::{
    live::{Grip, Presence},
    place::Slot,
    slot_bytes::copy,
    table::row_range,
};
use crate::{
    sys::lock::Hold,
    vfs::{VfsError, VfsFile},
};
use artifact_core::guard;

/// The slot that an upload was suspended in, locked against others who would go on from there.
#[derive(Debug)]
pub(super) struct Origin {
    file: Box<dyn VfsFile>,
    slot: Slot,
    presence: Presence,
}

impl Origin {
    /// Locks the row of the slot in the segment `file`; `None` while somebody else goes on from it.
    /// The caller has locked the blocks for reading.
    pub(super) fn lock(
        file: Box<dyn VfsFile>,
        slot: Slot,
        presence: Presence,
    ) -> Result<Option<Self>, VfsError> {
        let locked = guard!(108, file.try_lock_range(row_range(&slot), Hold::Exclusive))?;
        Ok(locked.then_some(Self {
            file,
            slot,
            presence,
        }))
    }

    pub(super) fn file(&self) -> &dyn VfsFile {
        &*self.file
    }

    /// Copies the first `length` bytes to the begin of another file, and lets the slot be deleted;
    /// `false` when there are fewer.
    pub(super) fn copy_to(&self, target: &dyn VfsFile, length: u64) -> Result<bool, VfsError> {
        let all_there = copy(&*self.file, &self.slot, target, length)?;
        self.file.unlock_range(self.slot.range())?;
        Ok(all_there)
    }

    /// Returns what the writer has: when it is dropped, the upload is given up.
    pub(super) fn grip(&self) -> Grip {
        self.presence.grip()
    }
}

/// Says whether somebody goes on from the slot.
pub(super) fn is_continued(file: &dyn VfsFile, slot: &Slot) -> Result<bool, VfsError> {
    Ok(!guard!(
        110,
        file.try_lock_range(row_range(slot), Hold::Shared)
    )?)
}
