//! What must hold after any fault, asked of the program itself.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;

use super::task::{State, Task};
use crate::support::{bench::Bench, run::Run, tree};

/// Says whether an artifact is there, with every byte of a directory beside it.
///
/// # Panics
///
/// Where it is there in part.
#[track_caller]
pub(crate) fn holds(bench: &Bench, reference: &str, directory: &str) -> bool {
    held(bench, reference, &[directory]).is_some()
}

/// Returns which of some directories an artifact is; none where it is not there.
#[track_caller]
pub(crate) fn held<'a>(bench: &Bench, reference: &str, among: &[&'a str]) -> Option<&'a str> {
    let pulled = bench.path("pulled");
    let run = bench.run(["pull", reference, "pulled"]);
    if run.code == 3 {
        assert!(
            !pulled.exists(),
            "what is not there left something: {run:#?}"
        );
        return None;
    }
    assert_eq!(
        run.code, 0,
        "{reference} is there in part (I2, I4): {run:#?}"
    );
    let found = tree::contents(&pulled);
    fs::remove_dir_all(pulled).unwrap();
    let same = among
        .iter()
        .find(|name| tree::contents(&bench.path(name)) == found);
    Some(same.unwrap_or_else(|| panic!("{reference} has other bytes than were pushed (I3)")))
}

/// Opens the registry without help (I24). Returns how long that took.
#[track_caller]
pub(crate) fn opened(bench: &Bench) -> Duration {
    let begun = Instant::now();
    let run = bench.run(["ls", "team/kept", "--json"]);
    let recovered = begun.elapsed();
    assert_eq!(run.code, 0, "it is not opened without help (I24): {run:#?}");
    recovered
}

/// Opens the registry without help, and checks that all of it is whole and that what nothing may take
/// is there (I1, I2, I3, I24). Returns how long the first command took.
#[track_caller]
pub(crate) fn whole(bench: &Bench) -> Duration {
    let recovered = opened(bench);
    let run = bench.run(["fsck", "--json"]);
    assert_eq!(run.code, 0, "it is not whole: {run:#?}");
    let checked = run.document();
    for part in ["index", "journal", "corrupt"] {
        assert_eq!(checked[part], json!([]), "{part}: {checked}");
    }
    assert!(
        holds(bench, "team/kept:1", "kept"),
        "it was acknowledged (I1)"
    );
    assert!(
        holds(bench, "team/kept:few", "few"),
        "it was acknowledged (I1)"
    );
    recovered
}

/// Checks a registry whose disk lost what it said was synced: whatever is given out is right, and what cannot be
/// given out is an error that says so (I3).
#[track_caller]
pub(crate) fn honest(bench: &Bench) {
    for (reference, directory) in [("team/kept:1", "kept"), ("team/kept:few", "few")] {
        let run = bench.run(["pull", reference, "pulled"]);
        assert!(!run.err.contains("panicked"), "{run:#?}");
        let pulled = bench.path("pulled");
        if run.code == 0 {
            let found = tree::contents(&pulled);
            assert_eq!(
                found,
                tree::contents(&bench.path(directory)),
                "a false success (I3)"
            );
        } else {
            assert!(run.err.contains("error: "), "it does not say why: {run:#?}");
        }
        // What is there of one that failed is no success.
        let _absent = fs::remove_dir_all(pulled);
    }
    let run = bench.run(["fsck"]);
    assert!(!run.err.contains("panicked"), "{run:#?}");
    assert!(run.code == 0 || run.err.contains("error: "), "{run:#?}");
}

/// Checks what a task that met a fault left, and that it is done when it is done again. Returns how long
/// the first command took.
#[track_caller]
pub(crate) fn after(bench: &Bench, task: &Task, command: &[String], met: &Run) -> Duration {
    // Who was told of a success counts on it, whatever came after that.
    let acknowledged = met.code == 0 || !met.out.is_empty();
    let recovered = whole(bench);
    let state = (task.state)(bench);
    if acknowledged {
        assert_ne!(
            state,
            State::Before,
            "it was acknowledged, and is gone (I1): {met:#?}"
        );
    }
    let again = bench.run(command);
    assert!(
        again.code == 0 || (state == State::After && task.is_said_to_be_done(&again)),
        "the next try does not succeed: {again:#?} after {met:#?}"
    );
    assert_eq!((task.state)(bench), State::After, "done again: {again:#?}");
    leaves_nothing(bench);
    recovered
}

/// Checks that a collection and a scrub find what was left half done, and leave nothing of it (I9).
#[track_caller]
pub(crate) fn leaves_nothing(bench: &Bench) {
    bench.ok(["gc"]);
    let staged = tree::names(&bench.path("registry/staging"));
    assert_eq!(
        staged, [""; 0],
        "what a dead process staged is still there (I9)"
    );
    let checked = bench.json(["fsck"]);
    assert_eq!(
        checked["leaked"], 0,
        "nobody knows of it still (I9): {checked}"
    );
}

/// Says whether there is a registry in a directory; where there is, it is whole.
#[track_caller]
pub(crate) fn whole_at(bench: &Bench, name: &str) -> bool {
    let run = bench.run(["fsck", name, "--json"]);
    if run.code == 3 {
        return false;
    }
    assert_eq!(run.code, 0, "{name} is there in part: {run:#?}");
    true
}
