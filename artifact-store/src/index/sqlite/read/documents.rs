//! Documents.

use artifact_core::{AsOf, DocumentKey, DocumentKind, DocumentRecord, Page, Revision};
use rusqlite::{Connection, Row};

use super::{
    as_of,
    spans::{merge, step},
};
use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, corrupt},
    state::documents::{self, Stored, read},
    statement::{all, one},
};

/// The documents of a kind that are there, after a name.
pub(super) const THERE: &str = "SELECT name, generation, since, body FROM documents
    WHERE kind = ?1 AND name > ?2 AND body IS NOT NULL AND since <= ?3 ORDER BY name LIMIT ?4";
/// The first of them: a name may be empty.
pub(super) const THERE_FIRST: &str = "SELECT name, generation, since, body FROM documents
    WHERE kind = ?1 AND name >= ?2 AND body IS NOT NULL AND since <= ?3 ORDER BY name LIMIT ?4";
/// The name after another, of those that have a past.
pub(super) const NEXT: &str = "SELECT name FROM documents_past
    WHERE kind = ?1 AND name > ?2 ORDER BY name LIMIT 1";
/// The first name of those that have a past.
pub(super) const NEXT_FIRST: &str = "SELECT name FROM documents_past
    WHERE kind = ?1 ORDER BY name LIMIT 1";
/// What a document was.
pub(super) const WAS: &str = "SELECT generation, since, body FROM (
        SELECT generation, since, body FROM documents_past
        WHERE kind = ?1 AND name = ?2 AND until > ?3 ORDER BY until LIMIT 1)
    WHERE since <= ?3";

/// Returns a document.
pub(in crate::index::sqlite) fn document(
    conn: &Connection,
    at: AsOf,
    key: &DocumentKey,
) -> Outcome<Option<DocumentRecord>> {
    as_of::check_made(conn, at)?;
    let current = documents::current(conn, key)?;
    match at {
        AsOf::Revision(asked) if current.as_ref().is_none_or(|now| now.revision > asked) => {
            let found = was(conn, key.kind(), key.name(), asked)?;
            Ok(found.map(|stored| documents::record(key.clone(), stored)))
        }
        _ => Ok(current),
    }
}

/// Lists the documents of a kind that are there.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    at: AsOf,
    kind: DocumentKind,
    page: &Page<String>,
) -> Outcome<Vec<DocumentRecord>> {
    as_of::check_made(conn, at)?;
    let sql = if page.after.is_some() {
        THERE
    } else {
        THERE_FIRST
    };
    let asked = match at {
        AsOf::Now => i64::MAX,
        AsOf::Revision(asked) => i64::try_from(asked.get()).unwrap_or(i64::MAX),
    };
    let after = page.after.as_deref().unwrap_or_default();
    let limit = page.limit.get();
    let named = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, read(row, 1)?));
    let mut there = all(conn, sql, (kind.name(), after, asked, limit), named)?;
    if let AsOf::Revision(asked) = at {
        let past = past(conn, kind, page, asked)?;
        there = merge(there, past, limit as usize, |(name, _)| name.clone());
    }
    let records = there.into_iter().map(|(name, stored)| {
        let text = format!("{}:{name}", kind.name());
        let key: DocumentKey = text
            .parse()
            .map_err(|_| corrupt(format!("document {text}")))?;
        Ok(documents::record(key, stored))
    });
    records.collect()
}

fn past(
    conn: &Connection,
    kind: DocumentKind,
    page: &Page<String>,
    asked: Revision,
) -> Outcome<Vec<(String, Stored)>> {
    let next = |after: &Option<String>| {
        let name = |row: &Row<'_>| row.get::<_, String>(0);
        let found = match after {
            Some(after) => one(conn, NEXT, (kind.name(), after), name)?,
            None => one(conn, NEXT_FIRST, [kind.name()], name)?,
        };
        Ok(found.map(Some))
    };
    let at = |name: &Option<String>| {
        let name = name.clone().unwrap_or_default();
        let found = was(conn, kind, &name, asked)?;
        let there = found.filter(|(_, _, body)| body.is_some());
        Ok(there.map(|stored| (name, stored)))
    };
    step(page.after.clone(), page.limit.get() as usize, next, at)
}

fn was(
    conn: &Connection,
    kind: DocumentKind,
    name: &str,
    asked: Revision,
) -> Outcome<Option<Stored>> {
    let params = (kind.name(), name, Raw(asked));
    Ok(one(conn, WAS, params, |row| read(row, 0))?)
}
