//! What the journal is given.

use artifact_core::{Committed, Digest, IndexError, Location, Revision, guard};
use bytes::Bytes;
use rusqlite::Connection;
use std::num::NonZeroU32;

use super::{
    failure::{BACKEND, Outcome, backend},
    read::feed,
    state::{blobs, manifests},
};
use crate::journal::{Journal, JournalEntry, JournalError};

/// How many entries are read at once: they hold manifests.
const CHUNK: NonZeroU32 = NonZeroU32::new(16).expect("16 is not 0");

/// Appends to the journal what it has not got yet, up to the newest revision. After one of its syncs has
/// failed nothing more is committed, also where it lacks nothing.
pub(super) fn fill_gap(conn: &Connection, journal: &Journal, head: Revision) -> Outcome<()> {
    guard!(174, journal.check_sound()).map_err(of_journal)?;
    let last = journal.last().map_err(of_journal)?;
    if guard!(197) && last > head {
        // Revisions that the journal has already would be made a second time, as others.
        let ahead = JournalError::Ahead {
            last,
            revision: head.next(),
        };
        return Err(of_journal(ahead).into());
    }
    let mut after = last;
    while after < head {
        // What left the feed cannot be had any more; the journal tells of the gap.
        after = after.max(feed::forgotten(conn)?);
        let missing = feed::changes(conn, after, CHUNK)?;
        let Some(newest) = missing.last() else {
            break;
        };
        after = newest.revision;
        let entries: Vec<JournalEntry> = missing
            .into_iter()
            .map(|committed| entry(conn, committed))
            .collect::<Outcome<_>>()?;
        journal.append(&entries).map_err(of_journal)?;
    }
    Ok(())
}

/// Returns entries after a revision, up to another: some of those that are in the feed still.
pub(super) fn between(
    conn: &Connection,
    after: Revision,
    through: Revision,
) -> Outcome<Vec<JournalEntry>> {
    let after = after.max(feed::forgotten(conn)?);
    let known = feed::changes(conn, after, CHUNK)?.into_iter();
    known
        .take_while(|committed| committed.revision <= through)
        .map(|committed| entry(conn, committed))
        .collect()
}

/// Returns the entry of a commit, with the bytes that are still there.
fn entry(conn: &Connection, committed: Committed) -> Outcome<JournalEntry> {
    let mut contents = Vec::new();
    for digest in JournalEntry::names(&committed) {
        if let Some(bytes) = bytes(conn, digest)? {
            contents.push((*digest, bytes));
        }
    }
    Ok(JournalEntry {
        committed,
        contents,
    })
}

fn bytes(conn: &Connection, digest: &Digest) -> Outcome<Option<Bytes>> {
    if let Some(bytes) = manifests::bytes(conn, digest)? {
        return Ok(Some(bytes));
    }
    Ok(match blobs::find(conn, digest)?.map(|blob| blob.location) {
        Some(Location::Inline(bytes)) => Some(bytes),
        _ => None,
    })
}

fn of_journal(error: JournalError) -> IndexError {
    match error {
        JournalError::Poisoned => IndexError::Poisoned { backend: BACKEND },
        other if other.is_no_space() => IndexError::NoSpace {
            backend: BACKEND,
            operation: "writing the journal",
            source: other.into(),
        },
        other => backend("writing the journal", other),
    }
}
