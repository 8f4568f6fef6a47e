//! Uploads, as an index keeps them.

use bytes::Bytes;

use super::{blob_store::Suspended, principal::Principal};
use crate::model::{
    id::{Holder, UploadId},
    name::PackageRef,
    time::{Lease, Timestamp},
};

/// An upload that is under way or suspended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UploadRecord {
    /// Its id.
    pub id: UploadId,
    /// The package that it goes to.
    pub package: PackageRef,
    /// Who began it; nobody else may go on with it (I15).
    pub principal: Principal,
    /// The process that writes it, or wrote it last.
    pub holder: Holder,
    /// Counts its changes.
    pub version: u64,
    /// The bytes that were received and are durable.
    pub offset: u64,
    /// The state of its hasher at that offset.
    pub hasher: Bytes,
    /// The bytes themselves, as long as they are few enough to be held back, and until the store has
    /// made them durable.
    pub held: Bytes,
    /// Where the store has them, once it has.
    pub at: Option<Suspended>,
    /// The bytes that are reserved for it.
    pub reserved: u64,
    /// When it ends unless somebody goes on with it; `None` while it is being written.
    pub expires: Option<Lease>,
    /// When it was begun.
    pub begun_at: Timestamp,
}

impl UploadRecord {
    /// Returns the record of an upload that has received nothing.
    pub const fn new(
        id: UploadId,
        package: PackageRef,
        principal: Principal,
        holder: Holder,
        begun_at: Timestamp,
    ) -> Self {
        Self {
            id,
            package,
            principal,
            holder,
            version: 1,
            offset: 0,
            hasher: Bytes::new(),
            held: Bytes::new(),
            at: None,
            reserved: 0,
            expires: None,
            begun_at,
        }
    }
}
