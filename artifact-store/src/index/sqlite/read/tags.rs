//! Tags.

use artifact_core::{AsOf, PackageRef, Page, Revision, Tag, TagRecord};
use rusqlite::{Connection, Row};

use super::{
    as_of,
    spans::{merge, step},
};
use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{
        packages::{self, Package},
        tags::{self, read_record},
    },
    statement::{all, one},
};

/// The tags that are there, after one.
pub(super) const THERE: &str = "SELECT tag, digest, generation, revision, changed_at FROM tags
    WHERE package = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3";
/// Those of them that were there.
pub(super) const THERE_THEN: &str = "SELECT tag, digest, generation, revision, changed_at FROM tags
    WHERE package = ?1 AND tag > ?2 AND since <= ?4 ORDER BY tag LIMIT ?3";
/// The tag after another, of those that have a past.
pub(super) const NEXT: &str = "SELECT tag FROM tags_past
    WHERE package = ?1 AND tag > ?2 ORDER BY tag LIMIT 1";
/// What a tag was.
pub(super) const WAS: &str = "SELECT tag, digest, generation, revision, changed_at FROM (
        SELECT tag, digest, generation, revision, changed_at, since FROM tags_past
        WHERE package = ?1 AND tag = ?2 AND until > ?3 ORDER BY until LIMIT 1)
    WHERE since <= ?3";
const IS: &str = "SELECT tag, digest, generation, revision, changed_at FROM tags
    WHERE package = ?1 AND tag = ?2 AND since <= ?3";

/// Returns a tag.
pub(in crate::index::sqlite) fn tag(
    conn: &Connection,
    at: AsOf,
    package: &PackageRef,
    tag: &Tag,
) -> Outcome<Option<TagRecord>> {
    as_of::check_package(conn, at, package)?;
    let Some(package) = packages::find(conn, package)? else {
        return Ok(None);
    };
    match at {
        AsOf::Now => tags::current(conn, &package, tag),
        AsOf::Revision(asked) => {
            let params = (package.id, Raw(tag), Raw(asked));
            match one(conn, IS, params, read_record)? {
                Some(record) => Ok(Some(record)),
                None => Ok(one(conn, WAS, params, read_record)?),
            }
        }
    }
}

/// Lists the tags of a package.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    at: AsOf,
    package: &PackageRef,
    page: &Page<Tag>,
) -> Outcome<Vec<TagRecord>> {
    as_of::check_package(conn, at, package)?;
    let Some(package) = packages::find(conn, package)? else {
        return Ok(Vec::new());
    };
    // No tag is empty, so the first comes after the empty text.
    let after = page.after.as_ref().map_or("", Tag::as_str);
    let limit = page.limit.get();
    match at {
        AsOf::Now => Ok(all(conn, THERE, (package.id, after, limit), read_record)?),
        AsOf::Revision(asked) => {
            let params = (package.id, after, limit, Raw(asked));
            let there = all(conn, THERE_THEN, params, read_record)?;
            let past = past(conn, &package, after, limit as usize, asked)?;
            Ok(merge(there, past, limit as usize, |record| {
                record.tag.clone()
            }))
        }
    }
}

fn past(
    conn: &Connection,
    package: &Package,
    after: &str,
    limit: usize,
    asked: Revision,
) -> Outcome<Vec<TagRecord>> {
    let next = |after: &String| {
        let name = |row: &Row<'_>| row.get::<_, String>(0);
        Ok(one(conn, NEXT, (package.id, after), name)?)
    };
    let at = |tag: &String| Ok(one(conn, WAS, (package.id, tag, Raw(asked)), read_record)?);
    step(after.to_owned(), limit, next, at)
}
