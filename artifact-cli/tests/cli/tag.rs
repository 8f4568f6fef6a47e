//! `artifact tag` and `untag`

use std::{fs, thread};

use crate::support::{
    bench::Bench,
    run::{each, fields},
    server::Server,
};

#[test]
fn tags_are_given_moved_and_taken_away_everywhere() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    bench.ok(["cp", "team/build:1", "team/other:1"]);
    let digest = bench.digest("team/build:1");
    for place in ["team/build", "oci:layout", &server.at("team/other")] {
        let tagged = bench.json(["tag", &format!("{place}:1"), "stable", "next"]);
        assert_eq!(fields(&tagged), ["digest", "reference", "tags"]);
        assert_eq!(tagged["digest"], digest, "{place}");
        assert_eq!(tagged["tags"][1], "next");
        let listed = bench.json(["ls", place]);
        let mut tags = each(&listed["tags"], "tag");
        tags.sort_unstable();
        assert_eq!(tags, ["1", "next", "stable"], "{place}");
        let untagged = bench.json(["untag", &format!("{place}:next")]);
        assert_eq!(fields(&untagged), ["untagged"]);
        assert_eq!(
            bench.json(["ls", place])["tags"].as_array().unwrap().len(),
            2,
            "{place}"
        );
        assert_eq!(bench.digest(&format!("{place}:stable")), digest);
    }
    bench.ok(["tag", &format!("team/build@{digest}"), "by-digest"]);
    bench.ok(["untag", "team/build:1"]);
    bench.ok(["untag", "team/build:stable"]);
    bench.ok(["untag", "team/build:by-digest"]);
    // What no tag points at is still there.
    bench.holds_the_tree(&format!("team/build@{digest}"));
    bench.ok(["untag", "oci:layout:1"]);
    bench.ok(["untag", "oci:layout:stable"]);
    bench.holds_the_tree("oci:layout");
}

/// Compare-and-set: a condition that does not hold says what is there, and changes nothing.
#[test]
fn a_tag_moves_on_a_condition_alone() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    let first = bench.digest("team/build:1");
    fs::write(bench.path("build/second"), "x").unwrap();
    bench.ok(["push", "build", "team/build:2"]);
    let second = bench.digest("team/build:2");
    bench.ok(["tag", "team/build:1", "stable", "--if-absent"]);
    let points = format!("tag stable points at {first}");
    for two in ["team/build:2".to_owned(), server.at("team/build:2")] {
        bench.refuses(
            ["tag", &two, "stable", "--if-absent"],
            5,
            &[&points, "leave the condition"],
        );
        bench.refuses(["tag", &two, "stable", "--if-at", &second], 5, &[&points]);
        bench.refuses(
            ["tag", &two, "none", "--if-at", &second],
            5,
            &["there is no tag none"],
        );
    }
    bench.refuses(
        ["tag", "team/build:2", "stable", "--if-generation", "7"],
        5,
        &["at generation 1"],
    );
    bench.ok(["tag", "team/build:2", "stable", "--if-generation", "1"]);
    bench.ok(["tag", "team/build:1", "stable", "--if-at", &second]);
    bench.ok([
        "tag",
        &server.at("team/build:2"),
        "stable",
        "--if-at",
        &first,
    ]);
    assert_eq!(bench.digest("team/build:stable"), second);
    bench.refuses(
        ["untag", "team/build:stable", "--if-generation", "1"],
        5,
        &["at generation 4"],
    );
    bench.refuses(
        ["untag", "team/build:stable", "--if-at", &first],
        5,
        &["points at"],
    );
    let remote = server.at("team/build:stable");
    bench.refuses(
        ["untag", &remote, "--if-at", &first],
        2,
        &["leave the condition out"],
    );
    bench.ok(["untag", "team/build:stable", "--if-generation", "4"]);
    let two = ["tag", "team/build:1", "a", "b", "--if-absent"];
    bench.refuses(two, 2, &["one tag at a time", "a command of its own"]);
}

/// Of writers that race for a tag that is absent, one wins, and the others are told.
#[test]
fn one_of_many_wins_a_race() {
    let bench = Bench::stocked();
    let codes: Vec<i32> = thread::scope(|scope| {
        let race = || {
            bench
                .run(["tag", "team/build:1", "won", "--if-absent"])
                .code
        };
        let racers: Vec<_> = (0..6).map(|_| scope.spawn(race)).collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .collect()
    });
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        1,
        "{codes:?}"
    );
    assert!(codes.iter().all(|code| [0, 5].contains(code)), "{codes:?}");
    let listed = bench.json(["ls", "team/build"]);
    assert_eq!(listed["tags"][1]["generation"], 1);
}

#[test]
fn what_cannot_be_tagged_is_refused() {
    let bench = Bench::stocked();
    bench.refuses(["tag", "team/build:1"], 2, &["<TAGS>"]);
    bench.refuses(
        ["tag", "team/build:nope", "x"],
        3,
        &["no tag nope", "artifact ls NAME"],
    );
    bench.refuses(
        ["tag", "team/build:1", "bad tag"],
        2,
        &["bad tag", "at most 128"],
    );
    let elsewhere = ["tag", "team/build:1", "team/other:1"];
    bench.refuses(
        elsewhere,
        2,
        &["team/other:1", "artifact cp FROM team/other:1"],
    );
    bench.refuses(
        ["tag", "dir:build", "x"],
        2,
        &["no artifact before it is pushed"],
    );
    bench.refuses(
        ["untag", "team/build"],
        2,
        &["a tag is to be named", "NAME:TAG"],
    );
    bench.refuses(["untag", "team/build:nope"], 3, &["no tag nope"]);
    // It could hold of no tag that can be taken away.
    bench.refuses(
        ["untag", "team/build:1", "--if-absent"],
        2,
        &["--if-absent"],
    );
    let generations = [
        "tag",
        "team/build:1",
        "x",
        "--if-absent",
        "--if-generation",
        "1",
    ];
    bench.refuses(generations, 2, &["--if-absent", "--if-generation"]);
    bench.refuses(["untag", "dir:build"], 2, &["a tag is to be named"]);
    bench.refuses(["untag", "oci:nothing:1"], 3, &["no OCI image layout"]);
    let both = format!("team/build:1@{}", bench.digest("team/build:1"));
    bench.refuses(["untag", &both], 2, &["NAME:TAG"]);
}
