//! Appending, and what is found again.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{
    Actor, Committed, Digest, Epoch, Event, Identity, Principal, RegistryId, Revision, Timestamp,
};
use bytes::Bytes;

use crate::{
    journal::{
        Journal, JournalEntry, JournalError,
        files::{self, Files},
        line::{self, FORMAT, Header},
    },
    vfs::RealVfs,
};

const SMALL: u64 = 600;

fn entry(number: u64) -> JournalEntry {
    let digest: Digest = format!("sha256:{number:064x}").parse().unwrap();
    let event = Event::BlobStored {
        digest,
        size: 3,
        key: None,
    };
    let actor = Actor::new(Principal::System, None);
    let time = Timestamp::from_millis(i64::try_from(number).unwrap());
    JournalEntry {
        committed: Committed::new(Revision::new(number), time, actor, vec![event]),
        contents: vec![(digest, Bytes::from_static(b"abc"))],
    }
}

fn entries(numbers: std::ops::RangeInclusive<u64>) -> Vec<JournalEntry> {
    numbers.map(entry).collect()
}

fn journal(directory: &Path, limit: u64) -> Journal {
    Journal::with_limit(Arc::new(RealVfs::new()), directory.to_owned(), limit).unwrap()
}

fn read(directory: &Path, after: u64) -> Vec<JournalEntry> {
    let vfs = Arc::new(RealVfs::new());
    let read = Journal::read(vfs, directory, Revision::new(after)).unwrap();
    read.map(Result::unwrap).collect()
}

fn newest(directory: &Path) -> PathBuf {
    let found = Files::list(&RealVfs::new(), directory).unwrap();
    files::path(directory, *found.numbers.last().unwrap())
}

#[test]
fn what_is_appended_reads_back_over_many_files() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), SMALL);
    assert_eq!(journal.last().unwrap(), Revision::ZERO);
    assert!(read(dir.path(), 0).is_empty());
    for number in 1..=20 {
        journal.append(&[entry(number)]).unwrap();
        assert_eq!(journal.last().unwrap(), Revision::new(number));
    }
    let found = Files::list(&RealVfs::new(), dir.path()).unwrap();
    assert!(found.numbers.len() > 3, "{found:?}");
    for after in [0, 1, 7, 19, 20] {
        assert_eq!(read(dir.path(), after), entries(after + 1..=20), "{after}");
    }
}

/// F13, I16: two handles, as two processes have them, append in turn and see each other.
#[test]
fn f13_handles_append_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (journal(dir.path(), SMALL), journal(dir.path(), SMALL));
    for number in (1..=30).step_by(3) {
        first.append(&[entry(number)]).unwrap();
        assert_eq!(second.last().unwrap(), Revision::new(number));
        second.append(&entries(number + 1..=number + 2)).unwrap();
        assert_eq!(first.last().unwrap(), Revision::new(number + 2));
    }
    assert_eq!(read(dir.path(), 0), entries(1..=30));
}

/// F1, F4: wherever a process died while it appended, the rest is read and the next one cuts it.
#[test]
fn f4_a_torn_tail_is_told_and_cut() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path(), u64::MAX)
        .append(&entries(1..=2))
        .unwrap();
    let path = newest(dir.path());
    let before = std::fs::read(&path).unwrap();
    journal(dir.path(), u64::MAX).append(&[entry(3)]).unwrap();
    let after = std::fs::read(&path).unwrap();
    for cut in (before.len() + 1..after.len()).step_by(7) {
        std::fs::write(&path, &after[..cut]).unwrap();
        let vfs = Arc::new(RealVfs::new());
        let mut found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
        let whole: Vec<_> = found.by_ref().map(Result::unwrap).collect();
        assert_eq!(whole, entries(1..=2), "cut to {cut}");
        let torn = found.torn().unwrap();
        assert_eq!((&torn.path, torn.offset), (&path, before.len() as u64));
        let journal = journal(dir.path(), u64::MAX);
        assert_eq!(journal.last().unwrap(), Revision::new(2));
        journal.append(&[entry(3)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), after);
    }
}

/// Another handle cut a torn tail and wrote as many bytes in its place.
#[test]
fn a_tail_that_was_replaced_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (journal(dir.path(), u64::MAX), journal(dir.path(), u64::MAX));
    first.append(&entries(1..=2)).unwrap();
    let path = newest(dir.path());
    let whole = std::fs::metadata(&path).unwrap().len();
    second.append(&[entry(3)]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let mut torn = bytes.clone();
    *torn.last_mut().unwrap() = b'x';
    std::fs::write(&path, &torn).unwrap();
    assert_eq!(first.last().unwrap(), Revision::new(2));
    std::fs::write(&path, &bytes).unwrap();
    assert!(bytes.len() as u64 > whole);
    assert_eq!(first.last().unwrap(), Revision::new(3));
}

/// F10, I22: damage in the middle costs the line that it is in, and is told with its place.
#[test]
fn f10_damage_in_the_middle_is_told_and_passed() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), u64::MAX);
    journal.append(&entries(1..=5)).unwrap();
    let path = newest(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let lines: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').collect();
    bytes[lines[2] + 40] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let vfs = Arc::new(RealVfs::new());
    let mut found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
    let read: Vec<_> = found.by_ref().collect();
    assert_eq!(read.len(), 5);
    let damage = read[2].as_ref().unwrap_err();
    let offset = lines[2] as u64 + 1;
    assert!(
        matches!(damage, JournalError::Damaged { offset: at, .. } if *at == offset),
        "{damage}"
    );
    assert_eq!(read[3].as_ref().unwrap(), &entry(4));
    assert_eq!(found.torn(), None);
    // Who appends goes on behind what is whole.
    let again = self::journal(dir.path(), u64::MAX);
    assert_eq!(again.last().unwrap(), Revision::new(5));
    again.append(&[entry(6)]).unwrap();
}

/// F10: a file without its header is read, and does not set the journal back.
#[test]
fn f10_a_lost_header_loses_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let first = journal(dir.path(), u64::MAX);
    first.append(&entries(1..=3)).unwrap();
    first.rotate().unwrap();
    let path = newest(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3] ^= 4;
    std::fs::write(&path, &bytes).unwrap();
    let again = journal(dir.path(), u64::MAX);
    assert_eq!(again.last().unwrap(), Revision::new(3));
    again.append(&entries(4..=5)).unwrap();
    let vfs = Arc::new(RealVfs::new());
    let found = Journal::read(vfs, dir.path(), Revision::ZERO).unwrap();
    let whole: Vec<_> = found.filter_map(Result::ok).collect();
    assert_eq!(whole, entries(1..=5));
}

#[test]
fn what_is_there_is_not_appended_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), u64::MAX);
    journal.append(&entries(1..=3)).unwrap();
    let refused = journal.append(&[entry(3)]).unwrap_err();
    assert!(matches!(refused, JournalError::Ahead { .. }), "{refused}");
    let refused = journal.append(&[4, 4].map(entry)).unwrap_err();
    assert!(matches!(refused, JournalError::Ahead { .. }), "{refused}");
    assert_eq!(read(dir.path(), 0), entries(1..=3));
}

/// MI-9: what is missing is told, never passed over in silence.
#[test]
fn mi9_a_gap_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let journal = journal(dir.path(), u64::MAX);
    journal.append(&entries(1..=2)).unwrap();
    journal.append(&entries(5..=6)).unwrap();
    let vfs = Arc::new(RealVfs::new());
    let read: Vec<_> = Journal::read(vfs, dir.path(), Revision::ZERO)
        .unwrap()
        .collect();
    let gap = read[2].as_ref().unwrap_err();
    assert!(
        matches!(gap, JournalError::Gap { after, next, .. }
            if after.get() == 2 && next.get() == 5),
        "{gap}"
    );
    assert_eq!(read[3].as_ref().unwrap(), &entry(5));
    assert_eq!(read.len(), 5);
}

/// I25: what a newer program wrote is refused, and not changed.
#[test]
fn i25_a_newer_form_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let header = Header {
        format: FORMAT + 1,
        registry: None,
        epoch: None,
        after: Revision::ZERO,
        base: None,
    };
    let path = files::path(dir.path(), 1);
    let newer = line::header(&header).unwrap();
    std::fs::write(&path, &newer).unwrap();
    let journal = journal(dir.path(), u64::MAX);
    let refused = journal.append(&[entry(1)]).unwrap_err();
    assert!(matches!(refused, JournalError::Format { .. }), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), newer);
}

#[test]
fn files_tell_their_registry_and_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::new(RegistryId::from_random([7; 16]), Epoch::new(3));
    let journal = journal(&dir.path().join("journal"), u64::MAX);
    journal.set_identity(identity);
    journal.append(&[entry(1)]).unwrap();
    journal.sync().unwrap();
    let vfs = Arc::new(RealVfs::new());
    let mut read = Journal::read(vfs, journal.directory(), Revision::ZERO).unwrap();
    assert!(read.next().is_some());
    assert_eq!(read.identity(), Some(identity));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&newest(journal.directory())), 0o600);
        assert_eq!(mode(journal.directory()), 0o700);
    }
}
