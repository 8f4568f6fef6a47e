//! skopeo: copies in and out, indexes, lists, deletion, synchronization.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::image::{Layout, digest_of, noise};
use crate::mode::{Access, Mode, Transport, in_each_mode};
use crate::process::{refused, run};
use crate::workbench::Workbench;

in_each_mode!(
    copies_a_docker_image,
    copies_an_image_in_and_out,
    copies_an_index_with_all_platforms,
    deletes_an_image,
    lists_tags_and_inspects,
    synchronizes_a_package,
);

#[test]
fn a_wrong_password_is_refused() {
    let bench = Workbench::new(Mode {
        transport: Transport::Http,
        access: Access::PublicRead,
    });
    let layout = Layout::create(bench.sandbox.path("layout"));
    layout.tag(&layout.add_image("amd64", b"content"), "v1");
    let mut copy = skopeo(&bench, "copy");
    copy.args(trust(&bench, "dest-")).arg(oci(&layout, "v1"));
    copy.arg(docker(&bench, "team/app", "v1"));
    refused(&mut copy);
    refused(copy.args(["--dest-creds", "ci:wrong"]));
    // The wrong password before it does not lock the right one out.
    bench.log_in(skopeo(&bench, "login").args(trust(&bench, "")));
    push(&bench, &layout, "v1", "team/app", "v1");
    bench.finish();
}

/// The other tests over TLS would pass without this, if skopeo trusted everybody.
#[test]
fn an_unknown_authority_is_refused() {
    let bench = Workbench::new(Mode {
        transport: Transport::Tls,
        access: Access::Anyone,
    });
    let list = format!("docker://{}/team/app", bench.server.host());
    let printed = refused(skopeo(&bench, "list-tags").arg(list));
    assert!(
        printed.contains("certificate signed by unknown authority"),
        "{printed}"
    );
    bench.finish();
}

fn copies_an_image_in_and_out(mode: Mode) {
    let bench = workbench(mode);
    let image = bench.sandbox.path("umoci");
    let content = bench.sandbox.file("content", noise(1, 2_000_000));
    let tagged = format!("{}:v1", image.display());
    run(bench
        .sandbox
        .client("umoci")
        .arg("init")
        .arg("--layout")
        .arg(&image));
    run(bench
        .sandbox
        .client("umoci")
        .args(["new", "--image", &tagged]));
    run(bench
        .sandbox
        .client("umoci")
        .args(["insert", "--image", &tagged])
        .arg(&content)
        .arg("/content"));
    let local = Layout::open(image);
    let digest = local.only();

    push(&bench, &local, "v1", "team/app", "v1");
    assert_eq!(bench.check("team/app", "v1").0, digest);

    let pulled = pull(&bench, "team/app", "v1", "pulled");
    assert_eq!(pulled.only(), digest);
    assert_eq!(
        local.assert_same(&pulled, &digest),
        3,
        "a manifest, a config and a layer"
    );
    bench.finish();
}

fn copies_an_index_with_all_platforms(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let digest = local.tag(&local.add_two_platforms(1), "v1");

    push(&bench, &local, "v1", "team/multi", "v1");
    assert_eq!(bench.check("team/multi", "v1").0, digest);
    let pulled = pull(&bench, "team/multi", "v1", "pulled");
    assert_eq!(
        local.assert_same(&pulled, &digest),
        7,
        "an index and two images of three blobs"
    );

    let index: Value = serde_json::from_slice(&local.blob(&digest)).unwrap();
    let arm = index["manifests"][1]["digest"].as_str().unwrap();
    let single = bench.sandbox.path("arm");
    run(skopeo(&bench, "copy")
        .args(trust(&bench, "src-"))
        .args(["--override-arch", "arm64", "--preserve-digests"])
        .arg(docker(&bench, "team/multi", "v1"))
        .arg(format!("oci:{}:v1", single.display())));
    assert_eq!(Layout::open(single).only(), arm);
    bench.finish();
}

/// skopeo makes a manifest of Docker's schema 2, compresses the layer, and writes each back.
fn copies_a_docker_image(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    local.tag(&local.add_image("amd64", &noise(2, 100_000)), "v1");
    let digest_file = bench.sandbox.path("digest");
    run(skopeo(&bench, "copy")
        .args(trust(&bench, "dest-"))
        .args(["--format", "v2s2", "--digestfile"])
        .arg(&digest_file)
        .arg(oci(&local, "v1"))
        .arg(docker(&bench, "team/docker", "v1")));
    let pushed = fs::read_to_string(digest_file).unwrap();
    let (digest, manifest) = bench.check("team/docker", "v1");
    assert_eq!(digest, pushed.trim());
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );

    let directory = bench.sandbox.path("directory");
    run(skopeo(&bench, "copy")
        .args(trust(&bench, "src-"))
        .arg(docker(&bench, "team/docker", "v1"))
        .arg(format!("dir:{}", directory.display())));
    assert_eq!(
        digest_of(&fs::read(directory.join("manifest.json")).unwrap()),
        digest
    );
    bench.finish();
}

fn lists_tags_and_inspects(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let content = noise(3, 5_000);
    let digest = local.tag(&local.add_image("amd64", &content), "v1");
    for tag in ["v2", "latest", "v10"] {
        push(&bench, &local, "v1", "team/app", tag);
    }

    let listed = run(skopeo(&bench, "list-tags")
        .args(trust(&bench, ""))
        .arg(format!("docker://{}/team/app", bench.server.host())));
    assert_eq!(
        listed.json()["Tags"],
        serde_json::json!(["latest", "v10", "v2"])
    );

    let inspected = run(skopeo(&bench, "inspect")
        .args(trust(&bench, ""))
        .arg(docker(&bench, "team/app", "v2")))
    .json();
    assert_eq!(inspected["Digest"], digest);
    assert_eq!(inspected["Labels"]["content"], digest_of(&content));
    let raw = run(skopeo(&bench, "inspect")
        .arg("--raw")
        .args(trust(&bench, ""))
        .arg(format!(
            "docker://{}/team/app@{digest}",
            bench.server.host()
        )));
    assert_eq!(digest_of(&raw.stdout), digest);
    bench.finish();
}

/// skopeo deletes by digest, so that all tags of the image go.
fn deletes_an_image(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let kept = local.tag(&local.add_image("amd64", b"kept"), "kept");
    let deleted = local.tag(&local.add_image("amd64", b"deleted"), "deleted");
    push(&bench, &local, "kept", "team/app", "kept");
    push(&bench, &local, "deleted", "team/app", "deleted");
    push(&bench, &local, "deleted", "team/app", "again");

    run(skopeo(&bench, "delete")
        .args(trust(&bench, ""))
        .arg(docker(&bench, "team/app", "deleted")));
    let printed = refused(
        skopeo(&bench, "inspect")
            .args(trust(&bench, ""))
            .arg(docker(&bench, "team/app", "again")),
    );
    assert!(printed.contains("manifest unknown"), "{printed}");
    assert_eq!(bench.get_manifest("team/app", &deleted).status(), 404);
    assert_eq!(bench.tags("team/app"), ["kept"]);
    assert_eq!(bench.check("team/app", "kept").0, kept);
    bench.finish();
}

fn synchronizes_a_package(mode: Mode) {
    let bench = workbench(mode);
    let local = Layout::create(bench.sandbox.path("layout"));
    let one = local.tag(&local.add_image("amd64", b"one"), "one");
    let two = local.tag(&local.add_two_platforms(4), "two");
    push(&bench, &local, "one", "team/app", "one");
    push(&bench, &local, "two", "team/app", "two");

    // From one package to another: each blob is mounted or read and written.
    run(skopeo(&bench, "sync")
        .args(trust(&bench, "src-"))
        .args(trust(&bench, "dest-"))
        .args([
            "--all",
            "--preserve-digests",
            "--src",
            "docker",
            "--dest",
            "docker",
        ])
        .arg(format!("{}/team/app", bench.server.host()))
        .arg(format!("{}/mirror", bench.server.host())));
    assert_eq!(bench.tags("mirror/app"), ["one", "two"]);
    assert_eq!(bench.check("mirror/app", "one").0, one);
    assert_eq!(bench.check("mirror/app", "two").0, two);

    let directory = bench.sandbox.path("synchronized");
    run(skopeo(&bench, "sync")
        .args(trust(&bench, "src-"))
        .args(["--all", "--src", "docker", "--dest", "dir"])
        .arg(format!("{}/mirror/app", bench.server.host()))
        .arg(&directory));
    let manifest = fs::read(directory.join("app:one/manifest.json")).unwrap();
    assert_eq!(digest_of(&manifest), one);
    bench.finish();
}

fn push(bench: &Workbench, layout: &Layout, local: &str, package: &str, tag: &str) {
    run(skopeo(bench, "copy")
        .args(trust(bench, "dest-"))
        .args(["--all", "--preserve-digests"])
        .arg(oci(layout, local))
        .arg(docker(bench, package, tag)));
}

fn pull(bench: &Workbench, package: &str, tag: &str, directory: &str) -> Layout {
    let directory = bench.sandbox.path(directory);
    run(skopeo(bench, "copy")
        .args(trust(bench, "src-"))
        .args(["--all", "--preserve-digests"])
        .arg(docker(bench, package, tag))
        .arg(format!("oci:{}:{tag}", directory.display())));
    Layout::open(directory)
}

/// Returns a workbench whose user skopeo has logged in.
fn workbench(mode: Mode) -> Workbench {
    let bench = Workbench::new(mode);
    bench.log_in(skopeo(&bench, "login").args(trust(&bench, "")));
    bench
}

fn skopeo(bench: &Workbench, command: &str) -> Command {
    let mut skopeo = bench.sandbox.client("skopeo");
    skopeo.arg(command);
    skopeo
}

/// Returns the option that makes skopeo trust the server as `src-`, `dest-` or the only one.
fn trust(bench: &Workbench, side: &str) -> [String; 1] {
    [match bench.server.certificate() {
        None => format!("--{side}tls-verify=false"),
        Some(files) => format!("--{side}cert-dir={}", files.authority_directory.display()),
    }]
}

fn docker(bench: &Workbench, package: &str, tag: &str) -> String {
    format!("docker://{}", bench.image(package, tag))
}

fn oci(layout: &Layout, tag: &str) -> String {
    format!("oci:{}:{tag}", layout.root().display())
}
