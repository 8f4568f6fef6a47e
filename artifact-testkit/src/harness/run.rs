//! Runs one case.

use std::{
    pin::pin,
    thread,
    time::{Duration, Instant},
};

use super::clause::clause_of;

/// How long a case may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// Prints the clause in words when the case panics.
struct Told<'a> {
    subject: &'a str,
    case: &'a str,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let Self { subject, case } = self;
        if let Some(clause) = clause_of(case) {
            let (number, words) = (clause.number, clause.words);
            eprintln!("`{subject}` breaks {number}, which `{case}` checks: {words}");
        }
    }
}

/// Runs a case to its end on a runtime of its own.
///
/// # Panics
/// When the case does, and when it takes longer than it may.
pub(crate) fn run(subject: &str, case: &str, body: impl Future<Output = ()>) {
    let _told = Told { subject, case };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let ended = tokio::time::timeout(PATIENCE, pin!(body)).await;
        assert!(ended.is_ok(), "the case did not end within {PATIENCE:?}");
    });
}

/// Waits until `holds` says yes, or too long.
///
/// # Panics
/// When it takes longer than ten seconds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{what}: not within ten seconds"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
