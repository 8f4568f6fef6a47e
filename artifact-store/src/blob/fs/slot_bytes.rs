//! The bytes of a slot: checked, copied, and given back.

use super::{
    place::Slot,
    table::{Row, State, read_full},
};
use crate::vfs::{VfsError, VfsFile};

/// How much is read at once: 64 KiB.
const READ: usize = 64 << 10;

/// Makes a slot dead, and gives its blocks back. The caller holds its lock alone.
pub(super) fn bury(file: &dyn VfsFile, slot: &Slot) -> Result<(), VfsError> {
    // First the row: nobody shall find zeros where a row tells of a blob. A crash between the two
    // leaves blocks that the next recovery gives back.
    Row::new(*slot, State::Dead, 0, 0).write(file)?;
    // Where the file system makes no holes, the blocks come back with the segment.
    file.punch_hole(slot.range()).map(drop)
}

/// Copies the first `length` bytes of a slot to the begin of another file; `false` when there are
/// fewer.
pub(super) fn copy(
    file: &dyn VfsFile,
    slot: &Slot,
    target: &dyn VfsFile,
    length: u64,
) -> Result<bool, VfsError> {
    parts(file, slot, length, |part, at| target.write_at(part, at))
}

/// Says whether the bytes of a slot are those that its row was written for.
pub(super) fn is_whole(file: &dyn VfsFile, row: &Row) -> Result<bool, VfsError> {
    let mut hasher = crc32fast::Hasher::new();
    let all_there = parts(file, &row.slot, u64::from(row.length), |part, _| {
        hasher.update(part);
        Ok(())
    })?;
    Ok(all_there && hasher.finalize() == row.checksum)
}

/// Hands on the first `length` bytes of a slot, in order; `false` when there are fewer.
fn parts(
    file: &dyn VfsFile,
    slot: &Slot,
    length: u64,
    mut take: impl FnMut(&[u8], u64) -> Result<(), VfsError>,
) -> Result<bool, VfsError> {
    let mut buffer = vec![0; READ];
    let mut at = 0;
    while at < length {
        let want = usize::try_from(length - at).unwrap_or(READ).min(READ);
        let part = buffer.get_mut(..want).unwrap_or_default();
        if read_full(file, part, slot.range().start + at)? < want {
            return Ok(false);
        }
        take(part, at)?;
        at += want as u64;
    }
    Ok(true)
}
