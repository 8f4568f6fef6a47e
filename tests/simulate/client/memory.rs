//! What a client remembers, whatever becomes of the process that it talks to.

use std::sync::Arc;

use artifact_core::{BootTime, PackageRef, Principal, UploadId};
use parking_lot::Mutex;

use crate::chance::Chance;

/// The number of the client that checks everything in the end.
pub(crate) const AUDITOR: u64 = 99;

/// What a client remembers, whatever becomes of the process that it talks to.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) number: u64,
    pub(crate) principal: Principal,
    pub(crate) chance: Chance,
    /// For what only some worlds have.
    pub(crate) rare: Chance,
    /// How much it is still going to ask.
    pub(crate) left: Mutex<u32>,
    pub(crate) asked: Mutex<u64>,
    pub(crate) uploads: Mutex<Vec<Pending>>,
}

/// An upload that a client has begun.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) package: PackageRef,
    pub(crate) id: UploadId,
    pub(crate) blob: usize,
    pub(crate) offset: u64,
    /// When that was asked for.
    pub(crate) at: BootTime,
    /// Whether nobody can say where it stands: it may be over, or have fallen back.
    pub(crate) doubtful: bool,
    /// Whether it may have gone on since.
    pub(crate) went_on: bool,
}

impl Memory {
    pub(crate) fn new(seed: u64, number: u64, left: u32) -> Arc<Self> {
        let principal = match number {
            0 | AUDITOR => Principal::Embedder,
            _ => Principal::User(format!("user{number}").parse().unwrap()),
        };
        Arc::new(Self {
            number,
            principal,
            chance: Chance::new(seed, 100 + number),
            rare: Chance::new(seed, 300 + number),
            left: Mutex::new(left),
            asked: Mutex::new(0),
            uploads: Mutex::default(),
        })
    }

    /// Says that a power cut may have taken back where uploads stand.
    pub(crate) fn doubt_uploads(&self) {
        for pending in self.uploads.lock().iter_mut() {
            pending.doubtful = true;
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        *self.left.lock() == 0
    }
}
