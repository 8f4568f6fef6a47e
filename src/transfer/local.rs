//! Packages of a registry that is open here.

use std::{num::NonZeroU32, sync::Arc};

use artifact_core::{
    AsOf, BlobRange, Condition, Descriptor, Digest, Error, ErrorKind, Manifest, ManifestRef,
    PackageRef, Page, PutManifest, Session, Tag, UploadOptions,
};
use futures::StreamExt as _;

use super::{
    bytes::{Chunks, Content, Delivery},
    error::{TransferError, read_error},
};

/// How many items of a list are read at a time.
const PAGE: NonZeroU32 = NonZeroU32::new(500).expect("500 is not zero");

/// A package of a registry that is open here, as it is now or was.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalPackage {
    /// Who asks.
    pub session: Session,
    /// The package.
    pub package: PackageRef,
    /// The state that is read; only the newest is written.
    pub at: AsOf,
}

impl LocalPackage {
    /// Returns the package as it is now.
    pub const fn new(session: Session, package: PackageRef) -> Self {
        Self {
            session,
            package,
            at: AsOf::Now,
        }
    }

    /// Reads it as it was.
    #[must_use]
    pub const fn as_of(mut self, at: AsOf) -> Self {
        self.at = at;
        self
    }

    /// Says whether the other is a package of the same registry, seen by the same principal.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        let index = |place: &Self| Arc::clone(&place.session.registry().parts().index);
        Arc::ptr_eq(&index(self), &index(other))
            && self.session.principal() == other.session.principal()
    }

    pub(crate) fn check_now(&self) -> Result<(), TransferError> {
        match self.at {
            AsOf::Now => Ok(()),
            AsOf::Revision(_) => Err(TransferError::Past {
                place: self.package.to_string(),
            }),
        }
    }

    pub(crate) async fn manifest(&self, reference: &ManifestRef) -> Result<Manifest, Error> {
        let found = self
            .session
            .get_manifest(self.at, &self.package.at(reference.clone()))
            .await?;
        let record = found.record;
        Ok(Manifest::parse(
            record.bytes,
            Some(&record.media_type),
            record.digest.algorithm(),
        )?)
    }

    pub(crate) async fn has_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        let coordinate = self.package.at(*digest);
        let found = self.session.get_manifest(self.at, &coordinate).await;
        Ok(absent(found)?.is_some())
    }

    pub(crate) async fn blob_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let found = self.session.stat_blob(self.at, &self.package, digest).await;
        Ok(absent(found)?.map(|blob| blob.size))
    }

    /// Says whether a blob need not be sent: one whose bytes have rotted is mended by sending it
    /// again (I22).
    async fn is_sound(&self, digest: &Digest) -> Result<bool, Error> {
        match self.blob_size(digest).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
            found => found.map(|size| size.is_some()),
        }
    }

    pub(crate) async fn read(&self, digest: &Digest, offset: u64) -> Result<(u64, Chunks), Error> {
        let range = if offset == 0 {
            BlobRange::All
        } else {
            BlobRange::From(offset)
        };
        let body = self
            .session
            .read_blob(self.at, &self.package, digest, range)
            .await?;
        Ok((
            body.size(),
            body.map(|chunk| chunk.map_err(Into::into)).boxed(),
        ))
    }

    /// Pushes a blob, unless it is there; from another package without its bytes where that is
    /// possible.
    pub(crate) async fn push(
        &self,
        content: &dyn Content,
        from: Option<&Self>,
    ) -> Result<Delivery, TransferError> {
        self.check_now()?;
        let digest = content.digest();
        if self.is_sound(&digest).await? {
            return Ok(Delivery::Present);
        }
        if let Some(from) = from.filter(|from| self.is_beside(from)) {
            let mounted = self
                .session
                .mount(&self.package, &digest, Some(&from.package))
                .await?;
            if mounted.is_some() {
                return Ok(Delivery::Mounted);
            }
        }
        let options = UploadOptions::default()
            .sized(Some(content.size()))
            .hashed(digest.algorithm());
        let mut chunks = content.open(0).await.map_err(read_error)?;
        let mut upload = self.session.begin_upload(&self.package, options).await?;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => upload.write(chunk).await?,
                Err(error) => {
                    upload.abort().await?;
                    return Err(read_error(error));
                }
            }
        }
        upload.finish(Some(&digest)).await?;
        Ok(Delivery::Sent)
    }

    pub(crate) async fn put_manifest(
        &self,
        manifest: &Manifest,
        tag: Option<&Tag>,
        condition: &Condition,
    ) -> Result<(), TransferError> {
        self.check_now()?;
        let tags = tag.cloned().into_iter().collect();
        let options = PutManifest::tagged(tags).on(condition.clone());
        self.session
            .put_manifest(&self.package, manifest, &options)
            .await?;
        Ok(())
    }

    pub(crate) async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let mut found = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let listed = self
                .session
                .referrers(self.at, &self.package, subject, None, page)
                .await;
            let listed = absent(listed)?.unwrap_or_default();
            let Some(last) = listed.last() else {
                return Ok(found);
            };
            page = Page::after(last.descriptor.digest, PAGE);
            found.extend(listed.into_iter().map(|summary| summary.descriptor));
        }
    }
}

/// Takes for `None` what is not there.
fn absent<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
