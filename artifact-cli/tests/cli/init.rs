//! `artifact init`

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{
    bench::Bench,
    run::{Run, fields},
    tree,
};

#[test]
fn a_registry_is_made_where_the_others_find_it() {
    let bench = Bench::bare();
    let said = bench.ok(["init"]);
    let path = bench.path("registry");
    assert!(
        said.starts_with("made registry ") && said.contains("/registry"),
        "{said}"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(path.join("artifact.toml").exists() && path.join("index.db").exists());
    assert_eq!(bench.ok(["ls"]), "");
    // Also from a directory below.
    fs::create_dir_all(bench.path("a/b")).unwrap();
    let mut below = bench.command(["repo", "ls"]);
    assert!(
        Run::of(below.current_dir(bench.path("a/b")))
            .ok()
            .starts_with("default")
    );
}

#[test]
fn it_is_made_where_it_is_told() {
    let bench = Bench::bare();
    let document = bench.json(["init", "deep/down"]);
    assert_eq!(fields(&document), ["notes", "path", "registry"]);
    assert!(document["path"].as_str().unwrap().ends_with("deep/down"));
    assert_eq!(document["registry"].as_str().unwrap().len(), 32);
    bench.ok(["init", "--registry", "other"]);
    bench.ok(["ls", "--registry", "other"]);
    let mut by_environment = bench.command(["ls"]);
    Run::of(by_environment.env("ARTIFACT_REGISTRY", bench.path("deep/down"))).ok();
    // One that is empty is not set.
    let mut unset = bench.command(["ls"]);
    let run = Run::of(
        unset
            .env("ARTIFACT_REGISTRY", "")
            .env("ARTIFACT_CA_FILE", ""),
    );
    assert_eq!(run.code, 3, "{run:#?}");
    let run = bench.run(["ls"]);
    assert_eq!(run.code, 3, "neither is found by itself: {run:#?}");
}

#[test]
fn what_is_there_is_left_alone() {
    let bench = Bench::new();
    bench.refuses(
        ["init"],
        5,
        &["holds a registry already", "another directory"],
    );
    bench.refuses(
        ["init", "build"],
        5,
        &["build", "not empty", "an empty or a new directory"],
    );
    bench.refuses(["init", "build/hello.txt"], 5, &["hello.txt"]);
    assert_eq!(tree::contents(&bench.path("build")).len(), 6);
}

/// What the operating system refuses is told with its reason.
#[test]
fn what_cannot_be_made_is_told_with_the_reason() {
    let run = Bench::bare().run(["init", "/proc/nothing"]);
    assert_eq!(run.code, 3, "{run:#?}");
    for part in ["cannot make /proc/nothing", "because: No such file"] {
        assert!(run.err.contains(part), "{part}: {run:#?}");
    }
}
