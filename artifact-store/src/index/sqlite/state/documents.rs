//! Documents.

use artifact_core::{DocumentKey, DocumentRecord, Generation, Revision};
use rusqlite::{Connection, Row};

use super::tx::Tx;
use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    statement::{one, run},
};

/// What a row says of a document: its generation, revision and body.
pub(in crate::index::sqlite) type Stored = (Generation, Revision, Option<String>);

/// Reads a row of `generation, since, body`, from a column on.
pub(in crate::index::sqlite) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Stored> {
    let generation = row.get::<_, Raw<Generation>>(at)?.0;
    Ok((
        generation,
        row.get::<_, Raw<Revision>>(at + 1)?.0,
        row.get(at + 2)?,
    ))
}

/// Returns a document as it is now, also when it was deleted.
pub(in crate::index::sqlite) fn current(
    conn: &Connection,
    key: &DocumentKey,
) -> Outcome<Option<DocumentRecord>> {
    let sql = "SELECT generation, since, body FROM documents WHERE kind = ?1 AND name = ?2";
    let found = one(conn, sql, (key.kind().name(), key.name()), |row| {
        read(row, 0)
    })?;
    Ok(found.map(|stored| record(key.clone(), stored)))
}

/// Returns the record of a document.
pub(in crate::index::sqlite) fn record(key: DocumentKey, stored: Stored) -> DocumentRecord {
    let (generation, revision, body) = stored;
    DocumentRecord::new(key, generation, body, revision)
}

/// Writes a document, or with an absent body deletes it.
pub(in crate::index::sqlite) fn put(
    tx: &Tx<'_>,
    key: &DocumentKey,
    generation: Generation,
    body: Option<&str>,
) -> Outcome<()> {
    let (kind, name) = (key.kind().name(), key.name());
    let sql = "INSERT INTO documents_past (kind, name, until, generation, since, body)
        SELECT kind, name, ?3, generation, since, body FROM documents
        WHERE kind = ?1 AND name = ?2 AND since < ?3";
    run(tx.conn, sql, (kind, name, Raw(tx.revision)))?;
    let sql = "INSERT INTO documents (kind, name, generation, since, body)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (kind, name) DO UPDATE SET generation = excluded.generation,
            since = excluded.since, body = excluded.body";
    let params = (kind, name, Raw(generation), Raw(tx.revision), body);
    run(tx.conn, sql, params)?;
    Ok(())
}
