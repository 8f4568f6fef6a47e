//! The feed.

use std::num::NonZeroU32;

use artifact_core::{Committed, IndexError, Revision, Timestamp};
use rusqlite::Connection;

use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, corrupt},
    state::revisions,
    statement::{all, one},
};

/// The revisions after one.
pub(super) const AFTER: &str = "SELECT rev, time, actor, events FROM revisions
    WHERE rev > ?1 ORDER BY rev LIMIT ?2";

/// Returns what was committed after a revision.
pub(in crate::index::sqlite) fn changes(
    conn: &Connection,
    after: Revision,
    limit: NonZeroU32,
) -> Outcome<Vec<Committed>> {
    let oldest = forgotten(conn)?;
    if after < oldest {
        return Err(IndexError::HistoryForgotten { oldest }.into());
    }
    let stored = all(
        conn,
        AFTER,
        (Raw(after), limit.get()),
        revisions::read_stored,
    )?;
    let committed = stored.into_iter().map(|stored| {
        let revision = stored.0;
        revisions::committed(stored)?.ok_or_else(|| corrupt(format!("revision {revision}")))
    });
    committed.collect()
}

/// Returns the newest revision that left the feed.
pub(in crate::index::sqlite) fn forgotten(conn: &Connection) -> Outcome<Revision> {
    let sql = "SELECT feed_from FROM meta WHERE one = 1";
    let found = one(conn, sql, [], |row| row.get::<_, Raw<Revision>>(0))?;
    Ok(found.ok_or_else(|| corrupt("meta"))?.0)
}

/// Returns the newest revision whose time is not after a time.
pub(in crate::index::sqlite) fn revision_at(
    conn: &Connection,
    time: Timestamp,
) -> Outcome<Revision> {
    // Times rise with revisions, so halving finds it; an index of times would cost each commit.
    let (mut before, mut after) = (0, revisions::head(conn)?.revision.get() + 1);
    let mut newest = Revision::ZERO;
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        // A rebuilt index may not know all of the oldest.
        match revisions::at_most(conn, Revision::new(middle))? {
            Some(found) if found.time > time => after = found.revision.get(),
            Some(found) => (before, newest) = (middle, found.revision),
            None => before = middle,
        }
    }
    Ok(newest)
}
