//! What this process remembers to have hashed.

use std::collections::HashMap;

use crate::model::{id::BlobKey, time::BootTime};

/// Which blobs without a stamp this process has hashed, and when.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    pub(crate) hashed: HashMap<BlobKey, BootTime>,
}

/// No more blobs without a stamp are remembered than this; then it begins anew.
pub(crate) const REMEMBERED: usize = 100_000;
