//! The names of all metrics, in one table. `docs/metrics.md` is made from it.

use std::fmt::Write as _;

/// What a metric counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only rises.
    Counter,
    /// It rises and falls.
    Gauge,
    /// How many there were of each size.
    Histogram,
}

impl MetricKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric. Its labels have few values, all of them words of this program: no name of a package,
/// a user or a file is ever one (I27, A57).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricSpec {
    /// Its name, as it is scraped.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $constant: MetricSpec = MetricSpec {
            name: $name,
            kind: MetricKind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// Every metric there is.
        pub const METRICS: &[MetricSpec] = &[$($constant),*];
    };
}

metrics! {
    ACCESSES = Counter "artifact_accesses_total" ["action", "outcome"]
        "What was asked of the registry, and how it was decided and ended";
    CONNECTIONS = Gauge "artifact_connections" []
        "Connections that are open";
    CONNECTIONS_ACCEPTED = Counter "artifact_connections_accepted_total" ["transport"]
        "Connections that were accepted";
    CONNECTIONS_ENDED = Counter "artifact_connections_ended_early_total" ["reason"]
        "Connections that the server ended before their client did";
    LOGINS = Counter "artifact_logins_total" ["result"]
        "Names with passwords that were checked";
    MAINTENANCE_BLOBS = Counter "artifact_maintenance_blobs_total" ["task"]
        "Blobs that were collected, and blobs that were hashed by the scrub";
    MAINTENANCE_BYTES = Counter "artifact_maintenance_bytes_total" ["task"]
        "Bytes that were freed by the collector, and bytes that were hashed by the scrub";
    MAINTENANCE_CORRUPT = Gauge "artifact_maintenance_corrupt" []
        "Contents whose stored bytes the last scrub found wrong";
    MAINTENANCE_RUNS = Counter "artifact_maintenance_runs_total" ["task", "result"]
        "Runs of the collector and the scrub";
    MAINTENANCE_WAITING = Gauge "artifact_maintenance_waiting_bytes" []
        "Bytes of dead blobs that wait to be freed";
    POOL_LENT = Gauge "artifact_transfer_pool_lent_bytes" []
        "Memory that transfers have borrowed";
    POOL_SIZE = Gauge "artifact_transfer_pool_bytes" []
        "Memory that transfers share";
    READ_ONLY = Gauge "artifact_read_only" []
        "1 while the registry takes no writes";
    REQUESTS = Counter "artifact_requests_total" ["endpoint", "method", "status"]
        "Requests that were answered";
    REQUESTS_IN_FLIGHT = Gauge "artifact_requests_in_flight" []
        "Requests that are being answered";
    REQUEST_BYTES = Counter "artifact_request_bytes_total" ["endpoint"]
        "Bytes of the bodies of requests";
    REQUEST_SECONDS = Histogram "artifact_request_seconds" ["endpoint"]
        "Time from the head of a request to the last byte of its answer";
    RESPONSE_BYTES = Counter "artifact_response_bytes_total" ["endpoint"]
        "Bytes of the bodies of answers";
    TOKENS = Counter "artifact_tokens_total" []
        "Tokens that were given out";
    TRANSFERS = Gauge "artifact_transfers" []
        "Transfers of blobs that are under way";
    TRANSFERS_WAITING = Gauge "artifact_transfers_waiting" []
        "Transfers that wait for memory";
}

/// Returns `docs/metrics.md`.
pub fn metrics_document() -> String {
    let mut text = String::from(
        "# Metrics\n\
         \n\
         `artifact serve` shows these at `/metrics`, in the text format of OpenMetrics. This list is made from\n\
         the table in `artifact-proto/src/metrics/table.rs`; a test compares the two.\n\
         \n\
         The values of labels are words of the program: no name of a repository, package, tag, user or file\n\
         stands in any of them.\n\
         \n\
         | name | kind | labels | what it tells |\n\
         | --- | --- | --- | --- |\n",
    );
    for metric in METRICS {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let _infallible = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.word(),
            labels.join(", "),
            metric.help
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_say_what_they_are() {
        let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        for metric in METRICS {
            assert!(metric.name.starts_with("artifact_"), "{}", metric.name);
            let total = metric.name.ends_with("_total");
            assert_eq!(total, metric.kind == MetricKind::Counter, "{}", metric.name);
            assert!(!metric.help.ends_with('.'), "{}", metric.help);
            assert_eq!(names.iter().filter(|name| **name == metric.name).count(), 1);
        }
    }

    /// `ARTIFACT_WRITE_DOCS=1 cargo test` writes the document instead of comparing it.
    #[test]
    fn the_document_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        if std::env::var_os("ARTIFACT_WRITE_DOCS").is_some() {
            std::fs::write(path, metrics_document()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            written,
            metrics_document(),
            "run this test with ARTIFACT_WRITE_DOCS=1"
        );
    }
}
