//! A registry's directory that is open.

use std::{any::Any, path::Path, sync::Arc};

use artifact_core::{BlobStore, Clock, Holder, Holders, Identity, ManifestIndex, Rng, Spawn};

use super::{
    error::HomeError,
    index::HomeIndex,
    note::Note,
    parts::{Nobody, Parts},
    settings::Settings,
    store::HomeStore,
};
use crate::{
    blob::fs::store::FsBlobStore, index::sqlite::index::SqliteIndex, sys::file_id::FileId,
};

/// A registry's directory that is open: its index, its blob store, and the locks by which other
/// processes know of it.
///
/// Clones, and all handles that this copy of the library opens on one directory, share one index and
/// one store. The locks live as long as anything that was handed out of it.
///
/// ```text
/// DIR/                0700, one user's
///   artifact.toml     format version, registry id, settings of the whole
///   index.db          SQLite
///   journal/          every committed change set in plain
///   blobs/ segments/ staging/
///   lock, writer.lock, open/, reserve
/// ```
#[derive(Clone, Debug)]
pub struct Home {
    parts: Arc<Parts>,
    notes: Arc<[Note]>,
}

impl Home {
    pub(super) fn new(parts: Arc<Parts>, notes: Vec<Note>) -> Self {
        Self {
            parts,
            notes: notes.into(),
        }
    }

    pub(super) const fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Returns the directory, without links.
    pub fn path(&self) -> &Path {
        self.parts.layout.root()
    }

    /// Returns which registry it is, and its epoch.
    pub fn identity(&self) -> Identity {
        self.parts.identity()
    }

    /// Returns the settings of the whole registry, as they were when it was opened.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// Returns what was found, or done without being asked, while it was opened.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Says whether it was opened to be read only.
    pub fn is_read_only(&self) -> bool {
        self.parts.writing.is_none()
    }

    /// Returns the index, for the engine.
    pub fn index(&self) -> Arc<dyn ManifestIndex> {
        Arc::new(HomeIndex::new(Arc::clone(&self.parts)))
    }

    /// Returns the blob store, for the engine.
    pub fn store(&self) -> Arc<dyn BlobStore> {
        Arc::new(HomeStore::new(Arc::clone(&self.parts)))
    }

    /// Returns the index itself, for upkeep: copies, checks, checkpoints. What is changed through it
    /// goes around the reserve and the purge of the journal.
    pub fn sqlite(&self) -> &SqliteIndex {
        &self.parts.index
    }

    /// Returns the blob store itself.
    pub fn files(&self) -> &FsBlobStore {
        &self.parts.store
    }

    /// Returns where work runs.
    pub fn spawn(&self) -> &Arc<dyn Spawn> {
        &self.parts.options.spawn
    }

    /// Returns the clocks.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.options.clock
    }

    /// Returns what ids are made of.
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.parts.options.rng
    }

    /// Returns the name by which this process is known as a writer of uploads.
    pub fn holder(&self) -> Holder {
        let seat = self.parts.seat.as_ref();
        seat.map_or_else(|| Holder::new("reader"), |seat| seat.holder().clone())
    }

    /// Returns what knows which processes live.
    pub fn holders(&self) -> Arc<dyn Holders> {
        match &self.parts.seat {
            Some(seat) => Arc::<super::seat::Seat>::clone(seat),
            None => Arc::new(Nobody),
        }
    }

    /// Returns the engine that all handles on the directory share, and makes it if there is none.
    ///
    /// It lives as long as one of its users. Each type has its own, as long as the last that was
    /// asked for is still in use.
    pub fn engine<T: Any + Send + Sync>(&self, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        let mut slot = self.parts.engine.lock();
        let shared = slot.as_ref().and_then(std::sync::Weak::upgrade);
        if let Some(Ok(engine)) = shared.map(Arc::downcast::<T>) {
            return engine;
        }
        let engine = Arc::new(make(self));
        let any: Arc<dyn Any + Send + Sync> = Arc::<T>::clone(&engine);
        *slot = Some(Arc::downgrade(&any));
        engine
    }

    /// Closes the registry and waits until its files are at rest, if this is the last of what was
    /// handed out of it; else it is but dropped.
    ///
    /// A handle that is only dropped loses nothing either.
    ///
    /// # Errors
    /// Where the index fails.
    pub async fn close(self) -> Result<(), HomeError> {
        let Some(parts) = Arc::into_inner(self.parts) else {
            return Ok(());
        };
        let closed = parts.index.close().await;
        closed.map_err(HomeError::index(parts.layout.root()))
    }

    /// Refuses a handle that a process has from before it was forked: it is its parent's.
    ///
    /// # Errors
    /// [`HomeError::WrongProcess`].
    pub fn check_process(&self) -> Result<(), HomeError> {
        if self.parts.process == std::process::id() {
            return Ok(());
        }
        Err(HomeError::WrongProcess {
            path: self.path().to_owned(),
        })
    }

    /// Returns the device and inode of the directory, by which handles know that they share it.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn directory(&self) -> Result<FileId, HomeError> {
        FileId::of(self.path()).map_err(HomeError::io("examine", self.path()))
    }
}
