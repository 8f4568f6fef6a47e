//! The directory that all of them use, and what they push.

use std::{io::Write as _, path::PathBuf, process::Command};

use artifact::{PackageRef, PutManifest, Registry, UploadOptions};
use tempfile::TempDir;

use super::{
    goods::{GOODS, STOCK},
    program::PROGRAM,
    server::Server,
};

/// A registry with a server.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) server: Server,
    pub(crate) registry: PathBuf,
    layout: PathBuf,
    _directory: TempDir,
}

impl Setup {
    /// Makes a registry with two repositories: one that forgets at once, and one that keeps its past.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let registry = directory.path().join("registry");
        let layout = directory.path().join("images");
        for arguments in [
            "init",
            "repo stage brief --history-keep 0s",
            "repo add brief --stage brief",
            "repo add kept",
        ] {
            run(&registry, arguments.split(' '));
        }
        make_layout(&registry, &layout);
        Self {
            server: Server::start(&registry),
            registry,
            layout,
            _directory: directory,
        }
    }

    /// Returns the reference of an image that can be pushed.
    pub(crate) fn image(&self, number: usize) -> String {
        format!("oci:{}:i{number}", self.layout.display())
    }
}

/// Runs the program, and returns what it printed.
pub(crate) fn run<S: AsRef<str>>(
    registry: &std::path::Path,
    arguments: impl IntoIterator<Item = S>,
) -> String {
    let mut command = Command::new(PROGRAM);
    for argument in arguments {
        command.arg(argument.as_ref());
    }
    let output = command.env("ARTIFACT_REGISTRY", registry).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Makes an OCI layout of all images, by way of a package that is deleted again.
fn make_layout(registry: &std::path::Path, layout: &std::path::Path) {
    let package = PackageRef::new("brief".parse().unwrap(), "stock".parse().unwrap());
    let opened = Registry::open(registry).unwrap();
    let session = opened.blocking();
    for content in GOODS.iter() {
        let mut upload = session
            .begin_upload(&package, UploadOptions::default())
            .unwrap();
        upload.write_all(&content.bytes).unwrap();
        upload.finish(Some(&content.digest)).unwrap();
    }
    for (number, image) in STOCK.iter().enumerate() {
        let tag = format!("i{number}");
        let options = PutManifest::tagged(vec![tag.parse().unwrap()]);
        session
            .put_manifest(&package, &image.manifest, &options)
            .unwrap();
        let to = format!("oci:{}:{tag}", layout.display());
        run(registry, ["cp", &format!("brief/stock:{tag}"), &to]);
    }
    for image in STOCK.iter() {
        session
            .delete_manifest(&package, &image.manifest.digest())
            .unwrap();
    }
}
