//! Where the places that references name are opened, each once.

use std::sync::Arc;

use artifact::{
    ErrorKind, ManifestRef, OciName, Spawn, Tag, Tokio,
    layout::{LayoutError, OciLayout},
    transfer::{LocalPackage, Place, TransferError},
};
use artifact_proto::client::{OciClient, Origin, RemotePackage};

use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{Opened, open, open_to_read},
    reference::{Reference, Version},
    remote,
};

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Self {
        Self::of(error.kind(), &error)
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Engine(error) => error.into(),
            TransferError::Layout(error) => error.into(),
            TransferError::Remote(error) => error.into(),
            error => Self::of(error.kind(), &error),
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
        let (place, version) = match reference {
            Reference::Directory(_) => return Err(no_artifact(reference)),
            Reference::Layout(path, version) => {
                let layout = OciLayout::open(spawn()?, path).await.at(reference)?;
                let version = only_one(&layout, version).await.at(reference)?;
                (Place::from(layout), version)
            }
            Reference::Package(name, version) => {
                (self.package(name, moment).await?.into(), version.clone())
            }
            Reference::Remote(origin, name, version) => {
                (self.remote(origin, name)?.into(), version.clone())
            }
        };
        if moment.is_some() && !matches!(reference, Reference::Package(..)) {
            return Err(
                Failure::usage("only the registry here can be read as it was")
                    .at(reference)
                    .remedy("leave --as-of out, or name a package of the registry"),
            );
        }
        let source = Source {
            place,
            version,
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
    /// The reference as it was written.
    pub(crate) shown: String,
}

impl Source {
    /// Returns the tag that a copy gets where it is given none.
    pub(crate) fn tag(&self) -> Option<Tag> {
        match self.wanted() {
            ManifestRef::Tag(tag) => Some(tag),
            ManifestRef::Digest(_) => self.version.tag.clone(),
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
            .at(&self.shown)?;
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

/// A layout that holds one artifact need not be asked for it by a name.
async fn only_one(layout: &OciLayout, version: &Version) -> Result<Version, LayoutError> {
    if !version.is_open() {
        return Ok(version.clone());
    }
    let only = layout.find(None).await?;
    Ok(Version {
        tag: None,
        digest: Some(only.digest),
    })
}

/// Returns the spawner of the runtime that commands run on.
pub(crate) fn spawn() -> Result<Arc<dyn Spawn>, Failure> {
    let tokio = Tokio::current();
    let tokio = tokio.ok_or_else(|| Failure::new(ErrorKind::Panic, "no runtime is here"))?;
    Ok(Arc::new(tokio))
}

fn no_artifact(reference: &Reference) -> Failure {
    Failure::usage("a directory of files has no artifact before it is pushed")
        .at(reference)
        .remedy("push it first: `artifact push DIR NAME:TAG`")
}
