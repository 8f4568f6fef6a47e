//! Blobs in packages: to look, to mount, to pin, to delete.

use super::{
    commit::{Outcome, TRIES, contended},
    limits::millis,
    permit::Missing,
    session::Session,
    upload::BlobInfo,
};
use crate::{
    contract::{
        change::{Bookkeeping, Change},
        index_error::{Conflict, IndexError},
        policy::{Action, Target},
        record::{AsOf, LinkRecord},
    },
    error::{Error, What},
    guard,
    model::{digest::Digest, document::Mode, name::PackageRef, time::Lease},
};

impl Session {
    /// Returns the size of a blob of a package.
    ///
    /// Asked by one who may push, it keeps the blob: a lease with less than half left is renewed,
    /// and one is taken where nothing else keeps the blob as long.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], [`Error::Purged`], [`Error::HistoryForgotten`];
    /// refusals; and where the index fails.
    pub async fn stat_blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<BlobInfo, Error> {
        let missing = Missing::new(What::Blob, digest);
        let permit = guard!(313, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let link = self.inner().index().blob(at, package, digest).await?;
        let link = link.ok_or_else(|| missing.error())?;
        if guard!(220) && link.blob.quarantined {
            return Err(Error::Corrupt { digest: *digest });
        }
        if guard!(416) && at == AsOf::Now {
            self.keep(package, &link, permit.stage().history_keep)
                .await?;
        }
        Ok(BlobInfo::new(*digest, link.blob.size))
    }

    /// Takes or renews the lease of a blob that somebody who may push has asked for.
    async fn keep(
        &self,
        package: &PackageRef,
        link: &LinkRecord,
        history_keep: u64,
    ) -> Result<(), Error> {
        let parts = &self.inner().parts;
        let (length, now) = (millis(parts.limits.lease), parts.clock.boot());
        let enough = match &link.lease {
            Some(lease) => lease.left(&now).is_some_and(|left| left >= length / 2),
            None => link.named_by.is_some() && history_keep >= length,
        };
        if enough
            || !self
                .may(Action::Create, Target::Package(package, None))
                .await?
        {
            return Ok(());
        }
        if guard!(421) && matches!(self.inner().mode().await?.value, Some(Mode::ReadOnly(_))) {
            return Ok(());
        }
        let lease = Lease::starting(&now, length);
        let note = Bookkeeping::Lease(package.clone(), link.blob.digest, lease);
        match self.inner().index().note(note).await {
            Ok(_) => Ok(()),
            Err(IndexError::Conflict(Conflict::NotLinked { digest, .. })) => {
                Err(Error::not_found(What::Blob, digest))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Links a blob that another package has, without its bytes. `None` when it is not to be had
    /// there, or not for this principal: nobody can tell which (A3).
    ///
    /// Without `from`, it is there only if the package has it already.
    ///
    /// # Errors
    /// [`Error::Quota`]; refusals to push to `package`; and where the index fails.
    pub async fn mount(
        &self,
        package: &PackageRef,
        digest: &Digest,
        from: Option<&PackageRef>,
    ) -> Result<Option<BlobInfo>, Error> {
        let from = from.unwrap_or(package);
        let missing = Missing::new(What::Package, package);
        for _ in 0..TRIES {
            let permit = guard!(314, self)
                .permit(Action::Create, package, &missing)
                .await?;
            let hidden = Missing::new(What::Blob, digest);
            let source = match guard!(315, self).permit(Action::Read, from, &hidden).await {
                Ok(source) => source,
                Err(Error::NotFound { .. } | Error::Unauthenticated) => return Ok(None),
                Err(error) => return Err(error),
            };
            let link = self.inner().index().blob(AsOf::Now, from, digest).await?;
            let Some(link) = link.filter(|link| guard!(221, !link.blob.quarantined)) else {
                return Ok(None);
            };
            let parts = &self.inner().parts;
            let lease = Lease::starting(&parts.clock.boot(), millis(parts.limits.lease));
            let mut changes = permit.bind(self.change_set());
            if guard!(388) {
                let read = source.bind(self.change_set()).expectations;
                changes.expectations.extend(read);
            }
            let lease = Some(lease).filter(|_| guard!(418));
            let changes = changes.change(Change::Link(package.clone(), *digest, lease));
            match self.apply(changes).await {
                Ok(Outcome::Done(_)) => return Ok(Some(BlobInfo::new(*digest, link.blob.size))),
                Ok(Outcome::Again) => {}
                Err(IndexError::Conflict(Conflict::BlobUnknown { .. })) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(format!("the settings of {package}")))
    }

    /// Takes a blob out of a package, at once, also if it came by mount. Other packages keep theirs.
    ///
    /// # Errors
    /// [`Error::Named`] when a manifest of the package names it, [`Error::Blocked`] when it is pinned;
    /// [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn delete_blob(&self, package: &PackageRef, digest: &Digest) -> Result<(), Error> {
        self.change_blob(Action::Delete, package, digest, || {
            Change::Unlink(package.clone(), *digest)
        })
        .await
    }

    /// Keeps a blob of a package under a name until it is unpinned.
    ///
    /// # Errors
    /// [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn pin(
        &self,
        package: &PackageRef,
        digest: &Digest,
        name: &str,
    ) -> Result<(), Error> {
        self.change_blob(Action::Create, package, digest, || {
            Change::Pin(package.clone(), *digest, name.to_owned())
        })
        .await
    }

    /// Ends a pin.
    ///
    /// # Errors
    /// [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn unpin(
        &self,
        package: &PackageRef,
        digest: &Digest,
        name: &str,
    ) -> Result<(), Error> {
        self.change_blob(Action::Delete, package, digest, || {
            Change::Unpin(package.clone(), *digest, name.to_owned())
        })
        .await
    }

    async fn change_blob(
        &self,
        action: Action,
        package: &PackageRef,
        digest: &Digest,
        change: impl Fn() -> Change + Send,
    ) -> Result<(), Error> {
        let missing = Missing::new(What::Blob, digest);
        for _ in 0..TRIES {
            let permit = guard!(316, self).permit(action, package, &missing).await?;
            match self
                .apply(permit.bind(self.change_set()).change(change()))
                .await
            {
                Ok(Outcome::Done(_)) => return Ok(()),
                Ok(Outcome::Again) => {}
                Err(IndexError::Conflict(
                    Conflict::NotLinked { .. } | Conflict::PinUnknown { .. },
                )) => return Err(missing.error()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(format!("the settings of {package}")))
    }
}
