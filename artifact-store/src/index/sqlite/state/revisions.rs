//! The feed.

use artifact_core::{Actor, Committed, Event, Head, Revision, Timestamp};
use rusqlite::{Connection, Row};

use super::tx::Tx;
use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, backend, corrupt},
    statement::{one, run},
};

/// Returns the newest revision and its time.
pub(in crate::index::sqlite) fn head(conn: &Connection) -> Outcome<Head> {
    let none = Head::new(Revision::ZERO, Timestamp::default());
    Ok(at_most(conn, Revision::new(i64::MAX.unsigned_abs()))?.unwrap_or(none))
}

/// Returns the newest revision up to one, and its time.
pub(in crate::index::sqlite) fn at_most(
    conn: &Connection,
    revision: Revision,
) -> Outcome<Option<Head>> {
    let sql = "SELECT rev, time FROM revisions WHERE rev <= ?1 ORDER BY rev DESC LIMIT 1";
    let read = |row: &Row<'_>| {
        let revision = row.get::<_, Raw<Revision>>(0)?.0;
        Ok(Head::new(revision, row.get::<_, Raw<Timestamp>>(1)?.0))
    };
    Ok(one(conn, sql, [Raw(revision)], read)?)
}

/// Writes the revision of a change set in which something happened.
pub(in crate::index::sqlite) fn write(tx: &Tx<'_>, actor: &Actor) -> Outcome<()> {
    let json = |error| backend("writing an event", error);
    let actor = serde_json::to_string(actor).map_err(json)?;
    let events = serde_json::to_string(&tx.events).map_err(json)?;
    let sql = "INSERT INTO revisions (rev, time, actor, events) VALUES (?1, ?2, ?3, ?4)";
    run(
        tx.conn,
        sql,
        (Raw(tx.revision), Raw(tx.time), actor, events),
    )?;
    Ok(())
}

/// A revision as it stands in its row: number, time, actor and events.
pub(in crate::index::sqlite) type Stored = (Revision, Timestamp, Option<String>, Option<String>);

/// Reads a row of `rev, time, actor, events`.
pub(in crate::index::sqlite) fn read_stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let revision = row.get::<_, Raw<Revision>>(0)?.0;
    let time = row.get::<_, Raw<Timestamp>>(1)?.0;
    Ok((revision, time, row.get(2)?, row.get(3)?))
}

/// Returns what was committed, from its row; `None` when it was pruned.
pub(in crate::index::sqlite) fn committed(stored: Stored) -> Outcome<Option<Committed>> {
    let (revision, time, Some(actor), Some(events)) = stored else {
        return Ok(None);
    };
    let place = |_| corrupt(format!("revision {revision}"));
    let actor: Actor = serde_json::from_str(&actor).map_err(place)?;
    let events: Vec<Event> = serde_json::from_str(&events).map_err(place)?;
    Ok(Some(Committed::new(revision, time, actor, events)))
}
