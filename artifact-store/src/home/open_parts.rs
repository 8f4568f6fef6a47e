//! Opens the parts of a directory one by one.

use std::{path::Path, sync::Arc};

use artifact_core::{Actor, ChangeSet, Identity, IndexError, ManifestIndex as _, Principal, guard};

use super::{error::HomeError, layout::Layout, options::OpenOptions, settings::Manifesto};
use crate::{
    blob::fs::store::{FsBlobStore, FsOptions},
    index::sqlite::{
        index::SqliteIndex,
        options::{Access, OpenError, SqliteOptions},
    },
    journal::Journal,
};

/// Returns the directory's layout, if it is a directory.
pub(super) fn find(path: &Path) -> Result<Layout, HomeError> {
    // A disk that fails has the registry still.
    let found = std::fs::canonicalize(path).and_then(|root| Ok((root.metadata()?, root)));
    match found {
        Ok((meta, root)) if meta.is_dir() => Ok(Layout::new(root)),
        Ok(_) => Err(HomeError::NotFound {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(HomeError::NotFound {
            path: path.to_owned(),
        }),
        Err(error) => Err(HomeError::io("find", path)(error)),
    }
}

/// Reads `artifact.toml`; a directory without it is no registry.
pub(super) fn read_settings(
    layout: &Layout,
    options: &OpenOptions,
) -> Result<Manifesto, HomeError> {
    let read = Manifesto::read(&layout.settings(), options.ladder.top())?;
    read.ok_or_else(|| HomeError::NotFound {
        path: layout.root().to_owned(),
    })
}

/// Opens the index.
pub(super) fn open_index(
    layout: &Layout,
    options: &OpenOptions,
    access: Access,
    journal: Option<Arc<Journal>>,
) -> Result<SqliteIndex, OpenError> {
    open_index_at(&layout.index(), layout, options, access, journal)
}

/// Opens an index that is not, or not yet, in its place.
pub(super) fn open_index_at(
    path: &Path,
    layout: &Layout,
    options: &OpenOptions,
    access: Access,
    journal: Option<Arc<Journal>>,
) -> Result<SqliteIndex, OpenError> {
    let spawn = Arc::clone(&options.spawn);
    let mut opening = SqliteOptions::new(path, layout.writer_lock(), spawn).access(access);
    opening.journal = journal;
    opening.ladder = options.ladder;
    SqliteIndex::open(opening)
}

/// Says whether an index that cannot be opened is damaged or lost, so that only its journal helps.
pub(super) fn is_malformed(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::Index(IndexError::Corrupt { .. }) | OpenError::NotAnIndex { .. }
    )
}

/// Opens the blob store.
pub(super) fn open_store(
    layout: &Layout,
    manifesto: &Manifesto,
    options: &OpenOptions,
    read_only: bool,
) -> Result<FsBlobStore, HomeError> {
    let mut opening = FsOptions::new(
        layout.root(),
        Arc::clone(&options.vfs),
        Arc::clone(&options.spawn),
        Arc::clone(&options.rng),
    );
    opening.read_only = read_only;
    opening.registry = Some(manifesto.registry);
    FsBlobStore::open(opening).map_err(HomeError::store(layout.root()))
}

/// Refuses an index of another registry (F26).
pub(super) fn check_registry(
    layout: &Layout,
    manifesto: &Manifesto,
    index: &SqliteIndex,
) -> Result<(), HomeError> {
    check_identity(layout, manifesto, index.identity())
}

/// Refuses an index that says it is of another registry.
pub(super) fn check_identity(
    layout: &Layout,
    manifesto: &Manifesto,
    identity: Identity,
) -> Result<(), HomeError> {
    let found = identity.registry;
    if guard!(192, found == manifesto.registry) {
        return Ok(());
    }
    Err(HomeError::WrongRegistry {
        path: layout.index(),
        expected: manifesto.registry,
        found,
    })
}

/// Has the journal filled up to the newest revision: that is done before each change, also before
/// one that changes nothing.
pub(super) async fn fill_journal(
    index: &SqliteIndex,
    options: &OpenOptions,
) -> Result<(), IndexError> {
    let actor = Actor::new(Principal::System, None);
    let nothing = ChangeSet::new(actor, options.clock.now());
    index.apply(nothing).await.map(drop)
}
