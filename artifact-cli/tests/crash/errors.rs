//! A disk that fails, and one that is full, at each write and each sync (F6, F7, F8: I1, I14, I21).

use std::fs;

use super::{
    ground::Ground,
    oracle,
    share::Share,
    tally::Tally,
    task::Task,
    tasks,
    tracer::{Action, Fault, Tracer, WHAT_NEEDS_ROOM, WRITES_AND_SYNCS, in_memory},
};
use crate::support::bench::Bench;

/// How many calls of a task are a sample.
const SOME: u64 = 3;
/// The code of a failure of the system.
const FAILED: i32 = 1;
/// The code of what cannot be done now.
const UNAVAILABLE: i32 = 7;
/// The code of no room.
const NO_ROOM: i32 = 8;

/// Does a task in which one call fails, once for each call.
fn failed(task: &Task, kinds: &'static str, action: Action, codes: &[i32]) {
    let (ground, tracer) = (Ground::of(task), Tracer::new());
    let bench = &ground.bench;
    let mut tally = Tally::of(format!("{} {action:?}", task.name));
    let (run, told) = tracer.run(bench, Fault::none(kinds), &ground.command);
    assert_eq!(run.code, 0, "{run:#?}");
    let count = told.count;
    for at in Share::wanted().of(count, SOME) {
        ground.restore();
        let (met, told) = tracer.run(bench, Fault { kinds, at, action }, &ground.command);
        let _told = super::told(task.name, &told, &met);
        assert!(!met.err.contains("panicked"), "{met:#?}");
        if met.code != 0 {
            // SQLite does not tell the one from the other where it makes room in its shared memory.
            let is_shared = told.call.ends_with("-shm") && met.code == NO_ROOM;
            assert!(
                is_shared || codes.contains(&met.code),
                "another code than {codes:?}: {met:#?}"
            );
            assert!(met.err.contains("error: "), "it does not say why: {met:#?}");
        }
        tally.errors += u64::from(told.fired);
        tally.recovered(oracle::after(bench, task, &ground.command, &met));
        if !told.fired {
            break;
        }
    }
    assert!(tally.errors > 0, "none of {count} calls was met");
}

/// An `init` that failed left no registry, or one that can be opened: SQLite tells nobody when it could not
/// write that the index has a WAL.
#[test]
fn f6_an_init_on_a_failing_disk_leaves_a_registry_or_none() {
    let (bench, tracer) = (Bench::bare_in(&in_memory()), Tracer::new());
    let mut tally = Tally::of("init, its index");
    let step = if Share::wanted() == Share::All { 1 } else { 3 };
    for at in (1..).step_by(step) {
        let fault = Fault {
            kinds: WRITES_AND_SYNCS,
            at,
            action: Action::Eio,
        };
        let (met, told) = tracer.run(&bench, fault, &["init", "made"]);
        let _told = super::told("init", &told, &met);
        if bench.path("made/artifact.toml").exists() {
            bench.ok(["fsck", "made"]);
        } else {
            assert_ne!(met.code, 0, "nothing was made");
            bench.ok(["init", "made"]);
        }
        fs::remove_dir_all(bench.path("made")).unwrap();
        if !told.fired {
            return;
        }
        tally.errors += 1;
    }
}

macro_rules! failed {
    ($($name:ident: $task:ident,)*) => {
        mod broken {
            use super::*;

            $(
                #[test]
                fn $name() {
                    failed(&tasks::$task, WRITES_AND_SYNCS, Action::Eio, &[FAILED, UNAVAILABLE]);
                }
            )*
        }

        mod full {
            use super::*;

            $(
                #[test]
                fn $name() {
                    failed(&tasks::$task, WHAT_NEEDS_ROOM, Action::Full, &[NO_ROOM]);
                }
            )*
        }
    };
}

failed! {
    push_few: PUSH_FEW,
    push_large: PUSH_LARGE,
    push_image: PUSH_IMAGE,
    tag: TAG,
    remove: REMOVE,
    undelete: UNDELETE,
    purge: PURGE,
    collect: COLLECT,
    scrub: SCRUB,
    rebuild: REBUILD,
    snapshot: SNAPSHOT,
    init: INIT,
    settings: SETTINGS,
}
