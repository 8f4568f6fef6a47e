//! `artifact gc`

use crate::support::{bench::Bench, run::fields, tree};

const FIELDS: [&str; 12] = [
    "blobBytes",
    "blobs",
    "busy",
    "dryRun",
    "forgotten",
    "freed",
    "freedBytes",
    "pruned",
    "unlinked",
    "uploads",
    "waiting",
    "waitingBytes",
];

/// Returns the bytes of the blobs that have a file of their own.
fn files(bench: &Bench) -> usize {
    let blobs = tree::contents(&bench.path("registry/blobs"));
    blobs
        .values()
        .filter(|(_, bytes)| bytes.len() > 1000)
        .count()
}

#[test]
fn what_nothing_wants_is_freed_when_its_history_is_forgotten() {
    let bench = Bench::stocked();
    assert_eq!(bench.ok(["gc"]), "nothing is to be collected\n");
    bench.ok(["rm", "team/build:1"]);
    bench.ok(["gc"]);
    assert_eq!(files(&bench), 1, "the history wants it");
    let head = bench.head();
    let dry = bench.json(["gc", "--dry-run"]);
    assert_eq!(
        (fields(&dry), &dry["dryRun"]),
        (FIELDS.to_vec(), &true.into())
    );
    assert_eq!(
        (bench.head(), files(&bench)),
        (head, 1),
        "a dry run changes nothing"
    );
    let done = bench.json(["gc", "--forget", &head.to_string()]);
    assert_eq!(fields(&done), FIELDS);
    assert_eq!(done["blobs"], 5, "{done}");
    assert!(done["freedBytes"].as_u64().unwrap() >= 1_200_000, "{done}");
    assert_eq!(files(&bench), 0);
    bench.refuses(
        ["undelete", "team/build:1"],
        3,
        &["not deleted in the history"],
    );
    bench.ok(["fsck", "--all"]);
}

#[test]
fn one_repository_can_forget_alone() {
    let bench = Bench::stocked();
    bench.ok(["repo", "add", "other"]);
    bench.ok(["push", "build/hello.txt", "other/x:1"]);
    bench.ok(["rm", "other/x:1"]);
    bench.ok(["rm", "team/build:1"]);
    bench.ok(["gc", "--forget", "0s", "--repository", "other"]);
    bench.ok(["undelete", "team/build:1"]);
    bench.holds_the_tree("team/build:1");
    bench.refuses(
        ["undelete", "other/x:1"],
        3,
        &["is forgotten", "artifact history"],
    );
}

#[test]
fn what_cannot_be_forgotten_is_refused() {
    let bench = Bench::stocked();
    bench.refuses(
        ["gc", "--forget", "999"],
        3,
        &["not made yet", "artifact history"],
    );
    bench.refuses(
        ["gc", "--dry-run", "--forget", "2h"],
        2,
        &["leave --dry-run or --forget out"],
    );
    bench.refuses(["gc", "--forget", "soon"], 2, &["soon", "2h"]);
    bench.refuses(["gc", "--repository", "x"], 2, &["--forget"]);
    bench.refuses(
        ["gc", "--forget", "1", "--repository", "nope"],
        3,
        &["nope", "artifact repo ls"],
    );
}
