//! What the keeper of a directory asks for: copies, checks, the journal and what is made from it.

use std::{path::Path, sync::Arc};

use artifact_core::{
    AsOf, Bookkeeping, Change, IndexError, ManifestIndex, Query, Revision, UploadId,
};
use artifact_store::{
    SqliteIndex,
    journal::{Journal, JournalEntry},
    vfs::RealVfs,
};

use super::{
    compare::{self, Names},
    goods::{
        MANY, create, digest, image, lease, open, options, package, package_of, publish, put_at,
        put_inline, put_manifest, set_of,
    },
    hooked_vfs::HookedVfs,
};

fn journal(directory: &Path) -> Arc<Journal> {
    let vfs = Arc::new(RealVfs::new());
    Arc::new(Journal::open(vfs, directory.join("journal")).unwrap())
}

fn entries(directory: &Path) -> Vec<JournalEntry> {
    let vfs = Arc::new(RealVfs::new());
    let read = Journal::read(vfs, &directory.join("journal"), Revision::ZERO);
    read.unwrap().map(Result::unwrap).collect()
}

fn with_journal(directory: &Path) -> SqliteIndex {
    SqliteIndex::open(options(directory).journal(journal(directory))).unwrap()
}

fn names() -> Names {
    let (image, _) = publish(&package("a"), "v1", &[0, 1]);
    let signature = super::goods::image(&[2], Some(&image), "s");
    Names {
        packages: vec![package("a"), package("team/x"), package_of("team", "x")],
        digests: [
            digest(0),
            digest(1),
            digest(2),
            image.digest(),
            signature.digest(),
        ]
        .into(),
        subjects: vec![image.digest()],
        tags: vec!["v1".parse().unwrap(), "v2".parse().unwrap()],
        documents: vec!["repository:team".parse().unwrap()],
        scopes: vec!["".parse().unwrap(), "team".parse().unwrap()],
        queries: vec![Query::default()],
        keys: vec!["k/0".parse().unwrap()],
        uploads: vec![UploadId::from_random([1; 16])],
        types: Vec::new(),
    }
}

/// Does something of every kind.
async fn live(index: &SqliteIndex) {
    let (image, changes) = publish(&package("a"), "v1", &[0, 1]);
    index.apply(set_of(1, changes)).await.unwrap();
    let (_, changes) = publish(&package("team/x"), "v1", &[0, 1]);
    index.apply(set_of(2, changes)).await.unwrap();
    let a = package("a");
    let signature = super::goods::image(&[2], Some(&image), "s");
    let sign = [
        put_at(2, "k/0"),
        Change::Link(a.clone(), digest(2), Some(lease("one", 0, 9))),
        put_manifest(&a, &signature),
        Change::PutTag(a.clone(), "v2".parse().unwrap(), signature.digest()),
        Change::PutTag(a.clone(), "v1".parse().unwrap(), signature.digest()),
        Change::PutDocument("repository:team".parse().unwrap(), String::from("{}")),
    ];
    index.apply(set_of(3, sign)).await.unwrap();
    let team = "team".parse().unwrap();
    index.apply(set_of(4, [Change::Adopt(team)])).await.unwrap();
    let x = package_of("team", "x");
    let pin = Change::Pin(x.clone(), digest(0), String::from("kept"));
    index.apply(set_of(5, [pin])).await.unwrap();
    let drop_it = Change::DeleteManifest(x, image.digest());
    index.apply(set_of(6, [drop_it])).await.unwrap();
    let gone = Change::DeleteTag(a, "v2".parse().unwrap());
    let document = Change::DeleteDocument("repository:team".parse().unwrap());
    index.apply(set_of(7, [gone, document])).await.unwrap();
    let spare = [put_inline(5), Change::Collect(vec![digest(5)])];
    index.apply(set_of(8, spare)).await.unwrap();
}

/// I18, I24: a journal makes the whole index again, with its history, bookkeeping apart.
#[tokio::test]
async fn i18_a_journal_makes_the_index_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let index = with_journal(dir.path());
    live(&index).await;
    let again = tempfile::tempdir().unwrap();
    let rebuilt = create(again.path());
    let kept = lease("one", 0, 5);
    for entry in entries(dir.path()) {
        rebuilt.replay(vec![entry], kept.clone()).await.unwrap();
    }
    let names = names();
    let head = index.head().await.unwrap();
    assert_eq!(rebuilt.head().await.unwrap(), head);
    let feed = index.changes(Revision::ZERO, MANY).await.unwrap();
    assert_eq!(rebuilt.changes(Revision::ZERO, MANY).await.unwrap(), feed);
    for revision in 0..=head.revision.get() {
        let at = AsOf::Revision(Revision::new(revision));
        let found = compare::state(&rebuilt, &names, at).await;
        let expected = compare::state(&index, &names, at).await;
        compare::check_equal(&found, &expected, &format!("as of {revision}"));
    }
    let usage = index.usage(&"".parse().unwrap()).await.unwrap();
    assert_eq!(rebuilt.usage(&"".parse().unwrap()).await.unwrap(), usage);
    assert_eq!(rebuilt.check().await.unwrap().problems, [""; 0]);
    // No link is kept for ever that was kept for a while.
    let leases = rebuilt
        .foreign_leases(&super::goods::boot("other", 0), MANY)
        .await;
    assert!(leases.unwrap().iter().all(|held| held.lease == kept));
}

/// What was committed without the journal is in it before the next commit is.
#[tokio::test]
async fn a_gap_in_the_journal_is_filled_from_the_feed() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    live(&index).await;
    assert!(!dir.path().join("journal").exists());
    let journaled = with_journal(dir.path());
    journaled.apply(set_of(20, [put_inline(7)])).await.unwrap();
    let entries = entries(dir.path());
    let feed = index.changes(Revision::ZERO, MANY).await.unwrap();
    let written: Vec<_> = entries
        .iter()
        .map(|entry| entry.committed.clone())
        .collect();
    assert_eq!(written, feed);
    assert!(entries[0].contents.iter().any(|(of, _)| *of == digest(0)));
    // Bookkeeping waits for no journal.
    index.apply(set_of(21, [put_inline(8)])).await.unwrap();
    let trash = Bookkeeping::Trash(vec!["k/9".parse().unwrap()]);
    journaled.note(trash).await.unwrap();
}

/// F8, F9: where the journal cannot be written, what the index has made durable is acknowledged, and
/// no more until the journal has that, too. Reads and bookkeeping go on.
#[tokio::test]
async fn f8_a_journal_that_cannot_be_written_stops_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let vfs = HookedVfs::default();
    let opened = Journal::open(Arc::new(vfs.clone()), dir.path().join("journal")).unwrap();
    let index = SqliteIndex::open(options(dir.path()).journal(Arc::new(opened))).unwrap();
    index.apply(set_of(1, [put_inline(0)])).await.unwrap();
    vfs.set(|operation, _| {
        let full = operation == "write";
        full.then(|| std::io::ErrorKind::StorageFull.into())
    });
    let made = index.apply(set_of(2, [put_inline(1)])).await.unwrap();
    for _ in 0..2 {
        let refused = index.apply(set_of(3, [put_inline(2)])).await;
        assert!(
            matches!(refused, Err(IndexError::NoSpace { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(index.head().await.unwrap().revision, made.revision);
    let trash = Bookkeeping::Trash(vec!["k/9".parse().unwrap()]);
    index.note(trash).await.unwrap();
    vfs.set(|_, _| None);
    index.apply(set_of(3, [put_inline(2)])).await.unwrap();
    let written: Vec<u64> = entries(dir.path())
        .iter()
        .map(|entry| entry.revision().get())
        .collect();
    assert_eq!(written, [1, 2, 3]);
}

/// A journal that is ahead of its index is not written over: then the index is the older copy.
#[tokio::test]
async fn f17_an_index_that_fell_behind_its_journal_takes_no_change() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path()));
    let index = with_journal(dir.path());
    let before = tempfile::tempdir().unwrap();
    index.backup(before.path().join("index.db")).await.unwrap();
    live(&index).await;
    let old = SqliteIndex::open(options(before.path()).journal(journal(dir.path()))).unwrap();
    let refused = old.apply(set_of(9, [put_inline(6)])).await;
    assert!(
        matches!(refused, Err(IndexError::Backend { .. })),
        "{refused:?}"
    );
    // The journal brings it to where the other is, and then it goes on.
    let missed = entries(dir.path());
    let newest = old.replay(missed, lease("one", 0, 5)).await;
    let newest = match newest {
        Ok(newest) => newest,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    };
    assert_eq!(newest, index.head().await.unwrap().revision);
    old.apply(set_of(9, [put_inline(6)])).await.unwrap();
}

/// F16: a copy by the index is whole, and of one moment, while others write.
#[tokio::test]
async fn f16_a_copy_is_of_one_moment() {
    let dir = tempfile::tempdir().unwrap();
    let index = Arc::new(create(dir.path()));
    live(&index).await;
    let writing = tokio::spawn({
        let index = Arc::clone(&index);
        async move {
            for number in 0..60 {
                index
                    .apply(set_of(30, [put_inline(40 + number)]))
                    .await
                    .unwrap();
            }
        }
    });
    for copy in 0..5 {
        let to = tempfile::tempdir().unwrap();
        let head = index.backup(to.path().join("index.db")).await.unwrap();
        let copied = open(to.path());
        assert_eq!(copied.head().await.unwrap(), head, "{copy}");
        assert_eq!(copied.check().await.unwrap().problems, [""; 0]);
        let feed = copied.changes(Revision::ZERO, MANY).await.unwrap();
        assert_eq!(feed.len() as u64, head.revision.get());
        let again = index.backup(to.path().join("index.db")).await;
        assert!(again.is_err(), "a copy overwrites nothing");
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn the_index_remembers_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    assert_eq!(index.directory().unwrap(), None);
    index.remember_directory(u64::MAX, 7).await.unwrap();
    drop(index);
    assert_eq!(open(dir.path()).directory().unwrap(), Some((u64::MAX, 7)));
}

/// A checkpoint leaves nothing beside the file of the index, and gives back what is free.
#[tokio::test]
async fn a_checkpoint_empties_the_wal_and_frees_pages() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    for number in 0..8 {
        let text = "x".repeat(60_000);
        let key = format!("user:u{number}").parse().unwrap();
        index
            .apply(set_of(1, [Change::PutDocument(key, text)]))
            .await
            .unwrap();
    }
    index.checkpoint(0).await.unwrap();
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len();
    assert_eq!(size("index.db-wal"), 0);
    let full = size("index.db");
    let a = package("a");
    let big = image(&[0], None, &"y".repeat(400_000));
    let put = [
        put_inline(0),
        Change::Link(a.clone(), digest(0), None),
        put_manifest(&a, &big),
    ];
    index.apply(set_of(2, put)).await.unwrap();
    let taken = Change::DeleteManifest(a.clone(), big.digest());
    index.apply(set_of(3, [taken])).await.unwrap();
    let head = index.head().await.unwrap().revision;
    let forget = Change::Forget(a.repository.clone(), head);
    index.apply(set_of(4, [forget])).await.unwrap();
    let prune = Bookkeeping::Prune(a.repository.clone(), 10);
    assert_eq!(index.note(prune).await.unwrap().rows, 1);
    index.checkpoint(0).await.unwrap();
    let with_free = size("index.db");
    assert!(with_free > full, "{with_free} {full}");
    index.checkpoint(1_000_000).await.unwrap();
    assert!(size("index.db") < with_free, "{with_free}");
    assert_eq!(index.totals().await.unwrap().manifest_bytes, 0);
}

/// What was purged is in no file of the index any more.
#[tokio::test]
async fn purged_bytes_are_in_no_page() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    let a = package("a");
    let secret = image(&[0], None, "hunter-two-hunter-two");
    let put = [
        put_inline(0),
        Change::Link(a.clone(), digest(0), None),
        put_manifest(&a, &secret),
    ];
    index.apply(set_of(1, put)).await.unwrap();
    let taken = Change::DeleteManifest(a.clone(), secret.digest());
    index.apply(set_of(2, [taken])).await.unwrap();
    index
        .apply(set_of(3, [Change::Purge(secret.digest())]))
        .await
        .unwrap();
    let digest = secret.digest();
    let then = AsOf::Revision(Revision::new(1));
    assert!(matches!(
        index.manifest(then, &a, &digest).await,
        Err(IndexError::Purged { .. })
    ));
    index.close().await.unwrap();
    let bytes = std::fs::read(dir.path().join("index.db")).unwrap();
    let found = bytes.windows(10).any(|window| window == b"hunter-two");
    assert!(!found);
}
