//! Directories: pushed and pulled, whole or not at all.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

use artifact::{
    Condition, ErrorKind, Manifest, ManifestRef,
    blocking::wait,
    directory::{PullOptions, Pulled, PushOptions, PushedDirectory},
    transfer::{Place, TransferError},
};

use crate::support::{
    by_tag, contents, image, layout, package, place, publish, push, session, tag, transfer, tree,
};

fn push_tree(from: &Path, to: &Place) -> Result<PushedDirectory, TransferError> {
    let name = tag("v1");
    wait(transfer().push_directory(from, to, Some(&name), &PushOptions::default())).unwrap()
}

fn pull_tree(from: &Place, to: &Path) -> Result<Pulled, TransferError> {
    wait(transfer().pull_directory(from, &by_tag("v1"), to, &PullOptions::default())).unwrap()
}

#[test]
fn a_directory_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (source, target) = (
        directory.path().join("source"),
        directory.path().join("target"),
    );
    tree(&source);
    let session = session();
    for to in [
        place(&session, "files"),
        layout(&directory.path().join("layout")),
    ] {
        let pushed = push_tree(&source, &to).unwrap();
        assert_eq!((pushed.entries, pushed.files), (9, 5));
        assert_eq!(pushed.sent, 4, "two files have one content");
        let again = push_tree(&source, &to).unwrap();
        assert_eq!(
            (again.digest, again.sent, again.present),
            (pushed.digest, 0, 4)
        );
        let pulled = pull_tree(&to, &target).unwrap();
        assert_eq!((pulled.digest, pulled.entries), (pushed.digest, 9));
        assert_eq!(pulled.copied, 5);
        assert_eq!(contents(&target), contents(&source));
        fs::remove_dir_all(&target).unwrap();
    }
}

/// A hard link shares the store's file; what is executable, small or in a segment is copied.
#[test]
fn a_pull_links_what_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let (source, target) = (
        directory.path().join("source"),
        directory.path().join("target"),
    );
    tree(&source);
    fs::copy(source.join("large"), source.join("runs")).unwrap();
    fs::set_permissions(source.join("runs"), fs::Permissions::from_mode(0o700)).unwrap();
    let session = session();
    let from = place(&session, "files");
    push_tree(&source, &from).unwrap();
    let options = PullOptions::default().linked();
    let pulled = wait(transfer().pull_directory(&from, &by_tag("v1"), &target, &options))
        .unwrap()
        .unwrap();
    assert_eq!(pulled.hard_linked, 1);
    assert_eq!(pulled.reflinked + pulled.copied, 5);
    let linked = fs::metadata(target.join("large")).unwrap();
    assert_eq!((linked.nlink(), linked.mode() & 0o222), (2, 0));
    assert_eq!(fs::metadata(target.join("runs")).unwrap().nlink(), 1);
    assert_eq!(contents(&target), contents(&source));
}

#[test]
fn many_contents_are_an_index() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    for n in 0..2_100 {
        fs::write(source.join(format!("f{n}")), n.to_string()).unwrap();
    }
    let session = session();
    let to = place(&session, "files");
    let pushed = push_tree(&source, &to).unwrap();
    assert_eq!((pushed.manifests, pushed.sent), (3, 2_100));
    let target = directory.path().join("target");
    pull_tree(&to, &target).unwrap();
    assert_eq!(contents(&target), contents(&source));
}

#[test]
fn one_file_is_a_directory_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.bin");
    fs::write(&file, "weights").unwrap();
    let session = session();
    let to = place(&session, "model");
    assert_eq!(push_tree(&file, &to).unwrap().entries, 1);
    let target = directory.path().join("out");
    pull_tree(&to, &target).unwrap();
    assert_eq!(fs::read(target.join("model.bin")).unwrap(), b"weights");
}

/// A pull that fails leaves nothing behind, neither whole nor in part.
#[test]
fn a_pull_is_whole_or_absent() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    tree(&source);
    let root = directory.path().join("layout");
    let from = layout(&root);
    push_tree(&source, &from).unwrap();
    let before = fs::read_dir(directory.path()).unwrap().count();
    // The largest blob rots.
    let blobs = fs::read_dir(root.join("blobs/sha256")).unwrap();
    let largest = blobs
        .map(|blob| blob.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len());
    let largest = largest.unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&largest, bytes).unwrap();
    let target = directory.path().join("target");
    let error = pull_tree(&from, &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before);
    // What is there is left alone.
    fs::write(&target, "mine").unwrap();
    let error = pull_tree(&from, &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&target).unwrap(), b"mine");
}

/// A43: links that leave the directory are refused before anything is sent.
#[test]
fn a43_leaving_links_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let session = session();
    let to = place(&session, "files");
    for target in ["/etc/passwd", "../secret", "sub/../../x"] {
        let source = directory.path().join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        symlink(target, source.join("link")).unwrap();
        let error = push_tree(&source, &to).unwrap_err();
        assert!(
            matches!(error, TransferError::Directory { .. }),
            "{target}: {error}"
        );
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        fs::remove_dir_all(&source).unwrap();
    }
    let absent =
        wait(session.get_manifest(artifact::AsOf::Now, &package("files").at(by_tag("v1"))));
    assert_eq!(absent.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
}

/// A43: what a stranger published as a directory writes nothing outside of it.
#[test]
fn a43_a_made_up_directory_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let session = session();
    let (name, from) = (package("files"), place(&session, "files"));
    let content = push(&session, &name, b"content");
    for listing in [
        format!(
            r#"{{"entries":[{{"digest":"{content}","kind":"file","path":"../out","size":7}}]}}"#
        ),
        format!(
            r#"{{"entries":[{{"kind":"link","path":"a","target":".."}},{{"digest":"{content}","kind":"file","path":"a/out","size":7}}]}}"#
        ),
        r#"{"entries":[{"kind":"link","path":"a","target":"/etc"}]}"#.to_owned(),
        // One that lists what the manifest does not name.
        format!(
            r#"{{"entries":[{{"digest":"{}","kind":"file","path":"a","size":7}}]}}"#,
            crate::support::digest(b"another")
        ),
        "{}".to_owned(),
    ] {
        let config = push(&session, &name, listing.as_bytes());
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/vnd.artifact.directory.v1","config":{{"mediaType":"application/vnd.artifact.directory.v1+json","digest":"{config}","size":{}}},"layers":[{{"mediaType":"application/octet-stream","digest":"{content}","size":7}}]}}"#,
            listing.len()
        );
        publish(&session, &name, text, Some("v1"));
        let target = directory.path().join("target");
        let error = pull_tree(&from, &target).unwrap_err();
        assert!(
            matches!(error, TransferError::Directory { .. }),
            "{listing}: {error}"
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            0,
            "{listing}"
        );
    }
}

#[test]
fn what_is_no_directory_is_said_to_be_none() {
    let directory = tempfile::tempdir().unwrap();
    let session = session();
    image(&session, &package("app"), 1, Some("v1"));
    let error = pull_tree(&place(&session, "app"), &directory.path().join("x")).unwrap_err();
    assert!(
        error.to_string().contains("application/vnd.example.config"),
        "{error}"
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_tag_is_moved_on_its_condition() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "1").unwrap();
    let session = session();
    for to in [
        place(&session, "files"),
        layout(&directory.path().join("../layout-of-conditions")),
    ] {
        let options = PushOptions::default().on(Condition::Absent);
        let name = tag("v1");
        let path = directory.path();
        let first = wait(transfer().push_directory(path, &to, Some(&name), &options))
            .unwrap()
            .unwrap();
        let second = wait(transfer().push_directory(path, &to, Some(&name), &options)).unwrap();
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
        let options = PushOptions::default().on(Condition::Digests(vec![first.digest]));
        wait(transfer().push_directory(path, &to, Some(&name), &options))
            .unwrap()
            .unwrap();
    }
    fs::remove_dir_all(directory.path().join("../layout-of-conditions")).unwrap();
}

#[test]
fn annotations_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "1").unwrap();
    let session = session();
    let to = place(&session, "files");
    let notes = artifact::Annotations::from([("key".to_owned(), "value".to_owned())]);
    let options = PushOptions::default().annotated(notes.clone());
    let name = tag("v1");
    let pushed = wait(transfer().push_directory(directory.path(), &to, Some(&name), &options))
        .unwrap()
        .unwrap();
    let manifest: Manifest = wait(to.manifest(&ManifestRef::Digest(pushed.digest)))
        .unwrap()
        .unwrap();
    assert_eq!(manifest.annotations(), &notes);
}
