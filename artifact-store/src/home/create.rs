//! Making a registry's directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use artifact_core::{RegistryId, SpawnExt as _, guard};

use super::{
    error::HomeError,
    home::Home,
    layout::{Layout, MODE, absent, make_all, write_durably},
    open_parts,
    options::{CreateOptions, OpenOptions},
    place::mark_place,
    probe, seat,
    settings::Manifesto,
};
use crate::{
    blob::fs::store::FsBlobStore,
    index::sqlite::{index::SqliteIndex, options::NewIndex},
    sys::{file_io, lock::FileLock},
};

/// How long is waited for another process that makes the same registry.
const PATIENCE: Duration = Duration::from_secs(20);

impl Home {
    /// Makes a registry in a directory that is new or empty, and opens it.
    ///
    /// Where that was begun before, and a crash ended it, it begins again.
    ///
    /// # Errors
    /// [`HomeError::AlreadyExists`], [`HomeError::NotEmpty`], those of a file system that cannot hold
    /// a registry, and those of [`Home::open`].
    pub async fn create(path: &Path, options: CreateOptions) -> Result<Self, HomeError> {
        let CreateOptions { open, settings } = options;
        let mut id = [0; 16];
        open.rng.fill(&mut id);
        let manifesto = Manifesto {
            format: open.ladder.top(),
            registry: RegistryId::from_random(id),
            settings,
        };
        let (target, opening) = (path.to_owned(), open.clone());
        let made = open
            .spawn
            .run_blocking(move || make(&target, &manifesto, &opening));
        made.await.map_err(HomeError::lost(path))??;
        Self::open(path, open).await
    }

    /// Opens the registry in a directory, and makes it before if there is none.
    ///
    /// # Errors
    /// Those of [`Home::create`] and [`Home::open`].
    pub async fn open_or_create(path: &Path, options: CreateOptions) -> Result<Self, HomeError> {
        match Self::open(path, options.open.clone()).await {
            Err(HomeError::NotFound { .. }) => {}
            opened => return opened,
        }
        match Self::create(path, options.clone()).await {
            // Another process was quicker.
            Err(HomeError::AlreadyExists { .. }) => Self::open(path, options.open).await,
            created => created,
        }
    }
}

fn make(path: &Path, manifesto: &Manifesto, options: &OpenOptions) -> Result<(), HomeError> {
    manifesto.settings.check(path)?;
    let allowed = &manifesto.settings.allow_filesystem;
    // Judged before anything is made.
    probe::judge(&nearest(path)?, allowed)?;
    let made = make_directory(path)?;
    let layout = open_parts::find(path)?;
    let done = fill(&layout, manifesto, options);
    if matches!(done, Err(HomeError::FileSystemFails { .. })) {
        // What cannot hold a registry holds no beginnings of one.
        undo(&layout, made).map_err(HomeError::io("clear", path))?;
    }
    done
}

/// Makes all that is missing, under the lock, and gives `artifact.toml` its name as the last.
fn fill(layout: &Layout, manifesto: &Manifesto, options: &OpenOptions) -> Result<(), HomeError> {
    let (root, vfs) = (layout.root(), &*options.vfs);
    check_free(layout)?;
    let alone = take_alone(layout)?;
    if check_free(layout)? == Found::Begun {
        layout.clear().map_err(HomeError::io("clear", root))?;
    }
    restrict(root).map_err(HomeError::io("restrict", root))?;
    let staged = layout.settings_staged();
    write_durably(&staged, &manifesto.text()).map_err(HomeError::io("write", &staged))?;
    probe::probe(vfs, root)?;
    layout.create(vfs)?;
    FsBlobStore::create_layout(vfs, root).map_err(HomeError::store(root))?;
    let mut new = NewIndex::new(manifesto.registry);
    new.page_size = manifesto.settings.page_size;
    new.ladder = options.ladder;
    SqliteIndex::create(&layout.index(), new).map_err(HomeError::index_open(root))?;
    mark_place(layout)?;
    vfs.create_directory(&layout.journal(), MODE)?;
    let settings = layout.settings();
    let publish = || {
        guard!(18, file_io::sync_directory(root))?;
        fs::rename(&staged, &settings)?;
        guard!(19, file_io::sync_directory(root))
    };
    publish().map_err(HomeError::io("write", &settings))?;
    drop::<FileLock>(alone);
    Ok(())
}

/// What is in a directory that is no registry yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Found {
    /// What an earlier try has left.
    Begun,
    /// Nothing, or but the lock.
    Nothing,
}

/// Looks what a directory holds.
fn check_free(layout: &Layout) -> Result<Found, HomeError> {
    let root = layout.root();
    let path = || root.to_owned();
    let (lock, settings) = (layout.lock(), layout.settings());
    let mut others = false;
    for entry in fs::read_dir(root).map_err(HomeError::io("list", root))? {
        let entry = entry.map_err(HomeError::io("list", root))?.path();
        if entry == settings {
            return Err(HomeError::AlreadyExists { path: path() });
        }
        others |= entry != lock;
    }
    let begun = layout.settings_staged();
    match (
        others,
        begun
            .try_exists()
            .map_err(HomeError::io("examine", &begun))?,
    ) {
        (false, _) => Ok(Found::Nothing),
        (true, true) => Ok(Found::Begun),
        (true, false) => Err(HomeError::NotEmpty { path: path() }),
    }
}

/// Waits for others that make the same registry.
fn take_alone(layout: &Layout) -> Result<FileLock, HomeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match seat::take_alone(layout) {
            Err(HomeError::Open { .. }) if Instant::now() < deadline => {}
            taken => return taken,
        }
        // It may be made by now, and be open.
        check_free(layout)?;
    }
}

/// Returns what is there already of a path.
fn nearest(path: &Path) -> Result<PathBuf, HomeError> {
    let absolute = std::path::absolute(path).map_err(HomeError::io("find", path))?;
    let there = absolute.ancestors().find(|part| part.exists());
    Ok(there.unwrap_or(Path::new("/")).to_owned())
}

/// Makes the directory, durably, where it is missing, and says whether it did.
fn make_directory(path: &Path) -> Result<bool, HomeError> {
    let failed = HomeError::io("make", path);
    let absolute = std::path::absolute(path).map_err(&failed)?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    make_all(parent).map_err(&failed)?;
    match file_io::create_directory(&absolute, MODE) {
        Ok(()) => {
            guard!(20, file_io::sync_directory(parent)).map_err(&failed)?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))
}

#[cfg(not(unix))]
fn restrict(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn undo(layout: &Layout, made: bool) -> io::Result<()> {
    layout.clear()?;
    absent(fs::remove_file(layout.settings_staged()))?;
    absent(fs::remove_file(layout.lock()))?;
    if made {
        absent(fs::remove_dir(layout.root()))?;
    }
    Ok(())
}
