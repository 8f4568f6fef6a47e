//! Blobs and suspended uploads that have a slot.

use std::sync::Arc;

use artifact_core::{StoreError, guard};

use super::{
    error::failed,
    live::Presence,
    origin::{Origin, is_continued},
    place::{BLOCK, Slot},
    shared::Shared,
    slot_bytes::{bury, is_whole},
    staged::{Opened, Staged},
    table::{FIRST_BLOCK, Row, State, Table, cached_row_of, row_of},
};
use crate::{
    sys::lock::Hold,
    vfs::{OpenMode, VfsError, VfsFile},
};

/// A blob in a slot. Its lock, which is shared with other readers, lives as long as the file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: Box<dyn VfsFile>,
    /// Its length in bytes.
    pub(super) length: u64,
}

/// Opens the blob in a slot if that needs no waiting for a disk; `None` tells nothing.
pub(super) fn open_cached(shared: &Shared, slot: &Slot) -> Option<Found> {
    let file = shared
        .vfs
        .open_cached(&shared.layout.segment(slot.segment))?;
    // First the lock: what is deleted after it was looked at would read as zeros.
    if !lock(shared, &*file, slot).ok()? {
        return None;
    }
    let row = cached_row_of(&*file, slot)?;
    let length = u64::from(row.length);
    (row.state == State::Written && row.synced).then_some(Found { file, length })
}

/// Opens the blob in a slot, or returns `None` when there is none.
pub(super) fn open(shared: &Shared, slot: &Slot) -> Result<Option<Found>, StoreError> {
    let path = shared.layout.segment(slot.segment);
    let Some(file) = shared.vfs.open(&path, OpenMode::Read).map_err(failed)? else {
        return Ok(None);
    };
    // Who has it alone writes it still, or deletes it.
    if !lock(shared, &*file, slot).map_err(failed)? {
        return Ok(None);
    }
    let row = row_of(&*file, slot).map_err(failed)?;
    let Some(row) = row.filter(|row| row.state == State::Written) else {
        return Ok(None);
    };
    if !row.synced && !end_commit(shared, &*file, &row)? {
        return Ok(None);
    }
    let length = u64::from(row.length);
    Ok(Some(Found { file, length }))
}

/// Locks the slot for reading. What cannot be written is not punched either, so there a file system
/// without locks does not matter.
fn lock(shared: &Shared, file: &dyn VfsFile, slot: &Slot) -> Result<bool, VfsError> {
    match guard!(102, file.try_lock_range(slot.range(), Hold::Shared)) {
        Err(_) if shared.read_only => Ok(true),
        tried => tried,
    }
}

/// Ends the commit of a blob whose sync is not known to have ended; `false` when it was cut short.
fn end_commit(shared: &Shared, file: &dyn VfsFile, row: &Row) -> Result<bool, StoreError> {
    if !guard!(200, is_whole(file, row)).map_err(failed)? {
        return Ok(false);
    }
    // After a failed sync nothing more is synced, and reads go on (BS-10): a slot that the failed sync
    // was for is dead, so this one's commit was through before, and only its mark was lost.
    if shared.read_only || guard!(169) && shared.check_sound().is_err() {
        return Ok(true);
    }
    let path = shared.layout.segment(row.slot.segment);
    let Some(file) = shared.vfs.open(&path, OpenMode::Write).map_err(failed)? else {
        return Ok(false);
    };
    shared.synced(guard!(7, file.sync_data()))?;
    Row::write_synced(&row.slot, &*file).map_err(failed)?;
    Ok(true)
}

/// Deletes what the slot holds; `false` when it holds nothing.
pub(super) fn delete(shared: &Shared, slot: &Slot) -> Result<bool, StoreError> {
    let path = shared.layout.segment(slot.segment);
    let Some(file) = shared.vfs.open(&path, OpenMode::Write).map_err(failed)? else {
        return Ok(false);
    };
    let alone = guard!(103, file.try_lock_range(slot.range(), Hold::Exclusive));
    if !alone.map_err(failed)? {
        return Err(StoreError::Held { key: slot.key() });
    }
    let row = row_of(&*file, slot).map_err(failed)?;
    if !row.is_some_and(|row| row.is_live()) {
        return Ok(false);
    }
    bury(&*file, slot).map_err(failed)?;
    // Where no slot has blocks, no slot may be alive: only then the whole table is worth a look.
    let first = u64::from(FIRST_BLOCK) * BLOCK;
    if file.next_data(first).map_err(failed)?.is_none() {
        remove_if_dead(shared, &*file, slot).map_err(failed)?;
    }
    Ok(true)
}

/// Removes the segment of a slot if nobody appends to it and it holds nothing any more.
fn remove_if_dead(shared: &Shared, file: &dyn VfsFile, slot: &Slot) -> Result<(), VfsError> {
    let ours = guard!(104, file.try_lock(Hold::Exclusive))?;
    if ours && Table::read(file, slot.segment)?.is_dead() {
        shared.vfs.unlink(&shared.layout.segment(slot.segment))?;
    }
    Ok(())
}

/// Says whether a live writer, of this or another process, holds the slot or went on from it.
pub(super) fn is_held(shared: &Shared, slot: &Slot) -> Result<bool, VfsError> {
    let path = shared.layout.segment(slot.segment);
    let Some(file) = shared.vfs.open(&path, OpenMode::Read)? else {
        return Ok(false);
    };
    let written = !guard!(105, file.try_lock_range(slot.range(), Hold::Shared))?;
    Ok(written || is_continued(&*file, slot)?)
}

/// Copies the first `offset` bytes of a suspended upload to a file of its own, for more will come.
/// The slot stays for who must fall back to it.
pub(super) fn resume(
    shared: &Arc<Shared>,
    slot: &Slot,
    offset: u64,
    presence: Presence,
) -> Result<Opened, StoreError> {
    let path = shared.layout.segment(slot.segment);
    let Some(file) = shared.vfs.open(&path, OpenMode::Write).map_err(failed)? else {
        return Ok(Opened::Absent);
    };
    // While it is copied, it must not be deleted.
    let reads = guard!(106, file.try_lock_range(slot.range(), Hold::Shared));
    if !reads.map_err(failed)? {
        return Ok(Opened::Held);
    }
    let Some(origin) = Origin::lock(file, *slot, presence).map_err(failed)? else {
        return Ok(Opened::Held);
    };
    let row = row_of(origin.file(), slot).map_err(failed)?;
    let fits = |row: &Row| row.state == State::Suspended && u64::from(row.length) >= offset;
    if !row.is_some_and(|row| fits(&row)) {
        return Ok(Opened::Absent);
    }
    let staged = Staged::create_from(shared, origin)?;
    if !staged.copy_origin(offset).map_err(failed)? {
        return Ok(Opened::Absent);
    }
    // Whoever asked records the new key at this offset: it counts as suspended from here on, also
    // after a power cut (BS-4), and when the writer is dropped (BS-5).
    staged.suspend()?;
    Ok(Opened::Staged(Box::new(staged)))
}
