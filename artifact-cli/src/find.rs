//! Which directory is the registry, where none was named.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use artifact::ErrorKind;

use crate::failure::{At as _, Failure};

/// The file that makes a directory a registry.
const MARK: &str = "artifact.toml";

/// The directory that `init` makes where none is named, and that is looked for.
pub(crate) const USUAL: &str = "registry";

/// Returns the directory that was named, else the nearest registry of the current directory and
/// those above.
pub(crate) fn registry(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(named) = named {
        return Ok(named);
    }
    let here = env::current_dir().at("the current directory")?;
    let found = nearest(&here, owner).at("the current directory")?;
    found.ok_or_else(|| {
        Failure::new(ErrorKind::NotFound, "no registry is here or above")
            .at(here.display())
            .remedy(
                "name it with --registry DIR or ARTIFACT_REGISTRY, or make one: `artifact init`",
            )
    })
}

/// Looks upwards for a registry of the user's own: one of somebody else, above, is passed by, for
/// what is pushed would go to that somebody.
fn nearest(from: &Path, is_own: impl Fn(&Path) -> io::Result<bool>) -> io::Result<Option<PathBuf>> {
    for directory in from.ancestors() {
        for candidate in [directory.to_owned(), directory.join(USUAL)] {
            let mark = candidate.join(MARK);
            if is_file(&mark)? && is_own(&mark)? {
                return Ok(Some(candidate));
            }
        }
    }
    Ok(None)
}

/// Says whether there is a file. A disk that does not tell is no reason to look further above, and to use
/// what is found there.
fn is_file(path: &Path) -> io::Result<bool> {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match path.metadata() {
        Ok(found) => Ok(found.is_file()),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | PermissionDenied) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn owner(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = path.metadata()?.uid();
    Ok(owner == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn owner(_: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_registry_is_found() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        let find = || nearest(&deep, |_| Ok(true)).unwrap();
        // Above the test's directory there may be one of the machine's.
        assert!(find().is_none_or(|found| !found.starts_with(root.path())));
        let above = root.path().join("a").join(USUAL);
        fs::create_dir(&above).unwrap();
        fs::write(above.join(MARK), "").unwrap();
        assert_eq!(find(), Some(above));
        fs::write(deep.join(MARK), "").unwrap();
        assert_eq!(find(), Some(deep.clone()));
    }

    /// What lies above is not used in place of what the disk does not tell of.
    #[test]
    fn what_the_disk_does_not_tell_ends_the_search() {
        let nowhere = Path::new("/").join("n".repeat(5_000));
        nearest(&nowhere, |_| Ok(true)).unwrap_err();
    }

    /// What somebody else laid above the current directory is not written to unless it is named.
    #[test]
    fn a_strangers_registry_is_passed_by() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(MARK), "").unwrap();
        let strange = root.path().join("own");
        fs::create_dir(&strange).unwrap();
        let found = nearest(&strange, |mark| Ok(!mark.starts_with(root.path()))).unwrap();
        assert!(found.is_none_or(|found| !found.starts_with(root.path())));
        let named = registry(Some(root.path().to_owned())).unwrap();
        assert_eq!(named, root.path());
    }
}
