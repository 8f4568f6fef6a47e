//! `--json`: one document on standard output for what is done, one on standard error for what is not.

use serde_json::Value;

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    server::Server,
};

/// Each command prints one document and nothing else, and it is the same before and after the command's
/// own arguments.
#[test]
fn every_command_prints_one_document() {
    let bench = Bench::new();
    let mut add = bench.command([
        "user",
        "add",
        "ann",
        "--role",
        "reader",
        "--password-stdin",
        "--json",
    ]);
    Run::fed(&mut add, b"password").json();
    for arguments in [
        &["push", "build", "a/b:1"][..],
        &["cp", "a/b:1", "a/c"],
        &["pull", "a/b:1", "out"],
        &["ls"],
        &["ls", "a/b"],
        &["ls", "a/b:1"],
        &["ls", "a/b", "--manifests"],
        &["inspect", "a/b:1"],
        &["inspect", "a/b:1", "--manifest"],
        &["tag", "a/b:1", "x"],
        &["untag", "a/b:x"],
        &["rm", "a/c:1"],
        &["undelete", "a/c:1"],
        &["history"],
        &["repo", "add", "r"],
        &["repo", "set", "r", "--quota", "5"],
        &["repo", "show", "r"],
        &["repo", "ls"],
        &["repo", "rm", "r"],
        &["user", "set", "ann", "--role", "writer"],
        &["user", "ls"],
        &["user", "rm", "ann"],
        &["mode"],
        &["mode", "read-write"],
        &["du"],
        &["gc"],
        &["gc", "--dry-run"],
        &["fsck"],
        &["snapshot", "copy"],
        &["doctor"],
        &["completions", "zsh"],
        &["init", "another"],
    ] {
        let run = Run::of(bench.command(["--json"]).args(arguments));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:#?}");
        assert!(run.document().is_object(), "{run:#?}");
    }
}

/// A usage error that the parser finds is a document, too.
#[test]
fn every_failure_is_one_document() {
    let bench = Bench::stocked();
    let server = Server::start(&bench, &[]);
    let remote = server.at("x:1");
    for (arguments, code, kind) in [
        (&["bogus"][..], 2, "invalid-argument"),
        (&["ls", "BAD"], 2, "invalid-argument"),
        (&["tag"], 2, "invalid-argument"),
        (&["cp", "dir:nowhere", "x"], 3, "not-found"),
        (&["ls", "nope"], 3, "not-found"),
        (&["ls", &remote], 4, "unauthenticated"),
        (&["init"], 5, "already-exists"),
        (&["tag", "team/build:1", "1", "--if-absent"], 5, "conflict"),
        (&["ls", "oci://127.0.0.1:1/x"], 7, "unavailable"),
        (&["repo", "rm", "default"], 9, "unsupported"),
    ] {
        let run = Run::of(bench.command(arguments).arg("--json"));
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{run:#?}");
        let document: Value = serde_json::from_str(&run.err).unwrap();
        assert_eq!(fields(&document), ["error"]);
        let error = &document["error"];
        assert_eq!(
            (&error["kind"], &error["exitCode"]),
            (&kind.into(), &code.into())
        );
        assert!(
            error["message"].is_string() && error["causes"].is_array(),
            "{error}"
        );
    }
    // Help that was asked for is no failure, whatever its form.
    assert!(bench.ok(["ls", "--json", "--help"]).contains("Usage:"));
}
