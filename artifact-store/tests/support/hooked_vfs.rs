//! The real file system, with a hook before each call that can make it fail or wait.

use std::{
    fmt,
    fs::File,
    io,
    ops::Range,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use artifact_store::{
    sys::lock::Hold,
    vfs::{DirEntry, FileMeta, OpenMode, RealVfs, Vfs, VfsError, VfsFile},
};
use parking_lot::Mutex;

/// Is called with the operation and the path; what it returns is the error of the call.
pub(crate) type Hook = dyn Fn(&'static str, &Path) -> Option<io::Error> + Send + Sync;

/// The real file system, with a hook before each call. Clones share the hook.
#[derive(Clone)]
pub(crate) struct HookedVfs {
    hook: Arc<Mutex<Option<Arc<Hook>>>>,
    most: Arc<AtomicUsize>,
}

impl Default for HookedVfs {
    fn default() -> Self {
        Self {
            hook: Arc::default(),
            most: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }
}

impl HookedVfs {
    /// Lets no read give more than so many bytes.
    pub(crate) fn shorten_reads(&self, most: usize) {
        self.most.store(most, Ordering::SeqCst);
    }

    fn shorten<'a>(&self, buffer: &'a mut [u8]) -> &'a mut [u8] {
        let most = self.most.load(Ordering::SeqCst).min(buffer.len());
        buffer.get_mut(..most).unwrap_or_default()
    }

    /// Calls `hook` before each call from now on.
    pub(crate) fn set(
        &self,
        hook: impl Fn(&'static str, &Path) -> Option<io::Error> + Send + Sync + 'static,
    ) {
        *self.hook.lock() = Some(Arc::new(hook));
    }

    fn before(&self, operation: &'static str, path: &Path) -> Result<(), VfsError> {
        // Not called under the lock: it may wait.
        let hook = self.hook.lock().clone();
        match hook.and_then(|hook| hook(operation, path)) {
            Some(error) => Err(VfsError::new(operation, path, error)),
            None => Ok(()),
        }
    }

    fn wrap(&self, file: Box<dyn VfsFile>) -> Box<dyn VfsFile> {
        Box::new(HookedFile {
            vfs: self.clone(),
            file,
        })
    }
}

impl fmt::Debug for HookedVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookedVfs")
    }
}

impl Vfs for HookedVfs {
    fn is_real(&self) -> bool {
        true
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Option<Box<dyn VfsFile>>, VfsError> {
        self.before("open", path)?;
        let file = RealVfs::new().open(path, mode)?;
        Ok(file.map(|file| self.wrap(file)))
    }

    fn open_cached(&self, path: &Path) -> Option<Box<dyn VfsFile>> {
        self.before("open cached", path).ok()?;
        let file = RealVfs::new().open_cached(path)?;
        Some(self.wrap(file))
    }

    fn create(&self, path: &Path, mode: u32) -> Result<Box<dyn VfsFile>, VfsError> {
        self.before("create", path)?;
        let file = RealVfs::new().create(path, mode)?;
        Ok(self.wrap(file))
    }

    fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, VfsError> {
        self.before("examine", path)?;
        RealVfs::new().metadata(path)
    }

    fn list(
        &self,
        directory: &Path,
    ) -> Result<Box<dyn Iterator<Item = Result<DirEntry, VfsError>> + Send>, VfsError> {
        self.before("list", directory)?;
        RealVfs::new().list(directory)
    }

    fn create_directory(&self, path: &Path, mode: u32) -> Result<bool, VfsError> {
        self.before("create directory", path)?;
        RealVfs::new().create_directory(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.before("rename", from)?;
        RealVfs::new().rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.before("rename", from)?;
        RealVfs::new().rename_new(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.before("link", from)?;
        RealVfs::new().link(from, to)
    }

    fn unlink(&self, path: &Path) -> Result<bool, VfsError> {
        self.before("unlink", path)?;
        RealVfs::new().unlink(path)
    }

    fn sync_directory(&self, path: &Path) -> Result<(), VfsError> {
        self.before("sync directory", path)?;
        RealVfs::new().sync_directory(path)
    }
}

#[derive(Debug)]
struct HookedFile {
    vfs: HookedVfs,
    file: Box<dyn VfsFile>,
}

impl HookedFile {
    fn before(&self, operation: &'static str) -> Result<(), VfsError> {
        self.vfs.before(operation, self.file.path())
    }
}

impl VfsFile for HookedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn metadata(&self) -> Result<FileMeta, VfsError> {
        self.before("examine")?;
        self.file.metadata()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError> {
        self.before("read")?;
        self.file.read_at(self.vfs.shorten(buffer), offset)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> Option<usize> {
        self.before("read cached").ok()?;
        self.file.read_cached_at(self.vfs.shorten(buffer), offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), VfsError> {
        self.before("write")?;
        self.file.write_at(data, offset)
    }

    fn set_length(&self, length: u64) -> Result<(), VfsError> {
        self.before("set length")?;
        self.file.set_length(length)
    }

    fn set_read_only(&self) -> Result<(), VfsError> {
        self.before("set read-only")?;
        self.file.set_read_only()
    }

    fn sync_data(&self) -> Result<(), VfsError> {
        self.before("sync")?;
        self.file.sync_data()
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<bool, VfsError> {
        self.before("punch")?;
        self.file.punch_hole(range)
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, VfsError> {
        self.before("find data")?;
        self.file.next_data(from)
    }

    fn try_lock(&self, hold: Hold) -> Result<bool, VfsError> {
        self.before("lock")?;
        self.file.try_lock(hold)
    }

    fn try_lock_range(&self, range: Range<u64>, hold: Hold) -> Result<bool, VfsError> {
        self.before("lock range")?;
        self.file.try_lock_range(range, hold)
    }

    fn unlock_range(&self, range: Range<u64>) -> Result<(), VfsError> {
        self.before("unlock range")?;
        self.file.unlock_range(range)
    }

    fn local(&self) -> Result<File, VfsError> {
        self.before("duplicate")?;
        self.file.local()
    }
}
