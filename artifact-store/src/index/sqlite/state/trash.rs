//! Keys: those that wait to be deleted, and who has the others.

use artifact_core::{BlobKey, BlobRecord, Conflict, Digest, KeyOwner, Location, UploadId};
use rusqlite::Connection;

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    statement::{exists, one, run},
};

/// Puts a key that no row names in the trash, and says whether that is new.
pub(in crate::index::sqlite) fn put(conn: &Connection, key: &BlobKey, size: u64) -> Outcome<bool> {
    let sql = "INSERT OR IGNORE INTO trash (key, size) VALUES (?1, ?2)";
    Ok(run(conn, sql, (Raw(key), Raw(size)))? > 0)
}

/// Puts the key of a blob whose row is gone, or elsewhere now, in the trash.
pub(in crate::index::sqlite) fn put_blob(conn: &Connection, blob: &BlobRecord) -> Outcome<()> {
    if let Location::Key(key) = &blob.location {
        put(conn, key, blob.size)?;
    }
    Ok(())
}

/// Returns who knows of a key.
pub(in crate::index::sqlite) fn owner(
    conn: &Connection,
    key: &BlobKey,
) -> Outcome<Option<KeyOwner>> {
    let sql = "SELECT digest FROM blobs WHERE key = ?1";
    if let Some(digest) = one(conn, sql, [Raw(key)], |row| row.get::<_, Raw<Digest>>(0))? {
        return Ok(Some(KeyOwner::Blob(digest.0)));
    }
    let sql = "SELECT id FROM uploads WHERE key = ?1";
    if let Some(id) = one(conn, sql, [Raw(key)], |row| row.get::<_, Raw<UploadId>>(0))? {
        return Ok(Some(KeyOwner::Upload(id.0)));
    }
    let trashed = exists(conn, "SELECT 1 FROM trash WHERE key = ?1", [Raw(key)])?;
    Ok(trashed.then_some(KeyOwner::Trash))
}

/// Refuses a key that another has (MI-7).
pub(in crate::index::sqlite) fn expect_free(
    conn: &Connection,
    key: &BlobKey,
    mine: impl Fn(&KeyOwner) -> bool,
) -> Outcome<()> {
    match owner(conn, key)? {
        Some(owner) if !mine(&owner) => Err(Conflict::KeyTaken { key: key.clone() }.into()),
        _ => Ok(()),
    }
}
