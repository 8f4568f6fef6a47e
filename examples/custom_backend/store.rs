//! Blobs in plain files, one file a blob.
//!
//! ```text
//! DIR/staged/<key>   an upload; its writer holds a lock on it
//! DIR/blobs/<key>    a blob, read-only
//! ```
//!
//! It is meant to be read, not to be fast: its calls block the thread that polls them, and so have
//! no await point at which they could be cancelled. What it keeps, clause by clause:
//!
//! * BS-1, BS-2: a blob appears by a rename of a file that is complete; nobody writes to it again.
//! * BS-4: a file is synced before its name is, and both before they are acknowledged.
//! * BS-5, BS-8: what a writer leaves stays staged, and is cut to the offset of its suspension.
//! * BS-6: a key is 16 random bytes.
//! * BS-9: the writer's lock goes with its process.
//! * BS-10: the first sync that fails ends all acknowledgements.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use artifact::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, Rng, Stamp, StoreError, StoreInfo, Suspended, UploadHint, UploadId, VerifiedBlob,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};

const NAME: &str = "files";
const CHUNK: u64 = 64 << 10;

/// Keeps blobs in the files of a directory.
#[derive(Clone, Debug)]
pub struct FileStore {
    place: Arc<Place>,
    rng: Arc<dyn Rng>,
}

#[derive(Debug)]
struct Place {
    staged: PathBuf,
    blobs: PathBuf,
    /// Whether a sync failed.
    poisoned: AtomicBool,
}

/// Says in which operation the file system failed.
fn failed(operation: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |error| {
        let (backend, source) = (NAME, Box::new(error));
        if source.kind() == ErrorKind::StorageFull {
            return StoreError::NoSpace {
                backend,
                operation,
                source,
            };
        }
        StoreError::Backend {
            backend,
            operation,
            source,
        }
    }
}

/// Returns `None` for what is absent.
fn present<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Place {
    fn staged(&self, key: &BlobKey) -> PathBuf {
        self.staged.join(key.as_str())
    }

    fn blob(&self, key: &BlobKey) -> PathBuf {
        self.blobs.join(key.as_str())
    }

    /// Makes a file and the names in some directories durable, or poisons the store.
    fn sync(&self, file: &File, directories: &[&Path]) -> Result<(), StoreError> {
        if self.poisoned.load(Ordering::SeqCst) {
            return Err(StoreError::Poisoned { backend: NAME });
        }
        let names = || {
            directories
                .iter()
                .try_for_each(|path| File::open(path)?.sync_all())
        };
        file.sync_all().and_then(|()| names()).map_err(|error| {
            self.poisoned.store(true, Ordering::SeqCst);
            failed("sync")(error)
        })
    }

    /// Opens what an upload has staged and locks it. `None` when it is gone.
    fn hold(&self, key: &BlobKey) -> Result<Option<File>, StoreError> {
        let path = self.staged(key);
        let file = present(OpenOptions::new().read(true).write(true).open(&path));
        let Some(file) = file.map_err(failed("open"))? else {
            return Ok(None);
        };
        match file.try_lock() {
            // The writer may have committed after the file was opened: then it is a blob now.
            Ok(()) => Ok(path.exists().then_some(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Held { key: key.clone() }),
            Err(TryLockError::Error(error)) => Err(failed("lock")(error)),
        }
    }
}

impl FileStore {
    /// Opens the store in a directory, and makes it where it is new.
    ///
    /// # Errors
    /// When the directories cannot be made.
    pub fn open(directory: &Path, rng: Arc<dyn Rng>) -> io::Result<Self> {
        let place = Place {
            staged: directory.join("staged"),
            blobs: directory.join("blobs"),
            poisoned: AtomicBool::new(false),
        };
        fs::create_dir_all(&place.staged)?;
        fs::create_dir_all(&place.blobs)?;
        File::open(directory)?.sync_all()?;
        Ok(Self {
            place: Arc::new(place),
            rng,
        })
    }

    fn writer(&self, id: UploadId, key: BlobKey, file: File, offset: u64) -> Box<dyn BlobWriter> {
        let place = Arc::clone(&self.place);
        Box::new(FileWriter {
            place,
            id,
            key,
            file,
            offset,
        })
    }
}

#[async_trait]
impl BlobStore for FileStore {
    fn info(&self) -> StoreInfo {
        StoreInfo::new(NAME, 1)
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        let metadata = present(fs::metadata(self.place.blob(key))).map_err(failed("stat"))?;
        Ok(metadata.map(|metadata| BlobStat::new(metadata.len(), stamp(&metadata))))
    }

    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        let file = present(File::open(self.place.blob(key))).map_err(failed("read"))?;
        let Some(file) = file else {
            return Ok(None);
        };
        let size = file.metadata().map_err(failed("read"))?.len();
        let end = range
            .end(size)
            .ok_or(StoreError::RangeNotSatisfiable { size })?;
        reader(file, range.offset, end - range.offset).map(Some)
    }

    async fn begin(
        &self,
        id: &UploadId,
        _hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        let mut random = [0; 16];
        self.rng.fill(&mut random);
        let key: BlobKey = UploadId::from_random(random)
            .to_string()
            .try_into()
            .map_err(|error| failed("begin")(io::Error::other(error)))?;
        let path = self.place.staged(&key);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path);
        let file = file.map_err(failed("begin"))?;
        file.lock().map_err(failed("lock"))?;
        Ok(self.writer(*id, key, file, 0))
    }

    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        let Some(mut file) = self.place.hold(&at.key)? else {
            return Ok(None);
        };
        if file.metadata().map_err(failed("resume"))?.len() < at.offset {
            return Ok(None);
        }
        file.set_len(at.offset).map_err(failed("resume"))?;
        file.seek(SeekFrom::End(0)).map_err(failed("resume"))?;
        Ok(Some(self.writer(*id, at.key, file, at.offset)))
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        match self.place.hold(key) {
            Err(StoreError::Held { .. }) => Ok(true),
            other => other.map(|_| false),
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        // The lock is held until the file is gone, so nobody goes on with it meanwhile.
        if let Some(_held) = self.place.hold(key)? {
            fs::remove_file(self.place.staged(key)).map_err(failed("delete"))?;
        }
        present(fs::remove_file(self.place.blob(key))).map_err(failed("delete"))?;
        Ok(())
    }

    fn linger(&self, _key: &BlobKey) -> Duration {
        // A file that is open keeps its bytes when its name is gone.
        Duration::ZERO
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        let mut entries = Vec::new();
        for (directory, staged) in [(&self.place.blobs, false), (&self.place.staged, true)] {
            match list(directory, staged) {
                Ok(found) => entries.extend(found.into_iter().map(Ok)),
                Err(error) => entries.push(Err(failed("list")(error))),
            }
        }
        stream::iter(entries).boxed()
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        None
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        None
    }
}

fn list(directory: &Path, staged: bool) -> io::Result<Vec<BlobEntry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(directory)? {
        let file = file?;
        let Some(key) = file.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(metadata) = present(file.metadata())? {
            entries.push(BlobEntry::new(key, metadata.len(), staged));
        }
    }
    Ok(entries)
}

/// Returns size and time of change, if the file system tells it.
fn stamp(metadata: &fs::Metadata) -> Option<Stamp> {
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Stamp::new(format!(
        "{}-{}",
        metadata.len(),
        changed.as_nanos()
    )))
}

/// Returns the bytes of a part of a file, or an error where it has fewer.
fn reader(mut file: File, offset: u64, length: u64) -> Result<BlobReader, StoreError> {
    file.seek(SeekFrom::Start(offset)).map_err(failed("read"))?;
    let chunks = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = Vec::new();
        let read = std::io::Read::by_ref(&mut file)
            .take(left.min(CHUNK))
            .read_to_end(&mut chunk);
        match read.map_err(failed("read"))? as u64 {
            0 => Err(failed("read")(ErrorKind::UnexpectedEof.into())),
            read => Ok(Some((Bytes::from(chunk), (file, left - read)))),
        }
    });
    Ok(BlobReader::new(length, chunks))
}

/// Writes one upload. The lock on its file ends when this is dropped, or the process.
#[derive(Debug)]
struct FileWriter {
    place: Arc<Place>,
    id: UploadId,
    key: BlobKey,
    file: File,
    offset: u64,
}

#[async_trait]
impl BlobWriter for FileWriter {
    fn key(&self) -> &BlobKey {
        &self.key
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.file.write_all(&chunk).map_err(failed("write"))?;
        self.offset += chunk.len() as u64;
        Ok(())
    }

    async fn read_back(&mut self) -> Result<BlobReader, StoreError> {
        // A handle of its own: one that is cloned would share its place with the writer's.
        let file = File::open(self.place.staged(&self.key)).map_err(failed("read"))?;
        reader(file, 0, self.offset)
    }

    async fn suspend(self: Box<Self>) -> Result<Suspended, StoreError> {
        self.place.sync(&self.file, &[&self.place.staged])?;
        Ok(Suspended::new(self.key.clone(), self.offset, Bytes::new()))
    }

    async fn commit(self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError> {
        let (expected, actual) = (blob.size(), self.offset);
        if expected != actual {
            let id = self.id;
            return Err(StoreError::OffsetMismatch {
                id,
                expected,
                actual,
            });
        }
        let metadata = self.file.metadata().map_err(failed("commit"))?;
        let mut permissions = metadata.permissions();
        permissions.set_readonly(true);
        self.file
            .set_permissions(permissions)
            .map_err(failed("commit"))?;
        self.place.sync(&self.file, &[])?;
        let (staged, blob) = (self.place.staged(&self.key), self.place.blob(&self.key));
        fs::rename(staged, blob).map_err(failed("commit"))?;
        self.place
            .sync(&self.file, &[&self.place.blobs, &self.place.staged])?;
        Ok(stamp(&metadata))
    }

    async fn abort(self: Box<Self>) -> Result<(), StoreError> {
        fs::remove_file(self.place.staged(&self.key)).map_err(failed("abort"))
    }
}
