//! What is refused, and that it is then as it was.

use std::{fs, path::Path, sync::Arc, time::Duration};

use artifact_core::{AsOf, Epoch, IndexError, ManifestIndex};
use artifact_store::{Access, NewIndex, OpenError, SqliteIndex, sys::lock::RecordLock};

use super::goods::{all, create, open, options, package, publish, put_inline, registry, set_of};

fn refused(directory: &Path) -> OpenError {
    SqliteIndex::open(options(directory)).map(drop).unwrap_err()
}

fn bytes_of(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("index.db")).unwrap()
}

/// I25: an index of a newer program is refused in clear words, and not changed.
#[tokio::test]
async fn i25_an_index_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path()).close().await.unwrap();
    let path = dir.path().join("index.db");
    let mut bytes = bytes_of(dir.path());
    // The version of the tables: SQLite, "Database File Format", 1.3.
    bytes[60..64].copy_from_slice(&2_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = refused(dir.path());
    assert!(
        error
            .to_string()
            .ends_with("is of index version 2, and this program knows 1: use the newer program"),
        "{error}"
    );
    assert_eq!(bytes_of(dir.path()), bytes);
}

#[tokio::test]
async fn what_is_no_index_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.db");
    assert!(matches!(refused(dir.path()), OpenError::Index(_)));
    fs::write(&path, "").unwrap();
    assert!(matches!(refused(dir.path()), OpenError::NotAnIndex { .. }));
    fs::write(
        &path,
        "not a database, but long enough to look like something".repeat(9),
    )
    .unwrap();
    assert!(matches!(
        refused(dir.path()),
        OpenError::Index(IndexError::Corrupt { .. })
    ));
    let again = SqliteIndex::create(&path, NewIndex::new(registry()));
    assert!(matches!(again, Err(OpenError::Exists { .. })), "{again:?}");
}

/// An immutable index is read without a lock and without a file made; what stands in a WAL is
/// refused rather than left out.
#[tokio::test]
async fn an_immutable_index_is_read_where_nothing_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    let (_, changes) = publish(&package("a"), "v1", &[0, 1]);
    index.apply(set_of(1, changes)).await.unwrap();
    let immutable = || SqliteIndex::open(options(dir.path()).access(Access::Immutable));
    assert!(matches!(immutable(), Err(OpenError::Wal { .. })));
    index.close().await.unwrap();
    fs::remove_file(dir.path().join("writer.lock")).unwrap();
    let read_only = immutable().unwrap();
    let tags = read_only
        .tags(AsOf::Now, &package("a"), all())
        .await
        .unwrap();
    assert_eq!(tags.len(), 1);
    assert_eq!(read_only.totals().await.unwrap().blobs, 2);
    let error = read_only.apply(set_of(2, [put_inline(3)])).await;
    assert!(
        matches!(error, Err(IndexError::ReadOnly { .. })),
        "{error:?}"
    );
    let files: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

/// A handle for reading sees what others commit, and commits nothing.
#[tokio::test]
async fn a_handle_for_reading_follows_the_writers() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    let reader = SqliteIndex::open(options(dir.path()).access(Access::ReadOnly)).unwrap();
    for number in 0..3 {
        let made = index.apply(set_of(1, [put_inline(number)])).await.unwrap();
        assert_eq!(reader.head().await.unwrap().revision, made.revision);
    }
    let error = reader.apply(set_of(2, [put_inline(9)])).await;
    assert!(
        matches!(error, Err(IndexError::ReadOnly { .. })),
        "{error:?}"
    );
}

/// I16: who opened under an older epoch writes no more; who raised it, and who opens later, do.
#[tokio::test]
async fn i16_a_stale_epoch_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (old, keeper) = (create(dir.path()), open(dir.path()));
    assert_eq!(keeper.raise_epoch().await.unwrap(), Epoch::new(2));
    assert_eq!(keeper.identity().epoch, Epoch::new(2));
    let error = old.apply(set_of(1, [put_inline(0)])).await;
    assert!(
        matches!(error, Err(IndexError::StaleEpoch { found }) if found == Epoch::new(2)),
        "{error:?}"
    );
    assert_eq!(old.head().await.unwrap().revision.get(), 0);
    keeper.apply(set_of(1, [put_inline(0)])).await.unwrap();
    open(dir.path())
        .apply(set_of(1, [put_inline(1)]))
        .await
        .unwrap();
    let expecting = SqliteIndex::open(options(dir.path()).epoch(Epoch::new(1)));
    assert!(matches!(
        expecting,
        Err(OpenError::Index(IndexError::StaleEpoch { .. }))
    ));
}

/// F14: while somebody is stopped inside a commit, others hear of it after five seconds, and reads
/// go on.
#[tokio::test]
async fn f14_a_lock_that_is_held_makes_writers_busy() {
    let dir = tempfile::tempdir().unwrap();
    let index = Arc::new(create(dir.path()));
    let lock = RecordLock::open(&dir.path().join("writer.lock")).unwrap();
    let stopped = lock.acquire(Duration::ZERO).unwrap();
    let writing = tokio::spawn({
        let index = Arc::clone(&index);
        async move { index.apply(set_of(1, [put_inline(0)])).await }
    });
    assert_eq!(index.head().await.unwrap().revision.get(), 0);
    let error = writing.await.unwrap();
    assert!(matches!(error, Err(IndexError::Busy)), "{error:?}");
    drop(stopped);
    index.apply(set_of(1, [put_inline(0)])).await.unwrap();
}

/// What was closed says so, and keeps what it had.
#[tokio::test]
async fn a_closed_index_answers_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let index = create(dir.path());
    index.apply(set_of(1, [put_inline(0)])).await.unwrap();
    index.close().await.unwrap();
    index.close().await.unwrap();
    assert!(!dir.path().join("index.db-wal").exists());
    assert!(index.head().await.is_err());
    assert!(index.apply(set_of(1, [put_inline(1)])).await.is_err());
    assert_eq!(open(dir.path()).head().await.unwrap().revision.get(), 1);
}
