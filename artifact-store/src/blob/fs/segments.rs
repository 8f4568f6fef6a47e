//! The segment that a process appends to, and the next one when it is full.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use artifact_core::StoreError;
use parking_lot::Mutex;

use super::{
    error::failed,
    group::Group,
    open_slot::OpenSlot,
    place::{BLOCK, SegmentId},
    segment::Segment,
    shared::Shared,
    table::FIRST_BLOCK,
};
use crate::vfs::VfsError;

/// The largest blob that gets a slot, in bytes.
pub(super) const SLOT_MAX: u64 = 1 << 20;

/// How many segments are looked at, and how many opened, in search of one to go on with.
const LOOK_MAX: usize = 1024;
const OPEN_MAX: usize = 16;

/// The segment that this process appends to.
#[derive(Debug)]
pub(super) struct Segments {
    /// At how many blocks a segment is full.
    end: u32,
    current: Mutex<Option<Arc<Segment>>>,
    /// Held while a segment is searched or made, where that may block.
    opening: Mutex<()>,
    /// Whether the system lacks the locks that slots need.
    unsupported: AtomicBool,
}

/// A slot, and those who wait for syncs of its segment.
pub(super) type Reserved = (OpenSlot, Arc<Group>);

impl Segments {
    /// Returns the segments of a store in which one is full at `size` bytes.
    pub(super) fn new(size: u64) -> Self {
        let least = u64::from(FIRST_BLOCK) + SLOT_MAX / BLOCK;
        let end = (size / BLOCK).clamp(least, u64::from(u32::MAX));
        Self {
            end: u32::try_from(end).unwrap_or(u32::MAX),
            current: Mutex::default(),
            opening: Mutex::default(),
            unsupported: AtomicBool::new(false),
        }
    }

    /// Makes a slot for `size` bytes; `None` where blobs of that size get no slots.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        size: u64,
    ) -> Result<Option<Reserved>, StoreError> {
        if size > SLOT_MAX || self.unsupported.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let blocks = u32::try_from(size.div_ceil(BLOCK).max(1)).unwrap_or(u32::MAX);
        let current = self.current.lock().clone();
        let reserved = match &current {
            Some(segment) => take(segment, shared, blocks).map_err(failed)?,
            None => None,
        };
        if reserved.is_some() {
            return Ok(reserved);
        }
        let segments = Arc::clone(self);
        let work = move |shared: &Arc<Shared>| segments.reserve_in_next(shared, blocks);
        shared.run(work).await
    }

    /// Makes a slot in the next segment, where the present one is full.
    fn reserve_in_next(
        &self,
        shared: &Shared,
        blocks: u32,
    ) -> Result<Option<Reserved>, StoreError> {
        let _one_by_one = self.opening.lock();
        loop {
            let current = self.current.lock().clone();
            let is_new = current.is_none();
            let segment = match current {
                Some(segment) => segment,
                None => Arc::new(self.open(shared, blocks)?),
            };
            match take(&segment, shared, blocks) {
                Ok(Some(reserved)) => {
                    *self.current.lock() = Some(segment);
                    return Ok(Some(reserved));
                }
                // Somebody has locks all over a new segment: they shall not stop anybody.
                Ok(None) if is_new => return Ok(None),
                Ok(None) => self.retire(&segment)?,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.unsupported.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Lets go of a full segment. It stays locked until the last writer of a slot is done.
    fn retire(&self, segment: &Segment) -> Result<(), StoreError> {
        *self.current.lock() = None;
        segment.mark_full().map_err(failed)
    }

    /// Opens a segment with room for `blocks`: one that another process left, or a new one.
    fn open(&self, shared: &Shared, blocks: u32) -> Result<Segment, StoreError> {
        let room = u64::from(self.end.saturating_sub(blocks)) * BLOCK;
        let vfs = &shared.vfs;
        let entries = vfs.list(shared.layout.segments()).map_err(failed)?;
        let mut opened = 0;
        for entry in entries.take(LOOK_MAX) {
            let name = entry.map_err(failed)?.name;
            let Some(id) = name.to_str().and_then(SegmentId::parse) else {
                continue;
            };
            let meta = vfs.metadata(&shared.layout.segment(id)).map_err(failed)?;
            if opened == OPEN_MAX || meta.is_none_or(|meta| meta.size > room) {
                continue;
            }
            opened += 1;
            match Segment::adopt(shared, id, self.end, blocks) {
                Ok(Some(segment)) => return Ok(segment),
                Ok(None) => {}
                // It cannot be read, say: a new one can be written all the same, unless the sync
                // failed.
                Err(_) => shared.check_sound()?,
            }
        }
        Segment::create(shared, self.end)
    }
}

fn take(segment: &Segment, shared: &Shared, blocks: u32) -> Result<Option<Reserved>, VfsError> {
    let slot = segment.reserve(shared, blocks)?;
    Ok(slot.map(|slot| (slot, Arc::clone(segment.group()))))
}
