//! A directory of a test, and the programs that see nothing else of the machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// All state of one test: every client's home, configuration and storage.
#[derive(Debug)]
pub(crate) struct Sandbox {
    directory: TempDir,
}

impl Sandbox {
    pub(crate) fn create() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("artifact-clients-")
            .tempdir()
            .unwrap();
        let sandbox = Self { directory };
        for name in ["home", "run", "tmp", "containers", "docker"] {
            fs::create_dir(sandbox.path(name)).unwrap();
        }
        sandbox.configure_containers();
        sandbox
    }

    /// Returns a path below the test's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file below the test's directory.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("the path stands below a directory")).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Returns the command of an installed client.
    pub(crate) fn client(&self, program: &str) -> Command {
        let path = clients().join(program);
        assert!(
            path.exists(),
            "missing: {program}; scripts/install-clients installs it into {}",
            clients().display()
        );
        self.command(&path)
    }

    /// Returns a command whose environment knows nothing but the sandbox.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .env_clear()
            .env("LANG", "C.UTF-8")
            .env("PATH", search_path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("REGISTRY_AUTH_FILE", self.path("containers/auth.json"))
            .env("CONTAINERS_CONF", self.path("containers/containers.conf"))
            .env(
                "CONTAINERS_REGISTRIES_CONF",
                self.path("containers/registries.conf"),
            )
            .env(
                "CONTAINERS_STORAGE_CONF",
                self.path("containers/storage.conf"),
            );
        command
    }

    /// Writes the files without which skopeo and buildah would read those of the machine.
    fn configure_containers(&self) {
        self.file("containers/auth.json", "{}");
        self.file("containers/containers.conf", "");
        self.file("containers/registries.conf", "");
        let storage = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
            self.path("containers").display()
        );
        self.file("containers/storage.conf", storage);
        self.file(
            "home/.config/containers/policy.json",
            r#"{"default": [{"type": "insecureAcceptAnything"}]}"#,
        );
    }
}

/// Returns where `scripts/install-clients` puts the clients.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin")
}

/// Returns the system's programs, then the clients, which start each other by name.
fn search_path() -> OsString {
    let system = env::var_os("PATH").unwrap_or_default();
    env::join_paths([clients()].into_iter().chain(env::split_paths(&system)))
        .expect("the paths have no colon")
}
