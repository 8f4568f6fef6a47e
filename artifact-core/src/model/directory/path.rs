//! Paths inside a directory that is kept as an artifact.

use crate::guard;
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest path that is taken, in bytes.
pub(super) const PATH_MAX: usize = 4096;

/// The longest name of one entry that is taken, in bytes: what file systems take.
const COMPONENT_MAX: usize = 255;

/// Says whether `part` can be the name of an entry, also for a reader that parts paths at `\`.
pub(super) fn is_component(part: &str) -> bool {
    guard!(558, part.len() <= COMPONENT_MAX)
        && !part.contains('\0')
        && !part.split('\\').any(|part| matches!(part, "" | "." | ".."))
}

/// The path of an entry below the root of a directory, parted by `/`.
///
/// It is relative and holds no `.`, no `..`, no empty part and no NUL, so that joined to a root it
/// stays below it. A part that a reader which parts at `\`, too, would take for one of these is
/// refused as well (A43). Paths are ordered by their bytes.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryPath(String);

impl EntryPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the directory that the entry is in, empty for the root.
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// Returns the entry's own name.
    pub fn name(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.as_str(), |(_, name)| name)
    }
}

impl fmt::Display for EntryPath {
    /// Writes the path with its control characters escaped: what is printed moves no cursor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

impl FromStr for EntryPath {
    type Err = EntryPathError;

    fn from_str(text: &str) -> Result<Self, EntryPathError> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for EntryPath {
    type Error = EntryPathError;

    fn try_from(text: String) -> Result<Self, EntryPathError> {
        if guard!(559, text.len() <= PATH_MAX) && text.split('/').all(is_component) {
            Ok(Self(text))
        } else {
            Err(EntryPathError {
                path: text.chars().take(200).collect(),
            })
        }
    }
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}

/// The text is not the path of an entry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{path:?} cannot be the path of an entry: it must be relative, without empty parts, '.' and \
     '..', with parts of at most 255 bytes and 4096 bytes in all"
)]
#[non_exhaustive]
pub struct EntryPathError {
    path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A43: no path leads out of the directory that it is joined to, whoever reads it.
    #[test]
    fn a43_a_path_stays_below_its_root() {
        for good in [
            "a",
            "a/b.c/..d",
            "...",
            "a b",
            "é",
            r"x\x2d.slice",
            "-",
            "a\nb",
        ] {
            assert!(good.parse::<EntryPath>().is_ok(), "{good:?}");
        }
        let long = "a/".repeat(2048) + "a";
        let name = "n".repeat(256);
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "../a",
            "a\0b",
            r"..\a",
            r"a\..\..\b",
            r"\a",
            r"a\",
            r"a/b\.",
            &long,
            &name,
        ] {
            assert!(bad.parse::<EntryPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_printed_path_moves_no_cursor() {
        let path: EntryPath = "a\x1b[2Jb\n".parse().unwrap();
        assert!(path.to_string().chars().all(|c| !c.is_control()));
        assert_eq!((path.parent(), path.name()), ("", "a\x1b[2Jb\n"));
        let path: EntryPath = "a/b/c".parse().unwrap();
        assert_eq!((path.parent(), path.name()), ("a/b", "c"));
    }
}
