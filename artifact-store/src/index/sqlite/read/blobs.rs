//! Blobs, and what waits to go.

use std::num::NonZeroU32;

use artifact_core::{
    AsOf, BlobKey, BlobRecord, BootId, BootTime, Digest, IndexError, LeaseRecord, LinkRecord,
    PackageRef, Page, Revision, TrashRecord,
};
use rusqlite::{Connection, Row};

use super::as_of;
use crate::index::sqlite::{
    codec::{Raw, digest_bytes},
    failure::Outcome,
    state::{
        blobs::{self, read, record},
        leases, links, manifests,
        packages::{self, Package, read_ref},
    },
    statement::{all, one},
};

/// All blobs, after one.
pub(super) const ALL: &str = "
    SELECT b.digest, b.size, b.key, b.bytes, b.stamp, b.hashed_at, b.quarantined FROM blobs b
    WHERE b.digest > ?1 ORDER BY b.digest LIMIT ?2";
/// The blobs that are up for review, after one.
pub(super) const REVIEW: &str = "SELECT digest FROM review WHERE digest > ?1 ORDER BY digest";
/// The trash, after a key.
pub(super) const TRASH: &str = "SELECT key, size, seen_boot, seen_millis FROM trash
    WHERE key > ?1 ORDER BY key LIMIT ?2";
/// The leases of other boots.
pub(super) const FOREIGN: &str = "
    SELECT p.repository, p.name, l.digest, l.lease_boot, l.lease_until, l.lease_length FROM (
        SELECT * FROM links WHERE lease_boot < ?1
        UNION ALL SELECT * FROM links WHERE lease_boot > ?1) l
    CROSS JOIN packages p ON p.id = l.package
    ORDER BY p.oci, p.repository, l.digest LIMIT ?2";
const NAMED_BY: &str = "SELECT min(digest) FROM (
        SELECT min(digest) AS digest FROM refs
        WHERE package = ?1 AND target = ?2 AND since <= ?3
        UNION ALL SELECT min(digest) FROM refs_past
        WHERE package = ?1 AND target = ?2 AND since <= ?3 AND until > ?3)";

/// Returns a blob as a package has it.
pub(in crate::index::sqlite) fn blob(
    conn: &Connection,
    at: AsOf,
    package: &PackageRef,
    digest: &Digest,
) -> Outcome<Option<LinkRecord>> {
    as_of::check_package(conn, at, package)?;
    let Some(package) = packages::find(conn, package)? else {
        return Ok(None);
    };
    let (named_by, lease) = match at {
        AsOf::Now => match links::find(conn, &package, digest)? {
            Some(link) => (
                manifests::naming(conn, &package, digest, false)?,
                link.lease,
            ),
            None => return Ok(None),
        },
        AsOf::Revision(asked) => match named_then(conn, &package, digest, asked)? {
            Some(by) => (Some(by), None),
            None => return Ok(None),
        },
    };
    match blobs::find(conn, digest)? {
        Some(blob) => Ok(Some(LinkRecord::new(blob, named_by, lease))),
        None if blobs::is_purged(conn, digest)? => {
            Err(IndexError::Purged { digest: *digest }.into())
        }
        None => Ok(None),
    }
}

fn named_then(
    conn: &Connection,
    package: &Package,
    digest: &Digest,
    asked: Revision,
) -> Outcome<Option<Digest>> {
    let params = (package.id, Raw(digest), Raw(asked));
    let first = one(conn, NAMED_BY, params, |row| {
        row.get::<_, Option<Raw<Digest>>>(0)
    })?;
    Ok(first.flatten().map(|digest| digest.0))
}

/// Lists all blobs.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    page: &Page<Digest>,
) -> Outcome<Vec<BlobRecord>> {
    let stored = all(conn, ALL, (after(page), page.limit.get()), |row| {
        read(row, 0)
    })?;
    stored.into_iter().map(record).collect()
}

/// Lists the blobs that nothing wants.
pub(in crate::index::sqlite) fn unwanted(
    conn: &Connection,
    page: &Page<Digest>,
) -> Outcome<Vec<BlobRecord>> {
    let mut statement = conn.prepare_cached(REVIEW)?;
    let mut rows = statement.query([after(page)])?;
    let mut found = Vec::new();
    while found.len() < page.limit.get() as usize
        && let Some(row) = rows.next()?
    {
        let digest = row.get::<_, Raw<Digest>>(0)?.0;
        if let Some(blob) = blobs::find(conn, &digest)?
            && !blobs::is_wanted(conn, &digest)?
        {
            found.push(blob);
        }
    }
    Ok(found)
}

/// Lists the trash.
pub(in crate::index::sqlite) fn trash(
    conn: &Connection,
    page: &Page<BlobKey>,
) -> Outcome<Vec<TrashRecord>> {
    let after = page.after.as_ref().map_or("", BlobKey::as_str);
    let read = |row: &Row<'_>| {
        let key = row.get::<_, Raw<BlobKey>>(0)?.0;
        let mut record = TrashRecord::new(key, row.get::<_, Raw<u64>>(1)?.0);
        if let Some(boot) = row.get::<_, Option<String>>(2)? {
            let millis = row.get::<_, Raw<u64>>(3)?.0;
            record.seen = Some(BootTime::new(BootId::new(boot), millis));
        }
        Ok(record)
    };
    Ok(all(conn, TRASH, (after, page.limit.get()), read)?)
}

/// Lists leases of other boots.
pub(in crate::index::sqlite) fn foreign_leases(
    conn: &Connection,
    now: &BootTime,
    limit: NonZeroU32,
) -> Outcome<Vec<LeaseRecord>> {
    let read = |row: &Row<'_>| {
        let place = (read_ref(row, 0)?, row.get::<_, Raw<Digest>>(2)?.0);
        Ok((place, leases::read(row, 3)?))
    };
    let found = all(conn, FOREIGN, (now.boot.as_str(), limit.get()), read)?;
    let leases = found.into_iter().filter_map(|((package, digest), lease)| {
        lease.map(|lease| LeaseRecord {
            package,
            digest,
            lease,
        })
    });
    Ok(leases.collect())
}

fn after(page: &Page<Digest>) -> Vec<u8> {
    // A digest begins with the byte of its algorithm, so the first comes after the empty bytes.
    page.after.as_ref().map(digest_bytes).unwrap_or_default()
}
