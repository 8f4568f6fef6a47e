//! What the tests put into an index.

use std::{num::NonZeroU32, path::Path, sync::Arc};

use artifact_core::{
    Actor, Algorithm, BootId, BootTime, Change, ChangeSet, Digest, Hasher, Lease, Location,
    Manifest, PackageRef, Page, Principal, RegistryId, RepositoryName, Timestamp, VerifiedBlob,
};
use artifact_store::{Access, NewIndex, SqliteIndex, SqliteOptions};
use artifact_testkit::seams::TokioSpawn;
use bytes::Bytes;

pub(crate) const MANY: NonZeroU32 = NonZeroU32::new(10_000).expect("10,000 is not 0");

/// Returns the registry of the tests.
pub(crate) fn registry() -> RegistryId {
    RegistryId::from_random([7; 16])
}

/// Returns the options of the index in a directory.
pub(crate) fn options(directory: &Path) -> SqliteOptions {
    let spawn = Arc::new(TokioSpawn::current());
    SqliteOptions::new(
        directory.join("index.db"),
        directory.join("writer.lock"),
        spawn,
    )
}

/// Makes the index of a directory.
pub(crate) fn create(directory: &Path) -> SqliteIndex {
    SqliteIndex::create(&directory.join("index.db"), NewIndex::new(registry())).unwrap();
    open(directory)
}

/// Opens the index of a directory.
pub(crate) fn open(directory: &Path) -> SqliteIndex {
    SqliteIndex::open(options(directory).access(Access::ReadWrite)).unwrap()
}

/// Returns the empty change set of a second.
pub(crate) fn set(second: i64) -> ChangeSet {
    let time = Timestamp::from_millis(second * 1_000);
    ChangeSet::new(Actor::new(Principal::System, None), time)
}

/// Returns a page of everything.
pub(crate) fn all<K>() -> Page<K> {
    Page::first(MANY)
}

/// Returns a package of the default repository.
pub(crate) fn package(name: &str) -> PackageRef {
    PackageRef::in_default(&name.parse().unwrap())
}

/// Returns a package of another repository.
pub(crate) fn package_of(repository: &str, name: &str) -> PackageRef {
    let repository: RepositoryName = repository.parse().unwrap();
    PackageRef::new(repository, name.parse().unwrap())
}

/// Returns the bytes of a blob; each number has a length of its own.
pub(crate) fn bytes(number: usize) -> Bytes {
    vec![b'b'; 10 + number].into()
}

/// Returns the proof of a blob.
pub(crate) fn blob(number: usize) -> VerifiedBlob {
    Hasher::hash(Algorithm::Sha256, &bytes(number))
}

/// Returns the digest of a blob.
pub(crate) fn digest(number: usize) -> Digest {
    blob(number).digest()
}

/// Returns the change that enters a blob inline.
pub(crate) fn put_inline(number: usize) -> Change {
    Change::PutBlob {
        blob: blob(number),
        location: Location::Inline(bytes(number)),
        stamp: None,
        upload: None,
    }
}

/// Returns the change that enters a blob at a key.
pub(crate) fn put_at(number: usize, key: &str) -> Change {
    Change::PutBlob {
        blob: blob(number),
        location: Location::Key(key.parse().unwrap()),
        stamp: None,
        upload: None,
    }
}

fn descriptor(media_type: &str, digest: &Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

/// Returns an image of blobs: the first is its config.
pub(crate) fn image(blobs: &[usize], subject: Option<&Manifest>, note: &str) -> Manifest {
    let named = |number: &usize| {
        let media_type = format!("application/vnd.test.{}", number % 2);
        descriptor(&media_type, &digest(*number), bytes(*number).len())
    };
    let (config, layers) = blobs.split_first().unwrap();
    let layers: Vec<String> = layers.iter().map(named).collect();
    let subject = subject.map_or_else(String::new, |subject| {
        let media_type = subject.media_type().as_str();
        let size = subject.bytes().len();
        format!(
            r#","subject":{}"#,
            descriptor(media_type, &subject.digest(), size)
        )
    });
    let text = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}],"annotations":{{"note":"{note}"}}{subject}}}"#,
        named(config),
        layers.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Returns an index of manifests.
pub(crate) fn index_of(children: &[&Manifest]) -> Manifest {
    let entries: Vec<String> = children
        .iter()
        .map(|child| {
            descriptor(
                child.media_type().as_str(),
                &child.digest(),
                child.bytes().len(),
            )
        })
        .collect();
    let text = format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        entries.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Returns the change that puts a manifest into a package.
pub(crate) fn put_manifest(package: &PackageRef, manifest: &Manifest) -> Change {
    Change::PutManifest {
        package: package.clone(),
        manifest: Box::new(manifest.clone()),
        published_at: None,
    }
}

/// Returns the changes that publish an image with its blobs under a tag.
pub(crate) fn publish(package: &PackageRef, tag: &str, blobs: &[usize]) -> (Manifest, Vec<Change>) {
    let image = image(blobs, None, "");
    let mut changes: Vec<Change> = Vec::new();
    for number in blobs {
        changes.push(put_inline(*number));
        changes.push(Change::Link(package.clone(), digest(*number), None));
    }
    changes.push(put_manifest(package, &image));
    changes.push(Change::PutTag(
        package.clone(),
        tag.parse().unwrap(),
        image.digest(),
    ));
    (image, changes)
}

/// Returns a set of changes.
pub(crate) fn set_of(second: i64, changes: impl IntoIterator<Item = Change>) -> ChangeSet {
    changes.into_iter().fold(set(second), ChangeSet::change)
}

/// Returns a moment of a boot.
pub(crate) fn boot(name: &str, millis: u64) -> BootTime {
    BootTime::new(BootId::new(name), millis)
}

/// Returns a lease of a boot.
pub(crate) fn lease(name: &str, from: u64, length: u64) -> Lease {
    Lease::starting(&boot(name, from), length)
}
