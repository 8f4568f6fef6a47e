//! What is in a directory on disk.

use std::{
    fs::{self, FileType, Metadata},
    io,
    path::{Path, PathBuf},
};

use artifact_core::EntryPath;

use crate::transfer::error::{TransferError, at};

/// An entry that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: EntryPath,
    pub(crate) on_disk: PathBuf,
    pub(crate) kind: FoundKind,
}

#[derive(Debug)]
pub(crate) enum FoundKind {
    Directory,
    /// A file of so many bytes.
    File {
        size: u64,
    },
    /// A link that leads there.
    Link {
        target: String,
    },
}

/// What every registry's directory has.
const REGISTRY: [&str; 2] = ["artifact.toml", "index.db"];

/// Refuses a registry. Its files change while they are read, its keys are nobody else's, and where this
/// process has it open, to close any file of the index is to lose the locks on it.
fn check_no_registry(directory: &Path) -> Result<(), TransferError> {
    if REGISTRY.iter().all(|name| directory.join(name).is_file()) {
        return Err(TransferError::Registry {
            path: directory.to_owned(),
        });
    }
    Ok(())
}

/// Says whether a path, at which nothing need be yet, lies in a directory.
///
/// # Errors
/// Where the file system does not tell.
pub fn lies_in(path: &Path, directory: &Path) -> io::Result<bool> {
    let directory = fs::canonicalize(directory)?;
    let path = std::path::absolute(path)?;
    // What is not there yet comes into the nearest directory above that is.
    let mut above = path.ancestors().map(fs::canonicalize);
    let nearest = above.find_map(Result::ok);
    Ok(nearest.is_some_and(|nearest| nearest.starts_with(&directory)))
}

/// Lists all that is below a directory, or the one file that the path is.
///
/// Links are listed and not followed; the path itself may be one.
///
/// # Errors
/// [`TransferError::Kind`] for what has no content, [`TransferError::Name`] for what cannot be named,
/// [`TransferError::Registry`] for a registry and what is in one, and where the file system fails.
pub(crate) fn walk(root: &Path) -> Result<Vec<Found>, TransferError> {
    let meta = fs::metadata(root).map_err(at(root, "read"))?;
    let place = fs::canonicalize(root).map_err(at(root, "read"))?;
    place.ancestors().try_for_each(check_no_registry)?;
    if meta.is_file() {
        let name = root.file_name().unwrap_or(root.as_os_str());
        let path = entry_path(root, "", name)?;
        let kind = FoundKind::File { size: meta.len() };
        return Ok(vec![Found {
            path,
            on_disk: place,
            kind,
        }]);
    }
    if !meta.is_dir() {
        return Err(no_content(root, meta.file_type()));
    }
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        for entry in fs::read_dir(&directory).map_err(at(&directory, "read"))? {
            let entry = entry.map_err(at(&directory, "read"))?;
            let on_disk = entry.path();
            let path = entry_path(&on_disk, &prefix, &entry.file_name())?;
            // Not of what a link leads to.
            let meta = entry.metadata().map_err(at(&on_disk, "read"))?;
            let kind = kind(&on_disk, &meta)?;
            if matches!(kind, FoundKind::Directory) {
                check_no_registry(&on_disk)?;
                directories.push((on_disk.clone(), format!("{}/", path.as_str())));
            }
            found.push(Found {
                path,
                on_disk,
                kind,
            });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn entry_path(
    on_disk: &Path,
    prefix: &str,
    name: &std::ffi::OsStr,
) -> Result<EntryPath, TransferError> {
    let wrong = |source| TransferError::Name {
        path: on_disk.to_owned(),
        source,
    };
    let name = name.to_str().ok_or_else(|| wrong(None))?;
    format!("{prefix}{name}")
        .try_into()
        .map_err(|error| wrong(Some(error)))
}

fn kind(path: &Path, meta: &Metadata) -> Result<FoundKind, TransferError> {
    let kind = meta.file_type();
    if kind.is_dir() {
        return Ok(FoundKind::Directory);
    }
    if kind.is_file() {
        return Ok(FoundKind::File { size: meta.len() });
    }
    if !kind.is_symlink() {
        return Err(no_content(path, kind));
    }
    let target = fs::read_link(path).map_err(at(path, "read"))?;
    let target = target.into_os_string().into_string();
    let target = target.map_err(|_| TransferError::Name {
        path: path.to_owned(),
        source: None,
    })?;
    Ok(FoundKind::Link { target })
}

#[cfg(unix)]
fn no_content(path: &Path, kind: FileType) -> TransferError {
    use std::os::unix::fs::FileTypeExt as _;
    let what = match kind {
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        _ => "device",
    };
    TransferError::Kind {
        path: path.to_owned(),
        what,
    }
}

#[cfg(not(unix))]
fn no_content(path: &Path, _: FileType) -> TransferError {
    TransferError::Kind {
        path: path.to_owned(),
        what: "device",
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener};

    use artifact_core::ErrorKind;

    use super::*;

    #[test]
    fn all_is_listed_and_links_are_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("b/empty")).unwrap();
        fs::write(root.join("b.x"), "1").unwrap();
        fs::write(root.join("b/.hidden"), "22").unwrap();
        symlink("b", root.join("a")).unwrap();
        let found = walk(root).unwrap();
        let paths: Vec<_> = found.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "b.x", "b/.hidden", "b/empty"]);
        assert!(matches!(&found[0].kind, FoundKind::Link { target } if target == "b"));
        assert!(matches!(found[3].kind, FoundKind::File { size: 2 }));
        // The path that is given may itself be a link, and may be a file.
        assert_eq!(walk(&root.join("a")).unwrap().len(), 2);
        let file = walk(&root.join("b.x")).unwrap();
        assert_eq!(file[0].path.as_str(), "b.x");
    }

    #[test]
    fn what_has_no_content_or_no_name_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let socket = UnixListener::bind(root.join("socket")).unwrap();
        let error = walk(root).unwrap_err();
        assert!(error.to_string().contains("is a socket"), "{error}");
        drop(socket);
        fs::remove_file(root.join("socket")).unwrap();
        fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        assert!(matches!(walk(root), Err(TransferError::Name { .. })));
        assert_eq!(
            walk(&root.join("absent")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert!(matches!(
            walk(Path::new("/dev/null")),
            Err(TransferError::Kind { .. })
        ));
    }

    /// I16: a process that reads its own index as a file loses the locks on it when it closes that.
    #[test]
    fn i16_a_registry_is_no_content() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let registry = root.join("a/registry");
        fs::create_dir_all(registry.join("keys")).unwrap();
        fs::write(registry.join("artifact.toml"), "").unwrap();
        // A file of that name alone makes none.
        assert_eq!(walk(root).unwrap().len(), 4);
        fs::write(registry.join("index.db"), "").unwrap();
        symlink(&registry, root.join("link")).unwrap();
        for path in ["", "a", "a/registry", "a/registry/keys", "link/index.db"] {
            let refused = walk(&root.join(path)).unwrap_err();
            assert!(
                matches!(refused, TransferError::Registry { .. }),
                "{path}: {refused}"
            );
        }
    }

    #[test]
    fn what_lies_in_a_directory_is_told_before_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink(root.join("a"), root.join("link")).unwrap();
        for (path, expected) in [
            ("a", true),
            ("a/b/c/d", true),
            ("link/new", true),
            ("ab", false),
            ("", false),
        ] {
            assert_eq!(
                lies_in(&root.join(path), &root.join("a")).unwrap(),
                expected,
                "{path}"
            );
        }
        assert!(lies_in(root, &root.join("absent")).is_err());
    }
}
