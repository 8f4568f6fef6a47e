//! The watch on one connection: who is too slow, and who does nothing (A61).

use artifact_core::guard;
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::limits::ServerLimits;
use crate::metrics::Ended;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    read: AtomicU64,
    written: AtomicU64,
    phase: Mutex<Phase>,
    meters: Mutex<Vec<Weak<Meter>>>,
    evict: Notify,
}

#[derive(Debug)]
struct Phase {
    /// How many requests are being answered.
    requests: usize,
    /// Whether none was yet.
    fresh: bool,
    /// Since when none is.
    since: Instant,
    /// How many bytes had come then.
    read: u64,
    /// Since when the head of the next one comes.
    head: Option<Instant>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            read: AtomicU64::new(0),
            written: AtomicU64::new(0),
            phase: Mutex::new(Phase {
                requests: 0,
                fresh: true,
                since: Instant::now(),
                read: 0,
                head: None,
            }),
            meters: Mutex::default(),
            evict: Notify::new(),
        }
    }

    pub(super) fn count_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Notes that a request is being answered, until what is returned is dropped.
    pub(super) fn request(self: &Arc<Self>) -> Answering {
        let mut phase = self.phase.lock();
        phase.requests += 1;
        phase.fresh = false;
        phase.head = None;
        Answering(Arc::clone(self))
    }

    /// Returns a meter for one body.
    pub(super) fn meter(self: &Arc<Self>, by_connection: bool) -> Arc<Meter> {
        let meter = Arc::new(Meter {
            watch: by_connection.then(|| Arc::clone(self)),
            window: Mutex::default(),
        });
        let mut meters = self.meters.lock();
        meters.retain(|meter| meter.strong_count() > 0);
        meters.push(Arc::downgrade(&meter));
        meter
    }

    /// Returns since when nothing is asked for on the connection, if that is so.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let phase = self.phase.lock();
        (phase.requests == 0).then_some(phase.since)
    }

    /// Ends the connection, to make room for another.
    pub(super) fn evict(&self) {
        self.evict.notify_one();
    }

    /// Waits until the connection is to make room.
    pub(super) async fn evicted(&self) {
        self.evict.notified().await;
    }

    /// Returns why the connection is to be ended now, if it is. It is asked about once a second.
    pub(super) fn verdict(&self, limits: &ServerLimits) -> Option<Ended> {
        let now = Instant::now();
        let mut phase = self.phase.lock();
        if phase.requests > 0 {
            drop(phase);
            return (guard!(533) && self.slow(now, limits)).then_some(Ended::Slow);
        }
        let waited = now.duration_since(phase.since);
        if self.read.load(Ordering::Relaxed) == phase.read {
            let limit = if phase.fresh {
                limits.head
            } else {
                limits.idle
            };
            return (guard!(534) && waited > limit).then_some(Ended::Idle);
        }
        let head = *phase.head.get_or_insert(now);
        (guard!(535) && now.duration_since(head) > limits.head).then_some(Ended::Head)
    }

    fn slow(&self, now: Instant, limits: &ServerLimits) -> bool {
        let meters: Vec<_> = self
            .meters
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        meters.iter().any(|meter| meter.is_slow(now, limits))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Watch>);

impl Drop for Answering {
    fn drop(&mut self) {
        let mut phase = self.0.phase.lock();
        phase.requests -= 1;
        if phase.requests == 0 {
            phase.since = Instant::now();
            phase.read = self.0.read.load(Ordering::Relaxed);
        }
    }
}

/// How fast a client sends or takes one body: bytes over the time for which it is waited for.
#[derive(Debug)]
pub(super) struct Meter {
    /// Counts what the connection writes, where a body is alone on it: pieces of a body are large,
    /// and what is written of them shows a slow client sooner than the next piece does.
    watch: Option<Arc<Watch>>,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    bytes: u64,
    written: u64,
    waited: Duration,
    since: Option<Instant>,
}

impl Meter {
    /// Notes that the client is waited for.
    pub(super) fn wait(&self) {
        self.window.lock().since.get_or_insert_with(Instant::now);
    }

    /// Notes that the client is not waited for any more.
    pub(super) fn go_on(&self) {
        let mut window = self.window.lock();
        if let Some(since) = window.since.take() {
            window.waited += since.elapsed();
        }
    }

    /// Notes that bytes were sent or taken.
    pub(super) fn count(&self, bytes: usize) {
        self.window.lock().bytes += bytes as u64;
    }

    fn is_slow(&self, now: Instant, limits: &ServerLimits) -> bool {
        let written = self.watch.as_ref().map_or(0, |watch| watch.written());
        let mut window = self.window.lock();
        let waiting = window
            .since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        if window.waited + waiting < limits.window {
            return false;
        }
        let bytes = window.bytes.max(written - window.written.min(written));
        *window = Window {
            written,
            since: window.since.map(|_| now),
            ..Window::default()
        };
        bytes < limits.least()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn watch() -> (Arc<Watch>, ServerLimits) {
        (Arc::new(Watch::new()), ServerLimits::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a61_a_connection_that_asks_nothing_ends() {
        let (watch, limits) = watch();
        advance(limits.head).await;
        assert_eq!(watch.verdict(&limits), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(
            watch.verdict(&limits),
            Some(Ended::Idle),
            "a fresh one soon"
        );
        drop(watch.request());
        advance(limits.idle).await;
        assert_eq!(watch.verdict(&limits), None, "one that asked before later");
        advance(Duration::from_secs(1)).await;
        assert_eq!(watch.verdict(&limits), Some(Ended::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn a61_a_head_that_trickles_ends() {
        let (watch, limits) = watch();
        for _ in 0..limits.head.as_secs() {
            watch.count_read(1);
            assert_eq!(watch.verdict(&limits), None);
            advance(Duration::from_secs(1)).await;
        }
        watch.count_read(1);
        assert_eq!(watch.verdict(&limits), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(watch.verdict(&limits), Some(Ended::Head));
    }

    #[tokio::test(start_paused = true)]
    async fn a61_a_body_that_trickles_ends_and_a_slow_server_does_not() {
        let (watch, limits) = watch();
        let _answering = watch.request();
        let meter = watch.meter(false);
        advance(limits.window * 10).await;
        assert_eq!(watch.verdict(&limits), None, "the client is not waited for");
        for _ in 0..limits.window.as_secs() {
            meter.wait();
            advance(Duration::from_secs(1)).await;
            meter.go_on();
            meter.count(1_000);
        }
        assert_eq!(watch.verdict(&limits), Some(Ended::Slow));
    }

    #[tokio::test(start_paused = true)]
    async fn a61_who_was_fast_once_may_not_trickle_for_ever() {
        let (watch, limits) = watch();
        let _answering = watch.request();
        let meter = watch.meter(false);
        meter.count(1 << 30);
        meter.wait();
        advance(limits.window).await;
        assert_eq!(watch.verdict(&limits), None);
        advance(limits.window).await;
        assert_eq!(watch.verdict(&limits), Some(Ended::Slow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_large_piece_slowly_but_steadily_goes_on() {
        let (watch, limits) = watch();
        let _answering = watch.request();
        let meter = watch.meter(true);
        meter.count(1 << 20);
        meter.wait();
        for _ in 0..10 {
            advance(limits.window).await;
            watch.count_written(usize::try_from(limits.least()).unwrap());
            assert_eq!(watch.verdict(&limits), None);
        }
    }
}
