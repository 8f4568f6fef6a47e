//! What an open found that its caller may want to say.

use std::{fmt, path::PathBuf};

use artifact_core::Revision;

/// Something that was found, or done without being asked, while a registry was opened. The library
/// prints nothing: a program shows the line.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The directory is a copy; its index was checked and found whole.
    CopyChecked,
    /// The index was malformed, as that of a copy of a busy directory can be, and was made anew.
    CopyRebuilt {
        /// The revision that it reached.
        revision: Revision,
        /// Where the malformed one is.
        replaced: PathBuf,
    },
    /// The file system does not keep something.
    FileSystem {
        /// Its name.
        name: &'static str,
        /// What it does not keep.
        lacks: &'static str,
    },
    /// The index was behind the journal, and got what it lacked.
    IndexReplayed {
        /// Its newest revision before.
        from: Revision,
        /// Its newest revision now.
        to: Revision,
    },
    /// The directory was of an older format, and is of this program's now.
    Migrated {
        /// Its format before.
        from: u32,
        /// Its format now.
        to: u32,
    },
    /// Others than the owner may look into the directory.
    Permissions {
        /// The mode of the directory.
        mode: u32,
    },
    /// There is no room for the reserve, which deletions on a full disk live by.
    ReserveMissing,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CopyChecked => f.write_str(
                "this directory is a copy: its index was checked and is whole (`artifact snapshot` makes exact copies)",
            ),
            Self::CopyRebuilt { revision, replaced } => write!(
                f,
                "this directory is a copy with a malformed index: it was made anew from the journal, up to revision {revision}; the malformed one is {}",
                replaced.display()
            ),
            Self::FileSystem { name, lacks } => write!(f, "the registry is on {name}: {lacks}"),
            Self::IndexReplayed { from, to } => write!(
                f,
                "the index was at revision {from}, and got what the journal has up to {to}"
            ),
            Self::Migrated { from, to } => write!(
                f,
                "the registry was of format {from}, and is of format {to} now: older programs refuse it"
            ),
            Self::Permissions { mode } => write!(
                f,
                "the directory has mode {mode:04o}: others than its owner may look into it; 0700 is right"
            ),
            Self::ReserveMissing => f.write_str(
                "the disk has no room for the reserve of 16 MiB: deletions may find no room when it is full",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line() {
        for note in [
            Note::CopyChecked,
            Note::CopyRebuilt {
                revision: Revision::new(3),
                replaced: PathBuf::from("/r/index.db.replaced"),
            },
            Note::FileSystem {
                name: "tmpfs",
                lacks: "it",
            },
            Note::IndexReplayed {
                from: Revision::ZERO,
                to: Revision::new(2),
            },
            Note::Migrated { from: 1, to: 2 },
            Note::Permissions { mode: 0o755 },
            Note::ReserveMissing,
        ] {
            let line = note.to_string();
            assert!(!line.contains('\n') && !line.ends_with('.'), "{line}");
        }
        assert!(
            Note::Permissions { mode: 0o755 }
                .to_string()
                .contains("0755")
        );
    }
}
