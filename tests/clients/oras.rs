//! oras: files, referrers, single blobs and manifests, copies with everything attached.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::image::{Layout, digest_in, digest_of, noise};
use crate::mode::{Mode, in_each_mode};
use crate::process::{feed, refused, run};
use crate::workbench::Workbench;

const ARTIFACT: &str = "application/vnd.example.report";
const SBOM: &str = "application/vnd.example.sbom";
const SIGNATURE: &str = "application/vnd.example.signature";

in_each_mode!(
    attaches_and_discovers,
    copies_an_artifact_with_its_referrers,
    deletes_a_blob,
    keeps_referrers_of_a_client_that_writes_tags,
    moves_tags_and_deletes_manifests,
    pushes_and_fetches_blobs,
    pushes_and_pulls_files,
);

fn pushes_and_pulls_files(mode: Mode) {
    let bench = workbench(mode);
    let (large, small) = (noise(1, 3_000_000), b"a note\n");
    bench.sandbox.file("large.bin", &large);
    bench.sandbox.file("notes/small.txt", small);
    bench.sandbox.file("config.json", r#"{"made": "by hand"}"#);
    let artifact = bench.image("team/files", "v1");
    let pushed = run(remote(&bench, "push")
        .args(["--format", "json", "--annotation", "org.example.key=value"])
        .args([
            "--config",
            "config.json:application/vnd.example.config+json",
        ])
        .args([
            &artifact,
            "large.bin:application/octet-stream",
            "notes/small.txt:text/plain",
        ]))
    .json();
    let (digest, manifest) = bench.check("team/files", "v1");
    assert_eq!(pushed["digest"], digest);
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["annotations"]["org.example.key"], "value");

    run(remote(&bench, "pull").args(["--output", "pulled", &artifact]));
    assert_eq!(
        fs::read(bench.sandbox.path("pulled/large.bin")).unwrap(),
        large
    );
    assert_eq!(
        fs::read(bench.sandbox.path("pulled/notes/small.txt")).unwrap(),
        small
    );

    let tags = run(remote(&bench, "repo tags").arg(package(&bench, "team/files")));
    assert_eq!(tags.lines(), ["v1"]);
    bench.finish();
}

fn attaches_and_discovers(mode: Mode) {
    let bench = workbench(mode);
    let subject = push_report(&bench, "team/app", "v1");
    let image = bench.image("team/app", "v1");
    let none = discover(&bench, &image, None);
    assert_eq!(
        none,
        json!([]),
        "an empty list, and no error, before there is a referrer"
    );

    let sbom = attach(&bench, &image, SBOM, "sbom.json", &[]);
    let signature = attach(&bench, &image, SIGNATURE, "signature", &[]);
    let of_sbom = attach(
        &bench,
        &format!("{}@{sbom}", bench.server.host() + "/team/app"),
        SIGNATURE,
        "s2",
        &[],
    );

    let mut all = digests(&discover(&bench, &image, None));
    all.sort();
    let mut expected = vec![sbom.clone(), signature];
    expected.sort();
    assert_eq!(all, expected);
    let filtered = discover(&bench, &image, Some(SBOM));
    assert_eq!(digests(&filtered), [sbom.as_str()]);
    assert_eq!(filtered[0]["artifactType"], SBOM);
    assert_eq!(filtered[0]["annotations"]["org.example.of"], "sbom.json");
    let chained = format!("{}/team/app@{sbom}", bench.server.host());
    assert_eq!(digests(&discover(&bench, &chained, None)), [of_sbom]);

    run(remote(&bench, "pull")
        .args(["--output", "pulled"])
        .arg(&chained));
    assert_eq!(
        fs::read(bench.sandbox.path("pulled/sbom.json")).unwrap(),
        b"content of sbom.json"
    );
    assert_eq!(bench.check("team/app", "v1").0, subject);
    assert_eq!(
        bench.tags("team/app"),
        ["v1"],
        "the client needed no tags of its own"
    );
    bench.finish();
}

/// A client that believes the server too old keeps a list of its own, under a tag that is named
/// after the subject. What it pushes is a referrer all the same.
fn keeps_referrers_of_a_client_that_writes_tags(mode: Mode) {
    let bench = workbench(mode);
    push_report(&bench, "team/app", "v1");
    let image = bench.image("team/app", "v1");
    let by_tag = ["--distribution-spec", "v1.1-referrers-tag"];
    let first = attach(&bench, &image, SBOM, "first", &by_tag);
    let second = attach(&bench, &image, SBOM, "second", &by_tag);
    let mut expected = vec![first, second];
    expected.sort();
    let mut found = digests(&discover(&bench, &image, None));
    found.sort();
    assert_eq!(found, expected);
    let mut discover = remote(&bench, "discover");
    discover.args(["--format", "json"]).args(by_tag).arg(&image);
    let mut found = digests(&run(&mut discover).json()["manifests"]);
    found.sort();
    assert_eq!(found, expected);
    bench.finish();
}

fn copies_an_artifact_with_its_referrers(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let index = local.tag(&local.add_two_platforms(5), "v1");
    let image = bench.image("team/multi", "v1");
    run(copy(&bench, "to").args(["--from-oci-layout", "layout:v1", &image]));
    assert_eq!(bench.check("team/multi", "v1").0, index);
    let sbom = attach(&bench, &image, SBOM, "sbom.json", &[]);

    run(copy(&bench, "from").args(["--recursive", "--to-oci-layout", &image, "copied:v1"]));
    let copied = Layout::open(bench.sandbox.path("copied"));
    assert_eq!(copied.assert_same(&local, &index), 7);
    copied.blob(&sbom);

    // Within the server each blob is mounted from one package into the other.
    let other = bench.image("team/other", "v1");
    let mut within = copy(&bench, "to");
    within
        .args(trust(&bench, "from-"))
        .args(["--recursive", &image, &other]);
    run(&mut within);
    assert_eq!(bench.check("team/other", "v1").0, index);
    assert_eq!(digests(&discover(&bench, &other, Some(SBOM))), [sbom]);
    bench.finish();
}

fn pushes_and_fetches_blobs(mode: Mode) {
    let bench = workbench(mode);
    let content = noise(6, 200_000);
    let digest = digest_of(&content);
    bench.sandbox.file("blob", &content);
    let target = package(&bench, "team/blobs");
    let pushed = run(remote(&bench, "blob push").args(["--descriptor", &target, "blob"])).json();
    assert_eq!(pushed["digest"], digest);
    assert_eq!(pushed["size"], content.len());

    let named = format!("{target}@{digest}");
    run(remote(&bench, "blob fetch").args(["--output", "fetched", &named]));
    assert_eq!(fs::read(bench.sandbox.path("fetched")).unwrap(), content);
    let described = run(remote(&bench, "blob fetch").args(["--descriptor", &named])).json();
    assert_eq!(digest_in(&described), digest);

    // The same bytes once more, from standard input this time.
    let length = content.len().to_string();
    let mut again = remote(&bench, "blob push");
    again.args(["--size", &length, &named, "-"]);
    feed(&mut again, &content);
    let missing = format!("{target}@{}", digest_of(b"nowhere"));
    refused(remote(&bench, "blob fetch").args(["--output", "missing", &missing]));
    bench.finish();
}

fn deletes_a_blob(mode: Mode) {
    let bench = workbench(mode);
    let digest = digest_of(b"alone");
    bench.sandbox.file("blob", b"alone");
    let target = package(&bench, "team/blobs");
    run(remote(&bench, "blob push").args([&target, "blob"]));
    bench.check_blob("team/blobs", &digest);
    let named = format!("{target}@{digest}");
    run(remote(&bench, "blob delete").args(["--force", &named]));
    refused(remote(&bench, "blob fetch").args(["--output", "fetched", &named]));

    push_report(&bench, "team/blobs", "v1");
    let named = format!("{target}@{}", digest_of(b"report of v1"));
    refused(remote(&bench, "blob delete").args(["--force", &named]));
    bench.check("team/blobs", "v1");
    bench.finish();
}

fn moves_tags_and_deletes_manifests(mode: Mode) {
    let bench = workbench(mode);
    let one = push_report(&bench, "team/app", "v1");
    let two = push_report(&bench, "team/app", "v2");
    run(remote(&bench, "tag")
        .arg(bench.image("team/app", "v1"))
        .args(["latest", "stable"]));
    assert_eq!(bench.tags("team/app"), ["latest", "stable", "v1", "v2"]);
    let resolve = |tag: &str| run(remote(&bench, "resolve").arg(bench.image("team/app", tag)));
    assert_eq!(resolve("latest").text(), one);
    run(remote(&bench, "tag")
        .arg(bench.image("team/app", "v2"))
        .arg("latest"));
    assert_eq!(resolve("latest").text(), two);

    let fetched = run(remote(&bench, "manifest fetch").arg(bench.image("team/app", "latest")));
    assert_eq!(digest_of(&fetched.stdout), two);
    bench.sandbox.file("manifest.json", &fetched.stdout);
    let mut push = remote(&bench, "manifest push");
    run(push
        .arg(bench.image("team/app", "again"))
        .arg("manifest.json"));
    assert_eq!(resolve("again").text(), two);

    let mut delete = remote(&bench, "manifest delete");
    run(delete
        .arg("--force")
        .arg(format!("{}@{two}", package(&bench, "team/app"))));
    refused(remote(&bench, "manifest fetch").arg(bench.image("team/app", "latest")));
    assert_eq!(bench.tags("team/app"), ["stable", "v1"]);
    assert_eq!(bench.check("team/app", "v1").0, one);

    let listed = run(remote(&bench, "repo ls").arg(bench.server.host()));
    assert_eq!(listed.lines(), ["team/app"]);
    bench.finish();
}

/// Pushes an artifact of one file and returns its digest.
fn push_report(bench: &Workbench, package: &str, tag: &str) -> String {
    let file = format!("report-{tag}");
    bench.sandbox.file(&file, format!("report of {tag}"));
    let mut push = remote(bench, "push");
    push.args(["--format", "json", "--artifact-type", ARTIFACT]);
    push.arg(bench.image(package, tag))
        .arg(format!("{file}:text/plain"));
    digest_in(&run(&mut push).json())
}

/// Attaches a file to an artifact and returns the digest of the referrer.
fn attach(bench: &Workbench, to: &str, artifact_type: &str, file: &str, more: &[&str]) -> String {
    bench.sandbox.file(file, format!("content of {file}"));
    let mut attach = remote(bench, "attach");
    attach
        .args(["--format", "json", "--artifact-type", artifact_type])
        .args(more);
    attach
        .arg("--annotation")
        .arg(format!("org.example.of={file}"));
    digest_in(&run(attach.arg(to).arg(format!("{file}:text/plain"))).json())
}

/// Returns the descriptors of the referrers, asked from the server's own list.
fn discover(bench: &Workbench, image: &str, artifact_type: Option<&str>) -> Value {
    let mut discover = remote(bench, "discover");
    discover.args([
        "--format",
        "json",
        "--distribution-spec",
        "v1.1-referrers-api",
    ]);
    discover.args(
        artifact_type
            .into_iter()
            .flat_map(|kind| ["--artifact-type", kind]),
    );
    run(discover.arg(image)).json()["manifests"].take()
}

fn digests(descriptors: &Value) -> Vec<String> {
    descriptors
        .as_array()
        .into_iter()
        .flatten()
        .map(digest_in)
        .collect()
}

/// Returns a workbench whose user oras has logged in.
fn workbench(mode: Mode) -> Workbench {
    let bench = Workbench::new(mode);
    bench.log_in(&mut remote(&bench, "login"));
    bench
}

/// Returns a command of oras, of one or two words, that talks to the server.
fn remote(bench: &Workbench, command: &str) -> Command {
    let mut oras = bench.sandbox.client("oras");
    oras.args(command.split(' ')).args(trust(bench, ""));
    oras
}

/// Returns a copy whose side `to` or `from` is the server.
fn copy(bench: &Workbench, side: &str) -> Command {
    let mut oras = bench.sandbox.client("oras");
    oras.arg("cp").args(trust(bench, &format!("{side}-")));
    oras
}

fn trust(bench: &Workbench, side: &str) -> Vec<String> {
    match bench.server.certificate() {
        None => vec![format!("--{side}plain-http")],
        Some(files) => {
            vec![
                format!("--{side}ca-file"),
                files.authority.display().to_string(),
            ]
        }
    }
}

fn package(bench: &Workbench, name: &str) -> String {
    format!("{}/{name}", bench.server.host())
}
