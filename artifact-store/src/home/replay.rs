//! The journal, read back into an index.

use std::sync::Arc;

use artifact_core::{Clock, Lease, Revision, SpawnExt as _};

use super::{error::HomeError, layout::Layout, options::OpenOptions, settings::Settings};
use crate::{
    index::sqlite::index::SqliteIndex,
    journal::{Entries, Journal, JournalEntry, JournalError, TornTail},
};

/// How many entries, and how many bytes of content, are made in one transaction.
const ENTRIES: usize = 256;
const BYTES: usize = 4 << 20;

/// What was read back.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Replayed {
    /// How many entries.
    pub(super) entries: u64,
    /// The newest revision of the index after it.
    pub(super) last: Revision,
    /// What is damaged or missing in the journal, in words with its place.
    pub(super) damage: Vec<String>,
    /// Where its last line is torn.
    pub(super) torn: Option<TornTail>,
}

/// Makes again in an index, which must be at `after`, what the journal has of later revisions.
pub(super) async fn replay(
    layout: &Layout,
    options: &OpenOptions,
    index: &SqliteIndex,
    after: Revision,
    settings: &Settings,
) -> Result<Replayed, HomeError> {
    let root = layout.root();
    let read = Journal::read(Arc::clone(&options.vfs), &layout.journal(), after);
    let mut entries = read.map_err(HomeError::journal(root))?;
    let mut replayed = Replayed {
        last: after,
        ..Replayed::default()
    };
    loop {
        let ended = options.spawn.run_blocking(move || gather(entries)).await;
        let gathered = ended.map_err(HomeError::lost(root))?;
        let gathered = gathered.map_err(HomeError::journal(root))?;
        replayed.damage.extend(gathered.damage);
        if gathered.entries.is_empty() {
            replayed.torn = gathered.rest.torn().cloned();
            return Ok(replayed);
        }
        replayed.entries += gathered.entries.len() as u64;
        // A link's lease is not in a journal: it gets all of its length again.
        let lease = lease(&*options.clock, settings);
        let made = index.replay(gathered.entries, lease).await;
        replayed.last = made.map_err(HomeError::index(root))?;
        entries = gathered.rest;
    }
}

/// Returns the lease that a link gets whose own is not known.
pub(super) fn lease(clock: &dyn Clock, settings: &Settings) -> Lease {
    let length = u64::try_from(settings.lease.as_millis()).unwrap_or(u64::MAX);
    Lease::starting(&clock.boot(), length)
}

struct Gathered {
    entries: Vec<JournalEntry>,
    damage: Vec<String>,
    rest: Entries,
}

/// Reads some entries.
fn gather(mut rest: Entries) -> Result<Gathered, JournalError> {
    let (mut entries, mut damage, mut bytes) = (Vec::new(), Vec::new(), 0);
    while entries.len() < ENTRIES && bytes < BYTES {
        match rest.next() {
            Some(Ok(entry)) => {
                bytes += (entry.contents.iter())
                    .map(|(_, content)| content.len())
                    .sum::<usize>();
                entries.push(entry);
            }
            Some(Err(error)) if error.is_passable() => damage.push(error.to_string()),
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    Ok(Gathered {
        entries,
        damage,
        rest,
    })
}
