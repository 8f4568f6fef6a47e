//! Files by position, their permissions and their directories, with what every system has.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::UNIX_EPOCH,
};

use parking_lot::Mutex;

/// What is known of a file or directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) inode: u64,
    pub(crate) size: u64,
    /// Nanoseconds since the Unix epoch.
    pub(crate) modified: i128,
    pub(crate) is_directory: bool,
}

/// Returns what `metadata` says; files have no number here, and the time of making stands in for it.
pub(crate) fn meta(metadata: &Metadata) -> Meta {
    let nanos = |time: io::Result<std::time::SystemTime>| {
        let since = time
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| since.as_nanos())
    };
    Meta {
        inode: u64::try_from(nanos(metadata.created())).unwrap_or(0),
        size: metadata.len(),
        modified: i128::try_from(nanos(metadata.modified())).unwrap_or(0),
        is_directory: metadata.is_dir(),
    }
}

/// Makes a file and opens it for reading and writing; there is no mode here.
pub(crate) fn create_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

/// Makes a directory; there is no mode here.
pub(crate) fn create_directory(path: &Path, _mode: u32) -> io::Result<()> {
    fs::create_dir(path)
}

/// The position of a handle is one: who moves it and uses it must be alone.
static POSITION: Mutex<()> = Mutex::new(());

/// Reads once at `offset`.
pub(crate) fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let _alone = POSITION.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.read(buffer)
}

/// Writes all of `data` at `offset`.
pub(crate) fn write_all_at(mut file: &File, data: &[u8], offset: u64) -> io::Result<()> {
    let _alone = POSITION.lock();
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(data)
}

/// Does nothing: such a system has no sync of directories, and journals their changes itself.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the function of the same name that can fail stands beside it"
)]
pub(crate) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_written_by_position() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("d");
        create_directory(&inner, 0o700).unwrap();
        let file = create_new(&inner.join("f"), 0o600).unwrap();
        assert!(create_new(&inner.join("f"), 0o600).is_err());
        write_all_at(&file, b"world", 6).unwrap();
        write_all_at(&file, b"hello ", 0).unwrap();
        let mut buffer = [0; 5];
        assert_eq!(read_at(&file, &mut buffer, 6).unwrap(), 5);
        assert_eq!(&buffer, b"world");
        sync_directory(&inner).unwrap();
        let meta = meta(&file.metadata().unwrap());
        assert_eq!((meta.size, meta.is_directory), (11, false));
        assert!(meta.modified > 0 && meta.inode > 0);
    }
}
