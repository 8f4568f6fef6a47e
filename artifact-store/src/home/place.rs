//! Which directory a registry is in, and whether it was in another before.

use std::fs;

use super::{error::HomeError, layout::Layout};
use crate::sys::file_id::FileId;

/// Says whether the directory is another than the one in which its lock was written. The index
/// remembers its directory itself; this is for one that cannot be read.
pub(super) fn is_copy(layout: &Layout) -> Result<bool, HomeError> {
    let path = layout.lock();
    let text = fs::read_to_string(&path).map_err(HomeError::io("read", &path))?;
    Ok(!text.is_empty() && text != mark(place(layout)?))
}

/// Returns the device and inode of the directory.
pub(super) fn place(layout: &Layout) -> Result<FileId, HomeError> {
    let root = layout.root();
    FileId::of(root).map_err(HomeError::io("examine", root))
}

/// Writes into the lock which directory it is in. The caller has the directory alone.
pub(super) fn mark_place(layout: &Layout) -> Result<(), HomeError> {
    let path = layout.lock();
    // In place: the file that is locked stays the file.
    fs::write(&path, mark(place(layout)?)).map_err(HomeError::io("write", &path))
}

fn mark(place: FileId) -> String {
    format!("{} {}\n", place.device, place.inode)
}
