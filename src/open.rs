//! Opening: a directory becomes a registry.

use std::{io, ops::Deref, path::Path, sync::Arc};

use artifact_core::{
    Actor, Change, ChangeSet, Clock, Conflict, Document as _, DocumentKey, Error, ErrorKind,
    Expectation, Generation, IndexError, Limits, Observer, PolicyEngine, Principal, RegistryParts,
    RepositoryName, RepositorySettings, RequestContext, Rng, Seams, Session, Spawn,
};
use artifact_store::{
    home::{self, Home, HomeError, Settings},
    sys::random::SystemRng,
};

use crate::{
    blocking::{self, wait},
    seams::{clock::SystemClock, threads::Threads, tokio::Tokio},
};

/// A registry in a directory: one handle on everything. To clone it costs nothing.
///
/// Handles of one process on one directory share one engine; several processes use one directory at
/// once.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("registry");
/// let registry = artifact::Registry::create(&path)?;
/// assert!(artifact::Registry::create(&path).is_err(), "it is there already");
/// let session = registry.blocking();
/// assert_eq!(session.totals()?.blobs, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    engine: Arc<artifact_core::Registry>,
    home: Arc<Home>,
}

impl Registry {
    /// Makes a registry in a directory that is empty or not there.
    ///
    /// # Errors
    /// [`OpenError`], of kind [`ErrorKind::AlreadyExists`] where there is one.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::new().create_new().open(path)
    }

    /// Opens the registry in a directory.
    ///
    /// # Errors
    /// [`OpenError`], of kind [`ErrorKind::NotFound`] where there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::new().open(path)
    }

    /// Opens the registry in a directory, and makes it before if there is none.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::new().create().open(path)
    }

    /// Opens the registry in a directory to be read only; also on a medium that cannot be written.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        OpenOptions::new().read_only().open(path)
    }

    /// Returns a session of the embedding program, which may do everything.
    pub fn embedder(&self) -> Session {
        self.session(Principal::Embedder, RequestContext::default())
    }

    /// Returns a session of the embedding program whose calls wait on the thread that makes them.
    pub fn blocking(&self) -> blocking::Session {
        self.embedder().into()
    }

    /// Returns the directory: its settings, what was found when it was opened, its copies.
    pub fn home(&self) -> &Home {
        &self.home
    }
}

impl Deref for Registry {
    type Target = artifact_core::Registry;

    fn deref(&self) -> &artifact_core::Registry {
        &self.engine
    }
}

/// How a registry is opened.
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    mode: OpenMode,
    settings: Option<Settings>,
    spawn: Option<Arc<dyn Spawn>>,
    clock: Option<Arc<dyn Clock>>,
    policy: Option<Arc<dyn PolicyEngine>>,
    observers: Vec<Arc<dyn Observer>>,
}

/// Where work runs, and the clock that fits it.
struct Work {
    spawn: Arc<dyn Spawn>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone, Copy, Debug, Default)]
enum OpenMode {
    CreateNew,
    #[default]
    Open,
    OpenOrCreate,
    ReadOnly,
}

impl OpenOptions {
    /// Returns the options that open what is there, to read and write.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the registry if there is none.
    #[must_use]
    pub const fn create(mut self) -> Self {
        self.mode = OpenMode::OpenOrCreate;
        self
    }

    /// Makes the registry, and fails where there is one.
    #[must_use]
    pub const fn create_new(mut self) -> Self {
        self.mode = OpenMode::CreateNew;
        self
    }

    /// Opens to read only.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.mode = OpenMode::ReadOnly;
        self
    }

    /// Sets the settings that a registry is made with; one that is there keeps its own.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Sets where work runs: by default the multi-threaded tokio runtime that the caller is on,
    /// else threads of the registry's own.
    #[must_use]
    pub fn spawn(mut self, spawn: Arc<dyn Spawn>) -> Self {
        self.spawn = Some(spawn);
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Sets what decides who may do what: by default the roles that users were granted.
    #[must_use]
    pub fn policy(mut self, policy: Arc<dyn PolicyEngine>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Adds one who is told of every access.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Opens the registry in a directory, on the thread that asks.
    ///
    /// Where the process has it open already, this handle shares its engine: then the clock, policy
    /// and observers of the first one count.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<Registry, OpenError> {
        wait(self.open_async(path))?
    }

    /// Opens the registry in a directory.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_async(self, path: impl AsRef<Path>) -> Result<Registry, OpenError> {
        let path = path.as_ref();
        let work = self.work()?;
        let rng: Arc<dyn Rng> = Arc::new(SystemRng::new().map_err(OpenError::Seam)?);
        let options = home::OpenOptions::new(work.spawn, work.clock, rng);
        let home = match self.mode {
            OpenMode::Open => Home::open(path, options).await?,
            OpenMode::ReadOnly => Home::open_read_only(path, options)?,
            OpenMode::CreateNew => Home::create(path, self.create_options(options)).await?,
            OpenMode::OpenOrCreate => {
                Home::open_or_create(path, self.create_options(options)).await?
            }
        };
        let engine = home.engine(|home| self.engine(home));
        let registry = Registry {
            engine,
            home: Arc::new(home),
        };
        if !registry.home.is_read_only() {
            registry.settle().await?;
        }
        Ok(registry)
    }

    fn create_options(&self, open: home::OpenOptions) -> home::CreateOptions {
        let mut options = home::CreateOptions::new(open);
        if let Some(settings) = &self.settings {
            options.settings = settings.clone();
        }
        options
    }

    fn work(&self) -> Result<Work, OpenError> {
        let tokio = self.spawn.is_none().then(Tokio::current_threaded).flatten();
        let on_tokio = tokio.is_some();
        let spawn: Arc<dyn Spawn> = match (&self.spawn, tokio) {
            (Some(spawn), _) => Arc::clone(spawn),
            (None, Some(tokio)) => Arc::new(tokio),
            (None, None) => Arc::new(Threads::new()),
        };
        let clock = match &self.clock {
            Some(clock) => Arc::clone(clock),
            None if on_tokio => Arc::new(SystemClock::on_tokio().map_err(OpenError::Seam)?),
            None => {
                let clock = SystemClock::on_threads(Arc::clone(&spawn));
                Arc::new(clock.map_err(OpenError::Seam)?)
            }
        };
        Ok(Work { spawn, clock })
    }

    fn engine(&self, home: &Home) -> artifact_core::Registry {
        let seams = Seams {
            clock: Arc::clone(home.clock()),
            rng: Arc::clone(home.rng()),
            spawn: Arc::clone(home.spawn()),
            holders: home.holders(),
        };
        let mut parts = RegistryParts::new(home.index(), home.store(), seams, home.holder());
        parts.limits = limits(home.settings());
        parts.observers.clone_from(&self.observers);
        if let Some(policy) = &self.policy {
            parts.policy = Arc::clone(policy);
        }
        artifact_core::Registry::new(parts)
    }
}

fn limits(settings: &Settings) -> Limits {
    let mut limits = Limits::default();
    limits.inline_max = usize::try_from(settings.inline_max).unwrap_or(limits.inline_max);
    limits.lease = settings.lease;
    limits.upload_idle = settings.upload_idle;
    limits.scrub_interval = settings.scrub_interval;
    limits.blob_max = settings.blob_max;
    limits
}

impl Registry {
    /// Makes what a new registry has, and reclaims what a process left that died.
    async fn settle(&self) -> Result<(), OpenError> {
        let parts = self.parts();
        let key = DocumentKey::Repository(RepositoryName::default_repository());
        let default = parts.index.document(artifact_core::AsOf::Now, &key).await;
        if default.map_err(Error::from)?.is_none() {
            let body = RepositorySettings::default().to_body();
            let actor = Actor::new(Principal::System, None);
            let changes = ChangeSet::new(actor, parts.clock.now())
                .expect(Expectation::Document(key.clone(), Generation::NONE))
                .change(Change::PutDocument(key, body));
            match parts.index.apply(changes).await {
                // Another process was first.
                Ok(_) | Err(IndexError::Conflict(Conflict::Document { .. })) => {}
                Err(error) => return Err(Error::from(error).into()),
            }
        }
        match self.reclaim().await {
            // Nobody who reads waits for a process that is stopped inside a commit (F14); the next
            // collection reclaims, too.
            Err(error) if error.kind() == ErrorKind::Busy => Ok(()),
            reclaimed => Ok(reclaimed.map(drop)?),
        }
    }
}

/// How a registry cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be opened.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The registry cannot be used.
    #[error(transparent)]
    Engine(#[from] Error),
    /// The system gives no clock or no chance.
    #[error("the system gives no boot id or no random bytes: is /proc mounted?")]
    Seam(#[source] io::Error),
}

impl OpenError {
    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Home(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Seam(_) => ErrorKind::Io,
        }
    }
}
