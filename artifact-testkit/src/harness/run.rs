//! Runs one case.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    time::{Duration, Instant},
};

use super::{clause::Clause, focus::Focus};

/// How long a case may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a case panics with when a backend breaks a clause; by then it has printed which, and how that showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Broken {
    /// The clause: that of the case, or one that every case checks beside its own.
    pub clause: Clause,
}

/// Runs a case to its end on a runtime of its own.
///
/// # Panics
/// When the case does, with [`Broken`] after the clause was printed in words; and when it takes longer
/// than it may.
pub(crate) fn run(subject: &str, case: &str, focus: &Focus, body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let ran = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let ended = tokio::time::timeout(PATIENCE, pin!(body)).await;
            assert!(ended.is_ok(), "the case did not end within {PATIENCE:?}");
        });
    }));
    let Err(why) = ran else { return };
    let Some(clause) = focus.clause() else {
        resume_unwind(why)
    };
    let Clause { number, words } = clause;
    eprintln!("`{subject}` breaks {number}, as `{case}` shows: {words}");
    resume_unwind(Box::new(Broken { clause }));
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
