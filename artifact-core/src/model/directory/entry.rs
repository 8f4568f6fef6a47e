//! Entries, and where the links among them lead.

use crate::guard;
use std::collections::{HashMap, HashSet};

use super::path::{EntryPath, PATH_MAX, is_component};
use crate::model::digest::Digest;

/// How far a link is followed to see where it leads, in path components.
const STEPS_MAX: usize = 1000;

/// The place of the root among the places of entries.
const ROOT: usize = usize::MAX;

/// An entry of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and what is there are all there is to it"
)]
pub struct TreeEntry {
    /// Where it is, below the root.
    pub path: EntryPath,
    /// What is there.
    pub node: TreeNode,
}

/// What is at a path. There is nothing else: devices, sockets and pipes are no content.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever writes a tree to disk must handle each of them"
)]
pub enum TreeNode {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// The digest of its content.
        digest: Digest,
        /// The length of its content, in bytes.
        size: u64,
        /// Whether its owner may run it.
        executable: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, relative to the directory that it is in.
        target: String,
    },
}

/// Returns the first link that does not stay in the tree; the entries are in order, and what each is
/// in is an entry before it.
pub(super) fn leaving_link(entries: &[TreeEntry]) -> Option<&TreeEntry> {
    let is_link = |entry: &&TreeEntry| matches!(entry.node, TreeNode::Link { .. });
    entries.iter().find(is_link)?;
    let tree = Tree::new(entries);
    let leaves = |&(place, _): &(usize, &TreeEntry)| !tree.keeps(place);
    entries
        .iter()
        .enumerate()
        .find(leaves)
        .map(|(_, entry)| entry)
}

/// The entries as a tree.
struct Tree<'a> {
    entries: &'a [TreeEntry],
    /// The place of the directory that each entry is in.
    parents: Vec<usize>,
    /// What is in the directory at a place under a name.
    children: HashMap<(usize, &'a str), usize>,
}

impl<'a> Tree<'a> {
    fn new(entries: &'a [TreeEntry]) -> Self {
        let mut directories = HashMap::from([("", ROOT)]);
        let mut parents = Vec::with_capacity(entries.len());
        let mut children = HashMap::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            let parent = directories
                .get(entry.path.parent())
                .copied()
                .unwrap_or(ROOT);
            parents.push(parent);
            children.insert((parent, entry.path.name()), place);
            if entry.node == TreeNode::Directory {
                directories.insert(entry.path.as_str(), place);
            }
        }
        Self {
            entries,
            parents,
            children,
        }
    }

    fn parent(&self, place: usize) -> usize {
        self.parents.get(place).copied().unwrap_or(ROOT)
    }

    fn target(&self, place: usize) -> Option<&'a str> {
        match &self.entries.get(place)?.node {
            TreeNode::Link { target } => Some(target),
            TreeNode::Directory | TreeNode::File { .. } => None,
        }
    }

    /// Says whether what is at the place is no link that leaves the tree.
    fn keeps(&self, place: usize) -> bool {
        let Some(target) = self.target(place) else {
            return true;
        };
        if !is_target(target) {
            return false;
        }
        let mut walk = Walk {
            tree: self,
            at: self.parent(place),
            missing: 0,
            following: HashSet::from([place]),
            ahead: target.rsplit('/').map(Step::To).collect(),
        };
        for _ in 0..guard!(560, STEPS_MAX, else usize::MAX) {
            match walk.step() {
                Way::On => {}
                Way::Inside => return true,
                Way::Outside => return false,
            }
        }
        false
    }
}

/// Says whether a text can be the target of a link: relative, of names that every reader parts alike.
fn is_target(target: &str) -> bool {
    let good = |part| matches!(part, "" | "." | "..") || is_component(part);
    !target.is_empty()
        && guard!(561, target.len() <= PATH_MAX)
        && !target.starts_with('/')
        && target.split('/').all(good)
}

/// A link being followed as a kernel follows it: through other links, too.
struct Walk<'t, 'a> {
    tree: &'t Tree<'a>,
    at: usize,
    /// How many directories below `at` the way leads by names that are not there. They count as
    /// directories: what is not there now may be there when somebody follows the link.
    missing: usize,
    /// The links whose targets are not yet followed to their ends.
    following: HashSet<usize>,
    /// What is still to be followed, the next last.
    ahead: Vec<Step<'a>>,
}

enum Step<'a> {
    /// To this name.
    To(&'a str),
    /// All that the link at this place says was followed.
    Done(usize),
}

enum Way {
    Inside,
    On,
    Outside,
}

impl Walk<'_, '_> {
    fn step(&mut self) -> Way {
        match self.ahead.pop() {
            None => return Way::Inside,
            Some(Step::Done(place)) => {
                self.following.remove(&place);
            }
            Some(Step::To("" | ".")) => {}
            Some(Step::To("..")) if self.missing > 0 => self.missing -= 1,
            Some(Step::To("..")) if self.at == ROOT => return Way::Outside,
            Some(Step::To("..")) => self.at = self.tree.parent(self.at),
            Some(Step::To(_)) if self.missing > 0 => self.missing += 1,
            Some(Step::To(name)) => match self.tree.children.get(&(self.at, name)) {
                None => self.missing = 1,
                Some(&place) => return self.enter(place),
            },
        }
        Way::On
    }

    fn enter(&mut self, place: usize) -> Way {
        let Some(target) = self.tree.target(place) else {
            self.at = place;
            return Way::On;
        };
        if !is_target(target) {
            return Way::Outside;
        }
        // A link that needs itself to be followed leads nowhere, so it stays.
        if !self.following.insert(place) {
            return Way::Inside;
        }
        self.ahead.push(Step::Done(place));
        self.ahead.extend(target.rsplit('/').map(Step::To));
        Way::On
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, node: TreeNode) -> TreeEntry {
        TreeEntry {
            path: path.parse().unwrap(),
            node,
        }
    }

    #[test]
    fn a_link_has_a_target_that_a_file_system_can_hold() {
        let target = |length: usize| format!("{}/x", "a/".repeat(length / 2));
        assert!(is_target(&target(PATH_MAX - 10)));
        assert!(!is_target(&target(PATH_MAX + 10)));
    }

    /// Says whether a link at `path` stays in a tree of the directories and other links.
    fn stays(path: &str, target: &str, directories: &[&str], links: &[(&str, &str)]) -> bool {
        let link = |path: &str, target: &str| {
            entry(
                path,
                TreeNode::Link {
                    target: target.to_owned(),
                },
            )
        };
        let mut entries = vec![link(path, target)];
        entries.extend(
            directories
                .iter()
                .map(|path| entry(path, TreeNode::Directory)),
        );
        entries.extend(links.iter().map(|(path, target)| link(path, target)));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let tree = Tree::new(&entries);
        let place = entries
            .iter()
            .position(|entry| entry.path.as_str() == path)
            .unwrap();
        tree.keeps(place)
    }

    /// A43: no link leads out of the tree by its own text.
    #[test]
    fn a43_a_link_stays_inside() {
        let directories = ["d", "d/e"];
        for good in [
            "x",
            "./x",
            "../x",
            "../d/e",
            "../d//e/.",
            "e/..",
            "missing/../..",
            "..",
            ".",
        ] {
            assert!(stays("d/l", good, &directories, &[]), "{good:?}");
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "../..",
            "../../x",
            "e/../../../x",
            "missing/../../../x",
            "a\0b",
            r"..\..\x",
            &"x/".repeat(3000),
        ] {
            assert!(!stays("d/l", bad, &directories, &[]), "{bad:?}");
        }
        assert!(!stays("l", "..", &[], &[]));
    }

    /// A43: a link that stays inside by its text and leads out through another is refused.
    #[test]
    fn a43_a_link_leads_out_through_no_other() {
        let directories = ["a", "a/b", "a/b/c"];
        // The kernel resolves `..` after a link from where the link leads, not from where it is.
        assert!(stays(
            "a/b/c/m",
            "../../../up/x",
            &directories,
            &[("up", "a/b")]
        ));
        assert!(!stays(
            "a/b/c/m",
            "../../b/top/../x",
            &directories,
            &[("a/b/top", "../..")]
        ));
        assert!(stays(
            "a/b/c/m",
            "../../b/top/x",
            &directories,
            &[("a/b/top", "../..")]
        ));
        assert!(!stays(
            "m",
            "deep/../../../../x",
            &directories,
            &[("deep", "a/b/c")]
        ));
        assert!(stays(
            "m",
            "deep/../../../x",
            &directories,
            &[("deep", "a/b/c")]
        ));
    }

    #[test]
    fn a_loop_leads_nowhere() {
        assert!(stays("l", "l", &[], &[]));
        assert!(stays("l", "m/x", &[], &[("m", "l/y")]));
        assert!(stays(
            "d/l",
            "../m/../m/../m/x",
            &["d", "d/e"],
            &[("m", "d")]
        ));
    }

    /// I23: a tree made to be followed for ever is refused after a bounded walk.
    #[test]
    fn i23_a_way_without_end_is_refused() {
        let names: Vec<String> = (0..20).map(|n| format!("l{n:02}")).collect();
        let links: Vec<(String, String)> = (0..19)
            .map(|n| (names[n].clone(), format!("{0}/../{0}", names[n + 1])))
            .collect();
        let links: Vec<(&str, &str)> = links
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .chain([("l19", "d")])
            .collect();
        assert!(!stays("z", "l00", &["d"], &links));
    }
}
