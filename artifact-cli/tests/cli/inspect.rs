//! `artifact inspect`

use serde_json::Value;

use crate::support::{bench::Bench, run::fields, server::Server};

#[test]
fn an_artifact_is_shown_alike_wherever_it_is() {
    let bench = Bench::stocked();
    let server = Server::open(&bench);
    bench.ok(["cp", "team/build:1", "oci:layout:1"]);
    let here = bench.json(["inspect", "team/build:1"]);
    let names = [
        "annotations",
        "artifactType",
        "content",
        "digest",
        "mediaType",
        "reference",
        "referrers",
        "registry",
        "size",
        "subject",
    ];
    assert_eq!(fields(&here), names);
    let known = [
        "firstSeenAt",
        "package",
        "publishedAt",
        "repository",
        "revision",
        "tag",
    ];
    assert_eq!(fields(&here["registry"]), known);
    assert_eq!(
        fields(&here["registry"]["tag"]),
        ["changedAt", "generation", "name", "revision"]
    );
    assert_eq!(
        here["artifactType"],
        "application/vnd.artifact.directory.v1"
    );
    let bytes = bench.ok(["inspect", "team/build:1", "--manifest"]);
    assert_eq!(here["size"], bytes.len());
    let manifest: Value = serde_json::from_str(&bytes).unwrap();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 4);
    for other in ["oci:layout:1".to_owned(), server.at("team/build:1")] {
        let there = bench.json(["inspect", &other]);
        for field in ["digest", "size", "mediaType", "content", "annotations"] {
            assert_eq!(there[field], here[field], "{other} {field}");
        }
        assert!(there.get("registry").is_none(), "{other}");
        // The manifest is given as it is, byte by byte.
        assert_eq!(
            bench.ok(["inspect", &other, "--manifest"]),
            bytes,
            "{other}"
        );
    }
    let text = bench.ok(["inspect", "team/build:1"]);
    assert!(
        text.contains("generation 1") && text.contains("sub/medium"),
        "{text}"
    );
}

#[test]
fn what_is_no_artifact_is_refused() {
    let bench = Bench::stocked();
    bench.refuses(
        ["inspect", "team/build"],
        3,
        &["no tag latest", "team/build:latest"],
    );
    bench.refuses(
        ["inspect", "dir:build"],
        2,
        &["no artifact before it is pushed", "artifact push"],
    );
    bench.refuses(["inspect", "oci:nothing"], 3, &["no OCI image layout"]);
    bench.refuses(["inspect", "a@sha256:xyz"], 2, &["sha256:xyz"]);
}
