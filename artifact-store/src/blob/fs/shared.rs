//! What all parts of a store share.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use artifact_core::{Rng, Spawn, SpawnExt as _, StoreError, guard};

use super::{
    error::{NAME, ended, failed},
    frame::Frames,
    layout::Layout,
    live::Live,
};
use crate::vfs::{Vfs, VfsError, VfsFile};

/// What all parts of a store share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) layout: Layout,
    pub(super) live: Arc<Live>,
    pub(super) frames: Arc<Frames>,
    pub(super) spawn: Arc<dyn Spawn>,
    pub(super) read_only: bool,
    rng: Arc<dyn Rng>,
    poisoned: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        vfs: Arc<dyn Vfs>,
        spawn: Arc<dyn Spawn>,
        rng: Arc<dyn Rng>,
        layout: Layout,
        read_only: bool,
    ) -> Self {
        Self {
            vfs,
            layout,
            live: Arc::new(Live::default()),
            frames: Arc::new(Frames::default()),
            spawn,
            read_only,
            rng,
            poisoned: AtomicBool::new(false),
        }
    }

    /// Runs work that blocks. When the answer is dropped, the work still runs to its end.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(self);
        let done = self.spawn.run_blocking(move || work(&shared));
        done.await.unwrap_or_else(|error| Err(ended(error)))
    }

    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// Refuses what writes where nothing is written or acknowledged any more (BS-10).
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        if guard!(180) && self.read_only {
            return Err(StoreError::ReadOnly { backend: NAME });
        }
        guard!(161, self.check_sound())
    }

    /// Refuses to acknowledge anything after a sync had failed (BS-10, I21).
    pub(super) fn check_sound(&self) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StoreError::Poisoned { backend: NAME });
        }
        Ok(())
    }

    /// Takes the outcome of a sync: one that failed poisons the store (BS-10, I21).
    pub(super) fn synced(&self, outcome: Result<(), VfsError>) -> Result<(), StoreError> {
        outcome.map_err(|error| {
            if guard!(160) {
                self.poisoned.store(true, Ordering::Release);
            }
            failed(error)
        })
    }

    /// Makes a file in `directory` under a name that nobody has, trying others while they are taken.
    pub(super) fn new_name<T>(
        &self,
        directory: &Path,
        mut make: impl FnMut([u8; 16]) -> Result<Option<T>, VfsError>,
    ) -> Result<T, StoreError> {
        for _ in 0..NAME_TRIES {
            match make(self.random()) {
                Ok(Some(file)) => return Ok(file),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(failed(VfsError::new(
            "lock a new file in",
            directory,
            io::ErrorKind::ResourceBusy.into(),
        )))
    }
}

/// Returns the size of a file that was just locked, if the path still leads to it.
pub(super) fn still_there(
    vfs: &dyn Vfs,
    path: &Path,
    file: &dyn VfsFile,
) -> Result<Option<u64>, VfsError> {
    let found = vfs.metadata(path)?;
    let meta = file.metadata()?;
    Ok(found
        .is_some_and(|found| found.inode == meta.inode)
        .then_some(meta.size))
}

/// A new file that somebody looks at in the moment in which it is made is left to them, and another
/// is made; so many times it happens to nobody.
const NAME_TRIES: usize = 16;
