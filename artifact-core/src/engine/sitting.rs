//! Sittings of uploads: to begin one, to go on with it, to end it.

use bytes::BytesMut;

use super::{
    permit::{Missing, Permit},
    session::Session,
    upload::{State, Upload, UploadOptions, UploadStatus, check_size},
};
use crate::{
    contract::{change::Bookkeeping, policy::Action, upload_record::UploadRecord},
    error::{Error, What},
    guard,
    model::{hasher::Hasher, id::UploadId, name::PackageRef},
};

impl Session {
    /// Begins an upload to a package.
    ///
    /// # Errors
    /// [`Error::Quota`] when room for the announced size cannot be reserved, [`Error::TooLarge`]
    /// when it is more than is taken; refusals; and where a backend fails.
    pub async fn begin_upload(
        &self,
        package: &PackageRef,
        options: UploadOptions,
    ) -> Result<Upload, Error> {
        let missing = Missing::new(What::Package, package);
        let permit = guard!(301, self)
            .permit(Action::Create, package, &missing)
            .await?;
        let parts = &self.inner().parts;
        guard!(
            501,
            check_size(parts.limits.blob_max, options.size.unwrap_or(0))
        )?;
        let record = UploadRecord::new(
            self.inner().random_upload_id(),
            package.clone(),
            self.principal().clone(),
            parts.holder.clone(),
            parts.clock.now(),
        );
        let hasher = Hasher::new(options.algorithm);
        let mut upload = Upload {
            session: self.clone(),
            record,
            recorded: false,
            announced: options.size,
            rooms: permit.rooms(),
            bytes: State::Held(Box::new(hasher), BytesMut::new()),
            offset: 0,
        };
        if options
            .size
            .is_some_and(|size| size > parts.limits.inline_max as u64)
        {
            upload.leave_memory().await?;
        }
        Ok(upload)
    }

    /// Goes on with an upload. With an `offset`, it must be where the upload stands.
    ///
    /// A newer request ends an older one of the same process.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such upload of this principal to this package;
    /// [`Error::Offset`] when it stands elsewhere, or another process is writing it; refusals; and
    /// where a backend fails.
    pub async fn resume_upload(
        &self,
        package: &PackageRef,
        id: &UploadId,
        offset: Option<u64>,
    ) -> Result<Upload, Error> {
        let (mut record, permit) = self.own_upload(package, id).await?;
        if guard!(230) && offset.is_some_and(|offset| offset != record.offset) {
            return Err(Error::Offset {
                id: *id,
                offset: record.offset,
            });
        }
        if guard!(232) {
            self.end_older(id);
        }
        let hasher = Hasher::resume(&record.hasher).map_err(|source| Error::Invalid {
            what: format!("upload {id} cannot go on: begin it again"),
            source: Some(Box::new(source)),
        })?;
        let offset = record.offset;
        // Whoever writes it is let be, in this process and in others.
        if let Some(at) = &record.at
            && guard!(231)
            && self.inner().store().is_held(&at.key).await?
        {
            return Err(Error::Offset { id: *id, offset });
        }
        // Where all is held here, a sitting that was moving it to the store came to nothing: its key goes to
        // the trash when this one is recorded.
        let _left = record.at.take_if(|_| record.held.len() as u64 == offset);
        let at = record.at.clone();
        let held = BytesMut::from(&record.held[..]);
        let mut upload = Upload {
            session: self.clone(),
            record,
            recorded: true,
            announced: None,
            rooms: permit.rooms(),
            bytes: State::Held(Box::new(hasher.clone()), held),
            offset,
        };
        // First: to open it again cuts it to the offset that was read, and an older sitting that was about
        // to record more than that must find out that it is over.
        upload.take_over().await?;
        if let Some(at) = at {
            upload.go_on(&at, hasher).await?;
        }
        Ok(upload)
    }

    /// Returns where an upload stands.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such upload of this principal to this package.
    pub async fn upload_status(
        &self,
        package: &PackageRef,
        id: &UploadId,
    ) -> Result<UploadStatus, Error> {
        let (record, _) = self.own_upload(package, id).await?;
        Ok(UploadStatus {
            id: *id,
            offset: record.offset,
        })
    }

    /// Throws an upload away, with its reservation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such upload of this principal to this package.
    pub async fn cancel_upload(&self, package: &PackageRef, id: &UploadId) -> Result<(), Error> {
        let (record, _) = self.own_upload(package, id).await?;
        if guard!(233) {
            self.end_older(id);
        }
        self.inner()
            .index()
            .note(Bookkeeping::EndUpload(*id, record.version))
            .await?;
        Ok(())
    }

    /// Returns the record of an upload that this principal began to this package, and may go on with
    /// still (I15, A28).
    async fn own_upload(
        &self,
        package: &PackageRef,
        id: &UploadId,
    ) -> Result<(UploadRecord, Permit), Error> {
        let missing = Missing::new(What::Upload, id);
        let permit = guard!(302, self).permit(Action::Create, package, &missing);
        let permit = permit.await?;
        let record = self.inner().index().upload(id).await?;
        let own = |record: &UploadRecord| {
            guard!(360, record.package == *package)
                && guard!(361, record.principal == *self.principal())
        };
        let record = record.filter(own).ok_or_else(|| missing.error())?;
        Ok((record, permit))
    }

    fn end_older(&self, id: &UploadId) {
        let older = self.inner().writing.lock().remove(id);
        if let Some(older) = older.and_then(|slot| slot.upgrade()) {
            older.end();
        }
    }
}
