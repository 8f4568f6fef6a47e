//! Killed at each system call that changes or locks anything, and in the middle of each write (F1, F25: I1, I2, I4,
//! I24).

use super::{
    ground::Ground,
    oracle,
    share::Share,
    tally::Tally,
    task::Task,
    tasks,
    tracer::{Action, CHANGES_AND_LOCKS, Fault, Tracer, WRITES},
};

/// How many calls of a task are a sample.
const SOME: u64 = 4;

/// Does a task that is killed, once for each call.
fn killed(task: &Task, kinds: &'static str, action: Action) {
    let (ground, tracer) = (Ground::of(task), Tracer::new());
    let bench = &ground.bench;
    let mut tally = Tally::of(format!("{} {action:?}", task.name));
    let (run, told) = tracer.run(bench, Fault::none(kinds), &ground.command);
    assert_eq!(run.code, 0, "{run:#?}");
    let count = told.count;
    assert!(count > 5, "{count} calls of {}", task.name);
    for at in Share::wanted().of(count, SOME) {
        ground.restore();
        let (met, told) = tracer.run(bench, Fault { kinds, at, action }, &ground.command);
        let _told = super::told(task.name, &told, &met);
        assert_eq!(met.code, if told.fired { 137 } else { 0 }, "{met:#?}");
        tally.kills += u64::from(told.fired);
        tally.recovered(oracle::after(bench, task, &ground.command, &met));
        if !told.fired {
            break;
        }
    }
    assert!(tally.kills > 0, "none of {count} calls was met");
}

macro_rules! killed {
    ($($name:ident: $task:ident,)*) => {
        $(
            #[test]
            fn $name() {
                killed(&tasks::$task, CHANGES_AND_LOCKS, Action::Kill);
            }
        )*

        /// A write that a kill cuts off half way is no more than one that was not made.
        mod torn {
            use super::*;

            $(
                #[test]
                fn $name() {
                    killed(&tasks::$task, WRITES, Action::Tear);
                }
            )*
        }
    };
}

killed! {
    push_few: PUSH_FEW,
    push_large: PUSH_LARGE,
    push_over: PUSH_OVER,
    push_image: PUSH_IMAGE,
    copy: COPY,
    tag: TAG,
    retag: RETAG,
    untag: UNTAG,
    remove: REMOVE,
    undelete: UNDELETE,
    purge: PURGE,
    collect: COLLECT,
    scrub: SCRUB,
    rebuild: REBUILD,
    snapshot: SNAPSHOT,
    init: INIT,
    adopt: ADOPT,
    settings: SETTINGS,
}
