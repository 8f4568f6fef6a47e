//! `artifact ls`

use crate::support::{
    bench::Bench,
    run::{each, fields},
    server::Server,
};

#[test]
fn packages_are_listed_whole_and_below_a_name() {
    let bench = Bench::stocked();
    assert_eq!(bench.ok(["ls"]), "team/build\n");
    bench.ok(["cp", "team/build:1", "team/deep/other"]);
    bench.ok(["cp", "team/build:1", "teamwork"]);
    assert_eq!(bench.ok(["ls", "team"]), "team/build\nteam/deep/other\n");
    assert_eq!(bench.ok(["ls", "team/"]), bench.ok(["ls", "team"]));
    let listed = bench.json(["ls"]);
    assert_eq!(fields(&listed), ["packages"]);
    assert_eq!(fields(&listed["packages"][0]), ["name", "repository"]);
    assert_eq!(
        each(&listed["packages"], "name"),
        ["team/build", "team/deep/other", "teamwork"]
    );
    bench.ok(["repo", "add", "empty"]);
    assert_eq!(
        bench.json(["ls", "empty"])["packages"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[test]
fn a_package_shows_its_tags_and_its_artifacts() {
    let bench = Bench::stocked();
    bench.ok(["tag", "team/build:1", "stable"]);
    let digest = bench.digest("team/build:1");
    let listed = bench.json(["ls", "team/build"]);
    assert_eq!(fields(&listed), ["package", "tags"]);
    assert_eq!(each(&listed["tags"], "tag"), ["1", "stable"]);
    let first = &listed["tags"][0];
    assert_eq!(
        fields(first),
        ["changedAt", "digest", "generation", "revision", "tag"]
    );
    assert_eq!(
        (&first["digest"], &first["generation"]),
        (&digest.as_str().into(), &1.into())
    );
    let text = bench.ok(["ls", "team/build"]);
    assert!(
        text.contains(&format!("stable  {digest}  g1  20")),
        "{text}"
    );
    bench.ok(["untag", "team/build:1"]);
    bench.ok(["untag", "team/build:stable"]);
    assert_eq!(bench.ok(["ls", "team/build"]), "", "nothing has a tag");
    let listed = bench.json(["ls", "team/build", "--manifests"]);
    assert_eq!(fields(&listed), ["manifests", "package"]);
    let found = &listed["manifests"][0];
    let names = [
        "artifactType",
        "digest",
        "firstSeenAt",
        "mediaType",
        "revision",
        "size",
        "subject",
        "tags",
    ];
    assert_eq!(
        (fields(found), &found["digest"]),
        (names.to_vec(), &digest.into())
    );
}

#[test]
fn an_artifact_shows_what_is_in_it() {
    let bench = Bench::stocked();
    let text = bench.ok(["ls", "team/build:1"]);
    for part in [
        "hello.txt",
        "link -> hello.txt",
        "run*",
        "sub/\n",
        "97.6 KiB  sub/medium",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = bench.json(["ls", "team/build:1"]);
    assert_eq!(fields(&listed), ["digest", "entries", "reference"]);
    let paths = ["hello.txt", "large", "link", "run", "sub", "sub/medium"];
    assert_eq!(each(&listed["entries"], "path"), paths);
    let kinds = ["file", "file", "link", "file", "directory", "file"];
    assert_eq!(each(&listed["entries"], "kind"), kinds);
    assert_eq!(listed["entries"][3]["executable"], true);
}

#[test]
fn layouts_and_other_registries_are_listed_too() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.ok(["cp", "team/build:1", "oci:layout:v1"]);
    let digest = bench.digest("team/build:1");
    assert_eq!(bench.ok(["ls", "oci:layout"]), format!("v1  {digest}\n"));
    assert_eq!(
        fields(&bench.json(["ls", "oci:layout"])["tags"][0]),
        ["digest", "tag"]
    );
    let host = server.at("");
    assert_eq!(bench.ok(["ls", &host]), "team/build\n");
    let listed = bench.json(["ls", &host]);
    assert_eq!(fields(&listed), ["packages", "registry"]);
    assert_eq!(bench.ok(["ls", &server.at("team/build")]), "1\n");
    let here = bench.json(["ls", "team/build:1"]);
    for other in ["oci:layout:v1".to_owned(), server.at("team/build:1")] {
        let there = bench.json(["ls", &other]);
        assert_eq!(there["entries"], here["entries"], "{other}");
    }
}

#[test]
fn what_cannot_be_listed_is_refused() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.refuses(["ls", "nope"], 3, &["no package nope", "artifact ls"]);
    bench.refuses(
        ["ls", "nope", "--manifests"],
        3,
        &["no package nope", "artifact ls"],
    );
    bench.refuses(["ls", "team/build:x"], 3, &["no tag x", "artifact ls NAME"]);
    bench.refuses(
        ["ls", "dir:build"],
        2,
        &["lists artifacts", "`ls` of the system"],
    );
    bench.refuses(["ls", "oci:build"], 3, &["no OCI image layout"]);
    bench.refuses(
        ["ls", "oci:nothing"],
        3,
        &["no OCI image layout", "name a directory"],
    );
    bench.refuses(["ls", "UPPER"], 2, &["UPPER", "lower-case"]);
    bench.refuses(["ls", "http://h/x"], 2, &["oci+http://h/x"]);
    bench.refuses(
        ["ls", &server.at("nope")],
        3,
        &["nope is not at", "artifact ls oci://HOST"],
    );
    bench.refuses(
        ["ls", &server.at("team/build:x")],
        3,
        &["x of team/build is not at"],
    );
    bench.refuses(
        ["ls", "oci://127.0.0.1:1/x"],
        7,
        &["127.0.0.1:1", "refused", "artifact doctor"],
    );
    let word = "--manifests lists the artifacts of a package";
    bench.refuses(["ls", "--manifests"], 2, &[word]);
    bench.refuses(["ls", "team/build:1", "--manifests"], 2, &[word]);
    bench.refuses(["ls", &server.at("team/build"), "--manifests"], 2, &[word]);
}
