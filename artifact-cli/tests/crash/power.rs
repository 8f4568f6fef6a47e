//! Cuts of the power: what was not synced is gone (F3: I1, I5), also on a disk that says that it synced and did not
//! (F5: I3). What was acknowledged is written down by the test, outside of the disk.

use super::{
    disk::{Disk, Kind, are_left_out},
    ground::Ground,
    oracle,
    share::Share,
    tally::Tally,
    task::Task,
    tasks,
    tracer::{Action, CHANGES, Fault, SYNCS, Tracer},
};
use crate::support::bench::Bench;

/// How many calls of a task are a sample.
const SOME: u64 = 2;
/// Of how many calls one is met when all are tried, those that sync apart, which all are.
const STRIDE: u64 = 4;

/// Something that is acknowledged before the power goes, since the disk was last at rest.
fn acknowledge(bench: &Bench) {
    bench.ok(["push", "few", "team/just:1"]);
    bench.ok(["tag", "team/kept:1", "just"]);
}

fn check_acknowledged(bench: &Bench) {
    assert!(
        oracle::holds(bench, "team/just:1", "few"),
        "it was acknowledged (I1)"
    );
    assert!(
        oracle::holds(bench, "team/kept:just", "kept"),
        "it was acknowledged (I1)"
    );
}

/// Does a task on a disk that loses its power, once for each call of some kinds.
fn cut(kind: Kind, task: &Task) {
    if are_left_out() {
        return;
    }
    let (disk, tracer) = (Disk::new(kind), Tracer::new());
    let ground = Ground::within(&disk.path(), task);
    let bench = &ground.bench;
    let mut tally = Tally::of(format!("{} {kind:?} Cut", task.name));
    for (kinds, stride) in [(SYNCS, 1), (CHANGES, STRIDE)] {
        ground.restore();
        acknowledge(bench);
        let (run, told) = tracer.run(bench, Fault::none(kinds), &ground.command);
        assert_eq!(run.code, 0, "{run:#?}");
        for at in Share::wanted().of(told.count / stride, SOME) {
            ground.restore();
            disk.sync();
            acknowledge(bench);
            let fault = Fault {
                kinds,
                at: at * stride,
                action: Action::Cut,
            };
            let (met, told) = tracer.run(bench, fault, &ground.command);
            let _told = super::told(task.name, &told, &met);
            if !told.fired {
                break;
            }
            assert_eq!(met.code, 137, "{met:#?}");
            disk.again();
            tally.cuts += 1;
            check_acknowledged(bench);
            tally.recovered(oracle::after(bench, task, &ground.command, &met));
        }
    }
    assert!(tally.cuts > 0, "no call was met");
}

/// Does a task on a disk that does not sync and loses its power: things may be gone, and nothing may be
/// taken for what it is not.
fn cut_of_liar(kind: Kind, task: &Task) {
    if are_left_out() {
        return;
    }
    let (disk, tracer) = (Disk::new(kind), Tracer::new());
    let ground = Ground::within(&disk.path(), task);
    let bench = &ground.bench;
    let mut tally = Tally::of(format!("{} {kind:?} CutOfLiar", task.name));
    let (run, told) = tracer.run(bench, Fault::none(CHANGES), &ground.command);
    assert_eq!(run.code, 0, "{run:#?}");
    for at in Share::wanted().of(told.count / STRIDE, SOME) {
        ground.restore();
        disk.sync();
        let fault = Fault {
            kinds: CHANGES,
            at: at * STRIDE,
            action: Action::CutOfLiar,
        };
        let (met, told) = tracer.run(bench, fault, &ground.command);
        let _told = super::told(task.name, &told, &met);
        if !told.fired {
            break;
        }
        disk.again();
        tally.cuts += 1;
        oracle::honest(bench);
    }
    assert!(tally.cuts > 0, "no call was met");
}

/// A disk that answers nothing is not one that holds no registry: nobody is told to make one there.
fn dead(kind: Kind) {
    if are_left_out() {
        return;
    }
    let (disk, tracer) = (Disk::new(kind), Tracer::new());
    let ground = Ground::within(&disk.path(), &tasks::TAG);
    let bench = &ground.bench;
    disk.sync();
    let fault = Fault {
        kinds: CHANGES,
        at: 1,
        action: Action::Cut,
    };
    let (met, told) = tracer.run(bench, fault, &ground.command);
    assert!(told.fired, "{met:#?}");
    let run = bench.run(["ls", "team/kept"]);
    assert_eq!(run.code, 1, "{run:#?}");
    assert!(!run.err.contains("artifact init"), "{run:#?}");
    disk.again();
    oracle::whole(bench);
}

#[test]
fn f9_a_dead_ext4_is_no_absent_registry() {
    dead(Kind::Ext4);
}

#[test]
fn f9_a_dead_xfs_is_no_absent_registry() {
    dead(Kind::Xfs);
}

macro_rules! cut {
    ($($name:ident: $task:ident,)*) => {
        mod ext4 {
            use super::*;

            $(
                #[test]
                fn $name() {
                    cut(Kind::Ext4, &tasks::$task);
                }
            )*
        }

        mod xfs {
            use super::*;

            $(
                #[test]
                fn $name() {
                    cut(Kind::Xfs, &tasks::$task);
                }
            )*
        }
    };
}

cut! {
    push_few: PUSH_FEW,
    push_large: PUSH_LARGE,
    retag: RETAG,
    remove: REMOVE,
    purge: PURGE,
    collect: COLLECT,
    rebuild: REBUILD,
    snapshot: SNAPSHOT,
    init: INIT,
}

#[test]
fn a_liar_that_is_pushed_to() {
    cut_of_liar(Kind::Ext4, &tasks::PUSH_LARGE);
}

#[test]
fn a_liar_that_collects() {
    cut_of_liar(Kind::Xfs, &tasks::COLLECT);
}

#[test]
fn a_liar_that_rebuilds() {
    cut_of_liar(Kind::Ext4, &tasks::REBUILD);
}
