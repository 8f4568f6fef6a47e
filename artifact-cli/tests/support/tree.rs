//! Directories of files.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

/// A content above 1 MiB: it gets a file of its own, so that it can be hard-linked.
pub(crate) fn large() -> Vec<u8> {
    (0..1_200_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// Makes a tree of six entries: small, medium and large files, one to run, a link, a directory.
pub(crate) fn make(root: &Path) {
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("hello.txt"), "hello\n").unwrap();
    fs::write(root.join("sub/medium"), vec![7; 100_000]).unwrap();
    fs::write(root.join("large"), large()).unwrap();
    fs::write(root.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("hello.txt", root.join("link")).unwrap();
}

/// Returns what is below a directory: of each path whether it is executable, and its content.
pub(crate) fn contents(root: &Path) -> BTreeMap<String, (bool, Vec<u8>)> {
    let mut found = BTreeMap::new();
    gather(root, root, &mut found);
    found
}

fn gather(root: &Path, at: &Path, found: &mut BTreeMap<String, (bool, Vec<u8>)>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if meta.is_dir() {
            found.insert(name, (false, b"a directory".to_vec()));
            gather(root, &path, found);
        } else if meta.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            found.insert(name, (false, target.display().to_string().into_bytes()));
        } else {
            let runs = meta.permissions().mode() & 0o100 != 0;
            found.insert(name, (runs, fs::read(&path).unwrap()));
        }
    }
}

/// Returns the names in a directory, sorted, those that begin with a dot among them.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
