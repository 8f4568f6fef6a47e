//! A piece of bookkeeping as a whole.

use artifact_core::{Bookkeeping, Noted};
use rusqlite::Connection;

use super::{blob, claim, lease, prune, trash, upload};
use crate::index::sqlite::{
    failure::Outcome,
    state::{revisions, tx::Tx},
};

/// What a piece of bookkeeping came to: a conflict may leave something behind, too.
pub(in crate::index::sqlite) type Recorded = Outcome<Noted>;

/// Records bookkeeping inside a transaction. Where it fails, the caller rolls back; the inner
/// failure alone is one that leaves behind what it wrote.
pub(in crate::index::sqlite) fn note(conn: &Connection, what: Bookkeeping) -> Outcome<Recorded> {
    let head = revisions::head(conn)?;
    let mut tx = Tx::new(conn, head.revision, head.time);
    let rows = match what {
        Bookkeeping::BeginUpload(upload, rooms) => upload::begin(&mut tx, &upload, &rooms)?,
        Bookkeeping::AdvanceUpload(version, upload, rooms) => {
            upload::advance(&mut tx, version, &upload, &rooms)?
        }
        Bookkeeping::EndUpload(id, version) => upload::end(&mut tx, id, version)?,
        Bookkeeping::Claim {
            name,
            holder,
            lease,
            now,
        } => return claim::claim(&tx, name, &holder, &lease, &now),
        Bookkeeping::Release { name, holder } => claim::release(&tx, &name, &holder)?,
        Bookkeeping::Lease(package, digest, lease) => lease::hold(&tx, package, digest, &lease)?,
        Bookkeeping::Prune(repository, limit) => prune::prune(&mut tx, &repository, limit)?,
        Bookkeeping::Quarantine(digest, key) => blob::quarantine(&tx, &digest, &key)?,
        Bookkeeping::SeeTrash(keys, now) => trash::see(&tx, &keys, &now)?,
        Bookkeeping::Stamp {
            digest,
            key,
            stamp,
            hashed_at,
        } => blob::stamp(&tx, &digest, &key, stamp.as_ref(), hashed_at)?,
        Bookkeeping::Trash(keys) => trash::put(&tx, &keys)?,
        Bookkeeping::Untrash(keys) => trash::remove(&tx, &keys)?,
    };
    tx.settle()?;
    Ok(Ok(Noted::new(rows)))
}
