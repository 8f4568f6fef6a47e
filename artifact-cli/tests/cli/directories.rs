//! The registry's directory: missing, of another format, not to be written, not to be understood.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
};

use crate::support::{
    bench::{Bench, PROGRAM},
    run::Run,
    tree,
};

/// Every command that opens the registry here.
const COMMANDS: [&[&str]; 17] = [
    &["ls"],
    &["ls", "team/build"],
    &["inspect", "team/build:1"],
    &["pull", "team/build:1", "out"],
    &["push", "build", "x:1"],
    &["cp", "team/build:1", "x"],
    &["tag", "team/build:1", "x"],
    &["untag", "team/build:1"],
    &["rm", "team/build:1"],
    &["undelete", "team/build:1"],
    &["history"],
    &["repo", "ls"],
    &["user", "ls"],
    &["mode"],
    &["du"],
    &["gc"],
    &["fsck"],
];

#[track_caller]
fn all_refuse(bench: &Bench, code: i32, words: &[&str]) {
    for command in COMMANDS {
        let run = bench.run(command);
        assert_eq!(run.code, code, "{run:#?}");
        for word in words {
            assert!(run.err.contains(word), "{word}: {run:#?}");
        }
    }
}

#[test]
fn one_that_is_missing_is_said_to_be() {
    let bench = Bench::bare();
    tree::make(&bench.path("build"));
    all_refuse(
        &bench,
        3,
        &[
            "no registry is here or above",
            "artifact init",
            "--registry DIR",
        ],
    );
    assert_eq!(tree::names(bench.root()), ["build", "home"]);
    for wrong in ["nowhere", "build", "build/hello.txt"] {
        let run = bench.run(["ls", "--registry", wrong]);
        assert_eq!(run.code, 3, "{run:#?}");
        assert!(
            run.err.contains(wrong) && run.err.contains("holds no registry"),
            "{run:#?}"
        );
    }
}

/// A directory of a newer format is refused by everything, and left as it is.
#[test]
fn one_of_a_newer_format_is_left_alone() {
    let bench = Bench::stocked();
    let config = bench.path("registry/artifact.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("format = 1", "format = 2")).unwrap();
    let before = tree::contents(&bench.path("registry"));
    all_refuse(
        &bench,
        9,
        &[
            "artifact.toml is of format 2",
            "knows up to 1",
            "use a newer one",
        ],
    );
    let run = bench.run(["fsck", "--rebuild-index"]);
    assert_eq!(run.code, 9, "{run:#?}");
    assert_eq!(tree::contents(&bench.path("registry")), before);
    fs::write(&config, format!("{text}\nsurprise = 1\n")).unwrap();
    all_refuse(&bench, 2, &["artifact.toml: line ", "surprise"]);
}

/// Lets everybody read a tree and nobody write it.
fn protect(path: &Path) {
    let meta = fs::symlink_metadata(path).unwrap();
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            protect(&entry.unwrap().path());
        }
    }
    let mode = if meta.is_dir() { 0o555 } else { 0o444 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A directory that cannot be written is read, and writes are refused. Root may write anywhere: it
/// becomes somebody else for this.
#[test]
fn one_that_cannot_be_written_is_read() {
    let bench = Bench::stocked();
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    let readable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bench.root(), readable.clone()).unwrap();
    fs::copy(PROGRAM, bench.path("program")).unwrap();
    fs::set_permissions(bench.path("program"), readable).unwrap();
    fs::create_dir(bench.path("own")).unwrap();
    fs::set_permissions(bench.path("own"), fs::Permissions::from_mode(0o777)).unwrap();
    protect(&bench.path("registry"));
    let before = tree::contents(&bench.path("registry"));
    let run = |arguments: &[&str]| {
        let mut command = bench.prepare(bench.path("program").to_str().unwrap(), arguments);
        command.current_dir(bench.path("own"));
        command.env("ARTIFACT_REGISTRY", bench.path("registry"));
        if rustix::process::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        Run::of(&mut command)
    };
    assert_eq!(run(&["ls"]).ok(), "team/build\n");
    run(&["inspect", "team/build:1"]).ok();
    run(&["history"]).ok();
    run(&["repo", "ls"]).ok();
    run(&["du"]).ok();
    assert_eq!(run(&["mode"]).code, 0);
    run(&["pull", "team/build:1", "out"]).ok();
    assert_eq!(
        tree::contents(&bench.path("own/out")),
        tree::contents(&bench.path("build"))
    );
    run(&["cp", "team/build:1", "oci:image:1"]).ok();
    for write in [
        &["push", "out", "x:1"][..],
        &["tag", "team/build:1", "x"],
        &["rm", "team/build:1"],
        &["gc"],
        &["mode", "read-only"],
    ] {
        let refused = run(write);
        assert!([4, 7].contains(&refused.code), "{refused:#?}");
        assert!(refused.err.contains("registry"), "{refused:#?}");
        // Not what helps who lacks a role, or finds the registry's mode to be read-only.
        assert!(!refused.err.contains("artifact user set"), "{refused:#?}");
        assert!(
            !refused.err.contains("artifact mode read-write"),
            "{refused:#?}"
        );
    }
    let looked = run(&["doctor"]);
    assert!(
        looked.code == 1 && looked.out.contains("ls -ld"),
        "{looked:#?}"
    );
    assert_eq!(tree::contents(&bench.path("registry")), before);
}
