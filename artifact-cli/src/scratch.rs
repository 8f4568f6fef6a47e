//! A directory for a while, beside the place that its content is for.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use crate::failure::{At as _, Failure};

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a directory beside a path: on the same file system, so that its files need not be
    /// copied where they can share their blocks.
    pub(crate) fn beside(path: &Path) -> Result<Self, Failure> {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let path = parent.join(format!(".artifact-{}", process::id()));
        fs::create_dir(&path).at(path.display())?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed has a name that says whose it was.
        let removed = fs::remove_dir_all(&self.path);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_all_that_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let scratch = Scratch::beside(&root.path().join("x")).unwrap();
        fs::write(scratch.path().join("file"), "x").unwrap();
        assert_eq!(scratch.path().parent(), Some(root.path()));
        drop(scratch);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
