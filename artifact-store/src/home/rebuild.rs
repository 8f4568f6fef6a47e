//! An index made anew from the journal.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{Digest, Epoch, ErrorKind, Identity, ManifestIndex as _, Revision, guard};

use super::{
    error::HomeError,
    home::Home,
    layout::Layout,
    migrate,
    open_parts::{
        check_registry, fill_journal, find, is_malformed, open_index, open_index_at, open_store,
        read_settings,
    },
    options::OpenOptions,
    place::{mark_place, place},
    replace::{remove_index, replace, swap},
    replay,
    room::Room,
    seat,
    settings::Manifesto,
    verify::{self, Verified},
};
use crate::{
    index::sqlite::{
        index::SqliteIndex,
        options::{Access, NewIndex},
    },
    journal::Journal,
};

/// What a rebuild of an index came to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The newest revision.
    pub revision: Revision,
    /// The epoch, which it raised.
    pub epoch: Epoch,
    /// How many entries of the journal were made again.
    pub entries: u64,
    /// What is damaged or missing in the journal, in words with its place: what it said is lost.
    pub damage: Vec<String>,
    /// The file of the journal whose torn tail was cut, and where.
    pub torn: Option<(PathBuf, u64)>,
    /// How many blobs were hashed, and how many bytes they have.
    pub hashed: u64,
    /// The bytes of those blobs.
    pub hashed_bytes: u64,
    /// Blobs whose bytes are not there; reads of them fail until they are pushed again.
    pub missing: Vec<Digest>,
    /// Blobs whose bytes are wrong; reads of them fail until they are pushed again.
    pub corrupt: Vec<Digest>,
    /// How many blob files that the journal does not name were taken in, linked to nothing.
    pub adopted: u64,
    /// How many slots and staged files that it does not name were freed.
    pub freed: u64,
    /// Where the index is that was replaced; it is not needed any more.
    pub replaced: PathBuf,
}

impl Home {
    /// Makes the index of a registry anew from its journal: for an index that is lost, not for a
    /// crash (`artifact fsck --rebuild-index`).
    ///
    /// It takes the directory alone, replays the journal, hashes what it names, takes other blob
    /// files in without links, frees slots and staged files that it does not name, cuts a torn tail,
    /// and raises the epoch. The index that was there stays beside the new one.
    ///
    /// Unless `force`, an index that is whole and has more than the journal is not replaced.
    ///
    /// # Errors
    /// [`HomeError::Open`] while anybody has the registry open, [`HomeError::JournalBehind`], and
    /// where something fails: then the index is as it was. A full disk gets the reserve first.
    pub async fn rebuild_index(
        path: &Path,
        options: OpenOptions,
        force: bool,
    ) -> Result<Rebuilt, HomeError> {
        let layout = find(path)?;
        read_settings(&layout, &options)?;
        let alone = seat::take_alone(&layout)?;
        swap(&layout)?;
        let manifesto = migrate::raise(&layout, &options)?;
        match migrate::climb(&layout, &manifesto, &options).await {
            // The journal makes the tables as they are to be.
            Err(HomeError::IndexOpen { source, .. }) if is_malformed(&source) => {}
            Err(_) if force => {}
            migrated => drop(migrated?),
        }
        if !force {
            keep_more(&layout, &manifesto, &options).await?;
        }
        let rebuilt = match rebuild(&layout, &manifesto, &options, true).await {
            Err(error) if error.kind() == ErrorKind::NoSpace && give_up(&layout, &manifesto)? => {
                rebuild(&layout, &manifesto, &options, true).await?
            }
            done => done?,
        };
        mark_place(&layout)?;
        drop(alone);
        Ok(rebuilt)
    }
}

/// Gives the reserve up; `false` when there is none.
fn give_up(layout: &Layout, manifesto: &Manifesto) -> Result<bool, HomeError> {
    let room = Room::new(layout.root(), layout.reserve(), manifesto.settings.min_free);
    room.give_up()
        .map_err(HomeError::io("remove", &layout.reserve()))
}

/// Makes the index anew. The caller has the directory alone. Unless `verify`, blobs are hashed only
/// at their first read, and nothing is adopted or freed.
pub(super) async fn rebuild(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    verify: bool,
) -> Result<Rebuilt, HomeError> {
    match make(layout, manifesto, options, verify).await {
        Ok(rebuilt) => {
            replace(layout)?;
            Ok(rebuilt)
        }
        Err(error) => {
            // Nothing of it is worth its room; what stays, the next rebuild removes.
            let _removed = remove_index(&layout.index_rebuilt());
            Err(error)
        }
    }
}

async fn make(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    verify: bool,
) -> Result<Rebuilt, HomeError> {
    let root = layout.root();
    let failed = HomeError::index(root);
    let epoch = next_epoch(layout, manifesto, options)?;
    let path = layout.index_rebuilt();
    remove_index(&path)?;
    let mut new = NewIndex::new(manifesto.registry);
    new.epoch = epoch;
    new.page_size = manifesto.settings.page_size;
    new.ladder = options.ladder;
    SqliteIndex::create(&path, new).map_err(HomeError::index_open(root))?;
    let open = |journal| {
        let opened = open_index_at(&path, layout, options, Access::ReadWrite, journal);
        opened.map_err(HomeError::index_open(root))
    };
    let index = open(None)?;
    let zero = Revision::ZERO;
    let replayed = replay::replay(layout, options, &index, zero, &manifesto.settings).await?;
    let horizon = Journal::horizon(&*options.vfs, &layout.journal());
    let horizon = horizon.map_err(HomeError::journal(root))?;
    if horizon > zero {
        index.begin_feed_after(horizon).await.map_err(&failed)?;
    }
    index.close().await.map_err(&failed)?;
    // From here on the journal goes on in the new epoch, behind a tail that is cut.
    let journal = Journal::open(Arc::clone(&options.vfs), layout.journal());
    let journal = Arc::new(journal.map_err(HomeError::journal(root))?);
    journal.set_identity(Identity::new(manifesto.registry, epoch));
    journal.rotate().map_err(HomeError::journal(root))?;
    let index = open(Some(Arc::clone(&journal)))?;
    let verified = if verify {
        let store = open_store(layout, manifesto, options, false)?;
        verify::verify(layout, options, &index, &store).await?
    } else {
        Verified::default()
    };
    let here = place(layout)?;
    let remembered = index.remember_directory(here.device, here.inode).await;
    remembered.map_err(&failed)?;
    let revision = index.head().await.map_err(&failed)?.revision;
    // Closing does this, too, and does not tell where it fails.
    index.checkpoint(0).await.map_err(&failed)?;
    index.close().await.map_err(&failed)?;
    guard!(17, journal.sync()).map_err(HomeError::journal(root))?;
    Ok(Rebuilt {
        revision,
        epoch,
        entries: replayed.entries,
        damage: replayed.damage,
        torn: replayed.torn.map(|torn| (torn.path, torn.offset)),
        hashed: verified.hashed,
        hashed_bytes: verified.hashed_bytes,
        missing: verified.missing,
        corrupt: verified.corrupt,
        adopted: verified.adopted,
        freed: verified.freed,
        replaced: layout.index_replaced(),
    })
}

/// Refuses to replace an index that is whole by a journal that has less. What the journal can still
/// get from the index, it gets first.
async fn keep_more(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
) -> Result<(), HomeError> {
    let root = layout.root();
    let journal = Journal::open(Arc::clone(&options.vfs), layout.journal());
    let journal = Arc::new(journal.map_err(HomeError::journal(root))?);
    let before = journal.last().map_err(HomeError::journal(root))?;
    // One that cannot be opened, or is not whole, has nothing to lose.
    let opened = open_index(
        layout,
        options,
        Access::ReadWrite,
        Some(Arc::clone(&journal)),
    );
    let Ok(index) = opened else { return Ok(()) };
    guard!(155, check_registry(layout, manifesto, &index))?;
    let whole = index
        .check()
        .await
        .is_ok_and(|check| check.problems.is_empty());
    let head = index.head().await.map(|head| head.revision);
    if let (true, Ok(head)) = (whole, head) {
        if head > before {
            // Fills the journal up; where that fails, the comparison below says what is missing.
            let _filled = fill_journal(&index, options).await;
        }
        let reached = journal.last().map_err(HomeError::journal(root))?;
        if guard!(196) && (reached < head || lacks(layout, options)?) {
            return Err(HomeError::JournalBehind {
                path: root.to_owned(),
                index: head,
                journal: before,
            });
        }
    }
    index.close().await.map_err(HomeError::index(root))
}

/// Says whether the journal lacks revisions.
fn lacks(layout: &Layout, options: &OpenOptions) -> Result<bool, HomeError> {
    let failed = HomeError::journal(layout.root());
    let entries = Journal::read(Arc::clone(&options.vfs), &layout.journal(), Revision::ZERO);
    for entry in entries.map_err(&failed)? {
        match entry {
            Ok(_) => {}
            Err(error) if error.is_passable() => return Ok(true),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(false)
}

/// Returns an epoch that is higher than any that the registry was in.
fn next_epoch(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
) -> Result<Epoch, HomeError> {
    // An index that cannot be opened says nothing; then the journal's files do.
    let opened = open_index(layout, options, Access::ReadOnly, None);
    let mut newest = opened.map_or(0, |index| index.identity().epoch.get());
    let failed = HomeError::journal(layout.root());
    let journal = layout.journal();
    if let Some(found) = Journal::identity(&*options.vfs, &journal).map_err(failed)? {
        if guard!(193) && found.registry != manifesto.registry {
            return Err(HomeError::WrongRegistry {
                path: journal,
                expected: manifesto.registry,
                found: found.registry,
            });
        }
        newest = newest.max(found.epoch.get());
    }
    Ok(Epoch::new(newest + 1))
}
