//! A Docker engine of a test's own: containerd and dockerd on private sockets and directories.
//!
//! It has no network of its own and runs no containers, so it needs root but no more privileges
//! than a build machine gives.

use std::path::Path;
use std::process::Command;

use crate::process::{self, Daemon};
use crate::sandbox::{Sandbox, clients};

/// Where an engine keeps its images.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ImageStore {
    /// containerd's, which keeps manifests and indexes as they are.
    Containerd,
    /// The one that Docker always had, which makes the manifest anew at each push.
    Graph,
}

/// A running engine. It ends before the containerd that it uses.
#[derive(Debug)]
pub(crate) struct Engine {
    _dockerd: Daemon,
    _containerd: Daemon,
}

impl Engine {
    pub(crate) fn start(sandbox: &Sandbox, store: ImageStore) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a Docker engine of the test's own needs root: run make test as root, or leave these \
             tests out with: cargo test --workspace -- --skip docker::"
        );
        let containerd = start_containerd(sandbox);
        let dockerd = start_dockerd(sandbox, store);
        let plugins = sandbox.path("docker/cli-plugins");
        std::fs::create_dir_all(&plugins).unwrap();
        std::os::unix::fs::symlink(
            clients().join("docker-buildx"),
            plugins.join("docker-buildx"),
        )
        .unwrap();
        Self {
            _containerd: containerd,
            _dockerd: dockerd,
        }
    }
}

/// Returns a command of the `docker` program that talks to the sandbox's engine.
pub(crate) fn docker(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut docker = sandbox.client("docker");
    docker.env(
        "DOCKER_HOST",
        format!("unix://{}", sandbox.path("docker.sock").display()),
    );
    docker.args(arguments);
    docker
}

fn start_containerd(sandbox: &Sandbox) -> Daemon {
    let at = |name: &str| sandbox.path(name).display().to_string();
    let configuration = format!(
        r#"
version = 2
root = "{}"
state = "{}"
disabled_plugins = [
    "io.containerd.grpc.v1.cri",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
]
[grpc]
address = "{}"
"#,
        at("containerd"),
        at("containerd-state"),
        at("containerd.sock"),
    );
    let file = sandbox.file("containerd.toml", configuration);
    let mut command = sandbox.client("containerd");
    command.arg("--config").arg(file);
    let mut daemon = Daemon::start("containerd", &command, &sandbox.path("containerd.log"));
    daemon.wait_for(|printed| {
        printed
            .contains("containerd successfully booted")
            .then_some(())
    });
    daemon
}

fn start_dockerd(sandbox: &Sandbox, store: ImageStore) -> Daemon {
    let snapshotter = store == ImageStore::Containerd;
    let configuration = sandbox.file(
        "daemon.json",
        format!(r#"{{"features": {{"containerd-snapshotter": {snapshotter}}}}}"#),
    );
    let path = |name: &str| sandbox.path(name);
    let mut command = sandbox.client("dockerd");
    command
        .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
        .args(["--userland-proxy=false", "--storage-driver"])
        .arg(if snapshotter { "native" } else { "vfs" })
        .arg("--config-file")
        .arg(configuration)
        .arg("--containerd")
        .arg(path("containerd.sock"))
        .arg("--data-root")
        .arg(path("dockerd"))
        .arg("--exec-root")
        .arg(path("dockerd-state"))
        .arg("--pidfile")
        .arg(path("dockerd.pid"))
        .arg("--host")
        .arg(format!("unix://{}", path("docker.sock").display()));
    trust_authority(&mut command, &path("certificates/authority/ca.crt"));
    let mut daemon = Daemon::start("dockerd", &command, &sandbox.path("dockerd.log"));
    daemon.wait_for(|printed| printed.contains("API listen on").then_some(()));
    process::run(&mut docker(sandbox, &["version"]));
    daemon
}

/// Lets a program trust the test's authority, if there is one, and no other.
pub(crate) fn trust_authority(command: &mut Command, authority: &Path) {
    if authority.exists() {
        command
            .env("SSL_CERT_FILE", authority)
            .env("SSL_CERT_DIR", "/nonexistent");
    }
}
