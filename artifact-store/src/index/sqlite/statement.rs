//! Prepared statements, kept by their connection.

use rusqlite::{Connection, OptionalExtension as _, Params, Result as SqlResult, Row};

/// Runs a statement, and returns how many rows it changed.
pub(super) fn run(conn: &Connection, sql: &str, params: impl Params) -> SqlResult<usize> {
    conn.prepare_cached(sql)?.execute(params)
}

/// Returns what `read` makes of the first row, if there is one.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> SqlResult<T>,
) -> SqlResult<Option<T>> {
    conn.prepare_cached(sql)?.query_row(params, read).optional()
}

/// Says whether there is a row.
pub(super) fn exists(conn: &Connection, sql: &str, params: impl Params) -> SqlResult<bool> {
    conn.prepare_cached(sql)?.exists(params)
}

/// Returns what `read` makes of each row.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> SqlResult<T>,
) -> SqlResult<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(params, read)?.collect()
}
