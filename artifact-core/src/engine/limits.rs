//! What the engine bounds, and by how much.

use std::time::Duration;

/// The bounds and times of a registry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Blobs up to this many bytes are kept in the index itself; at most 64 KiB.
    pub inline_max: usize,
    /// How long a blob that no manifest names is kept.
    pub lease: Duration,
    /// How long an upload is kept that nobody goes on with.
    pub upload_idle: Duration,
    /// How long a stamp is trusted after its bytes were hashed.
    pub scrub_interval: Duration,
    /// The largest blob that is taken, in bytes.
    pub blob_max: Option<u64>,
    /// How many bytes an upload of unknown size reserves at a time, and after how many its progress
    /// is recorded.
    pub step: u64,
    /// A collection stops when it would remove more than this many blobs and more than half of all
    /// bytes, unless told otherwise.
    pub mass_delete: u64,
    /// The most manifests that an artifact has which is copied or brought back, with all below it.
    pub manifests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inline_max: 4 << 10,
            lease: Duration::from_secs(24 * 60 * 60),
            upload_idle: Duration::from_secs(60 * 60),
            scrub_interval: Duration::from_secs(30 * 24 * 60 * 60),
            blob_max: None,
            step: 64 << 20,
            mass_delete: 1_000,
            manifests: 100_000,
        }
    }
}

/// Returns the milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
