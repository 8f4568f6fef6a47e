//! A segment that this process appends to.

use std::sync::Arc;

use artifact_core::{StoreError, guard};
use parking_lot::Mutex;

use super::{
    error::failed,
    group::Group,
    open_slot::OpenSlot,
    place::{BLOCK, SegmentId, Slot},
    recover::recover,
    shared::{Shared, still_there},
    slot_lock::SlotLock,
    table::{FIRST_BLOCK, ROWS, has_header, write_header},
};
use crate::{
    sys::lock::Hold,
    vfs::{OpenMode, VfsError, VfsFile},
};

/// The umask cuts it; nobody but the registry's user reads segments.
const MODE: u32 = 0o600;

/// A segment that this process appends to; it is locked as long as this lives.
#[derive(Debug)]
pub(super) struct Segment {
    id: SegmentId,
    file: Arc<dyn VfsFile>,
    sitting: u64,
    /// The number of the block at which it ends.
    end: u32,
    next: Mutex<Next>,
    group: Arc<Group>,
}

/// Where the next slot goes.
#[derive(Debug)]
struct Next {
    index: u32,
    block: u32,
}

impl Segment {
    /// Makes a segment of at most `end` blocks.
    pub(super) fn create(shared: &Shared, end: u32) -> Result<Self, StoreError> {
        let directory = shared.layout.segments();
        let (id, file) = shared.new_name(directory, |random| {
            let id = SegmentId::from_random(random);
            let path = shared.layout.segment(id);
            let file = shared.vfs.create(&path, MODE)?;
            // Between the two calls it looks like what a dead process left, and may be removed.
            let ours = guard!(100, file.try_lock(Hold::Exclusive))?
                && guard!(
                    133,
                    still_there(&*shared.vfs, &path, &*file).map(|size| size.is_some())
                )?;
            Ok(ours.then_some((id, file)))
        })?;
        if let Err(error) = write_header(&*file, id) {
            // An empty one that stays is removed by the next walk.
            let _removed = shared.vfs.unlink(file.path());
            return Err(failed(error));
        }
        let next = Next {
            index: 0,
            block: FIRST_BLOCK,
        };
        Ok(Self::new(shared, id, file, end, next))
    }

    /// Goes on with a segment that nobody appends to, if it has room for `blocks` more.
    pub(super) fn adopt(
        shared: &Shared,
        id: SegmentId,
        end: u32,
        blocks: u32,
    ) -> Result<Option<Self>, StoreError> {
        let path = shared.layout.segment(id);
        let Some(file) = shared.vfs.open(&path, OpenMode::Write).map_err(failed)? else {
            return Ok(None);
        };
        let ours = guard!(101, file.try_lock(Hold::Exclusive)).map_err(failed)?
            && has_header(&*file, id).map_err(failed)?;
        let there = || still_there(&*shared.vfs, &path, &*file);
        let size = guard!(134, there(), else file.metadata().map(|meta| Some(meta.size)));
        let size = size.map_err(failed)?;
        let (true, Some(size)) = (ours, size) else {
            return Ok(None);
        };
        let table = recover(&*file, id).map_err(failed)?;
        let written = u32::try_from(size.div_ceil(BLOCK)).unwrap_or(u32::MAX);
        let next = Next {
            index: table.next_index,
            block: table.next_block().max(written),
        };
        if next.has_room(blocks, end) {
            // A process whose sync failed may have left a header in memory that the disk has not got
            // and the system does not mean to write any more (F6): the next sync shall cover it.
            write_header(&*file, id).map_err(failed)?;
            return Ok(Some(Self::new(shared, id, file, end, next)));
        }
        if table.is_dead() {
            shared.vfs.unlink(&path).map_err(failed)?;
        }
        Ok(None)
    }

    fn new(shared: &Shared, id: SegmentId, file: Box<dyn VfsFile>, end: u32, next: Next) -> Self {
        let file: Arc<dyn VfsFile> = file.into();
        Self {
            id,
            group: Arc::new(Group::new(Arc::clone(&file))),
            file,
            sitting: u64::from_le_bytes(shared.random()),
            end,
            next: Mutex::new(next),
        }
    }

    /// Returns those who wait for its syncs.
    pub(super) const fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Makes and locks a slot; `None` when there is no room for it.
    pub(super) fn reserve(
        &self,
        shared: &Shared,
        blocks: u32,
    ) -> Result<Option<OpenSlot>, VfsError> {
        while let Some(slot) = self.next_slot(blocks) {
            // Only who guessed the slot could have a lock on it: then they keep it.
            if let Some(lock) = SlotLock::try_lock(shared, &self.file, &slot)? {
                return Ok(Some(OpenSlot::new(Arc::clone(&self.file), slot, lock)));
            }
        }
        Ok(None)
    }

    fn next_slot(&self, blocks: u32) -> Option<Slot> {
        let mut next = self.next.lock();
        if !next.has_room(blocks, self.end) {
            return None;
        }
        let slot = Slot {
            segment: self.id,
            index: next.index,
            start: next.block,
            blocks,
            sitting: self.sitting,
        };
        next.index += 1;
        next.block += blocks;
        Some(slot)
    }

    /// Lets everybody see by its size that it is full; holes take no space.
    pub(super) fn mark_full(&self) -> Result<(), VfsError> {
        self.file.set_length(u64::from(self.end) * BLOCK)
    }
}

impl Next {
    fn has_room(&self, blocks: u32, end: u32) -> bool {
        self.index < ROWS
            && self
                .block
                .checked_add(blocks)
                .is_some_and(|last| last <= end)
    }
}
