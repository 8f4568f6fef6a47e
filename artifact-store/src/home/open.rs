//! Opening a registry's directory.

use std::{
    any::Any,
    path::Path,
    sync::{Arc, Weak},
};

use artifact_core::{ErrorKind, IndexError, ManifestIndex as _, SpawnExt as _, guard};

use super::{
    error::HomeError,
    home::Home,
    layout::Layout,
    mend,
    note::Note,
    open_parts::{
        check_registry, fill_journal, find, is_malformed, open_index, open_store, read_settings,
    },
    options::OpenOptions,
    parts::{Parts, Writing},
    place::is_copy,
    probe,
    replace::is_ready,
    room::Room,
    seat::{self, Seat},
    settings::Manifesto,
    upkeep::Upkeep,
};
use crate::{
    index::sqlite::options::{Access, OpenError},
    journal::Journal,
    sys::access,
};

/// How often an open begins again after it mended what it found.
const TRIES: usize = 3;

impl Home {
    /// Opens the registry in a directory, to read and write.
    ///
    /// It takes constant time, but for the first open of a copy, whose index is checked, and of an
    /// index that is behind the journal, which gets what it lacks. On a disk without any room it gives
    /// the reserve up: what frees room must not find the door shut.
    ///
    /// # Errors
    /// [`HomeError`], with the remedy. Nothing is changed by an open that fails before it mended
    /// anything.
    pub async fn open(path: &Path, options: OpenOptions) -> Result<Self, HomeError> {
        let layout = find(path)?;
        let manifesto = read_settings(&layout, &options)?;
        match Self::open_once(&layout, &manifesto, &options).await {
            Err(error) if has_given_up(&error, &layout, &manifesto) => {
                Self::open_once(&layout, &manifesto, &options).await
            }
            opened => opened,
        }
    }

    async fn open_once(
        layout: &Layout,
        manifesto: &Manifesto,
        options: &OpenOptions,
    ) -> Result<Self, HomeError> {
        let mut notes = Vec::new();
        notes.extend(probe::judge(
            layout.root(),
            &manifesto.settings.allow_filesystem,
        )?);
        notes.extend(permissions(layout.root())?);
        let mut occupied = None;
        for _ in 0..TRIES {
            let seat = Seat::take(layout)?;
            let mut shared = seat.shared().await;
            let parts = shared.as_ref().and_then(Weak::upgrade);
            if let Some(Ok(parts)) = parts.map(Arc::downcast::<Parts>) {
                return Ok(Self::new(parts, notes));
            }
            // As long as this process has its seat, nobody raises the format.
            let manifesto = read_settings(layout, options)?;
            let opened = open_parts(layout, &manifesto, options, &seat, &mut notes).await?;
            if let Some(parts) = opened {
                let any: Arc<dyn Any + Send + Sync> = Arc::<Parts>::clone(&parts);
                *shared = Some(Arc::downgrade(&any));
                return Ok(Self::new(parts, notes));
            }
            // Nobody may have it open meanwhile, not even this handle.
            drop(shared);
            drop(seat);
            match mend::mend(layout, options).await {
                Ok(mended) => notes.extend(mended),
                // What is to be done may be done by that process, or by now.
                Err(open @ HomeError::Open { .. }) => occupied = Some(open),
                Err(error) => return Err(error),
            }
        }
        Err(occupied.unwrap_or_else(|| HomeError::Unmended {
            path: layout.root().to_owned(),
        }))
    }

    /// Opens the registry in a directory to be read only.
    ///
    /// It needs no permission to write. Where it has none, it takes no lock and makes no file, and
    /// it reads the index as one that nobody changes: then a directory that a process has open, or
    /// whose newest commits are not in the file of the index, is refused. On a disk without any room it
    /// gives the reserve up, as [`Home::open`] does.
    ///
    /// # Errors
    /// [`HomeError`], with the remedy.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is called as `Home::open` is"
    )]
    pub fn open_read_only(path: &Path, options: OpenOptions) -> Result<Self, HomeError> {
        let layout = find(path)?;
        let manifesto = read_settings(&layout, &options)?;
        match Self::open_to_read(&layout, &manifesto, &options) {
            Err(error) if has_given_up(&error, &layout, &manifesto) => {
                Self::open_to_read(&layout, &manifesto, &options)
            }
            opened => opened,
        }
    }

    fn open_to_read(
        layout: &Layout,
        manifesto: &Manifesto,
        options: &OpenOptions,
    ) -> Result<Self, HomeError> {
        let mut notes = Vec::new();
        notes.extend(probe::judge(
            layout.root(),
            &manifesto.settings.allow_filesystem,
        )?);
        let seat = if can_write(layout) {
            Some(Seat::take(layout)?)
        } else {
            refuse_unsettled(layout)?;
            None
        };
        if is_ready(layout)? {
            let path = layout.root().to_owned();
            return Err(HomeError::CutOff { path });
        }
        let manifesto = &read_settings(layout, options)?;
        let (found, known) = (manifesto.format, options.ladder.top());
        if found < known {
            let path = layout.settings();
            return Err(HomeError::Older { path, found, known });
        }
        let access = if seat.is_some() {
            Access::ReadOnly
        } else {
            Access::Immutable
        };
        let index = open_index(layout, options, access, None)
            .map_err(HomeError::index_open(layout.root()))?;
        guard!(152, check_registry(layout, manifesto, &index))?;
        let parts = Parts {
            store: open_store(layout, manifesto, options, true)?,
            settings: manifesto.settings.clone(),
            options: options.clone(),
            index,
            writing: None,
            seat,
            process: std::process::id(),
            engine: parking_lot::Mutex::default(),
            layout: layout.clone(),
        };
        Ok(Self::new(Arc::new(parts), notes))
    }
}

/// Opens the parts; `None` when something is to be mended before.
async fn open_parts(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    seat: &Arc<Seat>,
    notes: &mut Vec<Note>,
) -> Result<Option<Arc<Parts>>, HomeError> {
    let root = layout.root();
    // With the lock, which excludes who rebuilds: what is there was cut off.
    if is_ready(layout)? || manifesto.format < options.ladder.top() {
        return Ok(None);
    }
    let vfs = Arc::clone(&options.vfs);
    let journal = Journal::with_limit(vfs, layout.journal(), options.journal_file);
    let journal = Arc::new(journal.map_err(HomeError::journal(root))?);
    let kept: Arc<dyn Any + Send + Sync> = Arc::<Seat>::clone(seat);
    journal.keep(kept);
    // Read before the index is: that is never behind, whoever commits meanwhile.
    let journaled = journal.last().map_err(HomeError::journal(root))?;
    let opened = open_index(
        layout,
        options,
        Access::ReadWrite,
        Some(Arc::clone(&journal)),
    );
    let index = match opened {
        Ok(index) => index,
        Err(OpenError::Older { .. }) => return Ok(None),
        Err(error) if is_malformed(&error) && is_copy(layout)? => return Ok(None),
        Err(error) => return Err(HomeError::index_open(root)(error)),
    };
    guard!(153, check_registry(layout, manifesto, &index))?;
    let failed = HomeError::index(root);
    let here = seat.directory();
    let remembered = match index.directory() {
        Ok(Some(at)) if at != (here.device, here.inode) => return Ok(None),
        Ok(remembered) => remembered.is_some(),
        Err(IndexError::Corrupt { .. }) if is_copy(layout)? => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let head = index.head().await.map_err(&failed)?.revision;
    if head < journaled {
        return Ok(None);
    }
    journal.set_identity(index.identity());
    journal.sync_beside(Arc::clone(&options.spawn), Arc::clone(&options.clock));
    if !remembered {
        let known = index.remember_directory(here.device, here.inode).await;
        known.map_err(&failed)?;
    }
    if head > journaled {
        match fill_journal(&index, options).await {
            // Somebody is stopped between a commit and the journal. Whoever appends next fills it, and who
            // only reads need not wait for that (F14).
            Err(IndexError::Busy) => {}
            filled => filled.map_err(&failed)?,
        }
    }
    let store = open_store(layout, manifesto, options, false)?;
    let writing = writing(layout, manifesto, options, journal).await?;
    if writing.room.misses_reserve() {
        notes.push(Note::ReserveMissing);
    }
    writing.upkeep.end_left_purges_soon(index.clone());
    Ok(Some(Arc::new(Parts {
        layout: layout.clone(),
        settings: manifesto.settings.clone(),
        options: options.clone(),
        index,
        store,
        writing: Some(writing),
        seat: Some(Arc::clone(seat)),
        process: std::process::id(),
        engine: parking_lot::Mutex::default(),
    })))
}

/// Gives the reserve up where there is no room; says whether that made some.
fn has_given_up(error: &HomeError, layout: &Layout, manifesto: &Manifesto) -> bool {
    error.kind() == ErrorKind::NoSpace && matches!(room(layout, manifesto).give_up(), Ok(true))
}

fn room(layout: &Layout, manifesto: &Manifesto) -> Room {
    Room::new(layout.root(), layout.reserve(), manifesto.settings.min_free)
}

async fn writing(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    journal: Arc<Journal>,
) -> Result<Writing, HomeError> {
    let room = Arc::new(room(layout, manifesto));
    let upkeep = Upkeep::new(
        Arc::clone(&options.vfs),
        Arc::clone(&options.spawn),
        Arc::clone(&options.rng),
        journal,
        layout.clone(),
        Arc::clone(&room),
    );
    let reserve = Arc::clone(&room);
    let restored = options.spawn.run_blocking(move || reserve.restore()).await;
    if let Ok(Err(error)) = restored {
        return Err(HomeError::io("make", &layout.reserve())(error));
    }
    Ok(Writing {
        room,
        upkeep: Arc::new(upkeep),
    })
}

#[cfg(unix)]
fn permissions(root: &Path) -> Result<Option<Note>, HomeError> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = std::fs::metadata(root).map_err(HomeError::io("examine", root))?;
    let mode = found.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(Note::Permissions { mode }))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "its twin can fail")]
fn permissions(_root: &Path) -> Result<Option<Note>, HomeError> {
    Ok(None)
}

/// Says whether this process may write to the directory: to its locks, to begin with.
fn can_write(layout: &Layout) -> bool {
    let needed = [
        layout.root().to_owned(),
        layout.open(),
        layout.lock(),
        layout.index(),
    ];
    needed.iter().all(|path| access::is_writable(path))
}

/// Refuses a directory that somebody writes to now, whose locks this process cannot take.
fn refuse_unsettled(layout: &Layout) -> Result<(), HomeError> {
    let failed = HomeError::io("look into", layout.root());
    if seat::any_open(layout).map_err(&failed)? {
        return Err(HomeError::Unsettled {
            path: layout.root().to_owned(),
            processes: seat::processes(layout).map_err(&failed)?,
        });
    }
    Ok(())
}
