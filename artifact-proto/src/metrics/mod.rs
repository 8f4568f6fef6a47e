//! Metrics: counted here, scraped by Prometheus.

mod observer;
mod recorder;
mod table;

pub use observer::AccessMetrics;
pub(crate) use recorder::RequestSummary;
pub use recorder::{Ended, Login, Metrics, Task, Transport};
pub use table::{METRICS, MetricKind, MetricSpec, metrics_document};
