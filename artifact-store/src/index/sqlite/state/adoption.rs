//! Packages that move to another repository.

use super::{links, manifests, packages::Package, tags, tx::Tx, uploads};
use crate::index::sqlite::failure::Outcome;

/// Moves all that a package has now to one that has nothing; what it had stays where it was.
pub(in crate::index::sqlite) fn relocate(
    tx: &mut Tx<'_>,
    from: &Package,
    to: &Package,
) -> Outcome<()> {
    for (digest, presence) in manifests::of_package(tx.conn, from)? {
        // First in, then out: so its content always has a row that needs it.
        manifests::enter(tx, to, &digest, &presence)?;
        manifests::leave(tx, from, &digest)?;
    }
    tags::adopt(tx, from, to)?;
    links::adopt(tx, from, to)?;
    uploads::adopt(tx, from, to)
}
