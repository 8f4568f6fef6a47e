//! Many clients: that hang up, that are there when the server is asked to end, and more than there are
//! descriptors (F28, F33, F34: I4, I23).

use std::{net::TcpStream, time::Duration};

use rustix::process::Signal;

use super::{
    ground::stock,
    image::{Image, Pushed},
    oracle::{self, holds},
    tasks,
    tracer::in_memory,
    wire,
};
use crate::support::{
    bench::{Bench, PROGRAM},
    image::digest,
    run::Run,
    server::Server,
    tree,
};

/// How many uploads are under way at a time.
const MANY: u64 = 100;

/// An upload of which some was acknowledged, and more is under way.
#[derive(Debug)]
struct Half {
    place: String,
    bytes: Vec<u8>,
    acknowledged: usize,
    socket: Option<TcpStream>,
}

impl Half {
    /// Begins an upload, has one chunk acknowledged, and sends half of another.
    fn of(host: &str, number: u64) -> Self {
        let bytes = super::goods::bytes(7_000 + number, 60_000);
        let begun = wire::ask(host, ("POST", "/v2/team/half/blobs/uploads/"), "", b"").unwrap();
        let place = begun.header("location").unwrap().to_owned();
        let range = "Content-Range: 0-19999\r\n";
        let patched = wire::ask(host, ("PATCH", &place), range, &bytes[..20_000]).unwrap();
        assert_eq!((patched.status, patched.offset()), (202, 20_000));
        let range = "Content-Range: 20000-39999\r\n";
        let socket = wire::begin(
            host,
            ("PATCH", &place),
            range,
            20_000,
            &bytes[20_000..30_000],
        )
        .unwrap();
        Self {
            place,
            bytes,
            acknowledged: 20_000,
            socket: Some(socket),
        }
    }

    /// Goes on where it is, and ends it.
    fn finish(&self, host: &str) {
        let found = wire::ask(host, ("GET", &self.place), "", b"").unwrap();
        assert_eq!(
            found.status, 204,
            "an upload with bytes that were acknowledged: {found:?}"
        );
        let from = found.offset();
        assert!(self.acknowledged <= from && from <= 40_000, "{from}");
        let put = format!("{}?digest={}", self.place, digest(&self.bytes));
        let done = wire::ask(host, ("PUT", &put), "", &self.bytes[from..]).unwrap();
        assert_eq!(done.status, 201, "{done:?}");
        let get = format!("/v2/team/half/blobs/{}", digest(&self.bytes));
        let blob = wire::ask(host, ("GET", &get), "", b"").unwrap();
        assert!(blob.status == 200 && blob.body == self.bytes);
    }
}

fn bench() -> Bench {
    let bench = Bench::bare_in(&in_memory());
    stock(&bench);
    bench
}

/// F34: whoever was uploading when the server was asked to end goes on with the next one.
#[test]
fn f34_uploads_outlive_the_server() {
    let bench = bench();
    let serve = ["--anonymous", "write", "--drain", "1s"];
    let server = Server::start(&bench, &serve);
    let halves: Vec<_> = (0..MANY)
        .map(|number| Half::of(&server.host, number))
        .collect();
    server.signal(Signal::TERM);
    let (status, log) = server.ended();
    assert!(status.code().is_some(), "it ended by itself: {log}");
    let server = Server::open(&bench);
    for half in &halves {
        half.finish(&server.host);
    }
    drop(server);
    oracle::whole(&bench);
    oracle::leaves_nothing(&bench);
}

/// F33: who hangs up in the middle of a body leaves an upload to go on with, or nothing.
#[test]
fn f33_clients_hang_up() {
    let bench = bench();
    let server = Server::open(&bench);
    for number in 0..30 {
        let mut half = Half::of(&server.host, number);
        drop(half.socket.take());
        // The server may not know yet, and then it still has the upload in hand.
        half.finish_soon(&server.host);
        let whole = super::goods::bytes(8_000 + number, 1_300_000);
        let post = format!("/v2/team/half/blobs/uploads/?digest={}", digest(&whole));
        let sent = &whole[..700_000];
        drop(wire::begin(&server.host, ("POST", &post), "", whole.len(), sent).unwrap());
        let get = format!("/v2/team/half/blobs/{}", digest(&whole));
        let absent = wire::ask(&server.host, ("GET", &get), "", b"").unwrap();
        assert_eq!(absent.status, 404);
    }
    server.signal(Signal::TERM);
    server.ended();
    oracle::whole(&bench);
    oracle::leaves_nothing(&bench);
}

impl Half {
    /// Ends it when the server has seen that the client went away.
    fn finish_soon(&self, host: &str) {
        let range = format!("Content-Range: {0}-{0}\r\n", self.acknowledged);
        loop {
            let at = wire::ask(host, ("GET", &self.place), "", b"")
                .unwrap()
                .offset();
            let range = range.replace(&self.acknowledged.to_string(), &at.to_string());
            let patched =
                wire::ask(host, ("PATCH", &self.place), &range, &self.bytes[at..=at]).unwrap();
            match patched.status {
                202 => break,
                416 => std::thread::sleep(Duration::from_millis(2)),
                other => panic!("{other}: {patched:?}"),
            }
        }
        self.finish(host);
    }
}

/// Runs the program with no more than so many descriptors.
fn with_descriptors(bench: &Bench, count: u64, arguments: &[String]) -> Run {
    let script = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
    let mut command = bench.prepare("sh", ["-c", &script, PROGRAM]);
    Run::of(command.args(arguments))
}

/// F28: with ever fewer descriptors a command is done, or says why not, and does nothing by half.
#[test]
fn f28_ever_fewer_descriptors() {
    for task in [
        &tasks::PUSH_LARGE,
        &tasks::COLLECT,
        &tasks::SNAPSHOT,
        &tasks::REBUILD,
    ] {
        let ground = super::ground::Ground::of(task);
        let bench = &ground.bench;
        let mut refused = 0;
        for count in (4..=64).rev().step_by(3) {
            ground.restore();
            let met = with_descriptors(bench, count, &ground.command);
            assert!(!met.err.contains("panicked"), "{met:#?}");
            if met.code != 0 {
                refused += 1;
                assert!(
                    met.code == 127
                        || met.err.contains("error: ")
                        || met.err.contains("cannot open shared"),
                    "{count} descriptors, and it does not say why: {met:#?}"
                );
            }
            oracle::after(bench, task, &ground.command, &met);
            if refused > 3 {
                break;
            }
        }
        assert!(refused > 0, "{} needs no descriptors", task.name);
    }
}

/// F28: a server that has no descriptor left for more clients serves those that it has, and the others when
/// these are gone.
#[test]
fn f28_more_clients_than_descriptors() {
    let bench = bench();
    let script = "ulimit -n 64 && exec \"$0\" \"$@\"";
    let serve = ["serve", "--listen", "127.0.0.1:0", "--anonymous", "write"];
    let mut command = bench.prepare("sh", ["-c", script, PROGRAM]);
    let server = Server::of(command.args(serve));
    let idle: Vec<_> = (0..MANY)
        .map(|_| TcpStream::connect(&server.host).unwrap())
        .collect();
    drop(idle);
    let (image, mut pushed) = (Image::of("team/served", 1, 1_300_000), Pushed::default());
    // A connection may be refused while the server finds that the others are gone.
    let done = (0..200).any(|_| {
        let done = image.push(&server.host, "1", &mut pushed).is_ok();
        if !done {
            std::thread::sleep(Duration::from_millis(10));
        }
        done
    });
    assert!(done, "{pushed:?}");
    image.check(&server.host, "1", &pushed).unwrap();
    server.signal(Signal::TERM);
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");
    oracle::whole(&bench);
    assert!(holds(&bench, "team/kept:1", "kept"));
    assert_eq!(tree::names(&bench.path("registry/open")), [""; 0]);
}
