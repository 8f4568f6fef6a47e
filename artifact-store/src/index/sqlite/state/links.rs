//! Blobs in packages: links, their leases, and pins.

use artifact_core::{Digest, Lease};
use rusqlite::Connection;

use super::{
    leases,
    packages::{self, Package},
    tx::Tx,
    usage,
};
use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    statement::{all, one, run},
};

/// A link that is there.
#[derive(Clone, Debug)]
pub(in crate::index::sqlite) struct Link {
    /// What holds it.
    pub(in crate::index::sqlite) lease: Option<Lease>,
}

/// Returns a link, if there is one.
pub(in crate::index::sqlite) fn find(
    conn: &Connection,
    package: &Package,
    digest: &Digest,
) -> Outcome<Option<Link>> {
    let sql = "SELECT lease_boot, lease_until, lease_length FROM links
        WHERE package = ?1 AND digest = ?2";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Link {
            lease: leases::read(row, 0)?,
        })
    };
    Ok(one(conn, sql, (package.id, Raw(digest)), read)?)
}

/// Links a blob to a package that has no link to it.
pub(in crate::index::sqlite) fn link(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
    size: u64,
    lease: Option<&Lease>,
) -> Outcome<()> {
    let (boot, until, length) = leases::columns(lease);
    let sql = "INSERT INTO links (package, digest, lease_boot, lease_until, lease_length)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    run(tx.conn, sql, (package.id, Raw(digest), boot, until, length))?;
    let sql = "DELETE FROM review WHERE digest = ?1";
    run(tx.conn, sql, [Raw(digest)])?;
    packages::use_repository(tx, package)?;
    usage::charge(tx, package, digest, size)
}

/// Gives a link a lease, or replaces the one it has, unless that ends later.
pub(in crate::index::sqlite) fn set_lease(
    tx: &Tx<'_>,
    package: &Package,
    digest: &Digest,
    lease: &Lease,
) -> Outcome<()> {
    let (boot, until, length) = leases::columns(Some(lease));
    let sql = "UPDATE links SET lease_boot = ?3, lease_until = ?4, lease_length = ?5
        WHERE package = ?1 AND digest = ?2
            AND (lease_boot IS NOT ?3 OR lease_until <= ?4)";
    run(tx.conn, sql, (package.id, Raw(digest), boot, until, length))?;
    Ok(())
}

/// Ends the lease of a link, if there are such.
pub(in crate::index::sqlite) fn end_lease(
    tx: &Tx<'_>,
    package: &Package,
    digest: &Digest,
) -> Outcome<()> {
    let sql = "UPDATE links SET lease_boot = NULL, lease_until = NULL, lease_length = NULL
        WHERE package = ?1 AND digest = ?2 AND lease_boot IS NOT NULL";
    run(tx.conn, sql, (package.id, Raw(digest)))?;
    Ok(())
}

/// Takes a link that is there out of its package.
pub(in crate::index::sqlite) fn unlink(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
) -> Outcome<()> {
    let sql = "DELETE FROM links WHERE package = ?1 AND digest = ?2";
    run(tx.conn, sql, (package.id, Raw(digest)))?;
    tx.may_be_unwanted(*digest);
    usage::discharge(tx, package, digest)
}

/// Returns the first pin of a link.
pub(in crate::index::sqlite) fn pin(
    conn: &Connection,
    package: &Package,
    digest: &Digest,
) -> Outcome<Option<String>> {
    let sql = "SELECT name FROM pins WHERE package = ?1 AND digest = ?2 ORDER BY name LIMIT 1";
    Ok(one(conn, sql, (package.id, Raw(digest)), |row| row.get(0))?)
}

/// Pins a link, and says whether that is new.
pub(in crate::index::sqlite) fn add_pin(
    tx: &Tx<'_>,
    package: &Package,
    digest: &Digest,
    name: &str,
) -> Outcome<bool> {
    let sql = "INSERT OR IGNORE INTO pins (package, digest, name) VALUES (?1, ?2, ?3)";
    Ok(run(tx.conn, sql, (package.id, Raw(digest), name))? > 0)
}

/// Ends a pin, and says whether there was one.
pub(in crate::index::sqlite) fn remove_pin(
    tx: &Tx<'_>,
    package: &Package,
    digest: &Digest,
    name: &str,
) -> Outcome<bool> {
    let sql = "DELETE FROM pins WHERE package = ?1 AND digest = ?2 AND name = ?3";
    Ok(run(tx.conn, sql, (package.id, Raw(digest), name))? > 0)
}

/// Moves all links and pins of a package to another, which has none.
pub(in crate::index::sqlite) fn adopt(
    tx: &mut Tx<'_>,
    from: &Package,
    to: &Package,
) -> Outcome<()> {
    let sql = "SELECT l.digest, c.size FROM links l
        JOIN charges c ON c.repository_id = ?2 AND c.digest = l.digest WHERE l.package = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let digest = row.get::<_, Raw<Digest>>(0)?.0;
        Ok((digest, row.get::<_, Raw<u64>>(1)?.0))
    };
    for (digest, size) in all(tx.conn, sql, (from.id, from.repository), read)? {
        usage::charge(tx, to, &digest, size)?;
        usage::discharge(tx, from, &digest)?;
        packages::use_repository(tx, to)?;
    }
    let sql = "UPDATE links SET package = ?2 WHERE package = ?1";
    run(tx.conn, sql, (from.id, to.id))?;
    let sql = "UPDATE pins SET package = ?2 WHERE package = ?1";
    run(tx.conn, sql, (from.id, to.id))?;
    Ok(())
}
