//! A directory of an older format, brought to that of this program (I25).
//!
//! First `artifact.toml` says the new format, durably: from then on an older program refuses the directory and
//! changes nothing. Then the index takes all steps in one transaction. Who dies between the two, or in either,
//! leaves a directory that the next open goes on with.

use std::{fs, path::PathBuf};

use artifact_core::{SpawnExt as _, guard};

use super::{
    error::HomeError,
    layout::{Layout, write_durably},
    note::Note,
    open_parts::{check_identity, read_settings},
    options::OpenOptions,
    settings::{Manifesto, with_format},
};
use crate::{index::sqlite::migrate::OldIndex, sys::file_io};

/// Raises the format of a directory to that of this program, and returns what its settings are. The caller has the
/// directory alone.
pub(super) fn raise(layout: &Layout, options: &OpenOptions) -> Result<Manifesto, HomeError> {
    let manifesto = read_settings(layout, options)?;
    let format = options.ladder.top();
    if manifesto.format == format {
        return Ok(manifesto);
    }
    let (settings, staged) = (layout.settings(), layout.settings_staged());
    let text = with_format(&settings, format)?;
    let publish = || {
        write_durably(&staged, &text)?;
        fs::rename(&staged, &settings)?;
        guard!(91, file_io::sync_directory(layout.root()))
    };
    publish().map_err(HomeError::io("write", &settings))?;
    Ok(Manifesto {
        format,
        ..manifesto
    })
}

/// Brings the tables of the index to those of this program, where they are older. The caller has the directory
/// alone, and has raised its format. An index that cannot be opened is left as it is: who opens it hears why.
pub(super) async fn climb(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
) -> Result<Option<Note>, HomeError> {
    let root = layout.root();
    let path: PathBuf = layout.index();
    let Ok(Some(old)) = OldIndex::open(&path, options.ladder) else {
        return Ok(None);
    };
    guard!(492, check_identity(layout, manifesto, old.identity()))?;
    let note = Note::Migrated {
        from: old.version(),
        to: manifesto.format,
    };
    let climbed = options.spawn.run_blocking(move || old.climb()).await;
    let climbed = climbed.map_err(HomeError::lost(root))?;
    climbed.map_err(HomeError::index_open(root))?;
    Ok(Some(note))
}

#[cfg(test)]
mod tests;
