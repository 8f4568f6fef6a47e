//! Uploads.

use artifact_core::{BlobKey, Holder, PackageRef, Suspended, Timestamp, UploadId, UploadRecord};
use bytes::Bytes;
use rusqlite::{Connection, Row};

use super::{
    leases,
    packages::{Package, read_ref},
    tx::Tx,
    usage::signed,
};
use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, backend, corrupt},
    statement::{all, exists, one, run},
};

/// The columns that [`read`] reads, of uploads `u` and packages `p`.
pub(in crate::index::sqlite) const COLUMNS: &str = "u.id, p.repository, p.name, u.principal,
    u.holder, u.version, u.offset, u.hasher, u.held, u.key, u.key_offset, u.key_state, u.reserved,
    u.ends_boot, u.ends_until, u.ends_length, u.begun_at";

/// A row as SQLite gives it; [`record`] says what it means.
pub(in crate::index::sqlite) struct Stored {
    id: UploadId,
    package: PackageRef,
    principal: String,
    rest: UploadRest,
}

struct UploadRest {
    holder: Holder,
    version: u64,
    offset: u64,
    hasher: Bytes,
    held: Bytes,
    at: Option<Suspended>,
    reserved: u64,
    expires: Option<artifact_core::Lease>,
    begun_at: Timestamp,
}

/// Reads [`COLUMNS`].
pub(in crate::index::sqlite) fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let number = |column: usize| row.get::<_, Raw<u64>>(column).map(|number| number.0);
    let bytes = |column: usize| row.get::<_, Vec<u8>>(column).map(Bytes::from);
    let at = match row.get::<_, Option<Raw<BlobKey>>>(9)? {
        Some(key) => Some(Suspended::new(key.0, number(10)?, bytes(11)?)),
        None => None,
    };
    Ok(Stored {
        id: row.get::<_, Raw<UploadId>>(0)?.0,
        package: read_ref(row, 1)?,
        principal: row.get(3)?,
        rest: UploadRest {
            holder: Holder::new(row.get::<_, String>(4)?),
            version: number(5)?,
            offset: number(6)?,
            hasher: bytes(7)?,
            held: bytes(8)?,
            at,
            reserved: number(12)?,
            expires: leases::read(row, 13)?,
            begun_at: row.get::<_, Raw<Timestamp>>(16)?.0,
        },
    })
}

/// Returns the record of a row.
pub(in crate::index::sqlite) fn record(stored: Stored) -> Outcome<UploadRecord> {
    let Stored {
        id,
        package,
        principal,
        rest,
    } = stored;
    let place = |_| corrupt(format!("upload {id}"));
    let principal = serde_json::from_str(&principal).map_err(place)?;
    let mut record = UploadRecord::new(id, package, principal, rest.holder, rest.begun_at);
    record.version = rest.version;
    record.offset = rest.offset;
    record.hasher = rest.hasher;
    record.held = rest.held;
    record.at = rest.at;
    record.reserved = rest.reserved;
    record.expires = rest.expires;
    Ok(record)
}

/// Returns an upload.
pub(in crate::index::sqlite) fn find(
    conn: &Connection,
    id: &UploadId,
) -> Outcome<Option<UploadRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM uploads u JOIN packages p ON p.id = u.package WHERE u.id = ?1"
    );
    one(conn, &sql, [Raw(id)], read)?.map(record).transpose()
}

/// Writes an upload that is not there, at a version, with its reservation.
pub(in crate::index::sqlite) fn insert(
    tx: &mut Tx<'_>,
    package: &Package,
    upload: &UploadRecord,
    version: u64,
) -> Outcome<()> {
    let principal = serde_json::to_string(&upload.principal)
        .map_err(|error| backend("writing an upload", error))?;
    let at = upload.at.as_ref();
    let (boot, until, length) = leases::columns(upload.expires.as_ref());
    let sql = "INSERT INTO uploads (id, package, principal, holder, version, offset, hasher, held,
            key, key_offset, key_state, reserved, ends_boot, ends_until, ends_length, begun_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
    let params = (
        Raw(&upload.id),
        package.id,
        principal,
        upload.holder.as_str(),
        Raw(version),
        Raw(upload.offset),
        &upload.hasher[..],
        &upload.held[..],
        at.map(|at| Raw(&at.key)),
        at.map(|at| Raw(at.offset)),
        at.map(|at| &at.state[..]),
        Raw(upload.reserved),
        boot,
        until,
        length,
        Raw(upload.begun_at),
    );
    run(tx.conn, sql, params)?;
    tx.reserved(&package.at.repository, signed(upload.reserved));
    Ok(())
}

/// Removes an upload that is there, with its reservation.
pub(in crate::index::sqlite) fn delete(tx: &mut Tx<'_>, upload: &UploadRecord) -> Outcome<()> {
    run(
        tx.conn,
        "DELETE FROM uploads WHERE id = ?1",
        [Raw(&upload.id)],
    )?;
    tx.reserved(&upload.package.repository, -signed(upload.reserved));
    Ok(())
}

/// Says whether a package has uploads.
pub(in crate::index::sqlite) fn any(conn: &Connection, package: &Package) -> Outcome<bool> {
    let sql = "SELECT 1 FROM uploads WHERE package = ?1 LIMIT 1";
    Ok(exists(conn, sql, [package.id])?)
}

/// Moves the uploads of a package to another, with their reservations.
pub(in crate::index::sqlite) fn adopt(
    tx: &mut Tx<'_>,
    from: &Package,
    to: &Package,
) -> Outcome<()> {
    let sql = "SELECT reserved FROM uploads WHERE package = ?1";
    for reserved in all(tx.conn, sql, [from.id], |row| row.get::<_, i64>(0))? {
        tx.reserved(&from.at.repository, -reserved);
        tx.reserved(&to.at.repository, reserved);
    }
    let sql = "UPDATE uploads SET package = ?2 WHERE package = ?1";
    run(tx.conn, sql, (from.id, to.id))?;
    Ok(())
}
