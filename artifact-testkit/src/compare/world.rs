//! What the small numbers of operations stand for.

use std::collections::BTreeSet;

use artifact_core::{
    AsOf, BlobKey, Bookkeeping, Change, ChangeSet, Digest, DocumentKey, Expectation, Generation,
    Lease, Location, Manifest, ManifestIndex, PackageRef, Query, Room, Scope, Suspended, Tag,
    Timestamp, UploadRecord,
};
use bytes::Bytes;

use super::{
    chance::{BLOBS, DOCUMENTS, KEYS, MANIFESTS, PACKAGES, SCOPES, TAGS, UPLOADS},
    op::{Book, Expect, Home, Place, Step, What},
};
use crate::index::{
    dump::Names,
    fold::Fold,
    goods::{
        Parts, blob, blob_bytes, boot, digest, holder, key, limit, link, package, package_of,
        put_inline, repository, repository_document, scope, set_at, stamp, tag, upload_id,
    },
};

/// The manifests, and counters of what must be new each time.
#[derive(Debug)]
pub(crate) struct World {
    manifests: Vec<Manifest>,
    /// Counts operations: the time goes with it.
    pub(crate) step: u32,
    keys: u32,
}

impl World {
    /// Returns the world in which nothing was done.
    pub(crate) fn new() -> Self {
        let base = Parts::of(&[0, 1]).image();
        let other = Parts::of(&[1, 2]).image();
        let signature = Parts {
            blobs: vec![2],
            subject: Some(base.digest()),
            artifact_type: Some("example/signature"),
            note: Some("signed".to_owned()),
            ..Parts::default()
        };
        let foreign = Parts {
            blobs: vec![0],
            foreign: vec![4],
            ..Parts::default()
        };
        let list = Parts::default().index(&[&base, &other]);
        let mixed = Parts {
            blobs: vec![3],
            subject: Some(base.digest()),
            ..Parts::default()
        };
        let mixed = mixed.index(&[&base]);
        let manifests = vec![base, other, signature.image(), foreign.image(), list, mixed];
        Self {
            manifests,
            step: 0,
            keys: 100,
        }
    }

    /// Returns what to ask both indexes for.
    pub(crate) fn names(&self) -> Names {
        let manifests = self.manifests.iter().map(Manifest::digest);
        let mut typed = Query::default();
        typed.artifact_type = Some("example/signature".parse().expect("a media type"));
        let mut noted = Query::default();
        noted.scope = scope("team");
        noted.annotations = vec![("note".to_owned(), "signed".to_owned())];
        Names {
            packages: (0..PACKAGES).map(package_at).collect(),
            digests: (0..BLOBS).map(digest).chain(manifests).collect(),
            documents: (0..DOCUMENTS).map(document_at).collect(),
            scopes: (0..SCOPES).map(scope_at).collect(),
            queries: vec![Query::default(), typed, noted],
            keys: (0..KEYS)
                .map(|n| key(n.into()))
                .chain((100..140).map(key))
                .collect(),
            tags: (0..TAGS).map(tag_at).collect(),
            uploads: (0..UPLOADS).map(upload_id).collect(),
        }
    }

    fn manifest(&self, number: u8) -> Manifest {
        let number = usize::from(number % MANIFESTS);
        self.manifests
            .get(number)
            .expect("a manifest of this world")
            .clone()
    }

    fn now(&self, of_boot: u8) -> artifact_core::BootTime {
        boot(
            if of_boot == 0 { "first" } else { "second" },
            u64::from(self.step) * 10,
        )
    }

    /// Returns a lease that ends some steps from now.
    fn lease(&self, of_boot: u8, steps: u64) -> Lease {
        Lease::starting(&self.now(of_boot), steps * 10)
    }

    fn fresh(&mut self) -> BlobKey {
        self.keys += 1;
        key(self.keys)
    }

    /// Returns a change set. `fold` and `index` tell what the numbers stand for now.
    pub(crate) async fn set(
        &mut self,
        index: &dyn ManifestIndex,
        fold: &Fold,
        what: &What,
    ) -> ChangeSet {
        let mut millis = 1_000_000 + i64::from(self.step) * 1_000;
        let What::Set {
            expects,
            steps,
            room,
            is_back,
        } = what
        else {
            return set_at(millis);
        };
        if *is_back {
            millis -= 5_000;
        }
        let mut set = set_at(millis);
        for expect in expects {
            set.expectations.push(expectation(index, expect).await);
        }
        for step in steps {
            let changes = self.changes(index, fold, step).await;
            set.changes.extend(changes);
        }
        set.rooms.extend(room.map(|(path, limit)| Room {
            scope: scope_at(path),
            limit: limit.into(),
        }));
        set
    }

    async fn changes(
        &mut self,
        index: &dyn ManifestIndex,
        fold: &Fold,
        step: &Step,
    ) -> Vec<Change> {
        match step {
            Step::Adopt => vec![Change::Adopt(repository("team"))],
            Step::Collect(blobs) => {
                vec![Change::Collect(blobs.iter().map(|n| digest(*n)).collect())]
            }
            Step::DeleteDocument(number) => vec![Change::DeleteDocument(document_at(*number))],
            Step::PutDocument(number, body) => {
                vec![Change::PutDocument(document_at(*number), body.to_string())]
            }
            Step::PutBlob(number, home, upload) => {
                vec![self.put_blob(index, *number, *home, *upload).await]
            }
            Step::PutManifest(package, manifest, whole) => {
                self.put_manifest(&package_at(*package), *manifest, *whole)
            }
            Step::Purge(number, true) => vec![Change::Purge(digest(number % BLOBS))],
            Step::Purge(number, false) => vec![Change::Purge(self.manifest(*number).digest())],
            other => vec![self.change_in_package(fold, other)],
        }
    }

    fn change_in_package(&self, fold: &Fold, step: &Step) -> Change {
        match step {
            Step::DeleteManifest(place) => {
                let (package, digest) = self.manifest_place(fold, *place);
                Change::DeleteManifest(package, digest)
            }
            Step::DeleteTag(place) => {
                let there = pick(fold.tags(), place.pick);
                let other = || (package_at(place.package), tag_at(place.item));
                let (package, tag) = there.unwrap_or_else(other);
                Change::DeleteTag(package, tag)
            }
            Step::Link(place, leased) => {
                let lease = leased.then(|| self.lease(place.item % 2, u64::from(place.pick % 12)));
                let digest = pick(fold.rows(), place.pick);
                let digest = digest.unwrap_or_else(|| digest_at(place.item));
                Change::Link(package_at(place.package), digest, lease)
            }
            Step::Pin(place, name) => {
                let (package, digest) = link_place(fold, *place);
                Change::Pin(package, digest, name.to_string())
            }
            Step::PutTag(place, tag) => {
                let (package, digest) = self.manifest_place(fold, *place);
                Change::PutTag(package, tag_at(*tag), digest)
            }
            Step::Unlink(place) => {
                let (package, digest) = link_place(fold, *place);
                Change::Unlink(package, digest)
            }
            Step::Unpin(place, name) => {
                let there = pick(fold.pins(), place.pick);
                let (package, digest, name) = there.unwrap_or_else(|| {
                    let (package, digest) = link_place(fold, *place);
                    (package, digest, name.to_string())
                });
                Change::Unpin(package, digest, name)
            }
            Step::ExpireLeases(boot, limit) => Change::ExpireLeases {
                now: self.now(*boot),
                limit: *limit,
            },
            other => unreachable!("a step of no package: {other:?}"),
        }
    }

    fn manifest_place(&self, fold: &Fold, place: Place) -> (PackageRef, Digest) {
        let there = pick(fold.manifests(), place.pick);
        let other = || {
            (
                package_at(place.package),
                self.manifest(place.item).digest(),
            )
        };
        there.unwrap_or_else(other)
    }

    /// Returns the change that puts a manifest; when it shall be whole, after those that give the
    /// package all that it names.
    fn put_manifest(&self, package: &PackageRef, number: u8, is_whole: bool) -> Vec<Change> {
        let manifest = self.manifest(number);
        let mut changes = Vec::new();
        if is_whole {
            for reference in manifest.references() {
                let named = reference.descriptor.digest;
                let mut manifests = (0..MANIFESTS).zip(&self.manifests);
                if let Some((child, _)) = manifests.find(|(_, child)| child.digest() == named) {
                    changes.extend(self.put_manifest(package, child, true));
                } else if let Some(blob) = (0..BLOBS).find(|blob| digest(*blob) == named)
                    && !reference.may_be_absent()
                {
                    changes.push(put_inline(blob));
                    changes.push(link(package, blob));
                }
            }
        }
        changes.push(Change::PutManifest {
            package: package.clone(),
            manifest: Box::new(manifest),
            published_at: is_whole.then(|| Timestamp::from_millis(number.into())),
        });
        changes
    }

    async fn put_blob(
        &mut self,
        index: &dyn ManifestIndex,
        number: u8,
        home: Home,
        upload: Option<u8>,
    ) -> Change {
        let location = match self.home(index, home, upload).await {
            Some(key) => Location::Key(key),
            None => Location::Inline(blob_bytes(number)),
        };
        Change::PutBlob {
            blob: blob(number),
            location,
            stamp: (number > 0).then(|| stamp(self.step)),
            upload: upload.map(upload_id),
        }
    }

    /// Returns the key of a home, if it has one.
    async fn home(
        &mut self,
        index: &dyn ManifestIndex,
        home: Home,
        upload: Option<u8>,
    ) -> Option<BlobKey> {
        match home {
            Home::Inline => None,
            Home::Fresh => Some(self.fresh()),
            Home::At(number) => Some(key(number.into())),
            Home::Upload => {
                let there = upload_there(index, upload?).await?;
                there.at.map(|at| at.key)
            }
        }
    }

    /// Returns bookkeeping. `fold` and `index` tell what the numbers stand for now.
    pub(crate) async fn book(
        &mut self,
        index: &dyn ManifestIndex,
        fold: &Fold,
        of: &Book,
    ) -> Bookkeeping {
        match of {
            Book::BeginUpload(number, package, home, reserved) => {
                let mut record = self.upload(index, *number, *home, *reserved).await;
                record.package = package_at(*package);
                Bookkeeping::BeginUpload(Box::new(record), upload_room(*reserved))
            }
            Book::AdvanceUpload(number, is_there, home, reserved) => {
                let version = version(index, *number, *is_there).await;
                let mut record = self.upload(index, *number, *home, *reserved).await;
                record.version = version + 1;
                Bookkeeping::AdvanceUpload(version, Box::new(record), upload_room(*reserved))
            }
            Book::EndUpload(number, is_there) => {
                Bookkeeping::EndUpload(upload_id(*number), version(index, *number, *is_there).await)
            }
            Book::Claim(name, by, boot) => Bookkeeping::Claim {
                name: name.to_string(),
                holder: holder(*by),
                lease: self.lease(*boot, 4),
                now: self.now(*boot),
            },
            Book::Release(name, by) => Bookkeeping::Release {
                name: name.to_string(),
                holder: holder(*by),
            },
            Book::Lease(place, boot) => {
                let (package, digest) = link_place(fold, *place);
                Bookkeeping::Lease(package, digest, self.lease(*boot, 5))
            }
            Book::Quarantine(number, is_there) => {
                let (digest, key) = blob_place(fold, *number, *is_there);
                Bookkeeping::Quarantine(digest, key)
            }
            Book::Stamp(number, is_there) => {
                let (digest, key) = blob_place(fold, *number, *is_there);
                Bookkeeping::Stamp {
                    digest,
                    key,
                    stamp: Some(stamp(self.step)),
                    hashed_at: Timestamp::from_millis(self.step.into()),
                }
            }
            Book::SeeTrash(keys, boot) => Bookkeeping::SeeTrash(keys_at(keys), self.now(*boot)),
            Book::Trash(keys) => Bookkeeping::Trash(keys_at(keys)),
            Book::Untrash(keys) => Bookkeeping::Untrash(keys_at(keys)),
        }
    }

    async fn upload(
        &mut self,
        index: &dyn ManifestIndex,
        number: u8,
        home: Home,
        reserved: u8,
    ) -> UploadRecord {
        let mut record =
            crate::index::goods::upload(number, &package_at(reserved % PACKAGES), None);
        let at = self.home(index, home, Some(number)).await;
        let state = Bytes::copy_from_slice(&[number, reserved]);
        record.at = at.map(|key| Suspended::new(key, reserved.into(), state));
        record.reserved = reserved.into();
        record.offset = reserved.into();
        record.holder = holder(reserved % 2);
        record.hasher = Bytes::copy_from_slice(&[reserved]);
        record.held = Bytes::copy_from_slice(&[number; 3]);
        record.expires = reserved.is_multiple_of(3).then(|| self.lease(0, 3));
        record
    }
}

/// Returns one of those that are there, or nothing where another is meant.
fn pick<T>(there: Vec<T>, number: u8) -> Option<T> {
    let which = usize::from(number).checked_rem(there.len())?;
    let is_meant = number < 224;
    there.into_iter().nth(which).filter(|_| is_meant)
}

fn link_place(fold: &Fold, place: Place) -> (PackageRef, Digest) {
    let there = pick(fold.links(), place.pick);
    there.unwrap_or_else(|| (package_at(place.package), digest_at(place.item)))
}

fn digest_at(number: u8) -> Digest {
    digest(number % BLOBS)
}

async fn expectation(index: &dyn ManifestIndex, expect: &Expect) -> Expectation {
    match expect {
        Expect::Document(number, at) => {
            Expectation::Document(document_at(*number), Generation::new((*at).into()))
        }
        Expect::TagAbsent(package, tag) => {
            Expectation::TagAbsent(package_at(*package), tag_at(*tag))
        }
        Expect::TagAt(package, tag, at) => {
            let (package, tag) = (package_at(*package), tag_at(*tag));
            // Most of the time it is the generation that is there.
            let there = index.tag(AsOf::Now, &package, &tag).await.ok().flatten();
            let there = there.map(|record| record.generation).filter(|_| *at > 0);
            let expected = there.unwrap_or(Generation::new((*at).into()));
            Expectation::TagAt(package, tag, expected)
        }
        Expect::Upload(number, is_there, by) => {
            let version = version(index, *number, *is_there).await;
            Expectation::Upload(upload_id(*number), version, holder(*by))
        }
    }
}

/// Returns a bound that small reservations keep and large ones do not.
fn upload_room(reserved: u8) -> Vec<Room> {
    let room = Room {
        scope: Scope::all(),
        limit: 1_000,
    };
    if reserved > 100 {
        vec![room]
    } else {
        Vec::new()
    }
}

async fn upload_there(index: &dyn ManifestIndex, number: u8) -> Option<UploadRecord> {
    let upload = index.upload(&upload_id(number)).await;
    upload.expect("upload answers")
}

/// Returns the version that an upload has, or one that it has not.
async fn version(index: &dyn ManifestIndex, number: u8, is_there: bool) -> u64 {
    let there = upload_there(index, number).await;
    let version = there.map_or(1, |upload| upload.version);
    if is_there { version } else { version + 1 }
}

/// Returns a blob, mostly one that has a key, and its key, or one that it has not.
fn blob_place(fold: &Fold, number: u8, is_there: bool) -> (Digest, BlobKey) {
    let other = key((number % KEYS).into());
    match pick(fold.keys(), number) {
        Some((digest, key)) if is_there => (digest, key),
        Some((digest, _)) => (digest, other),
        None => (digest_at(number), other),
    }
}

fn keys_at(numbers: &[u8]) -> Vec<BlobKey> {
    let keys = numbers.iter().map(|number| key((*number).into()));
    keys.collect::<BTreeSet<_>>().into_iter().collect()
}

fn package_at(number: u8) -> PackageRef {
    match number {
        0 => package("a"),
        1 => package("team/x"),
        2 => package_of("team", "x"),
        _ => package("team/y"),
    }
}

fn document_at(number: u8) -> DocumentKey {
    match number {
        0 => repository_document("default"),
        1 => repository_document("team"),
        2 => DocumentKey::Namespace(Scope::all()),
        _ => DocumentKey::Mode,
    }
}

fn scope_at(number: u8) -> Scope {
    scope(match number {
        0 => "",
        1 => "default",
        _ => "team",
    })
}

fn tag_at(number: u8) -> Tag {
    tag(if number == 0 { "v1" } else { "V2" })
}

/// Returns the limits of pages that are tried.
pub(crate) fn page_limits() -> impl Iterator<Item = std::num::NonZeroU32> {
    (1..=3).map(limit)
}
