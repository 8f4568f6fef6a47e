//! buildah: builds from nothing, pushes, pulls, and lists of manifests.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::image::{Layout, noise};
use crate::mode::{Mode, in_each_mode};
use crate::process::{refused, run};
use crate::workbench::Workbench;

in_each_mode!(builds_pushes_and_pulls, pushes_a_manifest_list);

fn builds_pushes_and_pulls(mode: Mode) {
    let bench = workbench(mode);
    let content = noise(1, 1_000_000);
    let image = bench.image("team/app", "v1");
    build(&bench, &image, "amd64", &content);
    let digest_file = bench.sandbox.path("digest");
    run(remote(&bench, "push")
        .arg("--digestfile")
        .arg(&digest_file)
        .arg(&image));
    let pushed = fs::read_to_string(digest_file).unwrap();
    let (digest, manifest) = bench.check("team/app", "v1");
    assert_eq!(digest, pushed.trim());
    assert!(
        String::from_utf8(manifest)
            .unwrap()
            .contains("vnd.oci.image.manifest.v1")
    );

    run(&mut buildah(&bench, &["rmi", "--all", "--force"]));
    let missing = bench.image("team/app", "missing");
    let printed = refused(remote(&bench, "pull").arg(&missing));
    assert!(printed.contains("manifest unknown"), "{printed}");
    run(remote(&bench, "pull").arg(&image));
    assert_eq!(local_digest(&bench, &image), digest);
    assert_eq!(content_of(&bench, &image), content);
    bench.finish();
}

fn pushes_a_manifest_list(mode: Mode) {
    let bench = workbench(mode);
    let image = bench.image("team/multi", "v1");
    let contents = [("amd64", noise(2, 10_000)), ("arm64", noise(3, 20_000))];
    run(&mut buildah(&bench, &["manifest", "create", "list"]));
    for (architecture, content) in &contents {
        let name = format!("localhost/built:{architecture}");
        build(&bench, &name, architecture, content);
        let from = format!("containers-storage:{name}");
        run(&mut buildah(&bench, &["manifest", "add", "list", &from]));
    }
    let digest_file = bench.sandbox.path("digest");
    run(buildah(
        &bench,
        &["manifest", "push", "--all", &trust(&bench), "--digestfile"],
    )
    .arg(&digest_file)
    .arg("list")
    .arg(format!("docker://{image}")));
    let (digest, index) = bench.check("team/multi", "v1");
    assert_eq!(digest, fs::read_to_string(digest_file).unwrap().trim());
    let index: Value = serde_json::from_slice(&index).unwrap();
    let platforms: Vec<_> = index["manifests"].as_array().unwrap().iter().collect();
    assert_eq!(platforms.len(), contents.len());

    run(&mut buildah(&bench, &["rmi", "--all", "--force"]));
    for (architecture, content) in contents {
        run(remote(&bench, "pull")
            .args(["--arch", architecture])
            .arg(&image));
        assert_eq!(content_of(&bench, &image), content, "{architecture}");
    }
    bench.finish();
}

/// Builds an image with the file `/content` and nothing else.
fn build(bench: &Workbench, image: &str, architecture: &str, content: &[u8]) {
    let directory = format!("build-{architecture}");
    bench.sandbox.file(&format!("{directory}/content"), content);
    let recipe = "FROM scratch\nCOPY content /content\nLABEL made.by=buildah\n";
    bench
        .sandbox
        .file(&format!("{directory}/Containerfile"), recipe);
    run(buildah(
        bench,
        &["build", "--isolation", "chroot", "--arch", architecture],
    )
    .args(["--tag", image])
    .arg(bench.sandbox.path(&directory)));
}

/// Returns the digest of the manifest that buildah keeps for an image.
fn local_digest(bench: &Workbench, image: &str) -> String {
    let format = "{{.FromImageDigest}}";
    let mut inspect = buildah(
        bench,
        &["inspect", "--type", "image", "--format", format, image],
    );
    run(&mut inspect).text().to_owned()
}

/// Returns the bytes of `/content` in an image of buildah's storage.
fn content_of(bench: &Workbench, image: &str) -> Vec<u8> {
    let exported = bench.sandbox.path("exported");
    drop(fs::remove_dir_all(&exported));
    run(bench
        .sandbox
        .client("skopeo")
        .arg("copy")
        .arg(format!("containers-storage:{image}"))
        .arg(format!("oci:{}:v1", exported.display())));
    let layout = Layout::open(exported);
    let manifest: Value = serde_json::from_slice(&layout.blob(&layout.only())).unwrap();
    let layer = layout.blob(manifest["layers"][0]["digest"].as_str().unwrap());
    let archive = bench.sandbox.file("layer", layer);
    let mut tar = Command::new("tar");
    run(tar
        .args(["--extract", "--to-stdout", "--file"])
        .arg(archive)
        .arg("content"))
    .stdout
}

/// Returns a workbench whose user buildah has logged in.
fn workbench(mode: Mode) -> Workbench {
    let bench = Workbench::new(mode);
    bench.log_in(&mut remote(&bench, "login"));
    bench
}

/// Returns a command of buildah that talks to the server.
fn remote(bench: &Workbench, command: &str) -> Command {
    let mut buildah = buildah(bench, &[command]);
    buildah.arg(trust(bench));
    buildah
}

fn buildah(bench: &Workbench, arguments: &[&str]) -> Command {
    let mut buildah = bench.sandbox.client("buildah");
    buildah.args(arguments);
    buildah
}

fn trust(bench: &Workbench) -> String {
    match bench.server.certificate() {
        None => "--tls-verify=false".to_owned(),
        Some(files) => format!("--cert-dir={}", files.authority_directory.display()),
    }
}
