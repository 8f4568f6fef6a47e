//! The server under test, and every command line of ours that these tests use.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::certificate::Certificate;
use crate::mode::{Access, Mode, Transport};
use crate::process::{self, Daemon};
use crate::sandbox::Sandbox;

/// The name and the password of the one user there is where the mode has users.
pub(crate) const USER: (&str, &str) = ("ci", "correct horse battery staple");

/// A registry in a directory of its own, served on a free port of loopback.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    certificate: Option<Certificate>,
    daemon: Option<Daemon>,
    mode: Mode,
}

impl Server {
    /// Makes a registry below the sandbox and serves it.
    pub(crate) fn start(mode: Mode, sandbox: &Sandbox) -> Self {
        process::run(artifact(sandbox).arg("init").arg(directory(sandbox)));
        if mode.access != Access::Anyone {
            let (name, password) = USER;
            process::feed(
                artifact(sandbox)
                    .args(["user", "add", name, "--role", "writer", "--password-stdin"])
                    .arg("--registry")
                    .arg(directory(sandbox)),
                password.as_bytes(),
            );
        }
        let certificate = (mode.transport == Transport::Tls)
            .then(|| Certificate::create(&sandbox.path("certificates")));
        let (daemon, address) = serve(mode, certificate.as_ref(), sandbox);
        Self {
            address,
            certificate,
            daemon: Some(daemon),
            mode,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Returns the user's name and password, where the mode has users.
    pub(crate) fn user(&self) -> Option<(&'static str, &'static str)> {
        (self.mode.access != Access::Anyone).then_some(USER)
    }

    /// Returns the host and port with which image names begin.
    ///
    /// Over TLS it is not a loopback address, because clients do not check certificates there.
    /// Linux connects `0.0.0.0` to this machine all the same.
    pub(crate) fn host(&self) -> String {
        match self.mode.transport {
            Transport::Http => self.address.to_string(),
            Transport::Tls => format!("0.0.0.0:{}", self.address.port()),
        }
    }

    pub(crate) fn url(&self) -> String {
        match self.mode.transport {
            Transport::Http => format!("http://{}", self.host()),
            Transport::Tls => format!("https://{}", self.host()),
        }
    }

    /// Ends the server as a crash would, and serves its directory again, on another port.
    pub(crate) fn crash_and_restart(&mut self, sandbox: &Sandbox) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
        }
        let (daemon, address) = serve(self.mode, self.certificate.as_ref(), sandbox);
        self.daemon = Some(daemon);
        self.address = address;
    }

    /// Ends the server in order, and checks its directory.
    pub(crate) fn stop(mut self, sandbox: &Sandbox) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        process::run(artifact(sandbox).arg("fsck").arg(directory(sandbox)));
    }
}

fn serve(mode: Mode, certificate: Option<&Certificate>, sandbox: &Sandbox) -> (Daemon, SocketAddr) {
    let mut command = artifact(sandbox);
    command
        .arg("serve")
        .arg(directory(sandbox))
        .args(["--listen", "127.0.0.1:0"]);
    command.arg("--anonymous").arg(match mode.access {
        Access::Anyone => "write",
        Access::PublicRead => "read",
        Access::User => "none",
    });
    if let Some(certificate) = certificate {
        command.arg("--tls-cert").arg(&certificate.chain);
        command.arg("--tls-key").arg(&certificate.key);
    }
    let mut daemon = Daemon::start("artifact serve", &command, &sandbox.path("serve.log"));
    let address = daemon.wait_for(|printed| {
        let line = printed
            .lines()
            .find_map(|line| line.strip_prefix("listening on "))?;
        line.split_once("://")?.1.trim_end_matches('/').parse().ok()
    });
    (daemon, address)
}

fn directory(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("registry")
}

fn artifact(sandbox: &Sandbox) -> Command {
    sandbox.command(PROGRAM.get_or_init(program))
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Returns the sources of the crates that the program is made of.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = [
        "",
        "artifact-cli",
        "artifact-core",
        "artifact-proto",
        "artifact-store",
    ];
    let mut directories: Vec<_> = crates
        .iter()
        .map(|name| root.join(name).join("src"))
        .collect();
    let mut found = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// Returns the program that was built along with this test.
fn program() -> PathBuf {
    let test = env::current_exe().expect("a program knows its own path");
    let built = test.ancestors().nth(2).map(Path::to_path_buf);
    let program = built
        .expect("the test stands in target/<profile>/deps")
        .join("artifact");
    let built = modified(&program);
    // Cargo builds a program for the tests of its own package and of a whole workspace: one that was
    // left from an earlier build would be tested in its stead.
    for source in sources() {
        assert!(
            modified(&source) <= built,
            "{} is older than {}; {REMEDY}",
            program.display(),
            source.display()
        );
    }
    program
}

const REMEDY: &str = "cargo test --workspace or cargo build --workspace makes it anew";

fn modified(file: &Path) -> SystemTime {
    let time = fs::metadata(file).and_then(|metadata| metadata.modified());
    time.unwrap_or_else(|error| panic!("{}: {error}; {REMEDY}", file.display()))
}
