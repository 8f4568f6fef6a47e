//! The places where artifacts are.

use std::fmt;

use artifact_core::{BoxError, Condition, Descriptor, Digest, Error, Manifest, ManifestRef, Tag};
#[cfg(feature = "remote")]
use artifact_proto::client::RemotePackage;
use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};

#[cfg(feature = "remote")]
use super::remote;
use super::{
    bytes::{Chunks, Content, Delivery},
    error::{TransferError, read_error},
    local::LocalPackage,
};
use crate::layout::layout::OciLayout;

/// A place where artifacts are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Place {
    /// An OCI layout in a local directory.
    Layout(OciLayout),
    /// A package of a registry that is open here.
    Local(LocalPackage),
    /// A package at another registry.
    #[cfg(feature = "remote")]
    Remote(RemotePackage),
}

impl From<OciLayout> for Place {
    fn from(layout: OciLayout) -> Self {
        Self::Layout(layout)
    }
}

impl From<LocalPackage> for Place {
    fn from(package: LocalPackage) -> Self {
        Self::Local(package)
    }
}

#[cfg(feature = "remote")]
impl From<RemotePackage> for Place {
    fn from(package: RemotePackage) -> Self {
        Self::Remote(package)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout(layout) => write!(f, "oci:{}", layout.path().display()),
            Self::Local(local) => local.package.fmt(f),
            #[cfg(feature = "remote")]
            Self::Remote(package) => write!(f, "oci://{package}"),
        }
    }
}

impl Place {
    /// Reads a manifest. At a layout, no reference means the only artifact there.
    ///
    /// # Errors
    /// [`TransferError`], of kind `NotFound` when it is not there.
    pub async fn manifest(&self, reference: &ManifestRef) -> Result<Manifest, TransferError> {
        Ok(match self {
            Self::Layout(layout) => match reference {
                ManifestRef::Digest(digest) => layout.manifest(digest).await?,
                ManifestRef::Tag(tag) => {
                    let found = layout.find(Some(tag.as_str())).await?;
                    layout.manifest(&found.digest).await?
                }
            },
            Self::Local(local) => local.manifest(reference).await?,
            #[cfg(feature = "remote")]
            Self::Remote(package) => package.manifest(reference).await?,
        })
    }

    /// Says whether a manifest is there with all that it names.
    pub(crate) async fn has_manifest(&self, digest: &Digest) -> Result<bool, TransferError> {
        Ok(match self {
            // A layout promises nothing of what a manifest in it names.
            Self::Layout(_) => false,
            Self::Local(local) => local.has_manifest(digest).await?,
            #[cfg(feature = "remote")]
            Self::Remote(package) => package.stat_manifest(&(*digest).into()).await?.is_some(),
        })
    }

    /// Says whether a blob is there.
    pub(crate) async fn has_blob(&self, digest: &Digest) -> Result<bool, TransferError> {
        Ok(match self {
            Self::Layout(layout) => layout.stat(digest).await?.is_some(),
            Self::Local(local) => local.blob_size(digest).await?.is_some(),
            #[cfg(feature = "remote")]
            Self::Remote(package) => package.has_blob(digest).await?,
        })
    }

    /// Reads a blob from its beginning; its stream ends with an error when its bytes are not those of
    /// the digest (I3).
    pub(crate) async fn read(&self, digest: &Digest, size: u64) -> Result<Chunks, TransferError> {
        let (told, chunks) = match self {
            Self::Layout(layout) => {
                let blob = layout.blob(digest).await?;
                let chunks = blob.chunks.map(|chunk| chunk.map_err(BoxError::from));
                (blob.size, chunks.boxed())
            }
            Self::Local(local) => local.read(digest, 0).await?,
            #[cfg(feature = "remote")]
            Self::Remote(package) => (size, remote::read(package, digest, Some(size)).await?),
        };
        if told == size {
            return Ok(chunks);
        }
        Err(TransferError::Engine(Error::Size {
            digest: *digest,
            said: size,
            actual: told,
        }))
    }

    /// Reads a small blob into memory, whole and of the right digest.
    ///
    /// # Errors
    /// [`TransferError`]; of kind `TooLarge` when it has more than `limit` bytes, and of kind
    /// `NotFound` when it is not there.
    pub async fn read_blob(&self, blob: &Descriptor, limit: usize) -> Result<Bytes, TransferError> {
        let Descriptor { digest, size, .. } = blob;
        if *size > limit as u64 {
            let (what, limit) = ("the content", limit as u64);
            return Err(Error::TooLarge {
                what,
                size: *size,
                limit,
            }
            .into());
        }
        let mut chunks = self.read(digest, *size).await?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk.map_err(read_error)?);
        }
        Ok(bytes.freeze())
    }

    /// Pushes content, unless it is there; from another place without its bytes where that is
    /// possible.
    pub(crate) async fn push(
        &self,
        content: &dyn Content,
        from: Option<&Self>,
    ) -> Result<Delivery, TransferError> {
        match self {
            Self::Layout(layout) => {
                let digest = content.digest();
                if layout.stat(&digest).await?.is_some() {
                    return Ok(Delivery::Present);
                }
                let chunks = content.open(0).await.map_err(read_error)?;
                layout.put_blob(&digest, chunks).await?;
                Ok(Delivery::Sent)
            }
            Self::Local(local) => {
                let from = match from {
                    Some(Self::Local(from)) => Some(from),
                    _ => None,
                };
                local.push(content, from).await
            }
            #[cfg(feature = "remote")]
            Self::Remote(package) => {
                let from = match from {
                    Some(Self::Remote(from)) => Some(from),
                    _ => None,
                };
                Ok(remote::push(package, content, from).await?)
            }
        }
    }

    /// Publishes a manifest whose content is there: as a part of another, or for itself, under a tag
    /// where one is given.
    pub(crate) async fn publish(
        &self,
        manifest: &Manifest,
        part: bool,
        tag: Option<&Tag>,
        condition: &Condition,
    ) -> Result<(), TransferError> {
        match self {
            Self::Layout(layout) => {
                if let Some(tag) = tag {
                    self.check_layout(layout, tag, condition).await?;
                }
                Ok(layout
                    .put_manifest(manifest, (!part).then_some(tag))
                    .await?)
            }
            Self::Local(local) => local.put_manifest(manifest, tag, condition).await,
            #[cfg(feature = "remote")]
            Self::Remote(package) => remote::put_manifest(package, manifest, tag, condition).await,
        }
    }

    async fn check_layout(
        &self,
        layout: &OciLayout,
        tag: &Tag,
        condition: &Condition,
    ) -> Result<(), TransferError> {
        let entries = layout.entries().await?;
        let now = entries
            .iter()
            .find(|entry| entry.name.as_deref() == Some(tag.as_str()));
        let holds = match condition {
            Condition::Any => true,
            Condition::Absent => now.is_none(),
            Condition::Exists => now.is_some(),
            Condition::Digests(digests) => {
                now.is_some_and(|entry| digests.contains(&entry.descriptor.digest))
            }
            _ => {
                let what = format!("{self} keeps no generations");
                return Err(TransferError::Unsupported { what });
            }
        };
        if holds {
            return Ok(());
        }
        let what = format!("tag {tag} of {self}");
        Err(Error::Precondition { what }.into())
    }

    /// Lists what refers to a manifest.
    ///
    /// # Errors
    /// [`TransferError`]; a layout's are also those of what else it lists, which is read for this.
    pub async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, TransferError> {
        match self {
            Self::Layout(layout) => self.layout_referrers(layout, subject).await,
            Self::Local(local) => Ok(local.referrers(subject).await?),
            #[cfg(feature = "remote")]
            Self::Remote(package) => Ok(remote::referrers(package, subject).await?),
        }
    }

    /// A layout keeps no list of them: what it lists is looked through.
    async fn layout_referrers(
        &self,
        layout: &OciLayout,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, TransferError> {
        let mut found = Vec::new();
        for entry in layout.entries().await? {
            let manifest = layout.manifest(&entry.descriptor.digest).await?;
            if manifest
                .subject()
                .is_some_and(|about| about.digest == *subject)
            {
                let mut descriptor = entry.descriptor;
                // A registry tells these of the manifest, whatever a list says.
                descriptor.artifact_type = manifest.artifact_type().cloned();
                descriptor.annotations = manifest.annotations().clone();
                found.push(descriptor);
            }
        }
        Ok(found)
    }
}

/// A blob of a place, as content for another.
pub(crate) struct BlobOf<'a> {
    pub(crate) place: &'a Place,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl Content for BlobOf<'_> {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Chunks, BoxError>> {
        async move {
            let chunks = self.place.read(&self.digest, self.size).await?;
            Ok(skip(chunks, offset))
        }
        .boxed()
    }
}

/// Leaves the first bytes out; they are read, because the place hashes what it reads from the start.
fn skip(chunks: Chunks, offset: u64) -> Chunks {
    if offset == 0 {
        return chunks;
    }
    let rest = chunks.scan(offset, |left, chunk| {
        let chunk = chunk.map(|mut chunk| {
            let cut = usize::try_from(*left)
                .unwrap_or(usize::MAX)
                .min(chunk.len());
            *left -= cut as u64;
            chunk.split_off(cut)
        });
        std::future::ready(Some(chunk))
    });
    rest.boxed()
}
