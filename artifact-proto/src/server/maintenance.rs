//! Maintenance: what a served registry does by itself.

use std::{sync::Arc, time::Duration};

use artifact_core::{
    CollectOptions, Error, ErrorKind, Principal, Registry, RequestContext, ScrubOptions, Session,
    story,
};

use crate::metrics::{Metrics, Task};

/// How often a served registry looks after itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MaintenanceOptions {
    /// How long after one collection the next begins.
    pub collect_every: Duration,
    /// How long after one scrub the next begins. A scrub hashes what has not been hashed for the
    /// registry's scrub interval; with this it is spread over that interval.
    pub scrub_every: Duration,
}

impl Default for MaintenanceOptions {
    fn default() -> Self {
        Self {
            collect_every: Duration::from_secs(15 * 60),
            scrub_every: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// Collects and scrubs a registry again and again, until it is dropped. Of the processes that serve
/// one registry, one collects at a time: the engine sees to that by a claim.
pub async fn maintain(registry: Registry, options: MaintenanceOptions, metrics: Arc<Metrics>) {
    let session = registry.session(Principal::System, RequestContext::default());
    let clock = Arc::clone(&registry.parts().clock);
    let collecting = async {
        loop {
            clock.sleep(options.collect_every).await;
            collect(&session, &metrics).await;
        }
    };
    let scrubbing = async {
        loop {
            clock.sleep(options.scrub_every).await;
            scrub(&session, &metrics).await;
        }
    };
    futures::future::join(collecting, scrubbing).await;
}

async fn collect(session: &Session, metrics: &Metrics) {
    match session.collect(&CollectOptions::default()).await {
        Ok(collected) if collected.busy => metrics.maintained(Task::Collect, "busy"),
        Ok(collected) => {
            metrics.maintained(Task::Collect, "done");
            metrics.maintained_bytes(Task::Collect, collected.freed, collected.freed_bytes);
            metrics.waiting_bytes(collected.waiting_bytes);
            tracing::info!(
                blobs = collected.blobs,
                freed = collected.freed,
                freed_bytes = collected.freed_bytes,
                waiting = collected.waiting,
                "collected",
            );
        }
        Err(error) => failed(Task::Collect, &error, metrics),
    }
}

async fn scrub(session: &Session, metrics: &Metrics) {
    match session.scrub(ScrubOptions::default(), |_progress| {}).await {
        Ok(scrubbed) => {
            metrics.maintained(Task::Scrub, "done");
            metrics.maintained_bytes(Task::Scrub, scrubbed.blobs, scrubbed.bytes);
            metrics.corrupt(scrubbed.corrupt.len());
            for digest in &scrubbed.corrupt {
                tracing::error!(%digest, "stored bytes are corrupt");
            }
            for what in &scrubbed.unreadable {
                tracing::error!(what, "a part of the store cannot be read");
            }
            tracing::info!(
                blobs = scrubbed.blobs,
                bytes = scrubbed.bytes,
                corrupt = scrubbed.corrupt.len(),
                leaked = scrubbed.leaked,
                "scrubbed",
            );
        }
        Err(error) => failed(Task::Scrub, &error, metrics),
    }
}

fn failed(task: Task, error: &Error, metrics: &Metrics) {
    if error.kind() == ErrorKind::ReadOnly {
        metrics.maintained(task, "read_only");
        return;
    }
    metrics.maintained(task, "failed");
    tracing::error!(task = task.name(), error = %story(error), "maintenance failed");
}
