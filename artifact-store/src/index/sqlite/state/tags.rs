//! Tags.

use artifact_core::{Digest, Generation, Revision, Tag, TagRecord, Timestamp};
use rusqlite::{Connection, Row};

use super::{packages::Package, tx::Tx};
use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    statement::{all, one, run},
};

/// Returns a tag that is there.
pub(in crate::index::sqlite) fn current(
    conn: &Connection,
    package: &Package,
    tag: &Tag,
) -> Outcome<Option<TagRecord>> {
    let sql = "SELECT tag, digest, generation, revision, changed_at FROM tags
        WHERE package = ?1 AND tag = ?2";
    Ok(one(conn, sql, (package.id, Raw(tag)), read_record)?)
}

/// Reads a row of `tag, digest, generation, revision, changed_at`.
pub(in crate::index::sqlite) fn read_record(row: &Row<'_>) -> rusqlite::Result<TagRecord> {
    Ok(TagRecord::new(
        row.get::<_, Raw<Tag>>(0)?.0,
        row.get::<_, Raw<Digest>>(1)?.0,
        row.get::<_, Raw<Generation>>(2)?.0,
        row.get::<_, Raw<Revision>>(3)?.0,
        row.get::<_, Raw<Timestamp>>(4)?.0,
    ))
}

/// Returns the last generation of a tag that is not there.
pub(in crate::index::sqlite) fn gone(
    conn: &Connection,
    package: &Package,
    tag: &Tag,
) -> Outcome<Generation> {
    let sql = "SELECT generation FROM tags_gone WHERE package = ?1 AND tag = ?2";
    let found = one(conn, sql, (package.id, Raw(tag)), |row| {
        row.get::<_, Raw<Generation>>(0)
    })?;
    Ok(found.map_or(Generation::NONE, |generation| generation.0))
}

/// Makes or moves a tag.
pub(in crate::index::sqlite) fn put(
    tx: &Tx<'_>,
    package: &Package,
    tag: &Tag,
    digest: &Digest,
    generation: Generation,
) -> Outcome<()> {
    close(tx, package, tag)?;
    let sql = "DELETE FROM tags_gone WHERE package = ?1 AND tag = ?2";
    run(tx.conn, sql, (package.id, Raw(tag)))?;
    let sql = "INSERT OR REPLACE INTO tags
            (package, tag, digest, generation, since, revision, changed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)";
    let params = (
        package.id,
        Raw(tag),
        Raw(digest),
        Raw(generation),
        Raw(tx.revision),
        Raw(tx.time),
    );
    run(tx.conn, sql, params)?;
    Ok(())
}

/// Takes a tag away; `generation` counts that.
pub(in crate::index::sqlite) fn remove(
    tx: &Tx<'_>,
    package: &Package,
    tag: &Tag,
    generation: Generation,
) -> Outcome<()> {
    close(tx, package, tag)?;
    let sql = "DELETE FROM tags WHERE package = ?1 AND tag = ?2";
    run(tx.conn, sql, (package.id, Raw(tag)))?;
    set_gone(tx, package, tag, generation)
}

/// Keeps the last generation of a tag that is not there.
pub(in crate::index::sqlite) fn set_gone(
    tx: &Tx<'_>,
    package: &Package,
    tag: &Tag,
    generation: Generation,
) -> Outcome<()> {
    let sql = "INSERT OR REPLACE INTO tags_gone (package, tag, generation) VALUES (?1, ?2, ?3)";
    run(tx.conn, sql, (package.id, Raw(tag), Raw(generation)))?;
    Ok(())
}

/// Returns the tags that point at a manifest, in their order.
pub(in crate::index::sqlite) fn of_manifest(
    conn: &Connection,
    package: &Package,
    digest: &Digest,
) -> Outcome<Vec<(Tag, Generation)>> {
    let sql = "SELECT tag, generation FROM tags WHERE package = ?1 AND digest = ?2 ORDER BY tag";
    let read = |row: &Row<'_>| {
        let tag = row.get::<_, Raw<Tag>>(0)?.0;
        Ok((tag, row.get::<_, Raw<Generation>>(1)?.0))
    };
    Ok(all(conn, sql, (package.id, Raw(digest)), read)?)
}

/// Puts what a tag was into the past, unless it came in this very revision.
fn close(tx: &Tx<'_>, package: &Package, tag: &Tag) -> Outcome<()> {
    let sql = "INSERT INTO tags_past (package, tag, until, digest, generation, since,
                                      revision, changed_at, repository_id)
        SELECT package, tag, ?3, digest, generation, since, revision, changed_at, ?4
        FROM tags WHERE package = ?1 AND tag = ?2 AND since < ?3";
    let params = (package.id, Raw(tag), Raw(tx.revision), package.repository);
    run(tx.conn, sql, params)?;
    Ok(())
}

/// Moves all tags of a package to another, which has none, and returns how many moved.
///
/// Each goes on counting from the higher of both generations, also those that are gone.
pub(in crate::index::sqlite) fn adopt(tx: &Tx<'_>, from: &Package, to: &Package) -> Outcome<()> {
    let sql = "INSERT INTO tags (package, tag, digest, generation, since, revision, changed_at)
        SELECT ?2, t.tag, t.digest, max(t.generation, coalesce(g.generation, 0)),
               ?3, t.revision, t.changed_at
        FROM tags t LEFT JOIN tags_gone g ON g.package = ?2 AND g.tag = t.tag
        WHERE t.package = ?1";
    run(tx.conn, sql, (from.id, to.id, Raw(tx.revision)))?;
    let sql = "INSERT INTO tags_gone (package, tag, generation)
        SELECT ?2, tag, generation FROM tags_gone WHERE package = ?1
        ON CONFLICT DO UPDATE SET generation = max(generation, excluded.generation)";
    run(tx.conn, sql, (from.id, to.id))?;
    let sql = "DELETE FROM tags_gone WHERE package = ?1
        AND tag IN (SELECT tag FROM tags WHERE package = ?1)";
    run(tx.conn, sql, [to.id])?;
    let sql = "INSERT INTO tags_past (package, tag, until, digest, generation, since,
                                      revision, changed_at, repository_id)
        SELECT package, tag, ?2, digest, generation, since, revision, changed_at, ?3
        FROM tags WHERE package = ?1 AND since < ?2";
    run(tx.conn, sql, (from.id, Raw(tx.revision), from.repository))?;
    let sql = "INSERT OR REPLACE INTO tags_gone (package, tag, generation)
        SELECT package, tag, generation FROM tags WHERE package = ?1";
    run(tx.conn, sql, [from.id])?;
    run(tx.conn, "DELETE FROM tags WHERE package = ?1", [from.id])?;
    Ok(())
}
