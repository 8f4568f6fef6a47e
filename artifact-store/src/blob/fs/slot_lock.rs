//! Who holds a slot.

use artifact_core::guard;
use std::{ops::Range, sync::Arc};

use super::{
    live::{Claim, Grip, Presence},
    place::Slot,
    shared::Shared,
};
use crate::{
    sys::lock::Hold,
    vfs::{VfsError, VfsFile},
};

/// How often it is tried to let go.
const UNLOCK_TRIES: usize = 3;

/// The lock by which one writer holds a slot, until it is dropped.
#[derive(Debug)]
pub(super) struct SlotLock {
    file: Arc<dyn VfsFile>,
    range: Range<u64>,
    presence: Presence,
}

impl SlotLock {
    /// Locks the slot, unless another opening of the segment holds or reads it.
    pub(super) fn try_lock(
        shared: &Shared,
        file: &Arc<dyn VfsFile>,
        slot: &Slot,
    ) -> Result<Option<Self>, VfsError> {
        let range = slot.range();
        if !guard!(107, file.try_lock_range(range.clone(), Hold::Exclusive))? {
            return Ok(None);
        }
        Ok(Some(Self {
            file: Arc::clone(file),
            range,
            presence: shared.live.enter(Claim::Bytes(slot.spill())),
        }))
    }

    pub(super) fn grip(&self) -> Grip {
        self.presence.grip()
    }

    /// Says that there is a file which is not to be told of until this is dropped.
    pub(super) fn hide(&self) {
        self.presence.hide();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.presence.is_given_up()
    }
}

impl Drop for SlotLock {
    fn drop(&mut self) {
        // The kernel may lack the memory to split one lock into two; while it stays, nobody reads
        // the blob. It ends with the segment's file at the latest.
        for _ in 0..UNLOCK_TRIES {
            if self.file.unlock_range(self.range.clone()).is_ok() {
                break;
            }
        }
    }
}
