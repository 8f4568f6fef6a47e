//! Leases of links.

use artifact_core::{Conflict, Digest, Lease, PackageRef, guard};

use crate::index::sqlite::{
    failure::Outcome,
    state::{links, packages, tx::Tx},
};

/// Gives a linked blob a lease.
pub(super) fn hold(
    tx: &Tx<'_>,
    package: PackageRef,
    digest: Digest,
    lease: &Lease,
) -> Outcome<u64> {
    if let Some(found) = packages::find(tx.conn, &package)?
        && guard!(460, links::find(tx.conn, &found, &digest)?.is_some(), else true)
    {
        links::set_lease(tx, &found, &digest, lease)?;
        return Ok(1);
    }
    Err(Conflict::NotLinked { package, digest }.into())
}
