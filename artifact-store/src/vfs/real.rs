//! The file system of the operating system.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use super::{
    contract::{DirEntry, FileMeta, OpenMode, Vfs, VfsFile},
    error::VfsError,
};
use crate::sys::{cached, file_io, hole, lock::Hold, range_lock, rename};

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct RealVfs;

impl RealVfs {
    /// Returns it.
    pub const fn new() -> Self {
        Self
    }
}

impl Vfs for RealVfs {
    fn is_real(&self) -> bool {
        true
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Option<Box<dyn VfsFile>>, VfsError> {
        let mut options = OpenOptions::new();
        options.read(true).write(mode == OpenMode::Write);
        match options.open(path) {
            Ok(file) => Ok(Some(RealFile::boxed(file, path))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VfsError::new("open", path, error)),
        }
    }

    fn open_cached(&self, path: &Path) -> Option<Box<dyn VfsFile>> {
        cached::open(path).map(|file| RealFile::boxed(file, path))
    }

    fn create(&self, path: &Path, mode: u32) -> Result<Box<dyn VfsFile>, VfsError> {
        match file_io::create_new(path, mode) {
            Ok(file) => Ok(RealFile::boxed(file, path)),
            Err(error) => Err(VfsError::new("create", path, error)),
        }
    }

    fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, VfsError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(file_io::meta(&metadata).into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VfsError::new("examine", path, error)),
        }
    }

    fn list(
        &self,
        directory: &Path,
    ) -> Result<Box<dyn Iterator<Item = Result<DirEntry, VfsError>> + Send>, VfsError> {
        let failed = {
            let directory = directory.to_owned();
            move |error| VfsError::new("list", &directory, error)
        };
        let entries = fs::read_dir(directory).map_err(&failed)?;
        Ok(Box::new(entries.map(move |entry| {
            let entry = entry.map_err(&failed)?;
            let is_directory = entry.file_type().map_err(&failed)?.is_dir();
            Ok(DirEntry::new(entry.file_name(), is_directory))
        })))
    }

    fn create_directory(&self, path: &Path, mode: u32) -> Result<bool, VfsError> {
        match file_io::create_directory(path, mode) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
                Ok(false)
            }
            Err(error) => Err(VfsError::new("create", path, error)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        fs::rename(from, to).map_err(|error| VfsError::between("rename", from, to, error))
    }

    fn rename_new(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        rename::rename_new(from, to).map_err(|error| VfsError::between("rename", from, to, error))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<(), VfsError> {
        fs::hard_link(from, to).map_err(|error| VfsError::between("link", from, to, error))
    }

    fn unlink(&self, path: &Path) -> Result<bool, VfsError> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(VfsError::new("unlink", path, error)),
        }
    }

    fn sync_directory(&self, path: &Path) -> Result<(), VfsError> {
        file_io::sync_directory(path).map_err(|error| VfsError::new("sync", path, error))
    }
}

/// An open file of the operating system.
#[derive(Debug)]
struct RealFile {
    file: File,
    path: PathBuf,
}

impl RealFile {
    fn boxed(file: File, path: &Path) -> Box<dyn VfsFile> {
        Box::new(Self {
            file,
            path: path.to_owned(),
        })
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> VfsError {
        move |error| VfsError::new(operation, &self.path, error)
    }
}

impl VfsFile for RealFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn metadata(&self) -> Result<FileMeta, VfsError> {
        let metadata = self.file.metadata().map_err(self.failed("examine"))?;
        Ok(file_io::meta(&metadata).into())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError> {
        loop {
            match file_io::read_at(&self.file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map_err(self.failed("read")),
            }
        }
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> Option<usize> {
        cached::read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), VfsError> {
        file_io::write_all_at(&self.file, data, offset).map_err(self.failed("write"))
    }

    fn set_length(&self, length: u64) -> Result<(), VfsError> {
        let cut = self.file.set_len(length);
        cut.map_err(self.failed("set the length of"))
    }

    fn set_read_only(&self) -> Result<(), VfsError> {
        let make = || {
            let mut permissions = self.file.metadata()?.permissions();
            permissions.set_readonly(true);
            self.file.set_permissions(permissions)
        };
        make().map_err(self.failed("make read-only"))
    }

    fn sync_data(&self) -> Result<(), VfsError> {
        self.file.sync_data().map_err(self.failed("sync"))
    }

    fn punch_hole(&self, range: Range<u64>) -> Result<bool, VfsError> {
        hole::punch(&self.file, range).map_err(self.failed("punch a hole into"))
    }

    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, VfsError> {
        hole::next_data(&self.file, from).map_err(self.failed("find the data of"))
    }

    fn try_lock(&self, hold: Hold) -> Result<bool, VfsError> {
        let tried = match hold {
            Hold::Exclusive => self.file.try_lock(),
            Hold::Shared => self.file.try_lock_shared(),
        };
        match tried {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(self.failed("lock")(error)),
        }
    }

    fn try_lock_range(&self, range: Range<u64>, hold: Hold) -> Result<bool, VfsError> {
        range_lock::try_lock(&self.file, range, hold).map_err(self.failed("lock a range of"))
    }

    fn unlock_range(&self, range: Range<u64>) -> Result<(), VfsError> {
        range_lock::unlock(&self.file, range).map_err(self.failed("unlock a range of"))
    }

    fn local(&self) -> Result<File, VfsError> {
        self.file.try_clone().map_err(self.failed("duplicate"))
    }
}

impl From<file_io::Meta> for FileMeta {
    fn from(meta: file_io::Meta) -> Self {
        if meta.is_directory {
            Self::directory(meta.inode)
        } else {
            Self::file(meta.inode, meta.size, meta.modified)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(path: &Path) -> Box<dyn VfsFile> {
        RealVfs.create(path, 0o666).unwrap()
    }

    #[test]
    fn absence_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(RealVfs.open(&path, OpenMode::Read).unwrap().is_none());
        assert!(RealVfs.metadata(&path).unwrap().is_none());
        assert!(!RealVfs.unlink(&path).unwrap());
        drop(create(&path));
        assert!(RealVfs.open(&path, OpenMode::Write).unwrap().is_some());
        assert!(RealVfs.unlink(&path).unwrap());
        let directory = dir.path().join("d");
        assert!(RealVfs.create_directory(&directory, 0o700).unwrap());
        assert!(!RealVfs.create_directory(&directory, 0o700).unwrap());
        assert!(RealVfs.metadata(&directory).unwrap().unwrap().is_directory);
        RealVfs.sync_directory(dir.path()).unwrap();
        let listed: Vec<_> = RealVfs.list(dir.path()).unwrap().collect();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            listed[0].as_ref().unwrap(),
            &DirEntry::new("d".into(), true)
        );
    }

    #[test]
    fn an_error_names_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        drop((create(&one), create(&two)));
        let error = RealVfs.create(&one, 0o600).unwrap_err();
        assert_eq!(
            (error.kind(), error.path()),
            (io::ErrorKind::AlreadyExists, &*one)
        );
        let error = RealVfs.rename_new(&one, &two).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let error = RealVfs.link(&one, &two).unwrap_err();
        assert!(error.to_string().contains(two.to_str().unwrap()), "{error}");
        RealVfs.rename(&one, &two).unwrap();
        assert!(!one.exists());
        assert!(RealVfs.list(&one).is_err() && RealVfs.sync_directory(&one).is_err());
    }

    #[test]
    fn a_file_is_read_written_cut_and_punched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = create(&path);
        file.write_at(&[7; 10_000], 0).unwrap();
        file.sync_data().unwrap();
        let mut buffer = [0; 64];
        assert_eq!(file.read_at(&mut buffer, 9_990).unwrap(), 10);
        assert_eq!(file.read_at(&mut buffer, 10_000).unwrap(), 0);
        assert!(file.punch_hole(0..4096).unwrap());
        assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 64);
        assert_eq!(buffer, [0; 64]);
        assert_eq!(
            file.next_data(0).unwrap().map(|data| data.start),
            Some(4096)
        );
        file.set_length(5_000).unwrap();
        let meta = file.metadata().unwrap();
        assert_eq!(meta.size, 5_000);
        file.set_read_only().unwrap();
        file.write_at(b"still open", 0).unwrap();
        let found = RealVfs.metadata(&path).unwrap().unwrap();
        assert_eq!(found.inode, meta.inode);
        assert!(std::fs::metadata(&path).unwrap().permissions().readonly());
        assert_eq!(file.local().unwrap().metadata().unwrap().len(), 5_000);
    }

    #[test]
    fn two_openings_exclude_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let one = create(&path);
        let two = RealVfs.open(&path, OpenMode::Write).unwrap().unwrap();
        assert!(one.try_lock(Hold::Exclusive).unwrap());
        assert!(!two.try_lock(Hold::Shared).unwrap());
        assert!(one.try_lock_range(0..10, Hold::Exclusive).unwrap());
        assert!(!two.try_lock_range(0..1, Hold::Shared).unwrap());
        one.unlock_range(0..10).unwrap();
        assert!(two.try_lock_range(0..1, Hold::Shared).unwrap());
        drop(one);
        assert!(two.try_lock(Hold::Exclusive).unwrap());
    }
}
