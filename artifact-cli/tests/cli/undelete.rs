//! `artifact undelete`

use std::fs;

use crate::support::{bench::Bench, run::fields, server::Server};

#[test]
fn what_was_deleted_comes_back() {
    let bench = Bench::stocked();
    let digest = bench.digest("team/build:1");
    let before = bench.head();
    bench.ok(["rm", "team/build:1"]);
    let back = bench.json(["undelete", "team/build:1"]);
    assert_eq!(fields(&back), ["asOf", "changes", "revision", "undeleted"]);
    assert_eq!(
        (&back["asOf"], &back["revision"]),
        (&before.into(), &(before + 2).into())
    );
    bench.holds_the_tree("team/build:1");
    bench.ok(["untag", "team/build:1"]);
    bench.ok(["undelete", "team/build:1"]);
    assert_eq!(bench.digest("team/build:1"), digest);
    // Who was cut off asks again (I13).
    let head = bench.head();
    let again = bench.ok(["undelete", "team/build:1"]);
    assert!(again.contains("is as it was"), "{again}");
    assert_eq!(bench.head(), head);
    bench.ok(["rm", "team/build:1"]);
    let by_digest = format!("team/build@{digest}");
    bench.ok(["undelete", &by_digest]);
    bench.holds_the_tree(&by_digest);
    assert_eq!(
        bench.ok(["ls", "team/build"]),
        "",
        "its tag does not come with it"
    );
}

#[test]
fn a_tag_goes_back_to_where_it_was() {
    let bench = Bench::stocked();
    let (first, moment) = (bench.digest("team/build:1"), bench.head().to_string());
    fs::write(bench.path("build/second"), "x").unwrap();
    bench.ok(["push", "build", "team/build:1"]);
    let plain = ["undelete", "team/build:1", "--as-of", &moment];
    bench.refuses(plain, 5, &["the tag is there", "--replace"]);
    bench.ok(["undelete", "team/build:1", "--as-of", &moment, "--replace"]);
    assert_eq!(bench.digest("team/build:1"), first);
    let time = bench.json(["ls", "team/build"])["tags"][0]["changedAt"]
        .as_str()
        .unwrap()
        .to_owned();
    let said = bench.ok(["undelete", "team/build:1", "--as-of", &time, "--replace"]);
    assert!(said.contains("is as it was at revision"), "{said}");
}

#[test]
fn what_cannot_come_back_is_refused() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.refuses(
        ["undelete", "team/build"],
        2,
        &["one tag or one digest", "NAME:TAG"],
    );
    bench.refuses(
        ["undelete", "team/build:never"],
        3,
        &["it was not deleted", "artifact history"],
    );
    for other in ["oci:x:1", "dir:build", &server.at("team/build:1")] {
        bench.refuses(
            ["undelete", other],
            2,
            &["only the registry here", "--registry DIR"],
        );
    }
    bench.ok(["rm", "team/build:1"]);
    bench.ok(["gc", "--forget", "0s"]);
    bench.refuses(
        ["undelete", "team/build:1"],
        3,
        &["not deleted in the history that is kept"],
    );
    bench.refuses(
        ["undelete", "team/build:1", "--as-of", "3"],
        3,
        &["is forgotten"],
    );
}
