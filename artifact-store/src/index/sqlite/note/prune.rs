//! History that a horizon has passed.

use artifact_core::{Digest, RepositoryName, Revision};
use rusqlite::Row;

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{
        manifests,
        packages::{self, Package},
        tx::Tx,
    },
    statement::{all, one, run},
};

/// The oldest past rows of tags of a repository.
pub(in crate::index::sqlite) const TAGS: &str = "DELETE FROM tags_past
    WHERE (package, tag, until) IN (
        SELECT package, tag, until FROM tags_past
        WHERE repository_id = ?1 AND until <= ?2 ORDER BY until LIMIT ?3)";

/// The oldest past rows of manifests of a repository.
pub(in crate::index::sqlite) const PRESENCES: &str = "
    SELECT package, digest, until, manifest FROM presences_past
    WHERE repository_id = ?1 AND until <= ?2 ORDER BY until LIMIT ?3";

/// The oldest past rows of packages of a repository.
pub(in crate::index::sqlite) const PACKAGES: &str = "DELETE FROM packages_past
    WHERE (in_default, oci, repository, until) IN (
        SELECT in_default, oci, repository, until FROM packages_past
        WHERE repository_id = ?1 AND until <= ?2 ORDER BY until LIMIT ?3)";

/// Deletes past rows of a repository that its horizon has passed, at most so many.
pub(super) fn prune(tx: &mut Tx<'_>, repository: &RepositoryName, limit: u32) -> Outcome<u64> {
    let sql = "SELECT id, horizon FROM repositories WHERE name = ?1";
    let found = one(tx.conn, sql, [Raw(repository)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Raw<Revision>>(1)?))
    })?;
    let Some((id, horizon)) = found else {
        return Ok(0);
    };
    let limit = u64::from(limit);
    let mut rows = run(tx.conn, TAGS, (id, horizon, Raw(limit)))? as u64;
    rows += prune_manifests(tx, id, horizon.0, limit - rows)?;
    run(tx.conn, PACKAGES, (id, horizon, Raw(limit - rows)))?;
    prune_feed(tx, limit)?;
    Ok(rows)
}

fn prune_manifests(
    tx: &mut Tx<'_>,
    repository: i64,
    horizon: Revision,
    limit: u64,
) -> Outcome<u64> {
    let read = |row: &Row<'_>| {
        let (package, manifest) = (row.get::<_, i64>(0)?, row.get::<_, i64>(3)?);
        let digest = row.get::<_, Raw<Digest>>(1)?.0;
        Ok((package, digest, row.get::<_, Raw<Revision>>(2)?.0, manifest))
    };
    let params = (repository, Raw(horizon), Raw(limit));
    let passed = all(tx.conn, PRESENCES, params, read)?;
    let rows = passed.len() as u64;
    for (id, digest, until, manifest) in passed {
        let sql = "DELETE FROM presences_past WHERE package = ?1 AND digest = ?2 AND until = ?3";
        run(tx.conn, sql, (id, Raw(digest), Raw(until)))?;
        let at = packages::name(tx.conn, id)?;
        let package = Package { id, repository, at };
        manifests::forget(tx, &package, &digest, until, manifest)?;
    }
    Ok(rows)
}

/// Takes revisions out of the feed that every repository's horizon has reached.
fn prune_feed(tx: &Tx<'_>, limit: u64) -> Outcome<()> {
    let sql = "SELECT horizon FROM repositories WHERE used = 1 ORDER BY horizon LIMIT 1";
    let lowest = one(tx.conn, sql, [], |row| row.get::<_, Raw<Revision>>(0))?;
    let Some(Raw(lowest)) = lowest else {
        return Ok(());
    };
    let first = first_of_feed(tx)?;
    let end = lowest.get().min(first.saturating_add(limit));
    let sql = "UPDATE revisions SET actor = NULL, events = NULL WHERE rev BETWEEN ?1 AND ?2";
    run(tx.conn, sql, (Raw(first), Raw(end)))?;
    let sql = "UPDATE meta SET feed_from = max(feed_from, ?1)";
    run(tx.conn, sql, [Raw(end)])?;
    Ok(())
}

fn first_of_feed(tx: &Tx<'_>) -> Outcome<u64> {
    let sql = "SELECT feed_from FROM meta";
    let from = one(tx.conn, sql, [], |row| row.get::<_, Raw<u64>>(0))?;
    Ok(from.map_or(0, |from| from.0) + 1)
}
