//! Uploads.

use artifact_core::{Page, UploadId, UploadRecord};
use rusqlite::Connection;

use crate::index::sqlite::{
    failure::Outcome,
    state::uploads::{COLUMNS, read, record},
    statement::all,
};

/// Returns the statement for the uploads after one.
pub(super) fn sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM uploads u CROSS JOIN packages p ON p.id = u.package
         WHERE u.id > ?1 ORDER BY u.id LIMIT ?2"
    )
}

/// Lists the uploads.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    page: &Page<UploadId>,
) -> Outcome<Vec<UploadRecord>> {
    // An id has 16 bytes, so the first comes after the empty bytes.
    let after = page.after.as_ref().map(|id| &id.as_bytes()[..]);
    let params = (after.unwrap_or_default(), page.limit.get());
    let stored = all(conn, &sql(), params, read)?;
    stored.into_iter().map(record).collect()
}
