//! Files of a directory: to hash, and to send only if they are still what was hashed.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use artifact_core::{Algorithm, BoxError, Digest, Hasher, Spawn, SpawnExt as _};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};

use crate::{
    chunks::chunks,
    transfer::{
        bytes::{Chunks, Content},
        error::{TransferError, at},
    },
};

/// Files up to this many bytes are kept in memory from when they are hashed until they are sent.
const HELD_MAX: u64 = 64 << 10;

/// How many bytes are hashed at a time.
const STEP: usize = 256 << 10;

/// What changes when a file is written.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Looks {
    size: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    changed: (i64, i64),
    #[cfg(unix)]
    file: (u64, u64),
}

impl Looks {
    fn of(meta: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            size: meta.len(),
            modified: meta.modified().ok(),
            #[cfg(unix)]
            changed: (meta.ctime(), meta.ctime_nsec()),
            #[cfg(unix)]
            file: (meta.dev(), meta.ino()),
        }
    }
}

/// A file that was hashed.
#[derive(Debug)]
pub(crate) struct HashedFile {
    path: PathBuf,
    spawn: Arc<dyn Spawn>,
    looks: Looks,
    held: Option<Bytes>,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) executable: bool,
}

/// Hashes a file.
///
/// # Errors
/// [`TransferError::Changed`] when it is written meanwhile, and where the file system fails.
pub(crate) async fn hash(
    spawn: &Arc<dyn Spawn>,
    path: PathBuf,
) -> Result<HashedFile, TransferError> {
    let hashing = spawn.run_blocking({
        let (path, spawn) = (path.clone(), Arc::clone(spawn));
        move || hash_now(path, spawn)
    });
    match hashing.await {
        Ok(hashed) => hashed,
        Err(error) => Err(at(path, "read")(io::Error::other(error))),
    }
}

fn hash_now(path: PathBuf, spawn: Arc<dyn Spawn>) -> Result<HashedFile, TransferError> {
    let mut file = open(&path)?;
    let meta = file.metadata().map_err(at(&path, "read"))?;
    let looks = Looks::of(&meta);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut held = Vec::new();
    let mut step = vec![0; STEP.min(usize::try_from(looks.size).unwrap_or(STEP).max(1))];
    loop {
        let count = match file.read(&mut step) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(&path, "read")(error)),
        };
        let bytes = step.get(..count).unwrap_or_default();
        hasher.update(bytes);
        if looks.size <= HELD_MAX && held.len() as u64 <= HELD_MAX {
            held.extend_from_slice(bytes);
        }
    }
    let blob = hasher.finish();
    let after = Looks::of(&file.metadata().map_err(at(&path, "read"))?);
    if after != looks || blob.size() != looks.size {
        return Err(TransferError::Changed { path });
    }
    Ok(HashedFile {
        held: (looks.size <= HELD_MAX).then(|| held.into()),
        digest: blob.digest(),
        size: blob.size(),
        executable: is_executable(&meta),
        path,
        spawn,
        looks,
    })
}

/// Opens a file, and not what has taken its place: a link, a pipe, another file.
fn open(path: &Path) -> Result<File, TransferError> {
    let own = fs::symlink_metadata(path).map_err(at(path, "read"))?;
    if !own.is_file() {
        return Err(TransferError::Changed {
            path: path.to_owned(),
        });
    }
    let file = File::open(path).map_err(at(path, "opened"))?;
    let opened = file.metadata().map_err(at(path, "read"))?;
    if Looks::of(&own) != Looks::of(&opened) {
        return Err(TransferError::Changed {
            path: path.to_owned(),
        });
    }
    Ok(file)
}

#[cfg(unix)]
fn is_executable(meta: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

impl HashedFile {
    fn reopen(path: &Path, looks: &Looks, offset: u64) -> Result<File, TransferError> {
        let mut file = open(path)?;
        let now = Looks::of(&file.metadata().map_err(at(path, "read"))?);
        if now != *looks {
            return Err(TransferError::Changed {
                path: path.to_owned(),
            });
        }
        file.seek(SeekFrom::Start(offset))
            .map_err(at(path, "read"))?;
        Ok(file)
    }

    /// Returns the error that stands for bytes which were not those that were hashed.
    pub(crate) fn changed(&self) -> TransferError {
        TransferError::Changed {
            path: self.path.clone(),
        }
    }
}

impl Content for HashedFile {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Chunks, BoxError>> {
        async move {
            if let Some(held) = &self.held {
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(held.len());
                let rest = held.slice(start..);
                return Ok(futures::stream::iter([Ok(rest)]).boxed());
            }
            let opening = self.spawn.run_blocking({
                let (path, looks) = (self.path.clone(), self.looks.clone());
                move || Self::reopen(&path, &looks, offset)
            });
            let file = opening.await??;
            let left = self.size.saturating_sub(offset);
            let path = self.path.clone();
            let bytes = chunks(Arc::clone(&self.spawn), file, left);
            let bytes = bytes.map(move |chunk| Ok(chunk.map_err(at(path.clone(), "read"))?));
            Ok(bytes.boxed())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;
    use crate::{blocking::wait, seams::threads::Threads};

    fn hash_file(path: &Path) -> Result<HashedFile, TransferError> {
        let spawn: Arc<dyn Spawn> = Arc::new(Threads::new());
        wait(hash(&spawn, path.to_owned())).unwrap()
    }

    fn read(file: &HashedFile, offset: u64) -> Result<Vec<u8>, BoxError> {
        let chunks = wait(file.open(offset)).unwrap()?;
        Ok(wait(chunks.try_collect::<Vec<_>>()).unwrap()?.concat())
    }

    #[test]
    fn what_is_read_is_what_was_hashed() {
        let directory = tempfile::tempdir().unwrap();
        for size in [0, 1, 65_536, 65_537, 600_000] {
            let path = directory.path().join(size.to_string());
            let data: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
            fs::write(&path, &data).unwrap();
            let file = hash_file(&path).unwrap();
            assert_eq!(file.digest, Hasher::hash(Algorithm::Sha256, &data).digest());
            assert_eq!(read(&file, 0).unwrap(), data);
            assert_eq!(
                read(&file, u64::from(size / 2)).unwrap(),
                data[size as usize / 2..]
            );
        }
    }

    #[test]
    fn a_file_that_is_written_meanwhile_is_found_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        fs::write(&path, vec![1; 100_000]).unwrap();
        let file = hash_file(&path).unwrap();
        fs::write(&path, vec![2; 100_000]).unwrap();
        let error = read(&file, 0).unwrap_err();
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
        // One that was replaced, too, although it looks alike by time and size.
        fs::write(&path, vec![1; 100_000]).unwrap();
        let file = hash_file(&path).unwrap();
        fs::rename(&path, directory.path().join("old")).unwrap();
        fs::write(&path, vec![1; 100_000]).unwrap();
        assert!(read(&file, 0).is_err());
    }
}
