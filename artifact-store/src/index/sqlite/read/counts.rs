//! What is counted, not looked up.

use artifact_core::{Footprint, Scope, Totals};
use rusqlite::{Connection, Params};

use crate::index::sqlite::{codec::Raw, failure::Outcome, statement::one};

/// Whether a package `p` is of the scope `?1`.
macro_rules! in_scope {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " (?1 = '' OR p.repository = ?1
               OR (p.repository > ?1 || '/' AND p.repository < ?1 || '0')) ",
            $after
        )
    };
}

/// Counts what the repositories of a scope hold.
pub(in crate::index::sqlite) fn footprint(conn: &Connection, scope: &Scope) -> Outcome<Footprint> {
    let scope = [scope.as_str()];
    let mut footprint = Footprint::default();
    let sql = in_scope!(
        "SELECT count(*), coalesce(sum(manifests), 0) FROM packages p WHERE manifests > 0 AND",
        ""
    );
    (footprint.packages, footprint.manifests) = pair(conn, sql, scope)?;
    let sql = in_scope!(
        "SELECT count(*), 0 FROM packages p CROSS JOIN tags t ON t.package = p.id WHERE",
        ""
    );
    (footprint.tags, _) = pair(conn, sql, scope)?;
    let sql = in_scope!(
        "SELECT count(*), coalesce(sum(size), 0) FROM blobs WHERE digest IN (
            SELECT l.digest FROM packages p CROSS JOIN links l ON l.package = p.id WHERE",
        ")"
    );
    (footprint.blobs, footprint.blob_bytes) = pair(conn, sql, scope)?;
    let past = in_scope!(
        "SELECT f.target FROM packages p CROSS JOIN refs_past f ON f.package = p.id
         CROSS JOIN repositories r ON r.id = f.repository_id WHERE f.until > r.horizon AND",
        ""
    );
    let linked = in_scope!(
        "SELECT l.digest FROM packages p CROSS JOIN links l ON l.package = p.id WHERE",
        ""
    );
    let sql = format!(
        "SELECT count(*), coalesce(sum(size), 0) FROM blobs
         WHERE digest IN ({past}) AND digest NOT IN ({linked})"
    );
    (_, footprint.history_bytes) = pair(conn, &sql, scope)?;
    Ok(footprint)
}

/// Counts what the registry holds.
pub(in crate::index::sqlite) fn totals(conn: &Connection) -> Outcome<Totals> {
    let mut totals = Totals::default();
    let sql = "SELECT count(*), coalesce(sum(quarantined), 0) FROM blobs";
    (totals.blobs, totals.quarantined) = pair(conn, sql, [])?;
    let sql = "SELECT coalesce(sum(size) FILTER (WHERE key IS NOT NULL), 0),
        coalesce(sum(size) FILTER (WHERE key IS NULL), 0) FROM blobs";
    (totals.stored_bytes, totals.inline_bytes) = pair(conn, sql, [])?;
    let sql = "SELECT 0, coalesce(sum(length(bytes)), 0) FROM contents";
    (_, totals.manifest_bytes) = pair(conn, sql, [])?;
    let sql = "SELECT count(*), coalesce(sum(size), 0) FROM trash";
    (totals.trash, totals.trash_bytes) = pair(conn, sql, [])?;
    (totals.uploads, _) = pair(conn, "SELECT count(*), 0 FROM uploads", [])?;
    Ok(totals)
}

fn pair(conn: &Connection, sql: &str, params: impl Params) -> Outcome<(u64, u64)> {
    let read = |row: &rusqlite::Row<'_>| {
        let first = row.get::<_, Raw<u64>>(0)?.0;
        Ok((first, row.get::<_, Raw<u64>>(1)?.0))
    };
    Ok(one(conn, sql, params, read)?.unwrap_or_default())
}
