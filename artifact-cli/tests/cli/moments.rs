//! `--as-of`: what was, by revision, by time, and by how long ago.

use std::fs;

use crate::support::{
    bench::Bench,
    run::{Run, each},
    server::Server,
    tree,
};

/// A registry whose package was one tree and is another; returns the revision of the first, and its time.
fn changed(bench: &Bench) -> (String, String) {
    let first = bench.head().to_string();
    let listed = bench.json(["ls", "team/build"]);
    let time = listed["tags"][0]["changedAt"].as_str().unwrap().to_owned();
    fs::write(bench.path("build/second"), "second").unwrap();
    bench.ok(["push", "build", "team/build:1"]);
    bench.ok(["push", "build", "team/new:1"]);
    bench.ok(["repo", "add", "later"]);
    (first, time)
}

#[test]
fn every_command_that_reads_reads_the_past() {
    let bench = Bench::stocked();
    let before = tree::contents(&bench.path("build"));
    let old = bench.digest("team/build:1");
    let (revision, time) = changed(&bench);
    for (place, moment) in [&revision, &time].into_iter().enumerate() {
        assert_eq!(bench.ok(["ls", "--as-of", moment]), "team/build\n");
        let tags = bench.json(["ls", "team/build", "--as-of", moment]);
        assert_eq!(each(&tags["tags"], "digest"), [&old]);
        let all = bench.json(["ls", "team/build", "--manifests", "--as-of", moment]);
        assert_eq!(each(&all["manifests"], "digest"), [&old]);
        let entries = bench.json(["ls", "team/build:1", "--as-of", moment]);
        assert!(!each(&entries["entries"], "path").contains(&"second"));
        let inspected = bench.json(["inspect", "team/build:1", "--as-of", moment]);
        assert_eq!(inspected["digest"], old);
        let (out, layout) = (format!("out{place}"), format!("oci:layout{place}"));
        bench.ok(["pull", "team/build:1", &out, "--as-of", moment]);
        assert_eq!(tree::contents(&bench.path(&out)), before);
        let moved = bench.json(["cp", "team/build:1", &layout, "--as-of", moment]);
        assert_eq!(moved["digest"], old);
        let moved = bench.json(["cp", "team/build:1", "past/build", "--as-of", moment]);
        assert_eq!(moved["digest"], old);
        let repositories = bench.json(["repo", "ls", "--as-of", moment]);
        assert_eq!(each(&repositories["repositories"], "name"), ["default"]);
        bench.ok(["repo", "show", "default", "--as-of", moment]);
        bench.refuses(
            ["repo", "show", "later", "--as-of", moment],
            3,
            &["no repository later"],
        );
        bench.refuses(
            ["ls", "team/new", "--as-of", moment],
            3,
            &["no package team/new"],
        );
        let missing = ["pull", "team/new:1", "x", "--as-of", moment];
        bench.refuses(missing, 3, &["no tag 1", "as of revision"]);
    }
    // How long ago: before the registry was made nothing was there, and now all of it is.
    assert_eq!(bench.ok(["ls", "--as-of", "2h"]), "");
    assert_eq!(bench.ok(["ls", "--as-of", "0s"]), bench.ok(["ls"]));
    assert_eq!(
        bench.ok(["repo", "ls", "--as-of", "1970-01-01T00:00:00Z"]),
        ""
    );
}

#[test]
fn a_moment_that_is_none_is_refused() {
    let bench = Bench::stocked();
    let word = "not made yet: the newest is";
    for command in [
        &["ls"][..],
        &["ls", "team/build:1"],
        &["inspect", "team/build:1"],
        &["pull", "team/build:1", "x"],
        &["cp", "team/build:1", "y"],
        &["repo", "ls"],
        &["repo", "show", "default"],
        &["undelete", "team/build:1"],
    ] {
        let with = |moment| {
            command
                .iter()
                .copied()
                .chain(["--as-of", moment])
                .collect::<Vec<_>>()
        };
        let run = bench.run(with("999"));
        assert_eq!(run.code, 3, "{run:#?}");
        assert!(
            run.err.contains(word) && run.err.contains("artifact history"),
            "{run:#?}"
        );
        let run = bench.run(with("yesterday"));
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(run.err.contains("2026-11-21T13:00:00Z"), "{run:#?}");
    }
    assert_eq!(bench.ok(["ls"]), "team/build\n");
}

/// Who keeps no history has no answer: what is there now would be a wrong one.
#[test]
fn only_the_registry_here_has_a_past() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    let (host, package, artifact) = (
        server.at(""),
        server.at("team/build"),
        server.at("team/build:1"),
    );
    let word = "only the registry here can be read as it was";
    for place in [&host, &package, &artifact, "oci:layout", "oci:layout:1"] {
        bench.refuses(
            ["ls", place, "--as-of", "1"],
            2,
            &[word, "leave --as-of out"],
        );
    }
    for place in [&artifact, "oci:layout:1", "dir:build"] {
        bench.refuses(["cp", place, "x:1", "--as-of", "1"], 2, &[word]);
    }
    bench.refuses(["inspect", &artifact, "--as-of", "1"], 2, &[word]);
    bench.refuses(["pull", &artifact, "x", "--as-of", "1"], 2, &[word]);
}

#[test]
fn what_is_forgotten_is_said_to_be() {
    let bench = Bench::stocked();
    let (revision, _) = changed(&bench);
    bench.ok(["gc", "--forget", "0s"]);
    let word = "is forgotten";
    bench.refuses(
        ["ls", "team/build", "--as-of", &revision],
        3,
        &[word, "artifact history"],
    );
    bench.refuses(
        ["inspect", "team/build:1", "--as-of", &revision],
        3,
        &[word],
    );
    bench.refuses(["history", "--after", "1"], 3, &[word]);
}

#[test]
fn users_and_the_mode_are_read_as_they_were() {
    let bench = Bench::new();
    let before = bench.head().to_string();
    let mut add = bench.command(["user", "add", "ann", "--role", "reader", "--password-stdin"]);
    assert_eq!(Run::fed(&mut add, b"password").code, 0);
    bench.ok(["mode", "read-only", "--reason", "moving"]);
    let then = bench.head().to_string();
    bench.ok(["mode", "read-write"]);
    bench.ok(["user", "rm", "ann"]);
    let users = |moment: &str| bench.json(["user", "ls", "--as-of", moment]);
    assert_eq!(each(&users(&then)["users"], "name"), ["ann"]);
    for moment in [before.as_str(), "0s"] {
        assert!(each(&users(moment)["users"], "name").is_empty(), "{moment}");
        let mode = bench.json(["mode", "--as-of", moment]);
        assert_eq!(mode["mode"], "read-write", "{moment}");
    }
    let mode = bench.json(["mode", "--as-of", &then]);
    assert_eq!(
        (&mode["mode"], &mode["reason"]),
        (&"read-only".into(), &"moving".into())
    );
    bench.refuses(
        ["mode", "read-only", "--as-of", "1"],
        2,
        &["cannot be used with"],
    );
}
