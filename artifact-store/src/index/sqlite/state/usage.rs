//! What repositories are charged for: each distinct digest once.

use artifact_core::Digest;

use super::{packages::Package, tx::Tx};
use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, corrupt},
    statement::{one, run},
};

/// Notes that a package has some content once more.
pub(in crate::index::sqlite) fn charge(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
    size: u64,
) -> Outcome<()> {
    let sql = "INSERT INTO charges (repository_id, digest, count, size) VALUES (?1, ?2, 1, ?3)
        ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count";
    let params = (package.repository, Raw(digest), Raw(size));
    let count: Option<i64> = one(tx.conn, sql, params, |row| row.get(0))?;
    if count == Some(1) {
        tx.charged(&package.at.repository, signed(size));
    }
    Ok(())
}

/// Notes that a package has some content once less.
pub(in crate::index::sqlite) fn discharge(
    tx: &mut Tx<'_>,
    package: &Package,
    digest: &Digest,
) -> Outcome<()> {
    let sql = "UPDATE charges SET count = count - 1 WHERE repository_id = ?1 AND digest = ?2
        RETURNING count, size";
    let found = one(tx.conn, sql, (package.repository, Raw(digest)), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Raw<u64>>(1)?.0))
    })?;
    let (count, size) = found.ok_or_else(|| corrupt(format!("the charge of {digest}")))?;
    if count == 0 {
        let sql = "DELETE FROM charges WHERE repository_id = ?1 AND digest = ?2";
        run(tx.conn, sql, (package.repository, Raw(digest)))?;
        tx.charged(&package.at.repository, -signed(size));
    }
    Ok(())
}

/// Returns a size as a difference; sizes in the index are SQLite's integers, so none is larger.
pub(in crate::index::sqlite) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
