//! What is done once where a directory is of an older format or a copy, its index is behind the journal, or a
//! rebuild was cut off.

use std::{path::PathBuf, sync::Arc};

use artifact_core::{ManifestIndex as _, Revision, guard};

use super::{
    error::HomeError,
    layout::Layout,
    migrate,
    note::Note,
    open_parts::{check_registry, is_malformed, open_index},
    options::OpenOptions,
    place::{is_copy, mark_place, place},
    rebuild::{self, Rebuilt},
    replace::swap,
    replay, seat,
    settings::Manifesto,
};
use crate::{
    index::sqlite::{index::SqliteIndex, options::Access},
    journal::Journal,
};

/// Brings an older directory to the format of this program, checks the index of a copy, and gives an index that is
/// behind what the journal has.
///
/// # Errors
/// [`HomeError::Open`] where another process has the directory open; then it may be that one's to do.
pub(super) async fn mend(layout: &Layout, options: &OpenOptions) -> Result<Vec<Note>, HomeError> {
    let alone = seat::take_alone(layout)?;
    swap(layout)?;
    let copied = is_copy(layout)?;
    let manifesto = &migrate::raise(layout, options)?;
    let mut notes = Vec::new();
    let migrated = migrate::climb(layout, manifesto, options).await;
    let opened = migrated.and_then(|note| {
        notes.extend(note);
        open_index(layout, options, Access::ReadWrite, None)
            .map_err(HomeError::index_open(layout.root()))
    });
    let index = match opened {
        Ok(index) => index,
        Err(HomeError::IndexOpen { source, .. }) if is_malformed(&source) && copied => {
            notes.push(rebuild(layout, manifesto, options).await?);
            mark_place(layout)?;
            return Ok(notes);
        }
        Err(error) => return Err(error),
    };
    guard!(154, check_registry(layout, manifesto, &index))?;
    notes.extend(mend_index(layout, manifesto, options, &index).await?);
    mark_place(layout)?;
    drop(alone);
    Ok(notes)
}

async fn mend_index(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    index: &SqliteIndex,
) -> Result<Vec<Note>, HomeError> {
    let root = layout.root();
    let failed = HomeError::index(root);
    let here = place(layout)?;
    let here = (here.device, here.inode);
    let mut notes = Vec::new();
    let remembered = index.directory();
    if !matches!(&remembered, Ok(Some(at)) if *at == here) {
        let check = index.check().await.map_err(&failed)?;
        if !check.problems.is_empty() || remembered.is_err() {
            index.close().await.map_err(&failed)?;
            return Ok(vec![rebuild(layout, manifesto, options).await?]);
        }
        notes.push(Note::CopyChecked);
    }
    let from = index.head().await.map_err(&failed)?.revision;
    let (journaled, horizon) = reach(layout, options)?;
    if from < horizon {
        // What the journal has of the time before is not all that happened then.
        index.close().await.map_err(&failed)?;
        return Ok(vec![rebuild(layout, manifesto, options).await?]);
    }
    if from < journaled {
        let replayed = replay::replay(layout, options, index, from, &manifesto.settings).await?;
        index.raise_epoch().await.map_err(&failed)?;
        let to = replayed.last;
        notes.push(Note::IndexReplayed { from, to });
    }
    let remembered = index.remember_directory(here.0, here.1).await;
    remembered.map_err(&failed)?;
    index.close().await.map_err(&failed)?;
    Ok(notes)
}

/// Returns the newest revision of the journal, and the one up to which it holds but a state.
fn reach(layout: &Layout, options: &OpenOptions) -> Result<(Revision, Revision), HomeError> {
    let failed = HomeError::journal(layout.root());
    let directory: PathBuf = layout.journal();
    let horizon = Journal::horizon(&*options.vfs, &directory).map_err(&failed)?;
    let journal = Journal::open(Arc::clone(&options.vfs), directory).map_err(&failed)?;
    Ok((journal.last().map_err(&failed)?, horizon))
}

async fn rebuild(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
) -> Result<Note, HomeError> {
    let Rebuilt {
        revision, replaced, ..
    } = rebuild::rebuild(layout, manifesto, options, false).await?;
    Ok(Note::CopyRebuilt { revision, replaced })
}
