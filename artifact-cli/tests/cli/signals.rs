//! SIGINT and SIGTERM: what is under way ends in order, and leaves nothing behind; and what a SIGKILL
//! leaves goes with the next one.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{bench::Bench, relay::Relay, server::Server, tree};

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = bench.command(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Sends a signal, waits for the end, and returns the code and what was said.
fn end(child: Child, signal: Signal) -> (Option<i32>, String) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A request that is under way when a server is asked to stop is answered; a new one is not taken.
#[test]
fn a_server_lets_what_is_under_way_end() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    let mut socket = TcpStream::connect(&server.host).unwrap();
    let (body, path) = (b"hello again\n", "/v2/team/build/blobs/uploads/");
    let digest = artifact_core::Hasher::hash(artifact_core::Algorithm::Sha256, body).digest();
    let head = format!(
        "POST {path}?digest={digest} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        server.host,
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    // It says so when it reads the body: the request is under way then.
    let mut said = [0; 12];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"HTTP/1.1 100");
    server.signal(Signal::TERM);
    socket.write_all(body).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 201"), "{answer}");
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    bench.ok(["fsck", "--all"]);
}

/// Who asks twice does not wait for a client that does nothing.
#[test]
fn a_second_signal_ends_a_server_at_once() {
    let bench = Bench::stocked();
    let server = Server::start(&bench, &["--anonymous", "write", "--drain", "1h"]);
    let mut socket = TcpStream::connect(&server.host).unwrap();
    let head = format!(
        "POST /v2/x/blobs/uploads/?digest=sha256:{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\
         Expect: 100-continue\r\n\r\n",
        "0".repeat(64),
        server.host
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut said = [0; 12];
    socket.read_exact(&mut said).unwrap();
    server.signal(Signal::INT);
    // It no longer listens: the first signal has come.
    while TcpStream::connect(&server.host).is_ok() {}
    server.signal(Signal::INT);
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(log.contains("a second time"), "{log}");
    bench.ok(["fsck", "--all"]);
}

#[test]
fn a_push_that_is_interrupted_publishes_nothing() {
    let (here, there) = (Bench::new(), Bench::new());
    let server = Server::open(&there);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let relay = Relay::before(&server.host, "PUT", "/manifests/");
        let to = format!("oci://{}/team/build:1", relay.host);
        let push = start(&here, &["push", "build", &to]);
        relay.wait();
        let (ended, said) = end(push, signal);
        assert_eq!(ended, Some(code), "{said}");
        assert!(
            said.contains("asked to end") && said.contains("team/build:1"),
            "{said}"
        );
    }
    assert_eq!(there.ok(["ls"]), "");
    here.ok(["push", "build", &server.at("team/build:1")]);
    there.holds_the_tree("team/build:1");
}

/// F6: a copy into the registry here that is interrupted, or killed, leaves a registry that is whole.
#[test]
fn f6_a_copy_that_is_ended_leaves_the_registry_whole() {
    let (here, there) = (Bench::new(), Bench::stocked());
    let server = Server::open(&there);
    for signal in [Signal::INT, Signal::KILL] {
        let relay = Relay::before(&server.host, "GET", "/blobs/");
        let from = format!("oci://{}/team/build:1", relay.host);
        let copy = start(&here, &["cp", &from, "team/build"]);
        relay.wait();
        let (ended, said) = end(copy, signal);
        assert_ne!(ended, Some(0), "{said}");
        assert_eq!(here.ok(["ls"]), "");
        here.ok(["fsck", "--all"]);
    }
    here.ok(["cp", &server.at("team/build:1"), "team/build"]);
    here.ok(["gc"]);
    assert_eq!(tree::names(&here.path("registry/staging")), [""; 0]);
    here.holds_the_tree("team/build:1");
}

/// F6: a pull that is interrupted leaves nothing; what one that was killed left goes with the next
/// pull to the same place, and with no pull to another.
#[test]
fn f6_a_pull_leaves_nothing_behind() {
    let (here, there) = (Bench::new(), Bench::stocked());
    let server = Server::open(&there);
    let large = format!(
        "/blobs/{}",
        artifact_core::Hasher::hash(artifact_core::Algorithm::Sha256, &tree::large()).digest()
    );
    let before = tree::names(here.root());
    let partial = || {
        let names = tree::names(here.root());
        names
            .into_iter()
            .filter(|name| name.ends_with(".partial"))
            .collect::<Vec<_>>()
    };
    let run = |relay: &Relay, to: &str| {
        let from = format!("oci://{}/team/build:1", relay.host);
        let pull = start(&here, &["pull", &from, to]);
        relay.wait();
        pull
    };
    let relay = Relay::before(&server.host, "GET", &large);
    let (code, said) = end(run(&relay, "out"), Signal::INT);
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(tree::names(here.root()), before);
    let relay = Relay::before(&server.host, "GET", &large);
    end(run(&relay, "out"), Signal::KILL);
    let left = partial();
    assert_eq!(left.len(), 1, "a kill leaves it: {left:?}");
    // One that is alive is left alone, and what was killed goes.
    let relay = Relay::before(&server.host, "GET", &large);
    let alive = run(&relay, "out");
    let now = partial();
    assert!(now.len() == 1 && now != left, "{now:?}");
    here.ok(["pull", &server.at("team/build:1"), "other"]);
    here.ok(["pull", &server.at("team/build:1"), "out"]);
    assert_eq!(partial(), now, "somebody works there");
    assert_eq!(
        tree::contents(&here.path("out")),
        tree::contents(&there.path("build"))
    );
    end(alive, Signal::KILL);
    fs::remove_dir_all(here.path("out")).unwrap();
    here.ok(["pull", &server.at("team/build:1"), "out"]);
    assert_eq!(partial(), [""; 0]);
}
