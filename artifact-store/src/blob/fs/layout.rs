//! The directories of a blob store.

use artifact_core::guard;
use std::path::{Path, PathBuf};

use super::place::{FileName, SegmentId};
use crate::vfs::{Vfs, VfsError};

/// Where the parts of a store are.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    blobs: PathBuf,
    segments: PathBuf,
    staging: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            blobs: root.join("blobs"),
            segments: root.join("segments"),
            staging: root.join("staging"),
        }
    }

    pub(super) fn blobs(&self) -> &Path {
        &self.blobs
    }

    pub(super) fn segments(&self) -> &Path {
        &self.segments
    }

    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// Returns the directory of finished files whose names begin as this one's.
    pub(super) fn shard(&self, name: &FileName) -> PathBuf {
        self.blobs.join(name.shard())
    }

    /// Returns the path of a finished file.
    pub(super) fn blob(&self, name: &FileName) -> PathBuf {
        self.shard(name).join(name.as_str())
    }

    pub(super) fn staged(&self, name: &FileName) -> PathBuf {
        self.staging.join(name.as_str())
    }

    pub(super) fn segment(&self, id: SegmentId) -> PathBuf {
        self.segments.join(id.to_string())
    }

    /// Makes the directories that are missing, and makes durable that they are there.
    pub(super) fn create(&self, vfs: &dyn Vfs, root: &Path) -> Result<(), VfsError> {
        for directory in [&self.blobs, &self.segments, &self.staging] {
            vfs.create_directory(directory, MODE)?;
        }
        for shard in 0..=u8::MAX {
            vfs.create_directory(&self.blobs.join(format!("{shard:02x}")), MODE)?;
        }
        guard!(8, vfs.sync_directory(&self.blobs))?;
        guard!(9, vfs.sync_directory(root))
    }

    /// Returns a directory that is missing; shards are made with the others, so the last speaks for
    /// them.
    pub(super) fn missing(&self, vfs: &dyn Vfs) -> Result<Option<PathBuf>, VfsError> {
        let last = self.blobs.join("ff");
        for directory in [&self.staging, &self.segments, &last] {
            match vfs.metadata(directory)? {
                Some(found) if found.is_directory => {}
                _ => return Ok(Some(directory.clone())),
            }
        }
        Ok(None)
    }
}

/// The registry is one user's.
const MODE: u32 = 0o700;
