//! Where the places that references name are opened, each once.

use std::sync::Arc;

use artifact::{
    AsOf, ErrorKind, Manifest, ManifestRef, OciName, Spawn, SystemClock, Tag, Tokio,
    layout::{LayoutError, OciLayout},
    transfer::{LocalPackage, Place, TransferError},
};
use artifact_proto::client::{OciClient, Origin, RemotePackage};
use artifact_store::{home::OpenOptions, sys::random::SystemRng};

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{Opened, open, open_to_read},
    reference::{LATEST, Reference, Version, latest},
    remote,
};

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Self {
        let failure = Self::of(error.kind(), &error);
        match error {
            LayoutError::NotALayout { .. } => failure
                .remedy("name a directory that has one; `artifact cp NAME oci:PATH` makes it"),
            LayoutError::NotFound { .. } => {
                failure.remedy("`artifact ls oci:PATH` lists what a layout holds")
            }
            _ => failure,
        }
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Engine(error) => error.into(),
            TransferError::Layout(error) => error.into(),
            TransferError::Remote(error) => error.into(),
            error => {
                let failure = Self::of(error.kind(), &error);
                match error {
                    // What these say ends in what to do.
                    TransferError::Changed { .. }
                    | TransferError::Exists { .. }
                    | TransferError::Inside { .. }
                    | TransferError::Kind { .. }
                    | TransferError::Name { .. }
                    | TransferError::NotADirectory { .. } => failure.without_remedy(),
                    TransferError::Registry { .. } => failure.remedy(
                        "push what lies beside it; `artifact snapshot DIR` copies a registry",
                    ),
                    _ => failure,
                }
            }
        }
    }
}

/// What a command has open.
#[derive(Debug)]
pub(crate) struct Desk<'a> {
    context: &'a Context,
    reads_only: bool,
    opened: Option<Opened>,
    client: Option<OciClient>,
}

impl<'a> Desk<'a> {
    /// Returns the desk of a command; `reads_only` when it changes nothing in the registry.
    pub(crate) const fn new(context: &'a Context, reads_only: bool) -> Self {
        Self {
            context,
            reads_only,
            opened: None,
            client: None,
        }
    }

    /// Returns the registry.
    pub(crate) async fn registry(&mut self) -> Result<&Opened, Failure> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None if self.reads_only => open_to_read(self.context).await?,
            None => open(self.context, None).await?,
        };
        Ok(self.opened.insert(opened))
    }

    /// Returns a package at another registry.
    pub(crate) fn remote(
        &mut self,
        origin: &Origin,
        name: &OciName,
    ) -> Result<RemotePackage, Failure> {
        Ok(self.client()?.package(origin.clone(), name.clone()))
    }

    /// Returns the client of other registries.
    pub(crate) fn client(&mut self) -> Result<&OciClient, Failure> {
        let client = match self.client.take() {
            Some(client) => client,
            None => remote::client(&self.context.common)?,
        };
        Ok(self.client.insert(client))
    }

    /// Opens the place where an artifact is to be read.
    pub(crate) async fn source(
        &mut self,
        reference: &Reference,
        moment: Option<Moment>,
    ) -> Result<Source, Failure> {
        only_here(reference, moment)?;
        let (place, version, name) = match reference {
            Reference::Directory(_) => return Err(no_artifact(reference)),
            Reference::Layout(path, version) => {
                let layout = OciLayout::open(spawn()?, path).await.at(reference)?;
                let (version, name) = only_one(&layout, version).await.at(reference)?;
                (Place::from(layout), version, name)
            }
            Reference::Package(name, version) => {
                let package = self.package(name, moment).await?;
                (package.into(), version.clone(), None)
            }
            Reference::Remote(origin, name, version) => {
                (self.remote(origin, name)?.into(), version.clone(), None)
            }
        };
        let source = Source {
            place,
            version,
            name,
            shown: reference.to_string(),
        };
        source.check_tag().await?;
        Ok(source)
    }

    /// Opens the place where an artifact is to be written.
    pub(crate) async fn target(&mut self, reference: &Reference) -> Result<Place, Failure> {
        match reference {
            Reference::Directory(_) => Err(no_artifact(reference)),
            Reference::Layout(path, _) => Ok(OciLayout::open_or_create(spawn()?, path)
                .await
                .at(reference)?
                .into()),
            Reference::Package(name, _) => Ok(self.package(name, None).await?.into()),
            Reference::Remote(origin, name, _) => Ok(self.remote(origin, name)?.into()),
        }
    }

    async fn package(
        &mut self,
        name: &OciName,
        moment: Option<Moment>,
    ) -> Result<LocalPackage, Failure> {
        let opened = self.registry().await?;
        let at = opened.at(moment).await?;
        let package = opened.package(at, name).await?;
        Ok(LocalPackage::new(opened.session.clone(), package).as_of(at))
    }
}

/// An artifact that is to be read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) place: Place,
    pub(crate) version: Version,
    /// The name that it has where none was needed to find it.
    name: Option<Tag>,
    /// The reference as it was written.
    pub(crate) shown: String,
}

impl Source {
    /// Reads the manifest.
    pub(crate) async fn manifest(&self) -> Result<Manifest, Failure> {
        let found = self.place.manifest(&self.wanted()).await;
        found.at(self.spot())
    }

    /// Returns it as it was in a package of the registry here.
    pub(crate) fn past(&self, package: LocalPackage, at: AsOf) -> Self {
        Self {
            place: package.as_of(at).into(),
            version: self.version.clone(),
            name: self.name.clone(),
            shown: self.shown.clone(),
        }
    }

    /// Returns what is read, written out: with the tag that is meant where none was written, and the
    /// moment.
    pub(crate) fn spot(&self) -> String {
        let mut spot = self.shown.clone();
        if self.version.is_open() {
            spot.push_str(&format!(":{LATEST}"));
        }
        if let Place::Local(LocalPackage {
            at: AsOf::Revision(revision),
            ..
        }) = &self.place
        {
            spot.push_str(&format!(" as of revision {revision}"));
        }
        spot
    }

    /// Returns the tag that a copy gets where it is given none.
    pub(crate) fn tag(&self) -> Option<Tag> {
        match self.wanted() {
            ManifestRef::Tag(tag) => Some(tag),
            ManifestRef::Digest(_) => self.version.tag.clone().or_else(|| self.name.clone()),
        }
    }

    /// Returns what the artifact is read by.
    pub(crate) fn wanted(&self) -> ManifestRef {
        self.version.wanted()
    }

    /// Where a tag and a digest are given, the tag must point at the digest: somebody wrote down
    /// what it was.
    async fn check_tag(&self) -> Result<(), Failure> {
        let (Some(tag), Some(digest)) = (&self.version.tag, &self.version.digest) else {
            return Ok(());
        };
        let found = self
            .place
            .manifest(&ManifestRef::Tag(tag.clone()))
            .await
            .at(self.spot())?;
        if found.digest() == *digest {
            return Ok(());
        }
        let what = format!("tag {tag} points at {}", found.digest());
        let remedy =
            "leave the tag out to read the digest, or the digest to read what the tag points at";
        Err(Failure::new(ErrorKind::Conflict, what)
            .at(&self.shown)
            .remedy(remedy))
    }
}

/// A layout that holds one artifact need not be asked for it by a name; a copy of it keeps the name
/// that it has there.
async fn only_one(
    layout: &OciLayout,
    version: &Version,
) -> Result<(Version, Option<Tag>), LayoutError> {
    if !version.is_open() {
        return Ok((version.clone(), None));
    }
    let only = layout.find(None).await?;
    let mut names = layout.entries().await?.into_iter().filter_map(|entry| {
        let name = entry.name?.parse::<Tag>().ok()?;
        (entry.descriptor.digest == only.digest).then_some(name)
    });
    let name = names.next().unwrap_or_else(latest);
    let version = Version {
        tag: None,
        digest: Some(only.digest),
    };
    Ok((version, Some(name)))
}

/// Other places keep no history: what they have now would be a wrong answer.
pub(crate) fn only_here(reference: &Reference, moment: Option<Moment>) -> Result<(), Failure> {
    if moment.is_none() || matches!(reference, Reference::Package(..)) {
        return Ok(());
    }
    Err(
        Failure::usage("only the registry here can be read as it was")
            .at(reference)
            .remedy("leave --as-of out, or name a package of the registry"),
    )
}

/// Returns the spawner of the runtime that commands run on.
pub(crate) fn spawn() -> Result<Arc<dyn Spawn>, Failure> {
    let tokio = Tokio::current();
    let tokio = tokio.ok_or_else(|| Failure::new(ErrorKind::Panic, "no runtime is here"))?;
    Ok(Arc::new(tokio))
}

/// Returns what a registry's directory is worked on with that is not opened as a registry.
pub(crate) fn options() -> Result<OpenOptions, Failure> {
    let clock = SystemClock::on_tokio()?;
    let rng = SystemRng::new()?;
    Ok(OpenOptions::new(spawn()?, Arc::new(clock), Arc::new(rng)))
}

fn no_artifact(reference: &Reference) -> Failure {
    Failure::usage("a directory of files has no artifact before it is pushed")
        .at(reference)
        .remedy("push it first: `artifact push DIR NAME:TAG`")
}
