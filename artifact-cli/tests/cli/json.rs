//! `--json`: one document on standard output for what is done, one on standard error for what is not.

use serde_json::Value;

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    server::Server,
};

/// Reads from the page what a command's document has, and what it may have.
fn documented(command: &str) -> (Vec<String>, Vec<String>) {
    let page = include_str!("../../../docs/json.md");
    let row = page.lines().find(|line| {
        let cells: Vec<_> = line.split('|').collect();
        cells.len() > 2 && cells[1].split(", ").any(|name| name.trim() == command)
    });
    let fields = row.unwrap_or_else(|| panic!("{command} is on the page"));
    let fields = fields.split('|').nth(2).unwrap();
    // What is inside of a field stands in parentheses.
    let outside = fields
        .split('(')
        .enumerate()
        .map(|(place, part)| match part.split_once(')') {
            Some((_, rest)) if place > 0 => rest,
            _ => part,
        });
    let names = outside.flat_map(|part| part.split('`').skip(1).step_by(2).map(str::to_owned));
    let (may, has): (Vec<String>, Vec<String>) = names.partition(|name| name.ends_with('?'));
    let may = may
        .iter()
        .map(|name| name.trim_end_matches('?').to_owned())
        .collect();
    (has, may)
}

/// Each command prints one document and nothing else, and it has what the page of documents says.
#[test]
fn every_command_prints_the_document_that_is_documented() {
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
    let made = Run::fed(&mut add, b"password");
    let check = |row: &str, run: &Run| {
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:#?}");
        let document = run.document();
        let (has, may) = documented(row);
        let found = fields(&document);
        for field in &has {
            assert!(
                found.contains(&field.as_str()),
                "{row} has no {field}: {document}"
            );
        }
        for field in found {
            let known = has.iter().chain(&may).any(|known| known == field);
            assert!(known, "{row}: {field} is not documented");
        }
    };
    check("`user add`", &made);
    for (row, arguments) in [
        ("`push` of files", &["push", "build", "a/b:1"][..]),
        ("`cp` of an artifact", &["cp", "a/b:1", "a/c"]),
        ("`pull` into files", &["pull", "a/b:1", "out"]),
        ("`ls` of packages", &["ls"]),
        ("`ls` of tags", &["ls", "a/b"]),
        ("`ls` of an artifact", &["ls", "a/b:1"]),
        ("`ls --manifests`", &["ls", "a/b", "--manifests"]),
        ("`inspect`", &["inspect", "a/b:1"]),
        ("`tag`", &["tag", "a/b:1", "x"]),
        ("`untag`", &["untag", "a/b:x"]),
        ("`rm`", &["rm", "a/c:1"]),
        ("`undelete`", &["undelete", "a/c:1"]),
        ("`rm`", &["rm", "a/c:1", "--purge"]),
        ("`history`", &["history"]),
        ("`repo add`", &["repo", "add", "r"]),
        ("`repo set`", &["repo", "set", "r", "--quota", "5"]),
        ("`repo show`", &["repo", "show", "r"]),
        ("`repo ls`", &["repo", "ls"]),
        ("`repo rm`", &["repo", "rm", "r"]),
        ("`repo stage`", &["repo", "stage", "dev"]),
        ("`repo namespace`", &["repo", "namespace", "a"]),
        ("`user set`", &["user", "set", "ann", "--role", "writer"]),
        ("`user ls`", &["user", "ls"]),
        ("`user rm`", &["user", "rm", "ann"]),
        ("`mode`", &["mode"]),
        ("`mode`", &["mode", "read-write"]),
        ("`du`", &["du"]),
        ("`gc`", &["gc"]),
        ("`gc`", &["gc", "--dry-run"]),
        ("`fsck`", &["fsck"]),
        ("`fsck`", &["fsck", "--rebuild-index"]),
        ("`snapshot`", &["snapshot", "copy"]),
        ("`doctor`", &["doctor"]),
        ("`completions`", &["completions", "zsh"]),
        ("`init`", &["init", "another"]),
    ] {
        check(row, &Run::of(bench.command(["--json"]).args(arguments)));
    }
    let manifest = ["inspect", "a/b:1", "--manifest"];
    assert_eq!(
        Run::of(bench.command(manifest).arg("--json")).ok(),
        bench.ok(manifest)
    );
}

/// What a follower of the history reads is on the page, event by event.
#[test]
fn every_event_is_documented() {
    let bench = Bench::stocked();
    bench.ok(["repo", "add", "r", "--quota", "1GiB"]);
    bench.ok(["cp", "team/build:1", "r/copy:1"]);
    bench.ok(["untag", "r/copy:1"]);
    bench.ok(["rm", &format!("r/copy@{}", bench.digest("team/build:1"))]);
    bench.ok(["rm", "team/build:1", "--purge"]);
    bench.ok(["repo", "rm", "r"]);
    let history = bench.json(["history", "--blobs", "--limit", "1000"]);
    let commits = history["commits"].as_array().unwrap().iter();
    let events = commits.flat_map(|commit| commit["events"].as_array().unwrap());
    let mut seen = std::collections::BTreeSet::new();
    for event in events {
        let name = event["event"].as_str().unwrap();
        let (mut fields_of, _) = documented(&format!("`{name}`"));
        fields_of.push("event".to_owned());
        fields_of.sort();
        assert_eq!(fields(event), fields_of, "{event}");
        seen.insert(name.to_owned());
    }
    for name in [
        "manifest-put",
        "tag-deleted",
        "blob-stored",
        "document-deleted",
        "purged",
    ] {
        assert!(seen.contains(name), "{name} was not seen: {seen:?}");
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
