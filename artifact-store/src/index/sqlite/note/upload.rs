//! Uploads that begin, go on and end.

use artifact_core::{Conflict, Room, UploadId, UploadRecord, guard};

use crate::index::sqlite::{
    apply::room,
    failure::Outcome,
    state::{packages, trash, tx::Tx, uploads},
};

/// Enters an upload.
pub(super) fn begin(tx: &mut Tx<'_>, upload: &UploadRecord, rooms: &[Room]) -> Outcome<u64> {
    if guard!(455)
        && let Some(there) = uploads::find(tx.conn, &upload.id)?
    {
        return Err(conflict(upload.id, Some(&there)).into());
    }
    guard!(453, expect_free(tx, upload))?;
    enter(tx, upload, upload.version, rooms)
}

/// Replaces an upload that is at a version.
pub(super) fn advance(
    tx: &mut Tx<'_>,
    version: u64,
    upload: &UploadRecord,
    rooms: &[Room],
) -> Outcome<u64> {
    let old = at_version(tx, upload.id, version)?;
    let key = |of: &UploadRecord| of.at.as_ref().map(|at| at.key.clone());
    let moved = key(&old) != key(upload);
    if moved {
        guard!(454, expect_free(tx, upload))?;
    }
    uploads::delete(tx, &old)?;
    let rows = enter(tx, upload, version.saturating_add(1), rooms)?;
    if let Some(at) = old.at.filter(|_| moved) {
        trash::put(tx.conn, &at.key, at.offset)?;
    }
    Ok(rows)
}

/// Removes an upload that is at a version.
pub(super) fn end(tx: &mut Tx<'_>, id: UploadId, version: u64) -> Outcome<u64> {
    let old = at_version(tx, id, version)?;
    uploads::delete(tx, &old)?;
    if let Some(at) = old.at {
        trash::put(tx.conn, &at.key, at.offset)?;
    }
    Ok(1)
}

fn enter(tx: &mut Tx<'_>, upload: &UploadRecord, version: u64, rooms: &[Room]) -> Outcome<u64> {
    let package = packages::intern(tx, &upload.package)?;
    uploads::insert(tx, &package, upload, version)?;
    guard!(450, room::check(tx, rooms))?;
    Ok(1)
}

fn at_version(tx: &Tx<'_>, id: UploadId, version: u64) -> Outcome<UploadRecord> {
    match uploads::find(tx.conn, &id)? {
        Some(upload) if guard!(452, upload.version == version) => Ok(upload),
        there => Err(conflict(id, there.as_ref()).into()),
    }
}

fn expect_free(tx: &Tx<'_>, upload: &UploadRecord) -> Outcome<()> {
    match &upload.at {
        Some(at) => trash::expect_free(tx.conn, &at.key, |_| false),
        None => Ok(()),
    }
}

fn conflict(id: UploadId, there: Option<&UploadRecord>) -> Conflict {
    Conflict::Upload {
        id,
        version: there.map(|upload| upload.version),
    }
}
