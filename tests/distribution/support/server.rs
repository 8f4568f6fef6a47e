//! A registry, served.

use std::{fs, io::ErrorKind, net::SocketAddr, path::Path, sync::Arc, thread, time::Duration};

use artifact::{
    AnonymousAccess, Grant, OpenOptions, Registry, RegistryParts, RepositorySettings, Session,
    StageSettings, User, UserRole,
};
use artifact_proto::{
    auth::{DoorOptions, TokenKey, hash_password},
    metrics::{AccessMetrics, Metrics},
    server::{App, Listener, Server, ServerLimits, Stopped},
};
use artifact_testkit::{
    faults::{FaultIndex, Faults},
    seams::{FakeClock, SeededRng, TokioSpawn},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::client::Client;

/// A served registry, on a port of its own, for as long as this lives.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<Stopped>>,
    directory: Place,
}

/// How a registry is to be served.
pub(crate) struct Setup {
    pub(crate) anonymous: AnonymousAccess,
    pub(crate) users: Vec<(&'static str, UserRole, &'static str)>,
    pub(crate) limits: ServerLimits,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// What happens to the calls of its index, and that uploads are recorded every 64 KiB.
    pub(crate) faults: Option<Faults>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            anonymous: AnonymousAccess::Write,
            users: Vec::new(),
            limits: ServerLimits::default(),
            tls: None,
            faults: None,
        }
    }
}

/// The password of each user of a test is its name, twice.
pub(crate) fn password(user: &str) -> String {
    format!("{user}{user}")
}

/// Serves a registry to which anybody may push: what the specification is about.
pub(crate) async fn server() -> TestServer {
    Setup::default().serve().await
}

impl Setup {
    pub(crate) fn anonymous(anonymous: AnonymousAccess) -> Self {
        Self {
            anonymous,
            ..Self::default()
        }
    }

    /// Adds a user with a role for the repositories of a scope.
    pub(crate) fn user(mut self, name: &'static str, role: UserRole, scope: &'static str) -> Self {
        self.users.push((name, role, scope));
        self
    }

    pub(crate) async fn serve(self) -> TestServer {
        let (clock, metrics) = (Arc::new(FakeClock::new()), Arc::new(Metrics::new()));
        let directory = directory();
        let registry = OpenOptions::new()
            .create_new()
            .clock(clock.clone())
            .spawn(Arc::new(TokioSpawn::current()))
            .observer(Arc::new(AccessMetrics::new(Arc::clone(&metrics))))
            .open_async(directory.0.path().join("registry"))
            .await
            .unwrap();
        let embedder = registry.embedder();
        for (name, role, scope) in self.users {
            let hash = hash_password(&password(name), &SeededRng::new(3)).unwrap();
            let grants = vec![Grant {
                role,
                scope: scope.parse().unwrap(),
            }];
            embedder
                .put_user(&name.parse().unwrap(), &User::new(hash, grants))
                .await
                .unwrap();
        }
        let options = DoorOptions::new(self.anonymous);
        let served = match self.faults {
            None => (*registry).clone(),
            Some(faults) => over_a_failing_index(registry.parts().clone(), faults),
        };
        let app = App::new(
            served,
            options,
            TokenKey::new([9; 32]),
            Arc::clone(&metrics),
        );
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = match self.tls {
            Some(config) => Listener::tls(socket, config),
            None => Listener::plain(socket),
        };
        let (stop, stopped) = oneshot::channel();
        let serving = Server::new(app, self.limits).serve(vec![listener], async {
            stopped.await.ok();
        });
        TestServer {
            address,
            registry,
            clock,
            metrics,
            stop: Some(stop),
            task: Some(tokio::spawn(serving)),
            directory,
        }
    }
}

fn over_a_failing_index(mut parts: RegistryParts, faults: Faults) -> artifact_core::Registry {
    parts.index = Arc::new(FaultIndex::new(parts.index, faults));
    parts.limits.step = 64 << 10;
    artifact_core::Registry::new(parts)
}

/// A directory that goes with its test, also while a thread of the server still ends its work there.
struct Place(TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        for _ in 0..100 {
            match fs::remove_dir_all(self.0.path()) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                    thread::sleep(Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}

/// Returns a directory in memory where there is one: the protocol is tested here, and not the disk.
fn directory() -> Place {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    Place(made.unwrap())
}

impl TestServer {
    /// Returns a client that does not say who it is.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Returns a client that says it is this user, by Basic.
    pub(crate) fn user(&self, name: &str) -> Client {
        self.client().basic(name, &password(name))
    }

    pub(crate) fn embedder(&self) -> Session {
        self.registry.embedder()
    }

    /// Configures a repository.
    pub(crate) async fn repository(&self, name: &str, settings: &RepositorySettings) {
        let name = name.parse().unwrap();
        self.embedder()
            .create_repository(&name, settings, false)
            .await
            .unwrap();
    }

    /// Sets a stage that forbids what is given.
    pub(crate) async fn stage(
        &self,
        name: &str,
        delete: bool,
        overwrite: bool,
    ) -> RepositorySettings {
        let mut stage = StageSettings::default();
        stage.delete = delete;
        stage.overwrite = overwrite;
        let name = name.parse().unwrap();
        self.embedder().set_stage(&name, &stage).await.unwrap();
        let mut settings = RepositorySettings::default();
        settings.stage = Some(name);
        settings
    }

    /// Changes a byte of a blob that has a file of its own.
    pub(crate) fn rot(&self, blob: &[u8]) {
        artifact_testkit::files::rot(self.directory.0.path(), blob).unwrap();
    }

    /// Stops the server in order, and says how that went.
    pub(crate) async fn stop(mut self) -> Stopped {
        drop(self.stop.take());
        self.task.take().unwrap().await.unwrap()
    }
}
