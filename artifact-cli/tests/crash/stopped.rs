//! Processes that are stopped in the middle of something, and wake when others have gone on (F14: I8, I16).

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    goods,
    ground::Ground,
    oracle::{self, holds},
    share::Share,
    tally::Tally,
    task::Task,
    tasks,
    tracer::{Action, CHANGES_AND_LOCKS, Fault, Tracer, WRITES, in_memory},
    wire,
};
use crate::support::{bench::Bench, image::digest, run::Run, server::Server};

/// How many calls are a sample.
const SOME: u64 = 4;
/// The code of what cannot be done now.
const UNAVAILABLE: i32 = 7;

/// Waits until something holds that another process brings about.
#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Does a task that is stopped at a call, does other things meanwhile, and wakes it.
fn stopped(task: &Task) {
    let (ground, tracer) = (Ground::of(task), Tracer::new());
    let bench = &ground.bench;
    let mut tally = Tally::of(format!("{} stopped", task.name));
    let (run, told) = tracer.run(bench, Fault::none(CHANGES_AND_LOCKS), &ground.command);
    assert_eq!(run.code, 0, "{run:#?}");
    let (mut stops, mut read) = (0, 0);
    for at in Share::wanted().of(told.count / 7, SOME) {
        ground.restore();
        let fault = Fault {
            kinds: CHANGES_AND_LOCKS,
            at: at * 7,
            action: Action::Stop,
        };
        let mut command = tracer.command(bench, fault, &ground.command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ended = false;
        eventually("it is stopped or ends", || tracer.has_fired());
        if tracer.report(fault).fired {
            read += u64::from(can_be_read(bench));
            stops += 1;
        } else {
            ended = true;
        }
        let done = others(bench);
        kill_process(Pid::from_child(&child), Signal::USR1).unwrap();
        let mut said = [String::new(), String::new()];
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said[0])
            .unwrap();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said[1])
            .unwrap();
        let status = child.wait().unwrap();
        let [out, err] = said;
        let met = Run {
            shown: format!("{:?}", ground.command),
            code: status.code().unwrap_or(-1),
            out,
            err,
        };
        let _told = super::told(task.name, &tracer.report(fault), &met);
        assert!(met.code == 0 || met.err.contains("error: "), "{met:#?}");
        for reference in done {
            assert!(
                holds(bench, reference, "old"),
                "it was acknowledged meanwhile: {met:#?}"
            );
        }
        tally.recovered(oracle::whole(bench));
        // What was to be collected is wanted again meanwhile: that is no matter of being done.
        if task.name != tasks::COLLECT.name {
            oracle::after(bench, task, &ground.command, &met);
        }
        oracle::leaves_nothing(bench);
        if ended {
            break;
        }
    }
    assert!(read > 0, "nobody could read at any of {stops} stops");
}

/// Reads beside a stopped process, whatever it holds; `false` where the reader is told that it is stopped, as
/// it is in the moments in which SQLite begins or ends with an index and lets nobody in.
#[track_caller]
fn can_be_read(bench: &Bench) -> bool {
    let run = bench.run(["ls", "team/kept", "--json"]);
    if run.code == UNAVAILABLE {
        assert!(run.err.contains("another process is stopped"), "{run:#?}");
        return false;
    }
    assert!(holds(bench, "team/kept:1", "kept"), "it was acknowledged");
    true
}

/// Does what others do meanwhile; returns what was acknowledged of it.
fn others(bench: &Bench) -> Vec<&'static str> {
    goods::make(&bench.path("old"), 12, goods::Size::Large);
    let commands = [
        (vec!["push", "old", "team/beside:1"], Some("team/beside:1")),
        (vec!["gc"], None),
        (vec!["tag", "team/beside:1", "2"], Some("team/beside:2")),
    ];
    let mut acknowledged = Vec::new();
    for (command, reference) in commands {
        let run = bench.run(command);
        match run.code {
            0 => acknowledged.extend(reference),
            // It holds the writer's lock. The tag of what could not be pushed is not there.
            UNAVAILABLE | 3 => {}
            _ => panic!("{run:#?}"),
        }
    }
    acknowledged
}

#[test]
fn f14_a_stopped_push_wakes() {
    stopped(&tasks::PUSH_LARGE);
}

/// The very content that it is about to free is pushed meanwhile.
#[test]
fn f14_a_stopped_collection_takes_nothing_that_is_wanted_meanwhile() {
    stopped(&tasks::COLLECT);
}

#[test]
fn f14_a_stopped_scrub_wakes() {
    stopped(&tasks::SCRUB);
}

#[test]
fn f14_a_stopped_snapshot_wakes() {
    stopped(&tasks::SNAPSHOT);
}

/// Who opens the registry to read it does not need the one that stopped between its commit and the journal.
#[test]
fn f14_readers_come_while_a_writer_is_stopped() {
    let (ground, tracer) = (Ground::of(&tasks::TAG), Tracer::new());
    let bench = &ground.bench;
    let at_call = |at, action| Fault {
        kinds: WRITES,
        at,
        action,
    };
    let is_journal = |at: &u64| {
        ground.restore();
        let (met, told) = tracer.run(bench, at_call(*at, Action::Kill), &ground.command);
        assert!(told.fired, "it writes no journal: {met:#?}");
        told.call.contains("/journal/")
    };
    let at = (1..).find(is_journal).unwrap();
    ground.restore();
    let fault = at_call(at, Action::Stop);
    let mut child = tracer
        .command(bench, fault, &ground.command)
        .spawn()
        .unwrap();
    eventually("it is stopped", || tracer.has_fired());
    let call = tracer.report(fault).call;
    assert!(call.contains("/journal/"), "{call}");
    assert!(holds(bench, "team/kept:1", "kept"));
    let busy = bench.run(["tag", "team/kept:1", "beside"]);
    assert_eq!(busy.code, UNAVAILABLE, "{busy:#?}");
    kill_process(Pid::from_child(&child), Signal::USR1).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(
        holds(bench, "team/kept:more", "kept"),
        "it was acknowledged"
    );
    oracle::whole(bench);
}

/// Two servers and one upload: while the one has it in hand, stopped, the other refuses it and says how far it is;
/// after that whoever is asked goes on, and who has an old offset is told the true one.
#[test]
fn f14_one_upload_at_two_servers() {
    let bench = Bench::bare_in(&in_memory());
    super::ground::stock(&bench);
    let (first, second) = (Server::open(&bench), Server::open(&bench));
    let bytes = goods::bytes(77, 1_300_000);
    let begun = wire::ask(
        &first.host,
        ("POST", "/v2/team/two/blobs/uploads/"),
        "",
        b"",
    )
    .unwrap();
    let place = begun.header("location").unwrap().to_owned();
    let range = |from: usize, to: usize| format!("Content-Range: {from}-{}\r\n", to - 1);
    let patch = |server: &Server, from: usize, to: usize| {
        let request = ("PATCH", &*place);
        wire::ask(&server.host, request, &range(from, to), &bytes[from..to]).unwrap()
    };
    assert_eq!(patch(&first, 0, 300_000).status, 202);
    // It says so when it reads the body.
    let headers = format!("{}Expect: 100-continue\r\n", range(300_000, 600_000));
    let request = ("PATCH", &*place);
    let mut socket = wire::begin(&first.host, request, &headers, 300_000, b"").unwrap();
    let mut said = [0; 25];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(&bytes[300_000..400_000]).unwrap();
    first.signal(Signal::STOP);
    let refused = patch(&second, 300_000, 600_000);
    assert_eq!(refused.status, 416, "the first has it in hand: {refused:?}");
    first.signal(Signal::CONT);
    socket.write_all(&bytes[400_000..600_000]).unwrap();
    assert_eq!(wire::end(socket).unwrap().status, 202);
    let went_on = patch(&second, 600_000, 900_000);
    assert_eq!((went_on.status, went_on.offset()), (202, 900_000));
    // The first does not know what the other did: it asks the registry.
    let stale = patch(&first, 600_000, 900_000);
    assert_eq!(stale.status, 416, "{stale:?}");
    let put = format!("{place}?digest={}", digest(&bytes));
    let done = wire::ask(&first.host, ("PUT", &put), "", &bytes[900_000..]).unwrap();
    assert_eq!(done.status, 201, "{done:?}");
    let get = format!("/v2/team/two/blobs/{}", digest(&bytes));
    for server in [&first, &second] {
        let blob = wire::ask(&server.host, ("GET", &get), "", b"").unwrap();
        assert!(blob.status == 200 && blob.body == bytes);
    }
    drop((first, second));
    oracle::whole(&bench);
    oracle::leaves_nothing(&bench);
}
