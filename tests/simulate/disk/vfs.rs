//! The disk, as one process sees it.

use std::{
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_store::{
    sys::lock::Hold,
    vfs::{DirEntry, FileMeta, OpenMode, Vfs, VfsError, VfsFile},
};
use parking_lot::Mutex;

use super::media::Disk;

/// The disk, as one process sees it.
#[derive(Clone, Debug)]
pub(crate) struct SimVfs {
    disk: Arc<Mutex<Disk>>,
    process: u64,
}

/// Which faults a call has.
type Which = fn(&super::faults::Faults) -> u64;

const NEVER: Which = |_| 0;
const OTHER: Which = |faults| faults.other;

impl SimVfs {
    pub(crate) fn new(disk: Arc<Mutex<Disk>>, process: u64) -> Self {
        disk.lock().start(process);
        Self { disk, process }
    }

    fn call<T>(
        &self,
        operation: &'static str,
        path: &Path,
        which: Which,
        work: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> Result<T, VfsError> {
        let mut disk = self.disk.lock();
        let times = which(&disk.faults);
        let before = disk.before(self.process, operation, path, times);
        before
            .and_then(|()| work(&mut disk))
            .map_err(|error| VfsError::new(operation, path, error))
    }

    fn boxed(&self, opening: u64, path: &Path) -> Box<dyn VfsFile> {
        Box::new(SimFile {
            vfs: self.clone(),
            opening,
            path: path.to_owned(),
        })
    }
}

fn meta(disk: &mut Disk, inode: u64) -> io::Result<FileMeta> {
    if disk.is_directory(inode) {
        return Ok(FileMeta::directory(inode));
    }
    let node = disk.node(inode)?;
    Ok(FileMeta::file(inode, node.cached.length, node.modified))
}

impl Vfs for SimVfs {
    fn is_real(&self) -> bool {
        false
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Option<Box<dyn VfsFile>>, VfsError> {
        let opening = self.call("open", path, OTHER, |disk| {
            let inode = disk.look_up(path);
            Ok(inode.map(|inode| disk.open(self.process, inode, mode == OpenMode::Write)))
        })?;
        Ok(opening.map(|opening| self.boxed(opening, path)))
    }

    fn open_cached(&self, path: &Path) -> Option<Box<dyn VfsFile>> {
        if self.disk.lock().draws(3) {
            return None;
        }
        self.open(path, OpenMode::Read).ok().flatten()
    }

    fn create(&self, path: &Path, _mode: u32) -> Result<Box<dyn VfsFile>, VfsError> {
        let opening = self.call("create", path, OTHER, |disk| {
            let inode = disk.create(path)?;
            Ok(disk.open(self.process, inode, true))
        })?;
        Ok(self.boxed(opening, path))
    }

    fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, VfsError> {
        self.call("examine", path, OTHER, |disk| {
            let inode = disk.look_up(path);
            inode.map(|inode| meta(disk, inode)).transpose()
        })
    }

    fn list(
        &self,
        directory: &Path,
    ) -> Result<Box<dyn Iterator<Item = Result<DirEntry, VfsError>> + Send>, VfsError> {
        let names = self.call("list", directory, OTHER, |disk| disk.list(directory))?;
        let entries = names.into_iter();
        Ok(Box::new(entries.map(|(name, is_directory)| {
            Ok(DirEntry::new(name, is_directory))
        })))
    }

    fn create_directory(&self, path: &Path, _mode: u32) -> Result<bool, VfsError> {
        self.call("create directory", path, OTHER, |disk| {
            disk.create_directory(path)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.call("rename", from, OTHER, |disk| disk.rename(from, to, true))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.call("rename", from, OTHER, |disk| disk.rename(from, to, false))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        self.call("link", from, OTHER, |disk| disk.link(from, to))
    }

    fn unlink(&self, path: &Path) -> Result<bool, VfsError> {
        self.call("unlink", path, OTHER, |disk| disk.unlink(path))
    }

    fn sync_directory(&self, path: &Path) -> Result<(), VfsError> {
        self.call("sync directory", path, NEVER, |disk| {
            let fails = disk.draw_sync(self.process, path);
            disk.sync_directory(path, fails)
        })
    }
}

/// A file that is open.
#[derive(Debug)]
struct SimFile {
    vfs: SimVfs,
    opening: u64,
    path: PathBuf,
}

impl SimFile {
    fn call<T>(
        &self,
        operation: &'static str,
        which: Which,
        work: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> Result<T, VfsError> {
        self.vfs.call(operation, &self.path, which, work)
    }

    fn read(&self, disk: &mut Disk, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let want = if buffer.len() > 1 && disk.draws(disk.faults.short) {
            1 + disk.draw_below(buffer.len() as u64) as usize
        } else {
            buffer.len()
        };
        let want = want.min(buffer.len());
        Ok(disk
            .opened(self.opening)?
            .1
            .cached
            .read(&mut buffer[..want], offset))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.vfs.disk.lock().close(self.opening);
    }
}

impl VfsFile for SimFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn metadata(&self) -> Result<FileMeta, VfsError> {
        self.call("examine", NEVER, |disk| {
            let inode = disk.opened(self.opening)?.0;
            meta(disk, inode)
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError> {
        self.call(
            "read",
            |faults| faults.read,
            |disk| self.read(disk, buffer, offset),
        )
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> Option<usize> {
        if self.vfs.disk.lock().draws(3) {
            return None;
        }
        self.call("read cached", NEVER, |disk| self.read(disk, buffer, offset))
            .ok()
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), VfsError> {
        self.call("write", NEVER, |disk| {
            let fails = disk.draws(disk.faults.write);
            disk.trace
                .tell(|| format!("{} bytes at {offset}", data.len()));
            disk.write(self.opening, data, offset, fails)
        })
    }

    fn set_length(&self, length: u64) -> Result<(), VfsError> {
        self.call("set the length of", OTHER, |disk| {
            disk.changed(self.opening)?.set_length(length);
            Ok(())
        })
    }

    fn set_read_only(&self) -> Result<(), VfsError> {
        self.call("set read-only", OTHER, |_| Ok(()))
    }

    fn sync_data(&self) -> Result<(), VfsError> {
        self.call("sync", NEVER, |disk| {
            let fails = disk.draw_sync(self.vfs.process, &self.path);
            disk.sync(self.opening, fails)
        })
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<bool, VfsError> {
        self.call("punch a hole into", OTHER, |disk| {
            disk.changed(self.opening)?.punch(range);
            Ok(true)
        })
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, VfsError> {
        self.call("find the data of", OTHER, |disk| {
            Ok(disk.opened(self.opening)?.1.cached.next_data(from))
        })
    }

    fn try_lock(&self, hold: Hold) -> Result<bool, VfsError> {
        self.call("lock", NEVER, |disk| disk.lock(self.opening, hold))
    }

    fn try_lock_range(&self, range: Range<u64>, hold: Hold) -> Result<bool, VfsError> {
        self.call("lock a range of", NEVER, |disk| {
            disk.lock_range(self.opening, range, hold)
        })
    }

    fn unlock_range(&self, range: Range<u64>) -> Result<(), VfsError> {
        self.call("unlock a range of", NEVER, |disk| {
            disk.unlock_range(self.opening, range)
        })
    }

    fn local(&self) -> Result<File, VfsError> {
        let error = io::Error::from(io::ErrorKind::Unsupported);
        Err(VfsError::new("duplicate", &self.path, error))
    }
}
