//! Leases that end.

use artifact_core::{BootTime, Digest};

use super::link;
use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{
        links,
        packages::{self, read_ref},
        tx::Tx,
    },
    statement::all,
};

/// The leases of a boot that end first.
pub(in crate::index::sqlite) const OVER: &str = "
    SELECT p.repository, p.name, l.digest FROM links l JOIN packages p ON p.id = l.package
    WHERE l.lease_boot = ?1 AND l.lease_until <= ?2
    ORDER BY l.lease_until, p.oci, p.repository, l.digest LIMIT ?3";

/// Ends the leases of which nothing is left, with the links that nothing else keeps.
pub(super) fn expire(tx: &mut Tx<'_>, now: &BootTime, limit: u32) -> Outcome<()> {
    let params = (now.boot.as_str(), Raw(now.millis), limit);
    let over = all(tx.conn, OVER, params, |row| {
        Ok((read_ref(row, 0)?, row.get::<_, Raw<Digest>>(2)?.0))
    })?;
    for (at, digest) in over {
        let package = packages::intern(tx, &at)?;
        links::end_lease(tx, &package, &digest)?;
        link::remove_if_loose(tx, &package, digest)?;
    }
    Ok(())
}
