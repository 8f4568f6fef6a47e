//! What goes for good: unwanted blobs, purged content, history.

use artifact_core::{
    BlobRecord, Conflict, Digest, Event, IndexError, RepositoryName, Revision, guard,
};

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{blobs, manifests, packages, trash, tx::Tx},
    statement::one,
};

/// Deletes the rows of blobs that nothing wants; their keys go to the trash (I8).
pub(super) fn collect(tx: &mut Tx<'_>, digests: &[Digest]) -> Outcome<()> {
    for digest in digests {
        let Some(blob) = blobs::find(tx.conn, digest)? else {
            continue;
        };
        if guard!(430) && blobs::is_wanted(tx.conn, digest)? {
            continue;
        }
        delete(tx, &blob)?;
        let (digest, size) = (blob.digest, blob.size);
        tx.events.push(Event::Collected { digest, size });
    }
    Ok(())
}

/// Removes the bytes of some content, also from what was.
pub(super) fn purge(tx: &mut Tx<'_>, digest: Digest) -> Outcome<()> {
    let sql = "SELECT p.id FROM packages p WHERE p.id IN (
            SELECT package FROM presences WHERE digest = ?1
            UNION SELECT package FROM links WHERE digest = ?1)
        ORDER BY p.oci, p.repository LIMIT 1";
    if guard!(431)
        && let Some(user) = one(tx.conn, sql, [Raw(digest)], |row| row.get(0))?
    {
        let package = packages::name(tx.conn, user)?;
        return Err(Conflict::InUse { digest, package }.into());
    }
    let blob = blobs::find(tx.conn, &digest)?;
    if let Some(blob) = &blob {
        delete(tx, blob)?;
    }
    let had_manifest = manifests::purge(tx.conn, &digest)?;
    if blob.is_some() || had_manifest {
        blobs::set_purged(tx.conn, &digest)?;
        tx.events.push(Event::Purged { digest });
    }
    Ok(())
}

/// Moves the horizon of a repository forward.
pub(super) fn forget(
    tx: &mut Tx<'_>,
    repository: RepositoryName,
    horizon: Revision,
) -> Outcome<()> {
    if guard!(432) && horizon > tx.head {
        let (asked, newest) = (horizon, tx.head);
        return Err(IndexError::FutureRevision { asked, newest }.into());
    }
    if guard!(433, horizon > packages::horizon(tx.conn, &repository)?, else true) {
        packages::forget(tx, &repository, horizon)?;
        tx.events.push(Event::Forgotten {
            repository,
            horizon,
        });
    }
    Ok(())
}

fn delete(tx: &Tx<'_>, blob: &BlobRecord) -> Outcome<()> {
    blobs::delete(tx.conn, &blob.digest)?;
    trash::put_blob(tx.conn, blob)
}
