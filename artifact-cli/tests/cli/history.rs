//! `artifact history`

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::support::{bench::Bench, run::fields};

fn revisions(document: &Value) -> Vec<u64> {
    let commits = document["commits"].as_array().unwrap();
    commits
        .iter()
        .map(|commit| commit["revision"].as_u64().unwrap())
        .collect()
}

#[test]
fn what_happened_is_told_in_its_order() {
    let bench = Bench::stocked();
    bench.ok(["tag", "team/build:1", "stable"]);
    bench.ok(["untag", "team/build:stable"]);
    let text = bench.ok(["history"]);
    let told: Vec<_> = [
        "set repository:default",
        "published team/build@",
        "tagged team/build:1",
        "tagged team/build:stable",
        "untagged team/build:stable",
    ]
    .iter()
    .map(|what| text.find(what).unwrap_or_else(|| panic!("{what}: {text}")))
    .collect();
    assert!(told.is_sorted(), "{text}");
    assert!(
        !text.contains("stored sha256"),
        "single blobs are left out: {text}"
    );
    assert!(bench.ok(["history", "--blobs"]).contains("stored sha256"));
    let document = bench.json(["history"]);
    assert_eq!(fields(&document), ["commits"]);
    assert_eq!(
        fields(&document["commits"][1]),
        ["events", "principal", "revision", "time"]
    );
    assert_eq!(document["commits"][1]["events"][0]["event"], "manifest-put");
    assert_eq!(document["commits"][1]["events"][1]["event"], "tag-put");
}

#[test]
fn a_part_of_it_can_be_asked_for() {
    let bench = Bench::stocked();
    let first = bench.head();
    bench.ok(["cp", "team/build:1", "other/app"]);
    bench.ok(["tag", "team/build:1", "stable"]);
    let of = bench.json(["history", "--package", "team/build"]);
    assert_eq!(revisions(&of), [first, first + 2]);
    let of = bench.json(["history", "--package", "team/build", "--limit", "1"]);
    assert_eq!(revisions(&of), [first + 2], "the newest");
    let after = bench.json(["history", "--after", &first.to_string()]);
    assert_eq!(revisions(&after), [first + 1, first + 2]);
    let after = bench.json(["history", "--after", &first.to_string(), "--limit", "1"]);
    assert_eq!(revisions(&after), [first + 1], "the next");
    assert_eq!(
        revisions(&bench.json(["history", "--after", "2h"])).len(),
        4
    );
    assert_eq!(revisions(&bench.json(["history", "--limit", "0"])).len(), 0);
    assert_eq!(bench.ok(["history", "--after", "0s"]), "");
    assert_eq!(bench.ok(["history", "--package", "nobody"]), "");
    bench.refuses(
        ["history", "--after", "999"],
        3,
        &["not made yet", "artifact history"],
    );
    bench.refuses(["history", "--after", "soon"], 2, &["soon", "2h"]);
    bench.refuses(["history", "--package", "Bad"], 2, &["Bad", "lower-case"]);
    bench.refuses(["history", "--follow", "--limit", "1"], 2, &["--limit"]);
}

/// However far back it lies under what is left out, so many commits are found as there are.
#[test]
fn what_is_left_out_does_not_count() {
    let bench = Bench::new();
    bench.ok(["repo", "add", "early"]);
    for n in 0..70 {
        std::fs::write(bench.path("build").join(format!("f{n}")), n.to_string()).unwrap();
    }
    bench.ok(["push", "build", "team/build:1"]);
    let shown = bench.json(["history"]);
    assert_eq!(shown["commits"].as_array().unwrap().len(), 3, "{shown}");
    assert_eq!(
        bench.json(["history", "--blobs"])["commits"]
            .as_array()
            .unwrap()
            .len(),
        50
    );
}

/// Who follows sees what another process commits, a document a line.
#[test]
fn who_follows_sees_what_comes() {
    let bench = Bench::stocked();
    let head = bench.head();
    let mut command = bench.command(["history", "--follow", "--json", "--after"]);
    command.arg((head - 1).to_string()).stdout(Stdio::piped());
    let mut follower = command.spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["revision"], head);
    bench.ok(["tag", "team/build:1", "stable"]);
    let seen = next();
    assert_eq!(
        (&seen["revision"], &seen["events"][0]["tag"]),
        (&(head + 1).into(), &"stable".into())
    );
    // It ends when it finds nobody who reads.
    drop(lines);
    bench.ok(["tag", "team/build:1", "next"]);
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}
