//! Files copied from one directory to another.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    path::Path,
};

use super::layout::{FILE_MODE, MODE, absent};
use crate::sys::{file_io, hole, reflink};

const CHUNK: usize = 1 << 20;

/// Copies a file that others may append to and punch holes into, holes as holes: shared, where the
/// file system can, else from its end to its begin.
///
/// So what its begin tells of the rest, as the table of a segment does, is at least as new as the
/// rest. Returns how many bytes were written, none where they are shared.
pub(super) fn copy_backwards(from: &Path, to: &Path) -> io::Result<u64> {
    let source = File::open(from)?;
    absent(fs::remove_file(to))?;
    let target = file_io::create_new(to, FILE_MODE)?;
    let length = source.metadata()?.len();
    if reflink::clone_range(&source, 0, length, &target).is_ok() {
        return Ok(0);
    }
    target.set_len(length)?;
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(part) = hole::next_data(&source, at)? {
        at = part.end;
        if part.start >= length {
            break;
        }
        parts.push(part.start..part.end.min(length));
    }
    let mut written = 0;
    for part in parts.into_iter().rev() {
        written += part.end - part.start;
        copy_part(&source, &target, part)?;
    }
    Ok(written)
}

/// Copies a range, from its end to its begin.
fn copy_part(source: &File, target: &File, part: Range<u64>) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut end = part.end;
    while end > part.start {
        let start = end.saturating_sub(CHUNK as u64).max(part.start);
        let length = usize::try_from(end - start).unwrap_or(CHUNK);
        let room = buffer.get_mut(..length).unwrap_or_default();
        read_exact(source, room, start)?;
        file_io::write_all_at(target, room, start)?;
        end = start;
    }
    Ok(())
}

fn read_exact(source: &File, room: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while let Some(rest) = room.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file_io::read_at(source, rest, offset + done as u64) {
            // It was cut meanwhile: what is not there reads as zeros.
            Ok(0) => {
                rest.fill(0);
                return Ok(());
            }
            Ok(length) => done += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Copies a directory of files and directories that change seldom; nothing, where it is absent.
pub(super) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    match file_io::create_directory(to, MODE) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            // With its permissions: keys are their owner's alone.
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_copy_is_the_same_with_its_holes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut file = File::create(&from).unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        file.write_all(&bytes).unwrap();
        hole::punch(&file, 1 << 20..2 << 20).unwrap();
        file_io::write_all_at(&file, b"end", 5_000_000).unwrap();
        fs::write(&to, "what an earlier round has left").unwrap();
        copy_backwards(&from, &to).unwrap();
        assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
        let copied = File::open(&to).unwrap();
        let first = hole::next_data(&copied, 1 << 20).unwrap().unwrap();
        assert!(first.start >= 2 << 20, "{first:?}");
    }

    #[test]
    fn a_tree_is_copied_with_its_modes() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("keys"), dir.path().join("copy"));
        copy_tree(&from, &to).unwrap();
        assert!(!to.exists());
        fs::create_dir_all(from.join("a")).unwrap();
        fs::write(from.join("a/key"), "secret").unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(from.join("a/key"), mode).unwrap();
        copy_tree(&from, &to).unwrap();
        let copied = fs::metadata(to.join("a/key")).unwrap().permissions().mode();
        assert_eq!(copied & 0o777, 0o600);
        assert_eq!(fs::read(to.join("a/key")).unwrap(), b"secret");
    }
}
