//! What the engine tells of every access, counted.

use std::{fmt, sync::Arc};

use artifact_core::{Access, Observer};

use super::recorder::Metrics;

/// Counts every access to a registry; give it to the registry among its observers.
#[derive(Clone)]
pub struct AccessMetrics(Arc<Metrics>);

impl AccessMetrics {
    /// Returns the observer that counts in these metrics.
    pub const fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl Observer for AccessMetrics {
    fn observe(&self, access: &Access<'_>) {
        self.0.accesses.count(access.action, access.outcome);
    }
}

impl fmt::Debug for AccessMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessMetrics")
    }
}
