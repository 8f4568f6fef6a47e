//! Copies between places of all kinds.

use artifact::{
    AsOf, Condition, ErrorKind, ManifestRef, MediaType, Page,
    blocking::wait,
    transfer::{Copied, CopyOptions, LocalPackage, Place, TransferError},
};

use crate::support::{
    by_tag, digest, image, index, layout, package, place, publish, push, referrer, session, tag,
    transfer,
};

fn copy(from: &Place, to: &Place, options: &CopyOptions) -> Result<Copied, TransferError> {
    let name = tag("v1");
    wait(transfer().copy(from, &by_tag("v1"), to, Some(&name), options)).unwrap()
}

#[test]
fn an_index_goes_through_a_layout_to_another_registry() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (session(), session());
    let source = index(&here, &package("app"), "v1");
    let disk = layout(directory.path());
    let plain = CopyOptions::default();
    let out = copy(&place(&here, "app"), &disk, &plain).unwrap();
    assert_eq!(
        (out.digest, out.manifests, out.sent),
        (source.digest(), 3, 4)
    );
    assert_eq!(out.sent_bytes, 2 * 5010);
    let back = copy(&disk, &place(&there, "app"), &plain).unwrap();
    assert_eq!((back.digest, back.sent), (source.digest(), 4));
    let found = wait(there.get_manifest(AsOf::Now, &package("app").at(by_tag("v1"))))
        .unwrap()
        .unwrap();
    assert_eq!(found.record.bytes, source.bytes());
    // What is there is not sent again.
    let again = copy(&disk, &place(&there, "app"), &plain).unwrap();
    assert_eq!((again.sent, again.present), (0, 4));
    let again = copy(&place(&there, "app"), &disk, &plain).unwrap();
    assert_eq!((again.sent, again.present), (0, 4));
}

/// I23: an index of indexes without end is not followed: the stack has an end.
#[test]
fn i23_indexes_of_indexes_end() {
    let here = session();
    let app = package("app");
    let mut inner = image(&here, &app, 1, None);
    let mut names = Vec::new();
    for depth in 1..=33 {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
            MediaType::OCI_INDEX,
            inner.media_type(),
            inner.digest(),
            inner.size()
        );
        let name = (depth >= 32).then(|| format!("v{depth}"));
        inner = publish(&here, &app, text, name.as_deref());
        names.extend(name);
    }
    let copy = |name: &str| {
        let (there, plain) = (session(), CopyOptions::default());
        let to = place(&there, "app");
        let (from, by) = (place(&here, "app"), by_tag(name));
        wait(transfer().copy(&from, &by, &to, None, &plain)).unwrap()
    };
    assert_eq!(copy(&names[0]).unwrap().manifests, 33);
    let refused = copy(&names[1]);
    assert!(
        matches!(refused, Err(TransferError::Unsupported { .. })),
        "{refused:?}"
    );
}

/// I22: what has rotted in the place that a copy goes to is sent again, also where all manifests are
/// there, and is sound then.
#[test]
fn i22_a_copy_mends_what_has_rotted() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (session(), session());
    index(&here, &package("app"), "v1");
    let large = vec![7; 2_000_000];
    let blob = push(&here, &package("app"), &large);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"a/b","digest":"{blob}","size":2000000}},"layers":[]}}"#,
        MediaType::OCI_MANIFEST
    );
    let inner = publish(&here, &package("app"), text, None);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
        MediaType::OCI_INDEX,
        MediaType::OCI_MANIFEST,
        inner.digest(),
        inner.size()
    );
    publish(&here, &package("app"), text, Some("v1"));
    let disk = layout(directory.path());
    let plain = CopyOptions::default();
    copy(&place(&here, "app"), &disk, &plain).unwrap();
    copy(&disk, &place(&there, "app"), &plain).unwrap();
    there.rot(&large);
    let out = copy(&place(&there, "app"), &place(&session(), "app"), &plain);
    assert!(out.is_err(), "rotten bytes are not copied");
    let again = copy(&disk, &place(&there, "app"), &plain).unwrap();
    assert_eq!((again.sent, again.sent_bytes), (1, 2_000_000));
    copy(&place(&there, "app"), &place(&session(), "app"), &plain).unwrap();
}

#[test]
fn inside_a_registry_no_bytes_move() {
    let session = session();
    let source = index(&session, &package("dev/app"), "v1");
    let done = copy(
        &place(&session, "dev/app"),
        &place(&session, "prod/app"),
        &CopyOptions::default(),
    );
    let done = done.unwrap();
    assert_eq!(
        (done.digest, done.sent, done.sent_bytes),
        (source.digest(), 0, 0)
    );
    let found = wait(session.get_manifest(AsOf::Now, &package("prod/app").at(by_tag("v1"))));
    assert_eq!(found.unwrap().unwrap().record.digest, source.digest());
}

#[test]
fn the_past_is_copied_as_it_was() {
    let session = session();
    let old = image(&session, &package("app"), 1, Some("v1"));
    let then = wait(session.revision()).unwrap().unwrap().revision;
    let new = image(&session, &package("app"), 2, Some("v1"));
    let past = LocalPackage::new((*session).clone(), package("app")).as_of(AsOf::Revision(then));
    let past = Place::Local(past);
    let done = copy(&past, &place(&session, "old"), &CopyOptions::default()).unwrap();
    assert_eq!(done.digest, old.digest());
    assert_eq!(done.mounted, 2);
    let now = wait(session.get_manifest(AsOf::Now, &package("app").at(by_tag("v1"))))
        .unwrap()
        .unwrap();
    assert_eq!(now.record.digest, new.digest());
    // Nothing is written into the past.
    let error = copy(&place(&session, "old"), &past, &CopyOptions::default()).unwrap_err();
    assert!(matches!(error, TransferError::Past { .. }), "{error}");
}

#[test]
fn referrers_come_along_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (session(), session());
    let app = package("app");
    let image = image(&here, &app, 1, Some("v1"));
    let signature = referrer(&here, &app, &image);
    let countersignature = referrer(&here, &app, &signature);
    let disk = layout(directory.path());
    copy(&place(&here, "app"), &disk, &CopyOptions::default()).unwrap();
    let found = wait(disk.manifest(&ManifestRef::Digest(signature.digest()))).unwrap();
    assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
    copy(
        &place(&here, "app"),
        &disk,
        &CopyOptions::default().with_referrers(),
    )
    .unwrap();
    copy(
        &disk,
        &place(&there, "app"),
        &CopyOptions::default().with_referrers(),
    )
    .unwrap();
    let page = || Page::first(std::num::NonZeroU32::new(10).unwrap());
    for (subject, expected) in [(&image, &signature), (&signature, &countersignature)] {
        let found = wait(there.referrers(AsOf::Now, &app, &subject.digest(), None, page()));
        let found: Vec<_> = found
            .unwrap()
            .unwrap()
            .iter()
            .map(|f| f.descriptor.digest)
            .collect();
        assert_eq!(found, [expected.digest()]);
    }
}

/// I4: a copy that fails moves no tag.
#[test]
fn i4_a_copy_that_fails_has_no_name() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (session(), session());
    let source = index(&here, &package("app"), "v1");
    let disk = layout(directory.path());
    copy(&place(&here, "app"), &disk, &CopyOptions::default()).unwrap();
    let layer = digest(&vec![2; 5000]);
    let path = directory.path().join("blobs/sha256").join(layer.hex());
    std::fs::remove_file(path).unwrap();
    let error = copy(&disk, &place(&there, "app"), &CopyOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for reference in [by_tag("v1"), ManifestRef::Digest(source.digest())] {
        let found =
            wait(there.get_manifest(AsOf::Now, &package("app").at(reference.clone()))).unwrap();
        assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_tag_that_moved_is_not_moved_over() {
    let session = session();
    image(&session, &package("a"), 1, Some("v1"));
    image(&session, &package("b"), 2, Some("v1"));
    push(&session, &package("b"), b"x");
    let options = CopyOptions::default().on(Condition::Absent);
    let error = copy(&place(&session, "a"), &place(&session, "b"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}
