//! A tree that is being written, beside the place that it is for.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{EntryPath, Rng as _, Spawn, SpawnExt as _};
use artifact_store::sys::{lock::FileLock, random::SystemRng};

use super::remains::{self, Held};
use crate::transfer::error::{TransferError, at};

/// A directory beside the target that nobody else may look into. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Scratch {
    outer: PathBuf,
    spawn: Arc<dyn Spawn>,
    kept: bool,
    /// Says to other pulls that somebody writes here.
    _lock: Option<FileLock>,
}

impl Scratch {
    /// Makes the directory for a tree that is to be at `target`, and removes those that pulls to it
    /// left which were killed.
    ///
    /// # Errors
    /// [`TransferError::Exists`] when something is there, and where the file system fails.
    pub(crate) async fn create(
        spawn: &Arc<dyn Spawn>,
        target: &Path,
    ) -> Result<Self, TransferError> {
        let target = target.to_owned();
        let made = run(spawn, &target.clone(), move || create_outer(&target)).await?;
        let (outer, lock) = made;
        Ok(Self {
            outer,
            spawn: Arc::clone(spawn),
            kept: false,
            _lock: lock,
        })
    }

    /// Returns the root of the tree.
    pub(crate) fn root(&self) -> PathBuf {
        self.outer.join("tree")
    }

    /// Returns where an entry is.
    pub(crate) fn place_of(&self, path: &EntryPath) -> PathBuf {
        self.root().join(path.as_str())
    }

    /// Gives the tree its name.
    ///
    /// # Errors
    /// [`TransferError::Exists`] when something is there now, and where the file system fails.
    pub(crate) async fn finish(mut self, target: &Path) -> Result<(), TransferError> {
        let (tree, outer, target) = (self.root(), self.outer.clone(), target.to_owned());
        run(&self.spawn, &target.clone(), move || {
            fs::rename(&tree, &target).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists
                | io::ErrorKind::DirectoryNotEmpty
                | io::ErrorKind::NotADirectory => TransferError::Exists {
                    path: target.clone(),
                },
                _ => at(&target, "made")(error),
            })?;
            fs::remove_dir(&outer).map_err(at(&outer, "removed"))
        })
        .await?;
        self.kept = true;
        Ok(())
    }

    /// Removes what was written.
    pub(crate) async fn remove(mut self) {
        self.kept = true;
        let outer = self.outer.clone();
        // What cannot be removed stays, under a name that says what it is.
        let _removed = self
            .spawn
            .run_blocking(move || fs::remove_dir_all(outer))
            .await;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            let outer = std::mem::take(&mut self.outer);
            self.spawn.spawn_blocking(Box::new(move || {
                let _removed = fs::remove_dir_all(outer);
            }));
        }
    }
}

/// Runs work on the spawner's threads.
pub(crate) async fn run<T: Send + 'static>(
    spawn: &Arc<dyn Spawn>,
    path: &Path,
    work: impl FnOnce() -> Result<T, TransferError> + Send + 'static,
) -> Result<T, TransferError> {
    let done = spawn.run_blocking(work).await;
    done.unwrap_or_else(|error| Err(at(path, "made")(io::Error::other(error))))
}

fn create_outer(target: &Path) -> Result<(PathBuf, Option<FileLock>), TransferError> {
    if fs::symlink_metadata(target).is_ok() {
        return Err(TransferError::Exists {
            path: target.to_owned(),
        });
    }
    let parent = match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => {
            return Err(TransferError::Exists {
                path: target.to_owned(),
            });
        }
    };
    let name = target.file_name().unwrap_or_default();
    let rng = SystemRng::new().map_err(at(target, "made"))?;
    let (outer, lock) = hold_outer(parent, name, &rng)?;
    remains::remove(&outer, name);
    // The tree has the mode that its user's new directories have.
    let tree = outer.join("tree");
    fs::create_dir(&tree).map_err(at(&tree, "made"))?;
    Ok((outer, lock))
}

/// Makes a directory, and holds it before another pull takes it for one that was left.
fn hold_outer(
    parent: &Path,
    name: &OsStr,
    rng: &SystemRng,
) -> Result<(PathBuf, Option<FileLock>), TransferError> {
    let mut random = [0; 8];
    loop {
        rng.fill(&mut random);
        let outer = parent.join(remains::name_for(name, u64::from_le_bytes(random)));
        private_dir(&outer).map_err(at(&outer, "made"))?;
        match remains::hold(&outer) {
            Held::Gone => {}
            Held::Lock(lock) => return Ok((outer, Some(lock))),
            Held::Without => return Ok((outer, None)),
        }
    }
}

#[cfg(unix)]
fn private_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// Makes a file that is not there; its user may run it where it is executable.
pub(crate) fn create_file(path: &Path, executable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(if executable { 0o777 } else { 0o666 });
    }
    #[cfg(not(unix))]
    let _ = executable;
    options.open(path)
}

/// Makes a file of bytes that are all at hand.
pub(crate) fn write_file(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    create_file(path, executable)?.write_all(bytes)
}

/// Lets those run a file who may read it.
#[cfg(unix)]
pub(crate) fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

#[cfg(not(unix))]
pub(crate) fn make_executable(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes a link.
#[cfg(unix)]
pub(crate) fn make_link(target: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
pub(crate) fn make_link(_: &str, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
