//! Blobs: where their bytes are, and whether anything wants them.

use artifact_core::{BlobKey, BlobRecord, Digest, Location, Stamp, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, corrupt},
    statement::{exists, one, run},
};

/// The columns that [`read`] reads, of a table that is called `b`.
pub(in crate::index::sqlite) const COLUMNS: &str =
    "b.digest, b.size, b.key, b.bytes, b.stamp, b.hashed_at, b.quarantined";

/// A row as SQLite gives it; [`record`] says what it means.
pub(in crate::index::sqlite) struct Stored {
    digest: Digest,
    size: u64,
    key: Option<BlobKey>,
    bytes: Option<Vec<u8>>,
    stamp: Option<String>,
    hashed_at: Timestamp,
    quarantined: bool,
}

/// Reads [`COLUMNS`], from a column on.
pub(in crate::index::sqlite) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Stored> {
    Ok(Stored {
        digest: row.get::<_, Raw<Digest>>(at)?.0,
        size: row.get::<_, Raw<u64>>(at + 1)?.0,
        key: row.get::<_, Option<Raw<BlobKey>>>(at + 2)?.map(|key| key.0),
        bytes: row.get(at + 3)?,
        stamp: row.get(at + 4)?,
        hashed_at: row.get::<_, Raw<Timestamp>>(at + 5)?.0,
        quarantined: row.get(at + 6)?,
    })
}

/// Returns the record of a row.
pub(in crate::index::sqlite) fn record(stored: Stored) -> Outcome<BlobRecord> {
    let location = match (stored.key, stored.bytes) {
        (Some(key), None) => Location::Key(key),
        (None, Some(bytes)) => Location::Inline(Bytes::from(bytes)),
        _ => return Err(corrupt(format!("blob {}", stored.digest))),
    };
    let stamp = stored.stamp.map(Stamp::new);
    let mut record = BlobRecord::new(
        stored.digest,
        stored.size,
        location,
        stamp,
        stored.hashed_at,
    );
    record.quarantined = stored.quarantined;
    Ok(record)
}

/// Returns the row of a blob.
pub(in crate::index::sqlite) fn find(
    conn: &Connection,
    digest: &Digest,
) -> Outcome<Option<BlobRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.digest = ?1");
    one(conn, &sql, [Raw(digest)], |row| read(row, 0))?
        .map(record)
        .transpose()
}

/// Returns the length of a blob, if there is such a one.
pub(in crate::index::sqlite) fn size(conn: &Connection, digest: &Digest) -> Outcome<Option<u64>> {
    let sql = "SELECT size FROM blobs WHERE digest = ?1";
    let found = one(conn, sql, [Raw(digest)], |row| row.get::<_, Raw<u64>>(0))?;
    Ok(found.map(|size| size.0))
}

/// Writes the row of a blob, new or at another place; it is sound, and no longer purged.
pub(in crate::index::sqlite) fn put(conn: &Connection, blob: &BlobRecord) -> Outcome<()> {
    let (key, bytes) = match &blob.location {
        Location::Key(key) => (Some(Raw(key)), None),
        Location::Inline(bytes) => (None, Some(&bytes[..])),
    };
    let sql = "INSERT INTO blobs (digest, size, key, bytes, stamp, hashed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (digest) DO UPDATE SET key = excluded.key, bytes = excluded.bytes,
            stamp = excluded.stamp, hashed_at = excluded.hashed_at, quarantined = 0";
    let stamp = blob.stamp.as_ref().map(Stamp::as_str);
    let digest = Raw(&blob.digest);
    let params = (
        digest,
        Raw(blob.size),
        key,
        bytes,
        stamp,
        Raw(blob.hashed_at),
    );
    run(conn, sql, params)?;
    run(conn, "DELETE FROM purged WHERE digest = ?1", [digest])?;
    Ok(())
}

/// Deletes the row of a blob.
pub(in crate::index::sqlite) fn delete(conn: &Connection, digest: &Digest) -> Outcome<()> {
    run(conn, "DELETE FROM blobs WHERE digest = ?1", [Raw(digest)])?;
    run(conn, "DELETE FROM review WHERE digest = ?1", [Raw(digest)])?;
    Ok(())
}

/// Says whether anything wants a blob: a link, or a manifest that is in a package or was there at
/// or after its repository's horizon (MI-14).
pub(in crate::index::sqlite) fn is_wanted(conn: &Connection, digest: &Digest) -> Outcome<bool> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM links WHERE digest = ?1)
        OR EXISTS (SELECT 1 FROM refs WHERE target = ?1)
        OR EXISTS (SELECT 1 FROM refs_past p JOIN repositories r ON r.id = p.repository_id
                   WHERE p.target = ?1 AND p.until > r.horizon)";
    Ok(exists(conn, sql, [Raw(digest)])?)
}

/// Remembers that some content was purged.
pub(in crate::index::sqlite) fn set_purged(conn: &Connection, digest: &Digest) -> Outcome<()> {
    let sql = "INSERT OR IGNORE INTO purged (digest) VALUES (?1)";
    run(conn, sql, [Raw(digest)])?;
    Ok(())
}

/// Says whether some content was purged, and not stored again.
pub(in crate::index::sqlite) fn is_purged(conn: &Connection, digest: &Digest) -> Outcome<bool> {
    let sql = "SELECT 1 FROM purged WHERE digest = ?1";
    Ok(exists(conn, sql, [Raw(digest)])?)
}
