//! What counts.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use artifact_core::{Action, ErrorKind};
use http::{Method, StatusCode};
use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Metric, Registry},
};

use super::table::{self, MetricSpec};
use crate::pool::TransferPool;

/// A word of this program, as the value of a label.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    endpoint: Word,
    method: Word,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct EndpointLabels {
    endpoint: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReasonLabels {
    reason: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ResultLabels {
    result: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TransportLabels {
    transport: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TaskLabels {
    task: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RunLabels {
    task: Word,
    result: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct AccessLabels {
    action: Word,
    outcome: Word,
}

/// How a check of a password ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Login {
    /// It was right.
    Accepted,
    /// Too many were being checked.
    Crowded,
    /// It was wrong, or the user is not there.
    Refused,
}

/// Why the server ended a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// There were as many connections as there may be.
    Full,
    /// No request came.
    Idle,
    /// The head of a request was malformed, or took too long.
    Head,
    /// A body came, or was taken, too slowly.
    Slow,
    /// TLS was not agreed on.
    Tls,
}

/// How a connection came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Transport {
    /// In plain.
    Plain,
    /// By TLS.
    Tls,
}

/// What the registry does by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Task {
    /// Free what nothing wants.
    Collect,
    /// Hash what is stored.
    Scrub,
}

impl Task {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Scrub => "scrub",
        }
    }
}

#[derive(Clone)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.000_25, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0,
        ])
    }
}

/// All metrics of one server. Nothing of it is global.
pub struct Metrics {
    registry: Mutex<Registry>,
    pub(crate) accesses: Accesses,
    connections: Gauge,
    connections_accepted: Family<TransportLabels, Counter>,
    connections_ended: Family<ReasonLabels, Counter>,
    logins: Family<ResultLabels, Counter>,
    maintenance_blobs: Family<TaskLabels, Counter>,
    maintenance_bytes: Family<TaskLabels, Counter>,
    maintenance_corrupt: Gauge,
    maintenance_runs: Family<RunLabels, Counter>,
    maintenance_waiting: Gauge,
    pool_lent: Gauge,
    pool_size: Gauge,
    read_only: Gauge,
    requests: Family<RequestLabels, Counter>,
    requests_in_flight: Gauge,
    request_bytes: Family<EndpointLabels, Counter>,
    request_seconds: Family<EndpointLabels, Histogram, Buckets>,
    response_bytes: Family<EndpointLabels, Counter>,
    tokens: Counter,
    transfers: Gauge,
    transfers_waiting: Gauge,
}

/// Registers a metric under its line of the table.
fn register<M: Metric + Clone>(registry: &mut Registry, spec: &MetricSpec, metric: M) -> M {
    // A counter's `_total` is put there by the format.
    let name = spec.name.strip_suffix("_total").unwrap_or(spec.name);
    registry.register(name, spec.help, metric.clone());
    metric
}

impl Metrics {
    /// Returns metrics that stand at nothing.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let r = &mut registry;
        Self {
            accesses: Accesses(register(r, &table::ACCESSES, Family::default())),
            connections: register(r, &table::CONNECTIONS, Gauge::default()),
            connections_accepted: register(r, &table::CONNECTIONS_ACCEPTED, Family::default()),
            connections_ended: register(r, &table::CONNECTIONS_ENDED, Family::default()),
            logins: register(r, &table::LOGINS, Family::default()),
            maintenance_blobs: register(r, &table::MAINTENANCE_BLOBS, Family::default()),
            maintenance_bytes: register(r, &table::MAINTENANCE_BYTES, Family::default()),
            maintenance_corrupt: register(r, &table::MAINTENANCE_CORRUPT, Gauge::default()),
            maintenance_runs: register(r, &table::MAINTENANCE_RUNS, Family::default()),
            maintenance_waiting: register(r, &table::MAINTENANCE_WAITING, Gauge::default()),
            pool_lent: register(r, &table::POOL_LENT, Gauge::default()),
            pool_size: register(r, &table::POOL_SIZE, Gauge::default()),
            read_only: register(r, &table::READ_ONLY, Gauge::default()),
            requests: register(r, &table::REQUESTS, Family::default()),
            requests_in_flight: register(r, &table::REQUESTS_IN_FLIGHT, Gauge::default()),
            request_bytes: register(r, &table::REQUEST_BYTES, Family::default()),
            request_seconds: register(
                r,
                &table::REQUEST_SECONDS,
                Family::new_with_constructor(Buckets),
            ),
            response_bytes: register(r, &table::RESPONSE_BYTES, Family::default()),
            tokens: register(r, &table::TOKENS, Counter::default()),
            transfers: register(r, &table::TRANSFERS, Gauge::default()),
            transfers_waiting: register(r, &table::TRANSFERS_WAITING, Gauge::default()),
            registry: Mutex::new(registry),
        }
    }

    /// Returns all metrics in the text format of `OpenMetrics`.
    pub fn expose(&self, pool: &TransferPool, read_only: bool) -> String {
        let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.pool_size.set(size(pool.size()));
        self.pool_lent.set(size(pool.lent()));
        self.transfers.set(size(pool.transfers()));
        self.transfers_waiting.set(size(pool.waiting()));
        self.read_only.set(i64::from(read_only));
        let mut text = String::new();
        match encode(&mut text, &self.registry.lock()) {
            Ok(()) => text,
            Err(fmt::Error) => String::from("# EOF\n"),
        }
    }

    pub(crate) fn login(&self, login: Login) {
        let result = Word(match login {
            Login::Accepted => "accepted",
            Login::Crowded => "crowded",
            Login::Refused => "refused",
        });
        self.logins.get_or_create(&ResultLabels { result }).inc();
    }

    pub(crate) fn token(&self) {
        self.tokens.inc();
    }

    pub(crate) fn connection_opened(&self, transport: Transport) {
        let transport = Word(match transport {
            Transport::Plain => "plain",
            Transport::Tls => "tls",
        });
        self.connections.inc();
        self.connections_accepted
            .get_or_create(&TransportLabels { transport })
            .inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
    }

    pub(crate) fn connection_ended(&self, ended: Ended) {
        let reason = Word(match ended {
            Ended::Full => "full",
            Ended::Head => "head",
            Ended::Idle => "idle",
            Ended::Slow => "slow",
            Ended::Tls => "tls",
        });
        self.connections_ended
            .get_or_create(&ReasonLabels { reason })
            .inc();
    }

    pub(crate) fn request_began(&self) {
        self.requests_in_flight.inc();
    }

    pub(crate) fn request_ended(&self, request: &RequestSummary<'_>) {
        self.requests_in_flight.dec();
        let endpoint = Word(request.endpoint);
        let labels = EndpointLabels { endpoint };
        self.requests
            .get_or_create(&RequestLabels {
                endpoint,
                method: Word(method_word(request.method)),
                status: request.status.as_u16(),
            })
            .inc();
        self.request_seconds
            .get_or_create(&labels)
            .observe(request.duration.as_secs_f64());
        if request.received > 0 {
            self.request_bytes
                .get_or_create(&labels)
                .inc_by(request.received);
        }
        if request.sent > 0 {
            self.response_bytes
                .get_or_create(&labels)
                .inc_by(request.sent);
        }
    }

    pub(crate) fn maintained(&self, task: Task, result: &'static str) {
        let (task, result) = (Word(task.name()), Word(result));
        self.maintenance_runs
            .get_or_create(&RunLabels { task, result })
            .inc();
    }

    pub(crate) fn maintained_bytes(&self, task: Task, blobs: u64, bytes: u64) {
        let labels = TaskLabels {
            task: Word(task.name()),
        };
        self.maintenance_blobs.get_or_create(&labels).inc_by(blobs);
        self.maintenance_bytes.get_or_create(&labels).inc_by(bytes);
    }

    pub(crate) fn waiting_bytes(&self, bytes: u64) {
        self.maintenance_waiting
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn corrupt(&self, contents: usize) {
        self.maintenance_corrupt
            .set(i64::try_from(contents).unwrap_or(i64::MAX));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What is counted of a request that has ended.
#[derive(Debug)]
pub(crate) struct RequestSummary<'a> {
    pub(crate) endpoint: &'static str,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// Returns the method as a label: those that nothing answers to are one (A57).
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Counts what is asked of the registry.
#[derive(Clone, Debug)]
pub(crate) struct Accesses(Family<AccessLabels, Counter<u64, AtomicU64>>);

impl Accesses {
    pub(crate) fn count(&self, action: Action, outcome: Result<(), ErrorKind>) {
        let labels = AccessLabels {
            action: Word(action_word(action)),
            outcome: Word(outcome.map_or_else(kind_word, |()| "allowed")),
        };
        self.0.get_or_create(&labels).inc();
    }
}

const fn action_word(action: Action) -> &'static str {
    match action {
        Action::Administer => "administer",
        Action::Create => "create",
        Action::Delete => "delete",
        Action::Operate => "operate",
        Action::Overwrite => "overwrite",
        Action::Read => "read",
        _ => "other",
    }
}

const fn kind_word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "denied",
        ErrorKind::NotFound => "hidden",
        ErrorKind::ReadOnly => "read_only",
        ErrorKind::Unauthenticated => "unauthenticated",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::table::{METRICS, MetricKind},
        *,
    };

    fn used() -> Metrics {
        let metrics = Metrics::new();
        for login in [Login::Accepted, Login::Crowded, Login::Refused] {
            metrics.login(login);
        }
        for ended in [
            Ended::Full,
            Ended::Head,
            Ended::Idle,
            Ended::Slow,
            Ended::Tls,
        ] {
            metrics.connection_ended(ended);
        }
        metrics.token();
        metrics.connection_opened(Transport::Tls);
        metrics.request_began();
        metrics.request_ended(&RequestSummary {
            endpoint: "oci_tags",
            method: &Method::GET,
            status: StatusCode::OK,
            duration: Duration::from_millis(3),
            received: 1,
            sent: 2,
        });
        metrics.maintained(Task::Collect, "done");
        metrics.maintained_bytes(Task::Scrub, 1, 2);
        metrics
            .accesses
            .count(Action::Read, Err(ErrorKind::NotFound));
        metrics
    }

    /// What is scraped is what the table says, and all of it.
    #[test]
    fn the_table_and_the_scrape_are_the_same() {
        let text = used().expose(&TransferPool::default(), false);
        for metric in METRICS {
            let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
            let sample = match metric.kind {
                MetricKind::Histogram => format!("{name}_count"),
                _ => metric.name.to_owned(),
            };
            let line = text
                .lines()
                .find(|line| line.starts_with(&sample))
                .expect(&sample);
            for label in metric.labels {
                assert!(line.contains(&format!("{label}=\"")), "{line}");
            }
        }
        let types = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .count();
        assert_eq!(types, METRICS.len());
        assert!(text.ends_with("# EOF\n"));
    }

    /// A57: strange methods are one series.
    #[test]
    fn a57_strange_methods_are_one() {
        for method in ["OPTIONS", "FOO", "BAR"] {
            assert_eq!(
                method_word(&Method::from_bytes(method.as_bytes()).unwrap()),
                "other"
            );
        }
    }
}
