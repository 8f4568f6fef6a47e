//! Blobs and uploads that have a file of their own.

use artifact_core::{StoreError, guard};

use super::{error::failed, place::FileName, shared::Shared};
use crate::{
    sys::lock::Hold,
    vfs::{OpenMode, VfsError, VfsFile},
};

/// Opens a blob's file if that needs no waiting for a disk; `None` tells nothing.
pub(super) fn open_cached(shared: &Shared, name: &FileName) -> Option<Box<dyn VfsFile>> {
    let file = shared.vfs.open_cached(&shared.layout.blob(name))?;
    // After it: a file that was seen before its commit was through must not be told of (BS-1).
    guard!(145, !shared.live.hides(name)).then_some(file)
}

/// Opens a blob's file, or returns `None` when there is no such blob.
pub(super) fn open(
    shared: &Shared,
    name: &FileName,
) -> Result<Option<Box<dyn VfsFile>>, StoreError> {
    let path = shared.layout.blob(name);
    let file = shared.vfs.open(&path, OpenMode::Read).map_err(failed)?;
    Ok(file.filter(|_| guard!(146, !shared.live.hides(name))))
}

/// Deletes the blob or the upload.
///
/// A lock on a finished file is respected, too: a committing writer has it until it is through.
pub(super) fn delete(shared: &Shared, name: &FileName) -> Result<(), StoreError> {
    // In this order: a name only ever moves from the first to the second.
    for path in [shared.layout.staged(name), shared.layout.blob(name)] {
        let Some(file) = shared.vfs.open(&path, OpenMode::Read).map_err(failed)? else {
            continue;
        };
        if !guard!(113, file.try_lock(Hold::Exclusive)).map_err(failed)? {
            return Err(StoreError::Held { key: name.key() });
        }
        // Where it has moved on, or is gone, there is nothing: nothing else ever gets its name (BS-6).
        shared.vfs.unlink(&path).map_err(failed)?;
    }
    Ok(())
}

/// Says whether a live writer, of this or another process, holds the upload.
pub(super) fn is_held(shared: &Shared, name: &FileName) -> Result<bool, VfsError> {
    for path in [shared.layout.staged(name), shared.layout.blob(name)] {
        if let Some(file) = shared.vfs.open(&path, OpenMode::Read)?
            && !guard!(114, file.try_lock(Hold::Shared))?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
