//! What was found out of a blob's bytes.

use artifact_core::{BlobKey, Digest, Stamp, Timestamp};

use crate::index::sqlite::{codec::Raw, failure::Outcome, state::tx::Tx, statement::run};

/// Marks a blob whose bytes at a key are wrong.
pub(super) fn quarantine(tx: &Tx<'_>, digest: &Digest, key: &BlobKey) -> Outcome<u64> {
    let sql = "UPDATE blobs SET quarantined = 1 WHERE digest = ?1 AND key = ?2";
    Ok(run(tx.conn, sql, (Raw(digest), Raw(key)))? as u64)
}

/// Records that the bytes at a key are right.
pub(super) fn stamp(
    tx: &Tx<'_>,
    digest: &Digest,
    key: &BlobKey,
    stamp: Option<&Stamp>,
    hashed_at: Timestamp,
) -> Outcome<u64> {
    let sql = "UPDATE blobs SET stamp = ?3, hashed_at = ?4, quarantined = 0
        WHERE digest = ?1 AND key = ?2";
    let stamp = stamp.map(Stamp::as_str);
    Ok(run(tx.conn, sql, (Raw(digest), Raw(key), stamp, Raw(hashed_at)))? as u64)
}
