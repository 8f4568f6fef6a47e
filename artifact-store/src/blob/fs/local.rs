//! Blobs as local files.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use artifact_core::{BlobKey, LocalBlob, StoreError, Way};

use super::{
    error::{NAME, failed},
    files,
    place::{FileName, Place},
    shared::Shared,
    slots,
};
use crate::{
    sys::{copy, file_io, reflink, unnamed},
    vfs::VfsError,
};

/// Opens a blob, or returns `None` when it is absent.
pub(super) fn open(shared: &Shared, key: &BlobKey) -> Result<Option<LocalBlob>, StoreError> {
    match Place::of(key) {
        None => Ok(None),
        Some(Place::File(name)) => open_file(shared, &name),
        Some(Place::Slot(slot)) => match slots::open(shared, &slot)? {
            Some(found) => {
                let file = found.file.local().map_err(failed)?;
                let offset = slot.range().start;
                Ok(Some(LocalBlob::new(file, offset, found.length, false)))
            }
            None => open_file(shared, &slot.spill()),
        },
    }
}

fn open_file(shared: &Shared, name: &FileName) -> Result<Option<LocalBlob>, StoreError> {
    let Some(file) = files::open(shared, name)? else {
        return Ok(None);
    };
    let size = file.metadata().map_err(failed)?.size;
    let file = file.local().map_err(failed)?;
    Ok(Some(LocalBlob::new(file, 0, size, true)))
}

/// Makes the file `target` with a blob's bytes, in the first of `ways` that works.
pub(super) fn materialize(
    shared: &Shared,
    key: &BlobKey,
    target: &Path,
    ways: &[Way],
) -> Result<Option<Way>, StoreError> {
    let Some(blob) = open(shared, key)? else {
        return Ok(None);
    };
    let (mut closed, mut failure) = (io::Error::other("there is no way to try"), None);
    for way in ways {
        let tried = match way {
            Way::HardLink => link(shared, key, &blob, target),
            _ => Temporary::new(shared, target).and_then(|made| made.fill(&blob, *way)),
        };
        match tried {
            Ok(()) => return Ok(Some(*way)),
            // Nothing is replaced, and no other way mends that.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(exists(target));
            }
            Err(error) if is_closed(*way, &error) => closed = error,
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(failure) => Err(unmade(target, failure)),
        // Who cannot be served here shall not try another way only to find that out.
        None if target.symlink_metadata().is_ok() => Err(exists(target)),
        None => Err(StoreError::NoWay {
            path: target.to_owned(),
            source: Box::new(closed),
        }),
    }
}

/// Says whether a way is none for this blob and target, whatever else is tried of it.
fn is_closed(way: Way, error: &io::Error) -> bool {
    let kind = error.kind();
    match way {
        Way::HardLink => matches!(
            kind,
            io::ErrorKind::Unsupported
                | io::ErrorKind::CrossesDevices
                | io::ErrorKind::TooManyLinks
        ),
        // So file systems without extents to share answer, each in its own way.
        Way::Reflink => {
            let foreign = [libc::EINVAL, libc::ENOTTY].map(Some);
            matches!(
                kind,
                io::ErrorKind::Unsupported | io::ErrorKind::CrossesDevices
            ) || foreign.contains(&error.raw_os_error())
        }
        _ => false,
    }
}

fn exists(target: &Path) -> StoreError {
    StoreError::Exists {
        path: target.to_owned(),
    }
}

fn unmade(target: &Path, source: io::Error) -> StoreError {
    match failed(VfsError::new("make", target, source)) {
        // The target may be read-only where the store is not.
        StoreError::ReadOnly { .. } => StoreError::Backend {
            backend: NAME,
            operation: "make",
            source: Box::new(VfsError::new(
                "make",
                target,
                io::ErrorKind::ReadOnlyFilesystem.into(),
            )),
        },
        error => error,
    }
}

/// Gives the blob's file a second name.
fn link(shared: &Shared, key: &BlobKey, blob: &LocalBlob, target: &Path) -> io::Result<()> {
    if !blob.whole_file {
        let no = "a blob in a slot has no file that could be linked";
        return Err(io::Error::new(io::ErrorKind::Unsupported, no));
    }
    let place = Place::of(key).ok_or(io::ErrorKind::NotFound)?;
    let path = shared.layout.blob(&place.file_name());
    shared.vfs.link(&path, target).map_err(io::Error::from)
}

/// A file beside the target, which is gone when this is dropped, unless it became the target. Until it is
/// whole it has no name, where such files are known.
///
/// Only a process that dies leaves one: where they are not, or between the two calls that name it. A
/// power loss soon after may leave an incomplete target, as any file that was not synced: who needs
/// more syncs it.
struct Temporary<'a> {
    shared: &'a Shared,
    target: &'a Path,
    path: PathBuf,
    file: File,
    has_name: bool,
}

/// The mode of the files that are made, cut by what the process masks.
const MODE: u32 = 0o666;

impl<'a> Temporary<'a> {
    fn new(shared: &'a Shared, target: &'a Path) -> io::Result<Self> {
        let name = format!(".artifact-{}", hex::encode(shared.random::<8>()));
        let path = target.with_file_name(name);
        let parent = target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let unnamed = unnamed::create(parent.unwrap_or(Path::new(".")), MODE)?;
        let (has_name, file) = match unnamed {
            Some(file) => (false, file),
            None => (true, file_io::create_new(&path, MODE)?),
        };
        Ok(Self {
            shared,
            target,
            path,
            file,
            has_name,
        })
    }

    fn fill(self, blob: &LocalBlob, way: Way) -> io::Result<()> {
        match way {
            Way::Reflink => {
                reflink::clone_range(&blob.file, blob.offset, blob.length, &self.file)?;
            }
            Way::Copy => copy::copy_range(&blob.file, blob.offset, blob.length, &self.file)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        if !self.has_name {
            unnamed::give_name(&self.file, &self.path)?;
        }
        self.shared.vfs.rename_new(&self.path, self.target)?;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // It has another name when it became the target.
        let _gone = self.shared.vfs.unlink(&self.path);
    }
}
