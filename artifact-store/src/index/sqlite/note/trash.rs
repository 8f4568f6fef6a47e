//! Keys that wait to be deleted.

use artifact_core::{BlobKey, BootTime, guard};

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{trash, tx::Tx},
    statement::run,
};

/// Puts those keys in the trash that nothing names.
pub(super) fn put(tx: &Tx<'_>, keys: &[BlobKey]) -> Outcome<u64> {
    let mut rows = 0;
    for key in keys {
        if guard!(459, trash::owner(tx.conn, key)?.is_none(), else true) {
            trash::put(tx.conn, key, 0)?;
            rows += 1;
        }
    }
    Ok(rows)
}

/// Takes keys out of the trash.
pub(super) fn remove(tx: &Tx<'_>, keys: &[BlobKey]) -> Outcome<u64> {
    let mut rows = 0;
    for key in keys {
        rows += run(tx.conn, "DELETE FROM trash WHERE key = ?1", [Raw(key)])? as u64;
    }
    Ok(rows)
}

/// Records when keys were first seen in the trash in this boot.
pub(super) fn see(tx: &Tx<'_>, keys: &[BlobKey], now: &BootTime) -> Outcome<u64> {
    let mut rows = 0;
    for key in keys {
        let sql = "UPDATE trash SET seen_boot = ?2, seen_millis = ?3
            WHERE key = ?1 AND seen_boot IS NOT ?2";
        let params = (Raw(key), now.boot.as_str(), Raw(now.millis));
        rows += run(tx.conn, sql, params)? as u64;
    }
    Ok(rows)
}
