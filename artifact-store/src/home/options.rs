//! What a registry's directory is made and opened with.

use std::sync::Arc;

use artifact_core::{Clock, Rng, Spawn};

use super::settings::Settings;
use crate::{
    index::sqlite::ladder::Ladder,
    journal::FILE_LIMIT,
    vfs::{RealVfs, Vfs},
};

/// What a registry's directory is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Where work runs.
    pub spawn: Arc<dyn Spawn>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// What ids and names are made of.
    pub rng: Arc<dyn Rng>,
    /// The file system under blobs and journal. Locks, settings and the index are always on the
    /// system's own.
    pub vfs: Arc<dyn Vfs>,
    /// From this length on, in bytes, a file of the journal is closed and another one begun.
    pub journal_file: u64,
    /// The versions of the format that are known.
    pub(crate) ladder: Ladder,
}

impl OpenOptions {
    /// Returns the options with the system's file system.
    pub fn new(spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self {
            spawn,
            clock,
            rng,
            vfs: Arc::new(RealVfs::new()),
            journal_file: FILE_LIMIT,
            ladder: Ladder::SHIPPED,
        }
    }
}

/// What a registry's directory is made with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CreateOptions {
    /// What it is then opened with.
    pub open: OpenOptions,
    /// Its settings.
    pub settings: Settings,
}

impl CreateOptions {
    /// Returns the options with the default settings.
    pub fn new(open: OpenOptions) -> Self {
        Self {
            open,
            settings: Settings::default(),
        }
    }
}
