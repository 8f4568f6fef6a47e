//! Container images of several platforms: they are copied, shown and removed with their parts.

use crate::support::{bench::Bench, image, run::each, server::Server};

#[test]
fn an_image_of_two_platforms_goes_everywhere_whole() {
    let (here, there) = (Bench::new(), Bench::new());
    let server = Server::open(&there);
    let [index, amd64, arm64] = image::two_platforms(&here.path("image"));
    here.ok(["push", "image", "team/app"]);
    here.ok(["cp", "team/app:v1", &server.at("team/app")]);
    here.ok(["pull", &server.at("team/app:v1"), "oci:back"]);
    for place in [
        "oci:image:v1",
        "team/app:v1",
        &server.at("team/app:v1"),
        "oci:back:v1",
    ] {
        let shown = here.json(["inspect", place]);
        assert_eq!(shown["digest"], index, "{place}");
        assert_eq!(
            each(&shown["content"], "digest"),
            [&amd64, &arm64],
            "{place}"
        );
        assert_eq!(
            each(&shown["content"], "platform"),
            ["linux/amd64", "linux/arm64"],
            "{place}"
        );
    }
    let text = here.ok(["ls", "team/app:v1"]);
    assert!(text.contains("linux/arm64"), "{text}");
    // One platform alone is an image, too.
    here.ok(["cp", &format!("team/app@{arm64}"), "team/arm:1"]);
    let shown = here.json(["ls", "team/arm:1"]);
    assert_eq!(each(&shown["content"], "role"), ["config", "layer"]);
    // It is no directory of files, and what it is is said.
    here.refuses(
        ["pull", "team/app:v1", "out"],
        9,
        &["no directory of files", "OCI layout"],
    );
}

/// The parts of an index go with it, unless a tag names them; and come back with it.
#[test]
fn the_parts_of_an_index_go_with_it() {
    let bench = Bench::new();
    let [index, amd64, arm64] = image::two_platforms(&bench.path("image"));
    bench.ok(["push", "image", "team/app"]);
    bench.ok(["tag", &format!("team/app@{arm64}"), "arm"]);
    let removed = bench.json(["rm", "team/app:v1"]);
    assert_eq!(removed["removed"], serde_json::json!([index, amd64]));
    assert_eq!(removed["kept"], serde_json::json!([arm64]));
    let listed = bench.json(["ls", "team/app", "--manifests"]);
    assert_eq!(each(&listed["manifests"], "digest"), [&arm64]);
    bench.ok(["undelete", "team/app:v1"]);
    let listed = bench.json(["ls", "team/app", "--manifests"]);
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 3);
    // A part that something names does not go alone.
    let part = format!("team/app@{amd64}");
    bench.refuses(["rm", &part], 9, &["in use by", "delete that first"]);
}
