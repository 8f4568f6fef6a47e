//! What all handles on one directory share.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use artifact_core::{Holder, Holders, Identity, ManifestIndex as _};
use parking_lot::Mutex;

use super::{
    layout::Layout, options::OpenOptions, room::Room, seat::Seat, settings::Settings,
    upkeep::Upkeep,
};
use crate::{blob::fs::store::FsBlobStore, index::sqlite::index::SqliteIndex};

/// What all handles on one directory share, and what keeps the process's seat.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) layout: Layout,
    pub(super) settings: Settings,
    pub(super) options: OpenOptions,
    pub(super) index: SqliteIndex,
    pub(super) store: FsBlobStore,
    pub(super) writing: Option<Writing>,
    pub(super) seat: Option<Arc<Seat>>,
    pub(super) process: u32,
    pub(super) engine: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
}

/// What only those have who write.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) room: Arc<Room>,
    pub(super) upkeep: Arc<Upkeep>,
}

impl Parts {
    pub(super) fn identity(&self) -> Identity {
        self.index.identity()
    }
}

/// Knows no process: where nothing is written, nobody's uploads go on.
#[derive(Debug)]
pub(super) struct Nobody;

impl Holders for Nobody {
    fn is_alive(&self, _holder: &Holder) -> bool {
        false
    }
}
