//! `artifact serve`

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    server::Server,
};

/// Asks for a path, and returns the answer whole.
fn get(host: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(host).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_where_it_is_and_who_may_what() {
    let bench = Bench::stocked();
    for (access, meaning) in [
        ("none", "who does not log in may do nothing"),
        ("read", "everybody may read everything"),
        ("write", "everybody may read, write and delete everything"),
    ] {
        let mut server = Server::start(&bench, &["--anonymous", access]);
        assert!(
            server.said.starts_with("listening on http://127.0.0.1:"),
            "{}",
            server.said
        );
        assert_eq!(
            server.line(),
            format!("anonymous access: {access} ({meaning})\n")
        );
        assert!(get(&server.host, "/healthz").starts_with("HTTP/1.1 200"));
        assert!(get(&server.host, "/readyz").starts_with("HTTP/1.1 200"));
        assert!(get(&server.host, "/metrics").contains("artifact_"));
        let listed = bench.run(["ls", &server.at("team/build")]);
        assert_eq!(
            listed.code,
            if access == "none" { 4 } else { 0 },
            "{listed:#?}"
        );
        let pushed = bench.run(["push", "build/hello.txt", &server.at("x:1")]);
        assert_eq!(
            pushed.code,
            if access == "write" { 0 } else { 4 },
            "{pushed:#?}"
        );
    }
}

#[test]
fn a_program_reads_that_it_is_ready() {
    let bench = Bench::stocked();
    let server = Server::start(&bench, &["--json"]);
    let ready: Value = serde_json::from_str(&server.said).unwrap();
    assert_eq!(
        fields(&ready),
        ["anonymous", "listening", "registry", "users"]
    );
    assert_eq!(
        (&ready["anonymous"], &ready["users"]),
        (&"none".into(), &false.into())
    );
    server.signal(Signal::TERM);
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(
        log.contains("there are no users yet") && log.contains("artifact user add"),
        "{log}"
    );
}

#[test]
fn its_log_is_for_people_or_for_programs() {
    let bench = Bench::stocked();
    let mut command = bench.command(["serve", "--listen", "127.0.0.1:0", "--anonymous", "read"]);
    let server = Server::of(command.args(["--log-format", "json"]));
    get(&server.host, "/v2/");
    server.signal(Signal::INT);
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of_request = lines.iter().find(|line| line["fields"]["path"] == "/v2/");
    assert_eq!(of_request.expect("it is logged")["fields"]["status"], 200);
    let mut command = bench.command(["serve", "--listen", "127.0.0.1:0", "--anonymous", "read"]);
    let server = Server::of(command.env("ARTIFACT_LOG", "error"));
    get(&server.host, "/v2/");
    server.signal(Signal::TERM);
    assert_eq!(server.ended().1, "", "nothing went wrong");
}

#[test]
fn localhost_is_this_machine() {
    let bench = Bench::stocked();
    let mut command = bench.command(["serve", "--listen", "localhost:0", "--anonymous", "read"]);
    let server = Server::of(&mut command);
    assert_eq!(bench.ok(["ls", &server.at("team/build")]), "1\n");
}

#[test]
fn several_addresses_and_tls() {
    let bench = Bench::stocked();
    let server = Server::start(&bench, &["--anonymous", "read", "--listen", "127.0.0.1:0"]);
    let ready = server.said.clone();
    assert!(ready.starts_with("listening on"), "{ready}");
    let make = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        "key.pem",
        "-out",
        "chain.pem",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let made = Run::of(&mut bench.prepare("openssl", make));
    assert_eq!(made.code, 0, "{made:#?}");
    let tls = [
        "--anonymous",
        "read",
        "--tls-cert",
        "chain.pem",
        "--tls-key",
        "key.pem",
    ];
    let server = Server::start(&bench, &tls);
    assert!(
        server.said.starts_with("listening on https://"),
        "{}",
        server.said
    );
    let reference = format!("oci+https://{}/team/build:1", server.host);
    let untrusted = bench.run(["ls", &reference]);
    assert_eq!(untrusted.code, 7, "{untrusted:#?}");
    bench.ok(["ls", &reference, "--ca-file", "chain.pem"]);
    let run = Run::of(
        bench
            .command(["ls", &reference])
            .env("ARTIFACT_CA_FILE", "chain.pem"),
    );
    run.ok();
    bench.refuses(
        ["ls", &reference, "--ca-file", "nope.pem"],
        1,
        &["nope.pem", "name a PEM file"],
    );
    bench.refuses(
        ["ls", &reference, "--ca-file", "key.pem"],
        2,
        &["key.pem", "holds none"],
    );
    let text = bench.run(["doctor", &format!("oci+https://{}", server.host)]);
    assert!(
        text.code == 1 && text.out.contains("--ca-file"),
        "{text:#?}"
    );
    bench.refuses(
        ["serve", "--tls-cert", "nope", "--tls-key", "key.pem"],
        1,
        &["nope", "name a PEM file"],
    );
    fs::write(bench.path("bad.pem"), "no certificate").unwrap();
    let bad = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        "bad.pem",
        "--tls-key",
        "key.pem",
    ];
    bench.refuses(bad, 2, &["bad.pem and key.pem"]);
}

#[test]
fn what_cannot_be_served_is_refused() {
    let bench = Bench::stocked();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    bench.refuses(
        ["serve", "--listen", &address],
        7,
        &[&address, "in use", "another port"],
    );
    for bad in ["nonsense", ":5000", "127.0.0.1", "registry.example:5000"] {
        let run = bench.run(["serve", "--listen", bad]);
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(
            run.err.contains(bad) && run.err.contains("[::1]:5000"),
            "{run:#?}"
        );
    }
    bench.refuses(["serve", "--tls-cert", "x"], 2, &["--tls-key"]);
    bench.refuses(["serve", "--anonymous", "all"], 2, &["all", "read"]);
    bench.refuses(["serve", "--drain", "soon"], 2, &["soon", "90s"]);
    bench.refuses(
        ["serve", "--base-url", "registry.example"],
        2,
        &["https://HOST"],
    );
    bench.refuses(["serve", "nowhere"], 3, &["nowhere", "artifact init"]);
    let mut command = bench.command(["serve"]);
    let run = Run::of(command.env("ARTIFACT_LOG", "shout=loud"));
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(
        run.err.contains("ARTIFACT_LOG=shout=loud") && run.err.contains("error, warn"),
        "{run:#?}"
    );
}

/// A61: a burst of clients is let in at once, also where the server has no time for them at that moment.
#[test]
fn a61_a_burst_of_connections_waits_for_nobody() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    let address = server.host.parse().unwrap();
    server.signal(Signal::STOP);
    let patience = Duration::from_secs(20);
    let clients: Vec<TcpStream> = (0..400)
        .map(|_| TcpStream::connect_timeout(&address, patience).expect("it waits to be accepted"))
        .collect();
    server.signal(Signal::CONT);
    drop(clients);
    bench.ok(["ls", &server.at("team/build")]);
}
