//! The docker command line and a Docker engine: build, push, pull, buildx.

use serde_json::Value;

use crate::engine::{Engine, ImageStore, docker, trust_authority};
use crate::image::{digest_in, digest_of, noise};
use crate::mode::{Access, Mode, in_each_mode};
use crate::process::{Finished, refused, run};
use crate::workbench::Workbench;

in_each_mode!(
    builds_pushes_and_pulls,
    pushes_an_index_from_the_store_of_containerd
);

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn builds_pushes_and_pulls(mode: Mode) {
    let (bench, engine) = workbench(mode, ImageStore::Graph);
    let classic = bench.image("team/classic", "v1");
    let pushed = build_and_push(&bench, &classic, &noise(1, 1_000_000), "0");
    let (digest, manifest) = bench.check("team/classic", "v1");
    assert_eq!(pushed, digest);
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["mediaType"], DOCKER_MANIFEST);
    let modern = bench.image("team/modern", "v1");
    let pushed = build_and_push(&bench, &modern, &noise(2, 10_000), "1");
    assert_eq!(bench.check("team/modern", "v1").0, pushed);

    // The same layers in another package are mounted, not sent again.
    let mounted = bench.image("team/mounted", "v1");
    run(&mut docker(&bench.sandbox, &["tag", &classic, &mounted]));
    let printed = run(&mut docker(&bench.sandbox, &["push", &mounted]));
    assert!(
        printed.text().contains("Mounted from team/classic"),
        "{}",
        printed.text()
    );
    assert_eq!(bench.check("team/mounted", "v1").0, digest);

    pulls(&bench, &classic, &digest, &noise(1, 1_000_000));
    let missing = bench.image("team/classic", "missing");
    let printed = refused(&mut docker(&bench.sandbox, &["pull", &missing]));
    assert!(printed.contains("manifest unknown"), "{printed}");
    combines_images(&bench, &[&classic, &modern]);
    logs_out(&bench, &classic);
    drop(engine);
    bench.finish();
}

/// With containerd's store the engine pushes the index that `BuildKit` made: two platforms and the
/// attestations of each.
fn pushes_an_index_from_the_store_of_containerd(mode: Mode) {
    let (bench, engine) = workbench(mode, ImageStore::Containerd);
    let image = bench.image("team/multi", "v1");
    let content = noise(3, 500_000);
    write_context(&bench, &content);
    let platforms = "linux/amd64,linux/arm64";
    let metadata = bench.sandbox.path("metadata.json");
    let mut build = docker(
        &bench.sandbox,
        &["buildx", "build", "--push", "--provenance", "mode=max"],
    );
    build.args(["--platform", platforms, "--tag", &image, "--metadata-file"]);
    build.arg(&metadata).arg("context");
    // It asks for the engine's tokens, by the authorities that it trusts itself.
    trust_authority(
        &mut build,
        &bench.sandbox.path("certificates/authority/ca.crt"),
    );
    run(&mut build);
    let metadata: Value = serde_json::from_slice(&std::fs::read(metadata).unwrap()).unwrap();
    let (digest, index) = bench.check("team/multi", "v1");
    assert_eq!(metadata["containerimage.digest"], digest);
    let index: Value = serde_json::from_slice(&index).unwrap();
    let listed = index["manifests"].as_array().unwrap();
    assert_eq!(
        listed.len(),
        4,
        "two images and an attestation of each: {index:#}"
    );

    // An engine that has nothing pulls the index as it is, and one platform's content.
    run(&mut docker(
        &bench.sandbox,
        &["image", "rm", "--force", &image],
    ));
    run(&mut docker(
        &bench.sandbox,
        &["pull", "--platform", "linux/arm64", &image],
    ));
    let inspected = run(&mut docker(&bench.sandbox, &["image", "inspect", &image])).json();
    assert_eq!(
        inspected[0]["RepoDigests"][0],
        format!("{}/team/multi@{digest}", bench.server.host())
    );
    let copy = bench.image("team/copy", "v1");
    combine(&bench, &copy, &[&image]);
    assert_eq!(bench.check("team/copy", "v1").0, digest);
    drop(engine);
    bench.finish();
}

/// Builds an image of one file, pushes it, and returns the digest that docker printed.
fn build_and_push(bench: &Workbench, image: &str, content: &[u8], buildkit: &str) -> String {
    write_context(bench, content);
    let mut build = docker(&bench.sandbox, &["build", "--tag", image, "context"]);
    run(build.env("DOCKER_BUILDKIT", buildkit));
    let pushed = run(&mut docker(&bench.sandbox, &["push", image]));
    let line = pushed
        .lines()
        .pop()
        .expect("the last line tells the digest")
        .to_owned();
    let digest = line
        .split_whitespace()
        .find(|word| word.starts_with("sha256:"));
    digest
        .unwrap_or_else(|| panic!("no digest in {line}"))
        .to_owned()
}

fn write_context(bench: &Workbench, content: &[u8]) {
    bench.sandbox.file("context/content", content);
    bench.sandbox.file(
        "context/Dockerfile",
        "FROM scratch\nCOPY content /content\n",
    );
}

/// Pulls an image into an engine that has nothing of it, and looks into the file it holds.
fn pulls(bench: &Workbench, image: &str, digest: &str, content: &[u8]) {
    run(&mut docker(
        &bench.sandbox,
        &["system", "prune", "--all", "--force"],
    ));
    let pulled = run(&mut docker(&bench.sandbox, &["pull", image]));
    assert!(pulled.text().contains(digest), "{}", pulled.text());
    run(&mut docker(
        &bench.sandbox,
        &["create", "--name", "probe", image, "/none"],
    ));
    let archive = run(&mut docker(&bench.sandbox, &["cp", "probe:/content", "-"])).stdout;
    assert_eq!(
        digest_of(&archive[512..512 + content.len()]),
        digest_of(content)
    );
    run(&mut docker(&bench.sandbox, &["rm", "probe"]));
}

/// Makes an index of images that are in the registry.
fn combines_images(bench: &Workbench, images: &[&str]) {
    let combined = bench.image("team/combined", "v1");
    combine(bench, &combined, images);
    let (digest, index) = bench.check("team/combined", "v1");
    let index: Value = serde_json::from_slice(&index).unwrap();
    let listed: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(digest_in)
        .collect();
    let expected: Vec<_> = ["team/classic", "team/modern"]
        .map(|p| bench.check(p, "v1").0)
        .into();
    assert_eq!(listed, expected);
    let raw = imagetools(bench, &["inspect", "--raw", &combined]);
    assert_eq!(digest_of(&raw.stdout), digest);
}

fn combine(bench: &Workbench, target: &str, sources: &[&str]) {
    imagetools(bench, &[&["create", "--tag", target], sources].concat());
}

/// Runs `docker buildx imagetools`, which talks to the registry itself.
fn imagetools(bench: &Workbench, arguments: &[&str]) -> Finished {
    let mut tool = docker(&bench.sandbox, &["buildx", "imagetools"]);
    trust_authority(
        &mut tool,
        &bench.sandbox.path("certificates/authority/ca.crt"),
    );
    run(tool.args(arguments))
}

/// A user who is logged out can no longer write, and reads only what is public.
fn logs_out(bench: &Workbench, image: &str) {
    if bench.server.user().is_none() {
        return;
    }
    run(&mut docker(
        &bench.sandbox,
        &["logout", &bench.server.host()],
    ));
    refused(&mut docker(&bench.sandbox, &["push", image]));
    let mut pull = docker(&bench.sandbox, &["pull", image]);
    if bench.server.mode().access == Access::PublicRead {
        run(&mut pull);
    } else {
        refused(&mut pull);
    }
}

/// Returns a workbench and an engine into which the user is logged in.
fn workbench(mode: Mode, store: ImageStore) -> (Workbench, Engine) {
    let bench = Workbench::new(mode);
    let engine = Engine::start(&bench.sandbox, store);
    bench.log_in(&mut docker(&bench.sandbox, &["login"]));
    (bench, engine)
}
