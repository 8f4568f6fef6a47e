//! A server that is killed at each of its calls while an image is pushed to it in chunks, and one whose disk fails
//! (F1, F3, F6: I1, I2, I13, I21).

use rustix::process::Signal;

use super::{
    disk::{Disk, Kind, are_left_out},
    ground::Ground,
    image::{Image, Pushed, Stop},
    oracle,
    share::Share,
    tally::Tally,
    tasks,
    tracer::{Action, CHANGES, CHANGES_AND_LOCKS, Fault, Report, SYNCS, Tracer},
};
use crate::support::{bench::Bench, server::Server};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--anonymous", "write"];
/// How many calls are a sample.
const SOME: u64 = 8;
/// A layer in a slot, and one in a file of its own.
const LENGTHS: [usize; 2] = [150_000, 1_300_000];

/// Has a server meet a fault while an image is pushed to it. Returns what was acknowledged.
fn push_to(bench: &Bench, tracer: &Tracer, fault: Fault, image: &Image) -> (Pushed, Report) {
    let mut pushed = Pushed::default();
    if let Some(server) = Server::begun(&mut tracer.command(bench, fault, &SERVE)) {
        match image.push(&server.host, "1", &mut pushed) {
            Ok(()) => server.signal(Signal::TERM),
            Err(Stop::Broken) => {}
            Err(Stop::Refused(answer)) => panic!("refused: {answer:?}"),
        }
        server.ended();
    }
    (pushed, tracer.report(fault))
}

/// Checks what a server left that met a fault, and that the push goes on where it was.
fn check(bench: &Bench, image: &Image, mut pushed: Pushed, tally: &mut Tally) {
    tally.recovered(oracle::whole(bench));
    let server = Server::open(bench);
    image.check(&server.host, "1", &pushed).unwrap();
    let again = image.push(&server.host, "1", &mut pushed);
    assert!(again.is_ok(), "the next try does not succeed: {again:?}");
    image.check(&server.host, "1", &pushed).unwrap();
    server.signal(Signal::TERM);
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");
    oracle::leaves_nothing(bench);
}

fn killed(length: usize) {
    let (ground, tracer) = (Ground::of(&tasks::TAG), Tracer::new());
    let (bench, image) = (&ground.bench, Image::of("team/served", 1, length));
    let mut tally = Tally::of(format!("a server that gets {length} bytes"));
    let (_, told) = push_to(bench, &tracer, Fault::none(CHANGES_AND_LOCKS), &image);
    for at in Share::wanted().of(told.count, SOME) {
        ground.restore();
        let fault = Fault {
            kinds: CHANGES_AND_LOCKS,
            at,
            action: Action::Kill,
        };
        let (pushed, told) = push_to(bench, &tracer, fault, &image);
        let _told = super::told("serve", &told, &pushed);
        tally.kills += u64::from(told.fired);
        check(bench, &image, pushed, &mut tally);
        if !told.fired {
            break;
        }
    }
    assert!(tally.kills > 0);
}

#[test]
fn f1_a_killed_server_keeps_what_it_acknowledged_of_a_slot() {
    killed(LENGTHS[0]);
}

#[test]
fn f1_a_killed_server_keeps_what_it_acknowledged_of_a_file() {
    killed(LENGTHS[1]);
}

fn cut(kind: Kind, length: usize) {
    if are_left_out() {
        return;
    }
    let (disk, tracer) = (Disk::new(kind), Tracer::new());
    let ground = Ground::within(&disk.path(), &tasks::TAG);
    let (bench, image) = (&ground.bench, Image::of("team/served", 1, length));
    let mut tally = Tally::of(format!("a server on {kind:?} that gets {length} bytes"));
    for kinds in [SYNCS, CHANGES] {
        ground.restore();
        let (_, told) = push_to(bench, &tracer, Fault::none(kinds), &image);
        for at in Share::wanted().of(told.count, SOME / 2) {
            ground.restore();
            disk.sync();
            let fault = Fault {
                kinds,
                at,
                action: Action::Cut,
            };
            let (mut pushed, told) = push_to(bench, &tracer, fault, &image);
            let _told = super::told("serve", &told, &pushed);
            if !told.fired {
                break;
            }
            disk.again();
            tally.cuts += 1;
            // How far an upload is is bookkeeping: after a cut it may fall back.
            pushed.upload = pushed.upload.map(|(place, _)| (place, 0));
            check(bench, &image, pushed, &mut tally);
        }
    }
    assert!(tally.cuts > 0);
}

#[test]
fn f3_a_server_on_ext4_keeps_what_it_acknowledged() {
    cut(Kind::Ext4, LENGTHS[0]);
}

#[test]
fn f3_a_server_on_xfs_keeps_what_it_acknowledged() {
    cut(Kind::Xfs, LENGTHS[1]);
}

/// What the sync of the registry's directory ends in. SQLite asks for one, too, after the one that counts, and
/// passes over its failure.
const NAMES: &str = "/registry";

/// F7, I21: where the name of the WAL cannot be made durable, nothing is acknowledged that rests on it.
#[test]
fn f7_without_a_durable_name_of_the_wal_nothing_is_acknowledged() {
    let (ground, tracer) = (Ground::of(&tasks::TAG), Tracer::new());
    let bench = &ground.bench;
    for at in 1.. {
        ground.restore();
        let fault = Fault {
            kinds: SYNCS,
            at,
            action: Action::Eio,
        };
        let (met, told) = tracer.run(bench, fault, &ground.command);
        let _told = super::told("tag", &told, &met);
        assert!(told.fired, "the directory is not synced");
        if told.call.ends_with(NAMES) {
            assert!(met.code == 1 && met.out.is_empty());
            break;
        }
    }
    oracle::whole(bench);
}

/// F6, I21: after a sync that failed a server acknowledges nothing more, and goes on reading, until it is
/// started again.
#[test]
fn f6_after_a_failed_sync_nothing_is_acknowledged() {
    let (ground, tracer) = (Ground::of(&tasks::TAG), Tracer::new());
    let bench = &ground.bench;
    let mut tally = Tally::of("a server whose sync fails");
    // The notes make it write the WAL back, which SQLite would do without a word of a failure.
    let images = [(0, 0), (1, 3_900_000), (2, 3_900_000), (3, 0)].map(|(number, note)| {
        Image::of("team/served", number, 20_000 + 400_000 * number as usize).noted(note)
    });
    let none = Fault::none(SYNCS);
    let server = Server::begun(&mut tracer.command(bench, none, &SERVE)).unwrap();
    for (tag, image) in ["0", "1", "2", "3"].into_iter().zip(&images) {
        let pushed = image.push(&server.host, tag, &mut Pushed::default());
        assert!(pushed.is_ok(), "{pushed:?}");
    }
    server.signal(Signal::TERM);
    server.ended();
    for at in Share::wanted().of(tracer.report(none).count, SOME / 2) {
        ground.restore();
        let fault = Fault {
            kinds: SYNCS,
            at,
            action: Action::Eio,
        };
        let mut pushed = [(); 4].map(|()| Pushed::default());
        let Some(server) = Server::begun(&mut tracer.command(bench, fault, &SERVE)) else {
            oracle::whole(bench);
            continue;
        };
        for ((tag, image), pushed) in ["0", "1", "2", "3"]
            .into_iter()
            .zip(&images)
            .zip(&mut pushed)
        {
            let failed_before = tracer.has_fired();
            let before = pushed.clone();
            let done = image.push(&server.host, tag, pushed);
            if done.is_err() {
                // A chunk that could not be synced is refused, and its upload is thrown away.
                pushed.upload = None;
            }
            if failed_before && !tracer.report(fault).call.ends_with(NAMES) {
                let call = tracer.report(fault).call;
                assert!(
                    matches!(done, Err(Stop::Refused(_))),
                    "{done:?} after sync {at}, {call}"
                );
                let more = (pushed.layer && !before.layer) || pushed.config || pushed.manifest;
                assert!(
                    !more,
                    "{pushed:?} was acknowledged after a sync had failed, {at}"
                );
            }
        }
        // What is there can be read all the time.
        for ((tag, image), pushed) in ["0", "1", "2", "3"].into_iter().zip(&images).zip(&pushed) {
            image.check(&server.host, tag, pushed).unwrap();
        }
        drop(server);
        tally.errors += 1;
        tally.recovered(oracle::whole(bench));
        let server = Server::open(bench);
        for ((tag, image), pushed) in ["0", "1", "2", "3"]
            .into_iter()
            .zip(&images)
            .zip(&mut pushed)
        {
            image.check(&server.host, tag, pushed).unwrap();
            let again = image.push(&server.host, tag, pushed);
            assert!(again.is_ok(), "{again:?}");
        }
    }
}
