//! `artifact rm`

use std::fs;

use crate::support::{bench::Bench, run::fields, server::Server, tree};

#[test]
fn an_artifact_goes_with_its_tags_everywhere() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    bench.ok(["cp", "team/build:1", "team/other:1"]);
    let digest = bench.digest("team/build:1");
    for place in ["team/build", "oci:layout", &server.at("team/other")] {
        bench.ok(["tag", &format!("{place}:1"), "again"]);
        let removed = bench.json(["rm", &format!("{place}:1")]);
        assert_eq!(fields(&removed), ["kept", "reference", "removed"]);
        assert_eq!(removed["removed"][0], digest);
        let gone = bench.run(["inspect", &format!("{place}:again")]);
        assert_eq!(gone.code, 3, "{gone:#?}");
    }
    assert_eq!(bench.ok(["ls"]), "");
    assert_eq!(bench.ok(["ls", "oci:layout"]), "");
}

#[test]
fn by_its_digest_too() {
    let bench = Bench::stocked();
    let reference = format!("team/build@{}", bench.digest("team/build:1"));
    let said = bench.ok(["rm", &reference]);
    assert!(
        said.starts_with(&format!("removed {reference}\n")),
        "{said}"
    );
    bench.refuses(
        ["rm", &reference],
        3,
        &["no artifact sha256:", "--manifests"],
    );
}

/// A purge removes the bytes at once, also from the history; what something else names stays.
#[test]
fn a_purge_leaves_no_byte() {
    let bench = Bench::stocked();
    let revision = bench.head().to_string();
    bench.ok(["push", "build/hello.txt", "team/shared:1"]);
    let removed = bench.json(["rm", "team/build:1", "--purge"]);
    assert_eq!(
        fields(&removed),
        ["kept", "purged", "reference", "removed", "waiting"]
    );
    assert_eq!(
        removed["waiting"], 1,
        "the slot, which somebody may be reading: {removed}"
    );
    assert_eq!(removed["purged"].as_array().unwrap().len(), 5, "{removed}");
    assert_eq!(
        removed["kept"].as_array().unwrap().len(),
        1,
        "the shared one: {removed}"
    );
    let past = ["inspect", "team/build:1", "--as-of", &revision];
    bench.refuses_without_remedy(past, 3, "was purged");
    bench.refuses_without_remedy(["undelete", "team/build:1"], 3, "was purged");
    bench.ok(["pull", "team/shared:1", "out"]);
    assert_eq!(
        fs::read_to_string(bench.path("out/hello.txt")).unwrap(),
        "hello\n"
    );
    let large = tree::large();
    let stored = tree::contents(&bench.path("registry"));
    assert!(
        stored.values().all(|(_, bytes)| *bytes != large),
        "the bytes are gone"
    );
}

/// What was deleted first can be purged afterwards, by its tag or its digest; also what a purge left that
/// was cut off.
#[test]
fn a_purge_finds_what_was_deleted() {
    let bench = Bench::stocked();
    let digest = bench.digest("team/build:1");
    for reference in ["team/build:1".to_owned(), format!("team/build@{digest}")] {
        bench.ok(["push", "build", "team/build:1"]);
        bench.ok(["rm", "team/build:1"]);
        let removed = bench.json(["rm", &reference, "--purge"]);
        assert_eq!(removed["purged"].as_array().unwrap().len(), 6, "{removed}");
        assert_eq!(removed["purged"][5], digest, "what names others goes last");
        bench.refuses_without_remedy(["undelete", &reference], 3, "was purged");
        bench.refuses_without_remedy(["rm", &reference, "--purge"], 3, "was purged");
    }
    bench.refuses(["rm", "team/build:never", "--purge"], 3, &["no tag never"]);
}

#[test]
fn what_cannot_be_removed_is_refused() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.refuses(["rm", "team/build"], 2, &["which artifact", "NAME@DIGEST"]);
    bench.refuses(["rm", "team/build:nope"], 3, &["no tag nope"]);
    bench.refuses(["rm", "nope:1"], 3, &["no tag 1", "nope:1"]);
    bench.refuses(["rm", "dir:build"], 2, &["no artifact", "rm -r build"]);
    bench.refuses(["rm", "oci:nothing:1"], 3, &["no OCI image layout"]);
    bench.refuses(
        ["rm", &server.at("team/build:nope")],
        3,
        &["nope of team/build is not at"],
    );
    let purge = ["rm", &server.at("team/build:1"), "--purge"];
    bench.refuses(
        purge,
        2,
        &["only the registry here can purge", "leave --purge out"],
    );
    bench.holds_the_tree("team/build:1");
}
