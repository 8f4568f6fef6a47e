//! Runs of random changes on the durable index and on the model, side by side: few names and few
//! contents, so that they collide.

use artifact_core::{
    AsOf, Bookkeeping, Change, ChangeSet, DocumentKey, Expectation, Generation, Holder, IndexError,
    Location, Manifest, ManifestIndex, PackageRef, Page, Principal, Query, Revision, Room, Scope,
    Stamp, Suspended, Tag, Timestamp, UploadId, UploadRecord,
};
use artifact_store::{MemoryIndex, SqliteIndex};
use bytes::Bytes;

use super::{
    compare::{self, Names, check_equal},
    goods::{
        MANY, blob, boot, bytes, create, digest, image, index_of, lease, open, package, package_of,
        put_inline, put_manifest, registry, set,
    },
};

/// Chance from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

struct World {
    dice: Dice,
    names: Names,
    manifests: Vec<Manifest>,
    parts: [(&'static [usize], &'static [usize]); 5],
    second: i64,
    head: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let base = image(&[0, 1], None, "base");
        let other = image(&[0, 2, 3], None, "other");
        let signature = image(&[4], Some(&base), "base");
        let attested = image(&[5, 0], Some(&base), "x");
        let list = index_of(&[&base, &other]);
        let manifests = vec![base, other, signature, attested, list];
        let mut digests: Vec<_> = (0..6).map(digest).collect();
        digests.extend(manifests.iter().map(Manifest::digest));
        let mut typed = Query::default();
        typed.artifact_type = Some("application/vnd.test.0".parse().unwrap());
        let mut noted = Query::default();
        noted.annotations = vec![("note".into(), "base".into())];
        noted.scope = "team".parse().unwrap();
        let mut both = typed.clone();
        both.annotations.clone_from(&noted.annotations);
        let names = Names {
            packages: vec![
                package("a"),
                package("team/x"),
                package("team/y"),
                package_of("team", "x"),
                package_of("team/deep", "x"),
            ],
            subjects: manifests.iter().take(2).map(Manifest::digest).collect(),
            digests,
            tags: ["v1", "v2"].map(|tag| tag.parse().unwrap()).into(),
            documents: ["mode:", "namespace:", "namespace:team", "repository:team"]
                .map(|key| key.parse().unwrap())
                .into(),
            scopes: ["", "default", "team", "team/deep", "te"]
                .map(|scope| scope.parse().unwrap())
                .into(),
            queries: vec![Query::default(), typed, noted, both],
            keys: (0..8).map(|n| format!("k/{n}").parse().unwrap()).collect(),
            uploads: (0..3).map(|n| UploadId::from_random([n; 16])).collect(),
            types: vec!["application/vnd.test.0".parse().unwrap()],
        };
        Self {
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            names,
            manifests,
            parts: [
                (&[0, 1], &[]),
                (&[0, 2, 3], &[]),
                (&[4], &[]),
                (&[5, 0], &[]),
                (&[], &[0, 1]),
            ],
            second: 0,
            head: 0,
        }
    }

    fn package(&mut self) -> PackageRef {
        self.dice.pick(&self.names.packages).clone()
    }

    fn tag(&mut self) -> Tag {
        self.dice.pick(&self.names.tags).clone()
    }

    fn document(&mut self) -> DocumentKey {
        self.dice.pick(&self.names.documents).clone()
    }

    fn lease(&mut self) -> artifact_core::Lease {
        let from = 100 * self.dice.roll(5) as u64;
        let length = 100 + 50 * self.dice.roll(3) as u64;
        lease(self.boot(), from, length)
    }

    fn boot(&mut self) -> &'static str {
        ["one", "two"][self.dice.roll(2)]
    }

    fn scope(&mut self) -> Scope {
        self.dice.pick(&self.names.scopes).clone()
    }

    fn repository(&mut self) -> artifact_core::RepositoryName {
        let name = *self.dice.pick(&["default", "team", "team", "team/deep"]);
        name.parse().unwrap()
    }

    fn rooms(&mut self) -> Vec<Room> {
        let limit = 100 + 200 * self.dice.roll(8) as u64;
        match self.dice.roll(6) {
            0 if self.dice.roll(2) == 0 => vec![Room {
                scope: self.scope(),
                limit,
            }],
            _ => Vec::new(),
        }
    }

    fn change(&mut self) -> Change {
        let package = self.package();
        let number = self.dice.roll(6);
        match self.dice.roll(39) {
            0..=5 => self.put_blob(number),
            6..=11 => {
                let lease = (self.dice.roll(2) == 0).then(|| self.lease());
                Change::Link(package, digest(number), lease)
            }
            12..=18 => put_manifest(&package, self.dice.pick(&self.manifests)),
            19..=23 => {
                let tag = self.tag();
                Change::PutTag(package, tag, self.dice.pick(&self.manifests).digest())
            }
            24 => Change::DeleteTag(package, self.tag()),
            25..=28 => Change::DeleteManifest(package, self.dice.pick(&self.manifests).digest()),
            29 => Change::Unlink(package, digest(number)),
            30 => Change::Pin(package, digest(number), format!("p{}", self.dice.roll(2))),
            31 => Change::Unpin(package, digest(number), format!("p{}", self.dice.roll(2))),
            32 => Change::ExpireLeases {
                now: boot(self.boot(), 400),
                limit: 1 + u32::try_from(self.dice.roll(3)).unwrap(),
            },
            33 => {
                let back = self.dice.roll(30) as u64;
                let to = Revision::new((self.head + 1).saturating_sub(back));
                Change::Forget(self.repository(), to)
            }
            34 => {
                let all = 0..6;
                Change::Collect(all.map(digest).collect())
            }
            35 => Change::Purge(*self.dice.pick(&self.names.digests)),
            36 => {
                let body = format!("{}", self.dice.roll(2));
                Change::PutDocument(self.document(), body)
            }
            37 => Change::DeleteDocument(self.document()),
            _ => Change::Adopt(self.repository()),
        }
    }

    fn put_blob(&mut self, number: usize) -> Change {
        let key = self.dice.pick(&self.names.keys).clone();
        let location = match self.dice.roll(2) {
            0 => Location::Inline(bytes(number)),
            _ => Location::Key(key),
        };
        let upload = self.dice.pick(&self.names.uploads);
        let upload = (location != Location::Inline(bytes(number))).then_some(*upload);
        Change::PutBlob {
            blob: blob(number),
            location,
            stamp: Some(Stamp::new("s")),
            upload,
        }
    }

    /// Returns the changes that publish a manifest with all that it names.
    fn publish(&mut self, package: &PackageRef, which: usize) -> Vec<Change> {
        let (blobs, children) = self.parts[which];
        let mut changes = Vec::new();
        for child in children {
            changes.extend(self.publish(package, *child));
        }
        for number in blobs {
            if self.dice.roll(3) > 0 {
                changes.push(put_inline(*number));
            }
            let lease = (self.dice.roll(2) == 0).then(|| self.lease());
            changes.push(Change::Link(package.clone(), digest(*number), lease));
        }
        changes.push(put_manifest(package, &self.manifests[which]));
        if self.dice.roll(2) == 0 {
            let digest = self.manifests[which].digest();
            changes.push(Change::PutTag(package.clone(), self.tag(), digest));
        }
        changes
    }

    fn set(&mut self) -> ChangeSet {
        self.second += 1;
        let mut set = set(self.second);
        if self.dice.roll(4) == 0 {
            let (package, which) = (self.package(), self.dice.roll(5));
            set.changes = self.publish(&package, which);
        }
        if set.changes.is_empty() || self.dice.roll(3) == 0 {
            set = set.change(self.change());
        }
        if self.dice.roll(12) == 0 {
            set = set.expect(self.expectation());
        }
        set.rooms = self.rooms();
        set
    }

    fn expectation(&mut self) -> Expectation {
        let generation = Generation::new(self.dice.roll(4) as u64);
        match self.dice.roll(4) {
            0 => Expectation::TagAbsent(self.package(), self.tag()),
            1 => Expectation::TagAt(self.package(), self.tag(), generation),
            2 => Expectation::Document(self.document(), generation),
            _ => {
                let id = *self.dice.pick(&self.names.uploads);
                Expectation::Upload(id, 1, Holder::new("h"))
            }
        }
    }

    fn upload(&mut self, version: u64) -> UploadRecord {
        let id = *self.dice.pick(&self.names.uploads);
        let time = Timestamp::from_millis(self.second);
        let package = self.package();
        let mut upload = UploadRecord::new(id, package, Principal::System, Holder::new("h"), time);
        upload.version = version;
        upload.offset = self.dice.roll(9) as u64;
        upload.hasher = Bytes::from_static(b"state");
        upload.reserved = 50 * self.dice.roll(4) as u64;
        upload.expires = (self.dice.roll(2) == 0).then(|| self.lease());
        if self.dice.roll(3) > 0 {
            let key = self.dice.pick(&self.names.keys).clone();
            upload.at = Some(Suspended::new(
                key,
                upload.offset,
                Bytes::from_static(b"at"),
            ));
        }
        upload
    }

    fn note(&mut self) -> Bookkeeping {
        let key = self.dice.pick(&self.names.keys).clone();
        let number = self.dice.roll(6);
        let version = 1 + self.dice.roll(2) as u64;
        let name = String::from("gc");
        let holder = Holder::new(*self.dice.pick(&["h", "i"]));
        match self.dice.roll(14) {
            0..=2 => Bookkeeping::BeginUpload(Box::new(self.upload(1)), self.rooms()),
            3 | 4 => {
                let upload = self.upload(version + 1);
                Bookkeeping::AdvanceUpload(version, Box::new(upload), self.rooms())
            }
            5 => Bookkeeping::EndUpload(*self.dice.pick(&self.names.uploads), version),
            6 => Bookkeeping::Claim {
                name,
                holder,
                lease: self.lease(),
                now: boot(self.boot(), 300),
            },
            7 => Bookkeeping::Release { name, holder },
            8 => Bookkeeping::Lease(self.package(), digest(number), self.lease()),
            9 => Bookkeeping::Prune(self.repository(), 1000),
            10 => Bookkeeping::Quarantine(digest(number), key),
            11 => Bookkeeping::Stamp {
                digest: digest(number),
                key,
                stamp: None,
                hashed_at: Timestamp::from_millis(self.second),
            },
            12 => match self.dice.roll(2) {
                0 => Bookkeeping::Trash(vec![key]),
                _ => Bookkeeping::SeeTrash(self.names.keys.clone(), boot(self.boot(), 7)),
            },
            _ => Bookkeeping::Untrash(vec![key]),
        }
    }
}

/// Runs one step on both, and checks that both say the same of it.
async fn step(world: &mut World, sqlite: &SqliteIndex, memory: &MemoryIndex) -> String {
    if world.dice.roll(3) == 0 {
        let note = world.note();
        let what = format!("{note:?}");
        let (found, expected) = (sqlite.note(note.clone()).await, memory.note(note).await);
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what}");
        return what;
    }
    let set = world.set();
    let what = format!("{:?} {:?} {:?}", set.expectations, set.changes, set.rooms);
    let (found, expected) = (sqlite.apply(set.clone()).await, memory.apply(set).await);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{what}");
    what
}

async fn compare_all(world: &World, sqlite: &SqliteIndex, memory: &MemoryIndex, when: &str) {
    let names = &world.names;
    let found = compare::beside(sqlite, names).await;
    check_equal(&found, &compare::beside(memory, names).await, when);
    let found = compare::state(sqlite, names, AsOf::Now).await;
    check_equal(
        &found,
        &compare::state(memory, names, AsOf::Now).await,
        when,
    );
    // What was passed but not yet pruned is not up for review yet.
    let unwanted = memory.unwanted(Page::first(MANY)).await.unwrap();
    for blob in sqlite.unwanted(Page::first(MANY)).await.unwrap() {
        assert!(unwanted.contains(&blob), "{} {when}", blob.digest);
    }
    let check = sqlite.check().await.unwrap();
    assert!(check.problems.is_empty(), "{:#?} {when}", check.problems);
}

/// Runs steps; returns the indexes, and what was done.
async fn run(seed: u64, steps: usize) {
    let dir = tempfile::tempdir().unwrap();
    let mut sqlite = create(dir.path());
    let memory = MemoryIndex::new(registry());
    let mut world = World::new(seed);
    let mut done = Vec::new();
    for number in 0..steps {
        let what = step(&mut world, &sqlite, &memory).await;
        done.push(what.clone());
        world.head = memory.head().await.unwrap().revision.get();
        let when = format!("seed {seed}, step {number}: {what}");
        if number % 9 == 0 || number + 1 == steps {
            compare_all(&world, &sqlite, &memory, &when).await;
        }
        if number % 53 == 52 {
            for revision in 0..=world.head + 1 {
                let at = AsOf::Revision(Revision::new(revision));
                let found = compare::state(&sqlite, &world.names, at).await;
                let expected = compare::state(&memory, &world.names, at).await;
                check_equal(&found, &expected, &format!("as of {revision}, {when}"));
            }
            sqlite.close().await.unwrap();
            sqlite = open(dir.path());
        }
    }
    for repository in ["default", "team", "team/deep"] {
        let prune = Bookkeeping::Prune(repository.parse().unwrap(), 10_000);
        let rows = sqlite.note(prune.clone()).await.unwrap();
        assert_eq!(rows, memory.note(prune).await.unwrap(), "{seed}");
    }
    let found = sqlite.unwanted(Page::first(MANY)).await.unwrap();
    assert_eq!(
        found,
        memory.unwanted(Page::first(MANY)).await.unwrap(),
        "{seed}"
    );
    let feed = sqlite.changes(Revision::ZERO, MANY).await;
    match feed {
        Err(IndexError::HistoryForgotten { oldest }) => {
            let found = sqlite.changes(oldest, MANY).await.unwrap();
            assert_eq!(found, memory.changes(oldest, MANY).await.unwrap(), "{seed}");
        }
        other => {
            let expected = memory.changes(Revision::ZERO, MANY).await.unwrap();
            assert_eq!(other.unwrap(), expected, "{seed}");
        }
    }
}

/// MI-1 to MI-15: whatever is done, the durable index answers as the model does.
#[tokio::test]
async fn random_runs_answer_as_the_model_does() {
    let runs = std::env::var("ARTIFACT_MODEL_RUNS").map_or(5, |runs| runs.parse().unwrap());
    let first = std::env::var("ARTIFACT_MODEL_FIRST").map_or(1, |seed| seed.parse().unwrap());
    for seed in first..first + runs {
        run(seed, 130).await;
    }
}
