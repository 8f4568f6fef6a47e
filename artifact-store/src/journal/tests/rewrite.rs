//! Compaction and purge.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use artifact_core::{
    Actor, Committed, Digest, DocumentKey, Event, Generation, MediaType, PackageRef, Principal,
    Revision, Tag, Timestamp,
};
use bytes::Bytes;

use crate::{
    journal::{ClosedFiles, Journal, JournalEntry, JournalError, files},
    sys::lock::Hold,
    vfs::RealVfs,
};

/// Draws small numbers, the same ones for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn digest(number: u64) -> Digest {
    format!("sha256:{number:064x}").parse().unwrap()
}

fn package(number: u64) -> PackageRef {
    PackageRef::in_default(&format!("team/p{number}").parse().unwrap())
}

fn event(draw: &mut Draw, generation: u64) -> Event {
    let package = package(draw.below(3));
    let (blob, manifest) = (digest(draw.below(4)), digest(100 + draw.below(4)));
    let tag: Tag = format!("t{}", draw.below(2)).parse().unwrap();
    let generation = Generation::new(generation);
    match draw.below(13) {
        0 => Event::BlobLinked {
            package,
            digest: blob,
        },
        1 => Event::BlobUnlinked {
            package,
            digest: blob,
        },
        2 => Event::BlobStored {
            digest: blob,
            size: 1,
            key: None,
        },
        3 => Event::BlobStored {
            digest: blob,
            size: 1,
            key: Some(format!("b/{}", generation.get()).parse().unwrap()),
        },
        4 => Event::Collected {
            digest: blob,
            size: 1,
        },
        5 => Event::DocumentPut {
            key: DocumentKey::Mode,
            generation,
            body: generation.to_string(),
        },
        6 => Event::Forgotten {
            repository: package.repository,
            horizon: Revision::new(generation.get()),
        },
        7 | 8 => Event::ManifestPut {
            package,
            digest: manifest,
            media_type: MediaType::literal(MediaType::OCI_MANIFEST),
            size: 2,
            published_at: None,
        },
        9 => Event::ManifestDeleted {
            package,
            digest: manifest,
        },
        10 => Event::TagPut {
            package,
            tag,
            digest: manifest,
            previous: None,
            generation,
        },
        11 => Event::TagDeleted {
            package,
            tag,
            digest: manifest,
            generation,
        },
        _ => Event::Pinned {
            package,
            digest: blob,
            name: "p".into(),
        },
    }
}

fn entry(number: u64, draw: &mut Draw) -> JournalEntry {
    let events: Vec<_> = (0..=draw.below(3)).map(|_| event(draw, number)).collect();
    let time = Timestamp::from_millis(i64::try_from(number).unwrap());
    let actor = Actor::new(Principal::System, None);
    let committed = Committed::new(Revision::new(number), time, actor, events);
    let named: std::collections::BTreeSet<_> = JournalEntry::names(&committed).collect();
    JournalEntry {
        contents: named
            .into_iter()
            .map(|digest| (*digest, Bytes::from(digest.to_string())))
            .collect(),
        committed,
    }
}

/// What is there, each thing with the event and the revision that put it there.
#[derive(Debug, Default, PartialEq)]
struct State {
    there: BTreeMap<String, (Revision, Timestamp, Event)>,
    documents: Vec<Event>,
    contents: BTreeMap<Digest, Bytes>,
}

impl State {
    fn of(entries: &[JournalEntry]) -> Self {
        let mut state = Self::default();
        for entry in entries {
            for event in &entry.committed.events {
                state.apply(&entry.committed, event);
            }
            state.contents.extend(entry.contents.iter().cloned());
        }
        let named: Vec<_> = (state.there.values())
            .flat_map(|(_, _, event)| {
                let one = Committed::new(
                    Revision::ZERO,
                    Timestamp::from_millis(0),
                    Actor::new(Principal::System, None),
                    vec![event.clone()],
                );
                JournalEntry::names(&one).copied().collect::<Vec<_>>()
            })
            .collect();
        state.contents.retain(|digest, _| named.contains(digest));
        state
    }

    fn apply(&mut self, at: &Committed, event: &Event) {
        let (name, there) = match event {
            Event::BlobLinked { package, digest } => (format!("l {package} {digest}"), true),
            Event::BlobUnlinked { package, digest } => (format!("l {package} {digest}"), false),
            Event::BlobStored { digest, .. } => (format!("b {digest}"), true),
            Event::Collected { digest, .. } => (format!("b {digest}"), false),
            Event::Forgotten { repository, .. } => (format!("h {repository}"), true),
            Event::ManifestPut {
                package, digest, ..
            } => (format!("m {package} {digest}"), true),
            Event::ManifestDeleted { package, digest } => (format!("m {package} {digest}"), false),
            Event::TagPut { package, tag, .. } | Event::TagDeleted { package, tag, .. } => {
                (format!("t {package} {tag}"), true)
            }
            Event::Pinned {
                package, digest, ..
            } => (format!("p {package} {digest}"), true),
            other => return self.documents.push(other.clone()),
        };
        if there {
            let at = (at.revision, at.time, event.clone());
            self.there.insert(name, at);
        } else {
            self.there.remove(&name);
        }
    }
}

fn read(directory: &Path) -> Vec<JournalEntry> {
    let entries = Journal::read(Arc::new(RealVfs::new()), directory, Revision::ZERO).unwrap();
    entries.map(Result::unwrap).collect()
}

fn closed(directory: &Path) -> ClosedFiles {
    let vfs = Arc::new(RealVfs::new());
    ClosedFiles::take(vfs, directory, Hold::Exclusive)
        .unwrap()
        .unwrap()
}

/// I18: the state at the horizon and all that came after it outlive each compaction.
#[test]
fn i18_a_base_makes_the_state_that_it_stands_for() {
    for seed in 1..=4 {
        let dir = tempfile::tempdir().unwrap();
        let vfs = Arc::new(RealVfs::new());
        let journal = Journal::with_limit(vfs, dir.path().to_owned(), 4000).unwrap();
        let mut draw = Draw(seed);
        let mut all = Vec::new();
        for number in 1..=120 {
            all.push(entry(number, &mut draw));
            journal.append(&all[all.len() - 1..]).unwrap();
            if number % 40 != 0 {
                continue;
            }
            let horizon = Revision::new(number - draw.below(20));
            let done = closed(dir.path()).compact(horizon, true).unwrap();
            assert!(done.files > 0 && done.freed > 0, "{done:?}");
            let base = Journal::horizon(&RealVfs::new(), dir.path()).unwrap();
            assert!(base <= horizon && base > Revision::ZERO);
            let left = read(dir.path());
            assert!(left.len() < all.len());
            assert_eq!(State::of(&left), State::of(&all), "seed {seed} at {number}");
            let after = |entry: &&JournalEntry| entry.revision() > base;
            let kept: Vec<_> = left.iter().filter(after).collect();
            assert_eq!(kept, all.iter().filter(after).collect::<Vec<_>>());
            assert!(left.iter().any(|entry| entry.revision() == base));
        }
        assert_eq!(journal.last().unwrap(), Revision::new(120));
    }
}

/// F1: files that a base stands for, left by a crash, are not read twice and go with the next
/// compaction.
#[test]
fn f1_files_that_a_base_replaced_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let journal = Journal::with_limit(vfs, dir.path().to_owned(), 500).unwrap();
    let mut draw = Draw(5);
    let all: Vec<_> = (1..=30).map(|number| entry(number, &mut draw)).collect();
    for one in &all {
        journal.append(std::slice::from_ref(one)).unwrap();
    }
    let first = files::path(dir.path(), 1);
    let saved = std::fs::read(&first).unwrap();
    closed(dir.path()).compact(Revision::new(20), true).unwrap();
    let left = read(dir.path());
    assert!(!first.exists());
    std::fs::write(&first, saved).unwrap();
    assert_eq!(read(dir.path()), left);
    closed(dir.path()).compact(Revision::new(20), true).unwrap();
    assert!(!first.exists());
    assert_eq!(State::of(&read(dir.path())), State::of(&all));
}

/// F10: what is damaged is not compacted away.
#[test]
fn f10_damage_stops_a_compaction() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let journal = Journal::with_limit(vfs, dir.path().to_owned(), 500).unwrap();
    let mut draw = Draw(7);
    for number in 1..=30 {
        journal.append(&[entry(number, &mut draw)]).unwrap();
    }
    let first = files::path(dir.path(), 1);
    let mut bytes = std::fs::read(&first).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let refused = closed(dir.path())
        .compact(Revision::new(20), true)
        .unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
    assert!(first.exists());
}

#[test]
fn purged_bytes_leave_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let journal = Journal::with_limit(vfs, dir.path().to_owned(), 2000).unwrap();
    let mut draw = Draw(3);
    let mut all: Vec<_> = (1..=60).map(|number| entry(number, &mut draw)).collect();
    for one in &all {
        journal.append(std::slice::from_ref(one)).unwrap();
    }
    closed(dir.path()).compact(Revision::new(20), true).unwrap();
    journal.rotate().unwrap();
    all = read(dir.path());
    let gone = digest(101);
    let has = |entry: &JournalEntry| entry.contents.iter().any(|(digest, _)| *digest == gone);
    assert!(all.iter().any(has));
    // Of those that have it, the last one is taken for stored anew after the purge.
    let through = all.iter().rposition(has).unwrap() - 1;
    assert!(all[..=through].iter().any(has));
    let through = all[through].revision();
    assert!(closed(dir.path()).purge(&[gone], through).unwrap() > 1);
    for entry in &mut all {
        if entry.revision() <= through {
            entry.contents.retain(|(digest, _)| *digest != gone);
        }
    }
    assert!(all.iter().any(has));
    assert_eq!(read(dir.path()), all);
    journal.append(&[entry(61, &mut draw)]).unwrap();
}

/// What a crash has left of an earlier rewriting may hold what is purged now, and so may a damaged
/// line: both go, and nothing that another process is about to write.
#[test]
fn f1_purged_bytes_leave_what_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let journal = Journal::with_limit(vfs, dir.path().to_owned(), 2000).unwrap();
    let mut draw = Draw(3);
    for number in 1..=30 {
        journal.append(&[entry(number, &mut draw)]).unwrap();
    }
    journal.rotate().unwrap();
    let before = read(dir.path()).len();
    let path = |name: &str| dir.path().join(name);
    let first = path("0000000001.journal");
    let mut text = std::fs::read_to_string(&first).unwrap();
    let gone = digest(101);
    text.push_str(&format!("0000 damaged {gone} c2VjcmV0\n"));
    std::fs::write(&first, text).unwrap();
    let newest = std::fs::read_dir(dir.path()).unwrap().count();
    let (old, next) = ("0000000001.new", format!("{:010}.new", newest + 1));
    for name in ["base.new", old, &next] {
        std::fs::write(path(name), "secret").unwrap();
    }
    let through = Revision::new(30);
    closed(dir.path()).purge(&[gone], through).unwrap();
    assert!(!path("base.new").exists() && !path(old).exists() && path(&next).exists());
    let text = std::fs::read_to_string(&first).unwrap();
    assert!(!text.contains("c2VjcmV0"), "{text}");
    let damaged = Journal::read(Arc::new(RealVfs::new()), dir.path(), Revision::ZERO).unwrap();
    let (whole, damaged): (Vec<_>, Vec<_>) = damaged.partition(Result::is_ok);
    assert_eq!((whole.len(), damaged.len()), (before, 1), "{damaged:?}");
}

/// F8: a rewriting that finds no room leaves none of it behind.
#[test]
fn f8_what_is_not_finished_takes_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("base.journal");
    let vfs = RealVfs::new();
    let mut staged = files::Staged::empty(&vfs, path.clone()).unwrap();
    staged.write(b"half").unwrap();
    assert!(path.with_extension("new").exists());
    drop(staged);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn one_rewrites_and_nobody_reads_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let take = |hold| ClosedFiles::take(Arc::new(RealVfs::new()), dir.path(), hold).unwrap();
    let reader = take(Hold::Shared);
    assert!(reader.is_some() && take(Hold::Shared).is_some());
    assert!(take(Hold::Exclusive).is_none());
    drop(reader);
    let writer = take(Hold::Exclusive);
    assert!(writer.is_some() && take(Hold::Shared).is_none());
}

/// F10: what is damaged, torn at the end of a closed file or missing comes from who knows it; what nobody
/// knows any more stays missing, and is told.
#[test]
fn f10_what_is_damaged_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let journal = Journal::with_limit(vfs, dir.path().to_owned(), 2000).unwrap();
    let mut draw = Draw(5);
    let all: Vec<_> = (1..=40).map(|number| entry(number, &mut draw)).collect();
    for one in &all {
        journal.append(std::slice::from_ref(one)).unwrap();
    }
    closed(dir.path()).compact(Revision::new(10), true).unwrap();
    journal.rotate().unwrap();
    let based = read(dir.path());
    let feed = |from: u64| {
        let all = all.clone();
        move |after: Revision, through: Revision| {
            let after = after.max(Revision::new(from));
            let known = all.iter().filter(|one| one.revision() > after);
            let known = known.take_while(|one| one.revision() <= through).take(3);
            Ok(known.cloned().collect())
        }
    };
    assert!(!closed(dir.path()).mend(&feed(0)).unwrap());
    let mut files: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "journal"))
        .collect();
    files.sort();
    // The newest is empty, and the last in order is the base.
    let closed_files = &files[..files.len() - 2];
    let text = std::fs::read(&closed_files[0]).unwrap();
    let half = text.len() / 2;
    std::fs::write(
        &closed_files[0],
        [&text[..half], b"#", &text[half..]].concat(),
    )
    .unwrap();
    std::fs::remove_file(&closed_files[1]).unwrap();
    let last = closed_files.last().unwrap();
    let text = std::fs::read(last).unwrap();
    std::fs::write(last, &text[..text.len() - 9]).unwrap();
    assert!(closed(dir.path()).mend(&feed(0)).unwrap());
    assert_eq!(read(dir.path()), based);
    assert!(!closed(dir.path()).mend(&feed(0)).unwrap());
    // Once more, and nobody knows what it said.
    let text = std::fs::read_to_string(&closed_files[0]).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.remove(2);
    std::fs::write(&closed_files[0], lines.join("\n") + "\n").unwrap();
    assert!(closed(dir.path()).mend(&feed(40)).unwrap());
    let entries = Journal::read(Arc::new(RealVfs::new()), dir.path(), Revision::ZERO).unwrap();
    let (whole, told): (Vec<_>, Vec<_>) = entries.partition(Result::is_ok);
    assert_eq!((whole.len(), told.len()), (based.len() - 1, 1), "{told:?}");
    // Below the horizon it is not missed any more.
    let horizon = Revision::new(40);
    assert!(closed(dir.path()).compact(horizon, true).is_err());
    closed(dir.path()).compact_over_gaps(horizon).unwrap();
    assert!(read(dir.path()).len() < based.len());
}
