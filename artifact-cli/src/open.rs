//! The registry, opened for a command.

use std::{num::NonZeroU32, path::PathBuf};

use artifact::{
    AsOf, Error, ErrorKind, HomeError, Note, OciName, OpenError, OpenOptions, PackageRef, Page,
    Registry, Session,
};

use crate::{
    context::Context,
    failure::{At as _, Failure},
    find,
    moment::Moment,
};

/// How many items are asked for at a time.
pub(crate) const PAGE: NonZeroU32 = NonZeroU32::new(1_000).expect("a thousand is not zero");

/// An open registry, and a session of whoever may use its directory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) registry: Registry,
    pub(crate) session: Session,
    pub(crate) path: PathBuf,
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let error = match error {
            OpenError::Engine(error) => return error.into(),
            OpenError::Home(error) => return error.into(),
            error => error,
        };
        Self::of(error.kind(), &error)
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let failure = Self::of(error.kind(), &error);
        match error {
            HomeError::AlreadyExists { .. }
            | HomeError::IndexOpen { .. }
            | HomeError::NotEmpty { .. }
            | HomeError::NotFound { .. }
            | HomeError::Settings { .. } => failure.without_remedy(),
            _ => failure,
        }
    }
}

/// Opens the registry that a command changes.
pub(crate) async fn open(context: &Context, own: Option<PathBuf>) -> Result<Opened, Failure> {
    let path = find::registry(context.directory(own))?;
    let registry = OpenOptions::new().open_async(&path).await?;
    Ok(opened(context, registry, path))
}

/// Opens the registry for a command that only reads: also where nothing can be written.
pub(crate) async fn open_to_read(context: &Context) -> Result<Opened, Failure> {
    let path = find::registry(context.directory(None))?;
    let registry = match OpenOptions::new().open_async(&path).await {
        Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::ReadOnly) => {
            OpenOptions::new().read_only().open_async(&path).await
        }
        opened => opened,
    };
    Ok(opened(context, registry?, path))
}

/// Opens the registry for a command that is to change nothing, not even what any open tidies.
pub(crate) async fn open_read_only(
    context: &Context,
    own: Option<PathBuf>,
) -> Result<Opened, Failure> {
    let path = find::registry(context.directory(own))?;
    let registry = OpenOptions::new().read_only().open_async(&path).await?;
    Ok(opened(context, registry, path))
}

fn opened(context: &Context, registry: Registry, path: PathBuf) -> Opened {
    for note in registry.home().notes() {
        // What the machine lacks is said where the directory is looked at: init, serve and doctor.
        if !matches!(
            note,
            Note::FileSystem { .. } | Note::Permissions { .. } | Note::CopyChecked
        ) {
            context.output.note(note);
        }
    }
    let session = registry.embedder();
    Opened {
        registry,
        session,
        path,
    }
}

impl Opened {
    /// Returns the state that is to be read.
    pub(crate) async fn at(&self, moment: Option<Moment>) -> Result<AsOf, Failure> {
        match moment {
            None => Ok(AsOf::Now),
            Some(moment) => moment.resolve(&self.session).await.at(self.path.display()),
        }
    }

    /// Returns the package that a name means.
    pub(crate) async fn package(&self, at: AsOf, name: &OciName) -> Result<PackageRef, Failure> {
        match self.session.resolve(at, name).await {
            Err(error @ Error::NotFound { .. }) => Err(Failure::from(error)
                .says(format!("{name} is a repository, and no package"))
                .at(name)
                .remedy(format!("name a package in it, such as {name}/NAME"))),
            found => found.at(name),
        }
    }
}

/// Returns the page after the last item that was listed.
pub(crate) fn page<K>(after: Option<K>) -> Page<K> {
    Page { after, limit: PAGE }
}
