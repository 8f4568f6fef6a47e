//! `artifact du` and `artifact mode`

use serde_json::json;

use crate::support::{
    bench::Bench,
    run::{each, fields},
};

#[test]
fn what_is_stored_is_told_and_who_is_charged() {
    let bench = Bench::stocked();
    bench.ok(["repo", "add", "team/models", "--quota", "1GiB"]);
    bench.ok(["cp", "team/build:1", "team/models/x"]);
    let shown = bench.json(["du"]);
    assert_eq!(fields(&shown), ["scopes", "totals"]);
    assert_eq!(
        each(&shown["scopes"], "scope"),
        ["/", "default", "team/models"]
    );
    let line = [
        "blobBytes",
        "blobs",
        "charged",
        "historyBytes",
        "manifests",
        "packages",
        "quota",
        "reserved",
        "scope",
        "tags",
    ];
    let own = &shown["scopes"][2];
    assert_eq!(
        (fields(own), &own["quota"]),
        (line.to_vec(), &(1_u64 << 30).into())
    );
    let (all, one) = (&shown["scopes"][0]["charged"], &own["charged"]);
    assert_eq!(
        all.as_u64().unwrap(),
        2 * one.as_u64().unwrap(),
        "each is charged"
    );
    let totals = [
        "blobs",
        "inlineBytes",
        "manifestBytes",
        "quarantined",
        "storedBytes",
        "trash",
        "trashBytes",
        "uploads",
    ];
    assert_eq!(fields(&shown["totals"]), totals);
    assert_eq!(shown["totals"]["blobs"], 5, "the disk has one of each");
    let part = bench.json(["du", "team"]);
    assert_eq!(
        (fields(&part), each(&part["scopes"], "scope")),
        (vec!["scopes"], vec!["team", "team/models"])
    );
    assert!(bench.ok(["du"]).starts_with("scope "));
    // A package, or a slip of the pen: nothing would be shown of it.
    bench.refuses(
        ["du", "team/build"],
        3,
        &["no repository", "team/build", "artifact repo ls"],
    );
    bench.refuses(["du", "Bad"], 2, &["Bad"]);
}

#[test]
fn a_registry_that_is_read_only_is_read() {
    let bench = Bench::stocked();
    assert_eq!(
        bench.json(["mode"]),
        json!({ "mode": "read-write", "reason": null })
    );
    let set = bench.json(["mode", "read-only", "--reason", "moving house"]);
    assert_eq!(
        set,
        json!({ "mode": "read-only", "reason": "moving house" })
    );
    assert_eq!(bench.ok(["mode"]), "read-only: moving house\n");
    let words = ["read-only: moving house", "artifact mode read-write"];
    bench.refuses(["push", "build/hello.txt", "x:1"], 7, &words);
    bench.refuses(["tag", "team/build:1", "x"], 7, &words);
    bench.refuses(["rm", "team/build:1"], 7, &words);
    bench.refuses(["repo", "add", "x"], 7, &words);
    bench.holds_the_tree("team/build:1");
    assert_eq!(bench.ok(["mode", "read-write"]), "read-write\n");
    bench.ok(["tag", "team/build:1", "x"]);
    assert_eq!(bench.ok(["mode", "read-only"]), "read-only: set by hand\n");
    bench.refuses(
        ["mode", "read-write", "--reason", "x"],
        2,
        &["`read-only` alone"],
    );
    bench.refuses(["mode", "--reason", "x"], 2, &["`read-only` alone"]);
    bench.refuses(["mode", "off"], 2, &["off", "read-only"]);
}
