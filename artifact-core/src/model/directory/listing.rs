//! Directories: the list of a tree's entries, which is the config of its artifact.
//!
//! One tree has one list, and a list has one form in bytes, so one tree gives one digest.

use crate::guard;
use std::{
    collections::{HashMap, HashSet},
    io,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    entry::{TreeEntry, TreeNode, leaving_link},
    path::EntryPath,
};
use crate::model::digest::Digest;

/// The longest list that is taken, in bytes; a tree of a million files has about 200 MiB.
pub const LISTING_MAX: usize = 256 << 20;

/// The largest number that every reader of JSON keeps exactly.
const SIZE_MAX: u64 = (1 << 53) - 1;

/// The entries of a tree, checked and in byte order of their paths.
///
/// What holds for each list: no path twice; what an entry is in is itself an entry and a directory,
/// so nothing lies below a file or a link; no link leads out of the tree, not by way of others
/// either; one digest has one size (A43).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DirectoryListing {
    entries: Vec<TreeEntry>,
}

/// A content of a tree: some bytes, and the first of the files that hold them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TreeContent<'a> {
    /// The digest of the bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// The path of the first file, in the order of the list.
    pub path: &'a EntryPath,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireListing {
    entries: Vec<WireEntry>,
}

/// An entry in JSON; the fields stand in the order of their names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    digest: Option<Digest>,
    #[serde(default)]
    executable: bool,
    kind: WireKind,
    path: EntryPath,
    size: Option<u64>,
    target: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum WireKind {
    Directory,
    File,
    Link,
}

#[derive(Serialize)]
struct EntryView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
    kind: WireKind,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

impl DirectoryListing {
    /// Returns the list of these entries, whatever order they come in.
    ///
    /// # Errors
    /// [`ListingError`] when they are not the entries of one tree.
    pub fn new(mut entries: Vec<TreeEntry>) -> Result<Self, ListingError> {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let listing = Self { entries };
        listing.check_entries()?;
        match leaving_link(&listing.entries) {
            Some(link) => Err(ListingError::Link {
                path: link.path.clone(),
            }),
            None => Ok(listing),
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`ListingError`] when the bytes are too many, are no list of one tree, or are not the one
    /// form of the list.
    pub fn parse(bytes: &[u8]) -> Result<Self, ListingError> {
        Self::parse_within(bytes, LISTING_MAX)
    }

    fn parse_within(bytes: &[u8], limit: usize) -> Result<Self, ListingError> {
        if guard!(563) && bytes.len() > limit {
            return Err(ListingError::TooLong { size: bytes.len() });
        }
        let wire: WireListing = serde_json::from_slice(bytes).map_err(ListingError::Json)?;
        let entries = wire.entries.into_iter().map(TreeEntry::try_from);
        let listing = Self::new(entries.collect::<Result<_, _>>()?)?;
        let mut rest = Expected(bytes);
        match serde_json::to_writer(&mut rest, &listing) {
            Ok(()) if rest.0.is_empty() => Ok(listing),
            _ => Err(ListingError::Form),
        }
    }

    /// Returns the list as it is kept: canonical JSON (RFC 8785).
    ///
    /// # Errors
    /// [`ListingError::TooLong`] when it is longer than [`LISTING_MAX`].
    pub fn to_bytes(&self) -> Result<Bytes, ListingError> {
        let bytes = serde_json::to_vec(self).map_err(ListingError::Json)?;
        if bytes.len() > LISTING_MAX {
            return Err(ListingError::TooLong { size: bytes.len() });
        }
        Ok(bytes.into())
    }

    /// Returns the entries, in byte order of their paths.
    pub fn entries(&self) -> &[TreeEntry] {
        &self.entries
    }

    /// Returns the distinct contents of the files, in the order of the first path of each.
    pub fn contents(&self) -> Vec<TreeContent<'_>> {
        let mut seen = HashSet::new();
        let content = |entry: &'_ TreeEntry| match entry.node {
            TreeNode::File { digest, size, .. } => Some((digest, size)),
            TreeNode::Directory | TreeNode::Link { .. } => None,
        };
        self.entries
            .iter()
            .filter_map(|entry| content(entry).map(|(digest, size)| (digest, size, &entry.path)))
            .filter(|(digest, ..)| seen.insert(*digest))
            .map(|(digest, size, path)| TreeContent { digest, size, path })
            .collect()
    }

    fn check_entries(&self) -> Result<(), ListingError> {
        let mut directories = HashSet::from([""]);
        let mut sizes = HashMap::new();
        let mut before: Option<&EntryPath> = None;
        for TreeEntry { path, node } in &self.entries {
            if before == Some(path) {
                return Err(ListingError::Duplicate { path: path.clone() });
            }
            before = Some(path);
            // A directory's path is a prefix of its entries' paths, so it comes before them.
            if !directories.contains(path.parent()) {
                return Err(ListingError::NoDirectory { path: path.clone() });
            }
            match node {
                TreeNode::Directory => {
                    directories.insert(path.as_str());
                }
                TreeNode::File { digest, size, .. } => {
                    let other = sizes.entry(digest).or_insert(*size);
                    if guard!(562) && *size > SIZE_MAX || other != size {
                        return Err(ListingError::Size { path: path.clone() });
                    }
                }
                TreeNode::Link { .. } => {}
            }
        }
        Ok(())
    }
}

/// Takes only the bytes that are expected.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        match self.0.strip_prefix(written) {
            Some(rest) => {
                self.0 = rest;
                Ok(written.len())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Serialize for DirectoryListing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            #[serde(serialize_with = "entries")]
            entries: &'a [TreeEntry],
        }
        fn entries<S: Serializer>(entries: &[TreeEntry], to: S) -> Result<S::Ok, S::Error> {
            to.collect_seq(entries.iter().map(EntryView::from))
        }
        View {
            entries: &self.entries,
        }
        .serialize(serializer)
    }
}

impl<'a> From<&'a TreeEntry> for EntryView<'a> {
    fn from(entry: &'a TreeEntry) -> Self {
        let mut view = Self {
            digest: None,
            executable: false,
            kind: WireKind::Directory,
            path: entry.path.as_str(),
            size: None,
            target: None,
        };
        match &entry.node {
            TreeNode::Directory => {}
            TreeNode::File {
                digest,
                size,
                executable,
            } => {
                view.kind = WireKind::File;
                view.digest = Some(digest);
                view.size = Some(*size);
                view.executable = *executable;
            }
            TreeNode::Link { target } => {
                view.kind = WireKind::Link;
                view.target = Some(target);
            }
        }
        view
    }
}

impl TryFrom<WireEntry> for TreeEntry {
    type Error = ListingError;

    fn try_from(wire: WireEntry) -> Result<Self, ListingError> {
        let WireEntry {
            digest,
            executable,
            kind,
            path,
            size,
            target,
        } = wire;
        let node = match (kind, digest, size, target, executable) {
            (WireKind::Directory, None, None, None, false) => TreeNode::Directory,
            (WireKind::File, Some(digest), Some(size), None, executable) => TreeNode::File {
                digest,
                size,
                executable,
            },
            (WireKind::Link, None, None, Some(target), false) => TreeNode::Link { target },
            _ => return Err(ListingError::Fields { path }),
        };
        Ok(Self { path, node })
    }
}

/// Why entries are not a list of one tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// A path stands twice.
    #[error("{path} is listed twice")]
    Duplicate {
        /// The path.
        path: EntryPath,
    },
    /// An entry has what its kind has not, or lacks what it has.
    #[error("the fields of {path} do not fit its kind")]
    Fields {
        /// The entry's path.
        path: EntryPath,
    },
    /// It says the right thing in another form than the one form there is.
    #[error(
        "the list is not canonical: keys and entries in byte order, no spaces, no other escapes"
    )]
    Form,
    /// It is not JSON, or a field has a wrong value.
    #[error("the list of entries cannot be read")]
    Json(#[source] serde_json::Error),
    /// A link is absolute, leads out of the tree, or cannot be followed.
    #[error("the link {path} leads out of the directory: make it relative, and end it inside")]
    Link {
        /// The link's path.
        path: EntryPath,
    },
    /// What an entry is in is not listed, or is no directory.
    #[error("{path} is listed, and what it is in is not a directory of the list")]
    NoDirectory {
        /// The entry's path.
        path: EntryPath,
    },
    /// A size is beyond what JSON can say, or one digest has two sizes.
    #[error("the size of {path} cannot be right")]
    Size {
        /// The file's path.
        path: EntryPath,
    },
    /// It is too long.
    #[error(
        "the list of entries has {size} bytes, and {LISTING_MAX} are taken: split the directory"
    )]
    TooLong {
        /// Its length in bytes.
        size: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{digest::Algorithm, hasher::Hasher};

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn directory(path: &str) -> TreeEntry {
        TreeEntry {
            path: path.parse().unwrap(),
            node: TreeNode::Directory,
        }
    }

    fn file(path: &str, content: &str) -> TreeEntry {
        let blob = Hasher::hash(Algorithm::Sha256, content.as_bytes());
        let node = TreeNode::File {
            digest: blob.digest(),
            size: blob.size(),
            executable: false,
        };
        TreeEntry {
            path: path.parse().unwrap(),
            node,
        }
    }

    fn link(path: &str, target: &str) -> TreeEntry {
        let node = TreeNode::Link {
            target: target.to_owned(),
        };
        TreeEntry {
            path: path.parse().unwrap(),
            node,
        }
    }

    #[test]
    fn a_list_has_one_form() {
        let mut run = file("bin/run", "");
        if let TreeNode::File { executable, .. } = &mut run.node {
            *executable = true;
        }
        let listing =
            DirectoryListing::new(vec![run, link("bin/a\"", "run"), directory("bin")]).unwrap();
        let bytes = listing.to_bytes().unwrap();
        let text = format!(
            r#"{{"entries":[{{"kind":"directory","path":"bin"}},{{"kind":"link","path":"bin/a\"","target":"run"}},{{"digest":"{EMPTY}","executable":true,"kind":"file","path":"bin/run","size":0}}]}}"#
        );
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
        assert_eq!(DirectoryListing::parse(&bytes).unwrap(), listing);
        for other in [
            text.replace(r#""size":0"#, r#""size": 0"#),
            text.replace("bin/run", r"bin\/run"),
            text.replace(r#","size":0"#, "")
                .replace(r#""digest""#, r#""size":0,"digest""#),
            text.replace(r#""kind":"link""#, r#""executable":false,"kind":"link""#),
            text.replace(
                r#""kind":"directory""#,
                r#""kind":"directory","target":null"#,
            ),
        ] {
            assert_ne!(other, text);
            let refused = DirectoryListing::parse(other.as_bytes());
            assert!(matches!(refused, Err(ListingError::Form)), "{other}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_bytes() {
        let entries = vec![
            file("a.b", "1"),
            directory("a"),
            file("a/b", "2"),
            file("B", "3"),
        ];
        let listing = DirectoryListing::new(entries).unwrap();
        let paths: Vec<_> = listing.entries().iter().map(|e| e.path.as_str()).collect();
        assert_eq!(paths, ["B", "a", "a.b", "a/b"]);
    }

    #[test]
    fn a_content_is_named_once_by_its_first_path() {
        let entries = vec![file("c", "same"), file("b", "other"), file("a", "same")];
        let listing = DirectoryListing::new(entries).unwrap();
        let contents: Vec<_> = listing.contents().iter().map(|c| c.path.as_str()).collect();
        assert_eq!(contents, ["a", "b"]);
    }

    /// A43: what could write outside of a directory, or through something, is no list.
    #[test]
    fn a43_only_a_tree_is_a_list() {
        let refused = |entries| DirectoryListing::new(entries).unwrap_err();
        assert!(matches!(
            refused(vec![file("a", "1"), file("a", "2")]),
            ListingError::Duplicate { .. }
        ));
        assert!(matches!(
            refused(vec![file("a", "1"), file("a/b", "2")]),
            ListingError::NoDirectory { .. }
        ));
        assert!(matches!(
            refused(vec![directory("d"), link("l", "d"), file("l/b", "2")]),
            ListingError::NoDirectory { .. }
        ));
        assert!(matches!(
            refused(vec![file("d/b", "2")]),
            ListingError::NoDirectory { .. }
        ));
        assert!(matches!(
            refused(vec![link("l", "/etc/passwd")]),
            ListingError::Link { .. }
        ));
        let mut odd = file("b", "1");
        if let TreeNode::File { size, .. } = &mut odd.node {
            *size = 7;
        }
        assert!(matches!(
            refused(vec![file("a", "1"), odd]),
            ListingError::Size { .. }
        ));
    }

    /// I23: a list that is too long is not read at all.
    #[test]
    fn i23_a_list_without_end_is_not_read() {
        let bytes = DirectoryListing::new(vec![directory("a")]).unwrap();
        let bytes = bytes.to_bytes().unwrap();
        DirectoryListing::parse_within(&bytes, bytes.len()).unwrap();
        let refused = DirectoryListing::parse_within(&bytes, bytes.len() - 1);
        assert!(
            matches!(refused, Err(ListingError::TooLong { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn wrong_documents_are_refused() {
        let entry = format!(r#"{{"digest":"{EMPTY}","kind":"file","path":"a","size":0}}"#);
        let good = format!(r#"{{"entries":[{entry}]}}"#);
        assert!(DirectoryListing::parse(good.as_bytes()).is_ok());
        for bad in [
            String::new(),
            "{}".to_owned(),
            good.replace("\"a\"", "\"../a\""),
            good.replace("\"file\"", "\"device\""),
            good.replace("\"file\"", "\"directory\""),
            good.replace(",\"size\":0", ""),
            good.replace("\"size\":0", "\"size\":0,\"size\":0"),
            good.replace("\"size\":0", "\"mode\":511,\"size\":0"),
            good.replace("\"size\":0", "\"size\":-1"),
            good.replace("\"size\":0", "\"size\":9007199254740992"),
            format!(r#"{{"entries":[{entry},{entry}]}}"#),
            format!("{good} "),
        ] {
            assert!(DirectoryListing::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
