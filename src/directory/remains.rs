//! What pulls that were killed left beside their targets.
//!
//! A pull writes into a directory beside its target, and holds a lock on that directory as long as it
//! lives. The next pull to the same target takes away those that nobody holds.

use artifact_core::guard;
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    path::Path,
};

use artifact_store::sys::lock::{FileLock, Hold};

/// How many hexadecimal digits tell one such directory from another.
const DIGITS: usize = 16;

/// Returns the name of a directory for what is to become `target`: hidden, and nobody else's.
pub(super) fn name_for(target: &OsStr, number: u64) -> OsString {
    let mut name = begin_of(target);
    name.push(format!("{number:016x}.partial"));
    name
}

fn begin_of(target: &OsStr) -> OsString {
    let mut name = OsString::from(".");
    name.push(target);
    name.push(".");
    name
}

/// Says whether a name is one that [`name_for`] gives.
fn is_for(name: &OsStr, target: &OsStr) -> bool {
    let begin = begin_of(target);
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(begin.as_encoded_bytes());
    let number = rest.and_then(|rest| rest.strip_suffix(b".partial"));
    number.is_some_and(|digits| {
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.len() == DIGITS && digits.iter().all(is_hex)
    })
}

/// A directory that a pull writes in, as far as it can be held.
#[derive(Debug)]
pub(super) enum Held {
    /// It was taken away, or is being: it was held too late.
    Gone,
    /// By this lock.
    Lock(FileLock),
    /// Not at all: the file system has no locks, so nobody takes it away either.
    Without,
}

/// Holds a directory that was just made.
pub(super) fn hold(path: &Path) -> Held {
    let Ok(opened) = File::open(path) else {
        return if path.exists() {
            Held::Without
        } else {
            Held::Gone
        };
    };
    match guard!(131, FileLock::try_lock(opened, Hold::Exclusive), else FileLock::unlocked(&opened))
    {
        Err(_) => Held::Without,
        Ok(None) => Held::Gone,
        Ok(Some(lock)) => {
            let (now, own) = (fs::symlink_metadata(path), lock.file().metadata());
            match (now, own) {
                (Ok(now), Ok(own)) if same(&now, &own) => Held::Lock(lock),
                _ => Held::Gone,
            }
        }
    }
}

/// Removes what killed pulls to `target` left beside it. `own` is the directory of this one: those of
/// other users are left alone. What cannot be removed stays, and stands in nobody's way.
pub(super) fn remove(own: &Path, target: &OsStr) {
    let (Some(parent), Ok(mine)) = (own.parent(), fs::symlink_metadata(own)) else {
        return;
    };
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !is_for(&entry.file_name(), target) {
            continue;
        }
        let path = entry.path();
        let is_ours = fs::symlink_metadata(&path)
            .is_ok_and(|found| found.is_dir() && same_owner(&found, &mine));
        if !is_ours {
            continue;
        }
        if let Held::Lock(_lock) = hold(&path) {
            let _removed = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(unix)]
fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.uid() == other.uid()
}

#[cfg(not(unix))]
fn same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn same_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_names_are_known() {
        let target = OsStr::new("out");
        assert!(is_for(&name_for(target, 7), target));
        for other in [
            "out",
            ".out.partial",
            ".out.0123456789abcdef",
            ".out.0123456789abcde.partial",
            ".out.0123456789ABCDEF.partial",
            ".other.0123456789abcdef.partial",
        ] {
            assert!(!is_for(OsStr::new(other), target), "{other}");
        }
    }

    /// F6: what a killed pull left goes; what is held, and what only looks like it, stays.
    #[test]
    fn f6_what_nobody_holds_goes() {
        let root = tempfile::tempdir().unwrap();
        let target = OsStr::new("out");
        let make = |number| {
            let path = root.path().join(name_for(target, number));
            fs::create_dir(&path).unwrap();
            fs::write(path.join("file"), "x").unwrap();
            path
        };
        let (own, left, alive) = (make(1), make(2), make(3));
        let (Held::Lock(_own), Held::Lock(_alive)) = (hold(&own), hold(&alive)) else {
            panic!("both are held");
        };
        let file = root.path().join(name_for(target, 4));
        fs::write(&file, "a file is no such directory").unwrap();
        remove(&own, target);
        assert!(!left.exists());
        assert!(own.join("file").exists() && alive.join("file").exists() && file.exists());
        assert!(matches!(hold(&alive), Held::Gone), "it is another's");
    }
}
