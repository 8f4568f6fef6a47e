//! What a command says that it made, a power cut does not take (F3): its calls are watched, and with them
//! what was not synced when it said so.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use rustix::process::Signal;

use super::ledger::Ledger;
use crate::support::{
    bench::{Bench, PROGRAM},
    run::Run,
    server::Server,
};

/// Returns the program with its arguments, watched.
fn watched(bench: &Bench, ledger: &Ledger, arguments: &[&str]) -> Command {
    let watch = ledger.command(Path::new(PROGRAM));
    let watching = watch.get_args().map(|argument| argument.to_str().unwrap());
    bench.prepare("strace", watching.chain(arguments.iter().copied()))
}

/// A layout that was pulled is there: each of its files, and the way to them.
#[test]
fn f3_a_layout_that_was_pulled_is_durable() {
    let bench = Bench::stocked();
    let out = bench.path("out");
    fs::create_dir(&out).unwrap();
    let ledger = Ledger::below(&out);
    // Whole paths are what is watched.
    let image = format!("oci:{}", out.join("image").display());
    Run::of(&mut watched(
        &bench,
        &ledger,
        &["pull", "team/build:1", &image],
    ))
    .ok();
    assert!(out.join("image/index.json").exists());
    assert_eq!(ledger.unsynced(&ledger.events()), BTreeSet::new());
}

/// The key under which tokens are given out is there before the first is: else all of them would end.
#[test]
fn f3_the_key_of_tokens_is_durable_before_the_server_listens() {
    let bench = Bench::new();
    let keys = bench.path("registry/keys");
    let ledger = Ledger::below(&keys);
    let arguments = ["serve", "--listen", "127.0.0.1:0"];
    let server = Server::of(&mut watched(&bench, &ledger, &arguments));
    assert!(keys.join("token").exists());
    let events = ledger.events();
    server.signal_child(Signal::TERM);
    let (status, log) = server.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(ledger.unsynced(&events), BTreeSet::new());
}
