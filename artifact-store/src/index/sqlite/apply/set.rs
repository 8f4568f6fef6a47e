//! A change set as a whole.

use artifact_core::{Change, ChangeSet, Committed, Digest, guard};
use bytes::Bytes;
use rusqlite::Connection;

use super::{adopt, blob, collect, document, expect, lease, link, manifest, room, tag};
use crate::index::sqlite::{
    failure::Outcome,
    state::{revisions, tx::Tx},
};

/// What a change set came to.
#[derive(Debug)]
pub(in crate::index::sqlite) struct Applied {
    /// What is said of it.
    pub(in crate::index::sqlite) committed: Committed,
    /// The bytes that its events name.
    pub(in crate::index::sqlite) contents: Vec<(Digest, Bytes)>,
}

/// Makes a change set inside a transaction, or nothing of it once the caller rolls back.
pub(in crate::index::sqlite) fn apply(conn: &Connection, set: ChangeSet) -> Outcome<Applied> {
    let head = revisions::head(conn)?;
    let time = set.time.max(head.time.plus_millis(1));
    let mut tx = Tx::new(conn, head.revision, time);
    for expectation in &set.expectations {
        guard!(448, expect::expect(&tx, expectation))?;
    }
    for change in set.changes {
        make(&mut tx, change)?;
    }
    guard!(449, room::check(&tx, &set.rooms))?;
    tx.settle()?;
    if tx.events.is_empty() {
        let committed = Committed::new(head.revision, head.time, set.actor, Vec::new());
        let contents = Vec::new();
        return Ok(Applied {
            committed,
            contents,
        });
    }
    revisions::write(&tx, &set.actor)?;
    Ok(Applied {
        committed: Committed::new(tx.revision, tx.time, set.actor, tx.events),
        contents: tx.contents,
    })
}

/// Makes one change.
fn make(tx: &mut Tx<'_>, change: Change) -> Outcome<()> {
    match change {
        Change::Adopt(repository) => adopt::adopt(tx, &repository),
        Change::Collect(digests) => collect::collect(tx, &digests),
        Change::DeleteDocument(key) => document::delete(tx, key),
        Change::DeleteManifest(package, digest) => manifest::delete(tx, &package, digest),
        Change::DeleteTag(package, tag) => tag::delete(tx, &package, tag),
        Change::ExpireLeases { now, limit } => lease::expire(tx, &now, limit),
        Change::Forget(repository, horizon) => collect::forget(tx, repository, horizon),
        Change::Link(package, digest, lease) => link::link(tx, &package, digest, lease.as_ref()),
        Change::Pin(package, digest, name) => link::pin(tx, &package, digest, name),
        Change::Purge(digest) => collect::purge(tx, digest),
        Change::PutBlob {
            blob,
            location,
            stamp,
            upload,
        } => blob::put(tx, &blob, location, stamp, upload.as_ref()),
        Change::PutDocument(key, body) => document::put(tx, key, body),
        Change::PutManifest {
            package,
            manifest,
            published_at,
        } => manifest::put(tx, &package, &manifest, published_at),
        Change::PutTag(package, tag, digest) => tag::put(tx, &package, tag, digest),
        Change::Unlink(package, digest) => link::unlink(tx, &package, digest),
        Change::Unpin(package, digest, name) => link::unpin(tx, &package, digest, name),
    }
}
