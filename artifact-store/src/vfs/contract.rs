//! The contract of a file system.

use std::{ffi::OsString, fmt, fs::File, ops::Range, path::Path};

use super::error::VfsError;
use crate::sys::lock::Hold;

/// A file system: the real one, or one that a test makes fail.
///
/// # Contract
/// * VF-1: what a file holds is durable after its [`VfsFile::sync_data`], and so is its length; that
///   it has its name is durable after [`Vfs::sync_directory`] of the directory. Before, a power loss
///   may take any part of it.
/// * VF-2: names change as a whole: who looks sees the file under the old name or the new one.
/// * VF-3: absence is `Ok(None)` or `Ok(false)`; every other failure names its operation and path.
/// * VF-4: locks belong to the opening of a file, so two openings by one process exclude each other,
///   and end when it is dropped, or its process dies.
///
/// Calls block, [`Vfs::open_cached`] and [`VfsFile::read_cached_at`] apart.
pub trait Vfs: fmt::Debug + Send + Sync + 'static {
    /// Says whether its files are the operating system's, at the same paths.
    fn is_real(&self) -> bool;

    /// Opens a file, or returns `None` when there is none.
    ///
    /// # Errors
    /// Where the file system fails.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Option<Box<dyn VfsFile>>, VfsError>;

    /// Opens a file for reading if that needs no waiting for a disk; `None` tells nothing.
    fn open_cached(&self, path: &Path) -> Option<Box<dyn VfsFile>>;

    /// Makes a file and opens it for reading and writing; `mode` is cut by the umask.
    ///
    /// # Errors
    /// Of kind `AlreadyExists` when the name is taken, and where the file system fails.
    fn create(&self, path: &Path, mode: u32) -> Result<Box<dyn VfsFile>, VfsError>;

    /// Returns what is known of a name without opening it.
    ///
    /// # Errors
    /// Where the file system fails.
    fn metadata(&self, path: &Path) -> Result<Option<FileMeta>, VfsError>;

    /// Lists a directory, in no order; without `.` and `..`.
    ///
    /// # Errors
    /// Where the file system fails, also while the list is read.
    fn list(
        &self,
        directory: &Path,
    ) -> Result<Box<dyn Iterator<Item = Result<DirEntry, VfsError>> + Send>, VfsError>;

    /// Makes a directory; `false` when it was there. `mode` is cut by the umask.
    ///
    /// # Errors
    /// Where the file system fails.
    fn create_directory(&self, path: &Path, mode: u32) -> Result<bool, VfsError>;

    /// Gives the file another name, taking the name from who has it.
    ///
    /// # Errors
    /// Where the file system fails.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), VfsError>;

    /// Gives the file another name that nobody has.
    ///
    /// # Errors
    /// Of kind `AlreadyExists` when the name is taken, and where the file system fails.
    fn rename_new(&self, from: &Path, to: &Path) -> Result<(), VfsError>;

    /// Gives the file a second name that nobody has.
    ///
    /// # Errors
    /// Of kind `AlreadyExists` when the name is taken, and where the file system fails.
    fn link(&self, from: &Path, to: &Path) -> Result<(), VfsError>;

    /// Takes the name away; `false` when it was not there.
    ///
    /// # Errors
    /// Where the file system fails.
    fn unlink(&self, path: &Path) -> Result<bool, VfsError>;

    /// Makes durable which names the directory has.
    ///
    /// # Errors
    /// Where the file system fails; then the effect is unknown (I21).
    fn sync_directory(&self, path: &Path) -> Result<(), VfsError>;
}

/// An open file.
pub trait VfsFile: fmt::Debug + Send + Sync + 'static {
    /// Returns the path that it was opened by.
    fn path(&self) -> &Path;

    /// Returns what is known of the file.
    ///
    /// # Errors
    /// Where the file system fails.
    fn metadata(&self) -> Result<FileMeta, VfsError>;

    /// Reads at `offset`, and returns how many bytes; fewer than asked for at any time, none only
    /// at the end.
    ///
    /// # Errors
    /// Where the file system fails.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, VfsError>;

    /// Reads what is in memory at `offset`, if that needs no waiting for a disk; `None` tells
    /// nothing.
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> Option<usize>;

    /// Writes all of `data` at `offset`.
    ///
    /// # Errors
    /// Where the file system fails; a part may be written.
    fn write_at(&self, data: &[u8], offset: u64) -> Result<(), VfsError>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// Where the file system fails.
    fn set_length(&self, length: u64) -> Result<(), VfsError>;

    /// Takes the permission to write from everybody; what is open stays writable.
    ///
    /// # Errors
    /// Where the file system fails.
    fn set_read_only(&self) -> Result<(), VfsError>;

    /// Makes durable what the file holds, and how long it is.
    ///
    /// # Errors
    /// Where the file system fails; then the effect is unknown, and calling it again tells nothing
    /// (I21).
    fn sync_data(&self) -> Result<(), VfsError>;

    /// Gives the blocks of a range back: it reads as zeros then. `false` where the file system
    /// cannot, and then nothing changes.
    ///
    /// # Errors
    /// Where the file system fails.
    fn punch_hole(&self, range: Range<u64>) -> Result<bool, VfsError>;

    /// Returns the next range at or after `from` that has blocks of its own, cut at `from`. Where
    /// the file system cannot tell, all of the file has.
    ///
    /// # Errors
    /// Where the file system fails.
    fn next_data(&self, from: u64) -> Result<Option<Range<u64>>, VfsError>;

    /// Locks the file (as `flock` does), unless another opening excludes it.
    ///
    /// # Errors
    /// Where the file system fails, or has no locks.
    fn try_lock(&self, hold: Hold) -> Result<bool, VfsError>;

    /// Locks a range (as an open-file-description lock of `fcntl` does), unless another opening
    /// excludes it. It excludes no lock of the file.
    ///
    /// # Errors
    /// Of kind `Unsupported` where the system has no such locks; and where the file system fails.
    fn try_lock_range(&self, range: Range<u64>, hold: Hold) -> Result<bool, VfsError>;

    /// Ends what this opening holds on a range.
    ///
    /// # Errors
    /// Where the file system fails.
    fn unlock_range(&self, range: Range<u64>) -> Result<(), VfsError>;

    /// Returns the file itself for those who get local files of blobs; it shares the locks of this
    /// opening.
    ///
    /// # Errors
    /// Of kind `Unsupported` where files are not real; and where the file system fails.
    fn local(&self) -> Result<File, VfsError>;
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "files are made by `Vfs::create`")]
pub enum OpenMode {
    /// For reading.
    Read,
    /// For reading and writing.
    Write,
}

/// What is known of a file or directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FileMeta {
    /// Its number within its file system.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When its bytes last changed, in nanoseconds since the Unix epoch.
    pub modified: i128,
    /// Whether it is a directory.
    pub is_directory: bool,
}

impl FileMeta {
    /// Returns the description of a file.
    pub const fn file(inode: u64, size: u64, modified: i128) -> Self {
        Self {
            inode,
            size,
            modified,
            is_directory: false,
        }
    }

    /// Returns the description of a directory.
    pub const fn directory(inode: u64) -> Self {
        Self {
            inode,
            size: 0,
            modified: 0,
            is_directory: true,
        }
    }
}

/// A name in a directory.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct DirEntry {
    /// The name.
    pub name: OsString,
    /// Whether a directory has it.
    pub is_directory: bool,
}

impl DirEntry {
    /// Returns the entry.
    pub const fn new(name: OsString, is_directory: bool) -> Self {
        Self { name, is_directory }
    }
}
