//! What only those ask for who keep the registry's directory: copies, checks, rebuilds.

use std::{
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use artifact_core::{Epoch, Head, IndexError, Lease, Revision};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{
    check,
    codec::Raw,
    connection::{expect_room, make_file},
    failure::{Failure, Outcome, corrupt, of_io, of_sql},
    index::SqliteIndex,
    journaling,
    replay::replay,
    state::revisions,
    statement::{all, one, run},
};
use crate::journal::JournalEntry;

/// What a check of an index found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// What is wrong, in words; empty when nothing is.
    pub problems: Vec<String>,
}

impl SqliteIndex {
    /// Copies the index as it is now into a new file, durably, and returns its newest revision.
    /// Others go on reading and writing.
    ///
    /// # Errors
    /// Where the backend fails; then a part of the file may be left.
    pub async fn backup(&self, to: PathBuf) -> Result<Head, IndexError> {
        let index = self.clone();
        self.blocking("copying the index", move || {
            // Not through the pool, whose transaction a backup could not begin in.
            index.alone("copying the index", |from| copy(from, &to))
        })
        .await
    }

    /// Begins the next epoch: handles that were opened before can write no more, but for this one.
    ///
    /// The caller holds the registry's lock exclusively.
    ///
    /// # Errors
    /// As a change.
    pub async fn raise_epoch(&self) -> Result<Epoch, IndexError> {
        let shared = self.epoch();
        let raised = self.writer()?.work(Box::new(move |conn| {
            let sql = "UPDATE meta SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch";
            let raised = one(conn, sql, [], |row| row.get::<_, Raw<u64>>(0))?;
            let raised = raised.ok_or_else(|| corrupt("meta"))?.0;
            shared.store(raised, Ordering::Release);
            Ok(raised)
        }));
        raised.await.map(Epoch::new)
    }

    /// Makes again what entries of a journal say, at their revisions and times: into an empty index,
    /// or after the newest revision of one that fell behind. Returns the newest revision.
    ///
    /// Links that no manifest takes get `lease`, because the one that they had is not in a journal.
    /// Stamps are not there either: each blob is hashed at its first read. Bytes that were purged or
    /// collected since are not made again, nor what needs them.
    ///
    /// # Errors
    /// As a change; then nothing of these entries is made.
    pub async fn replay(
        &self,
        entries: Vec<JournalEntry>,
        lease: Lease,
    ) -> Result<Revision, IndexError> {
        let work = move |conn: &Connection| {
            for entry in entries {
                replay(conn, entry, &lease)?;
            }
            Ok(revisions::head(conn)?.revision.get())
        };
        let newest = self.writer()?.work(Box::new(work));
        newest.await.map(Revision::new)
    }

    /// Begins the feed after a revision: what a journal has of those before is not all that happened.
    ///
    /// # Errors
    /// As a change.
    pub async fn begin_feed_after(&self, revision: Revision) -> Result<(), IndexError> {
        let work = move |conn: &Connection| {
            let sql = "UPDATE revisions SET actor = NULL, events = NULL WHERE rev <= ?1";
            run(conn, sql, [Raw(revision)])?;
            let sql = "UPDATE meta SET feed_from = max(feed_from, ?1)";
            Ok(run(conn, sql, [Raw(revision)])? as u64)
        };
        self.writer()?.work(Box::new(work)).await.map(drop)
    }

    /// Returns the entries that a journal has of the revisions after one, up to another: some, in their
    /// order, of those that are in the feed still; none when there are none.
    ///
    /// # Errors
    /// Where the backend fails.
    pub fn entries(
        &self,
        after: Revision,
        through: Revision,
    ) -> Result<Vec<JournalEntry>, IndexError> {
        self.read("reading the feed", |conn| {
            journaling::between(conn, after, through)
        })
    }

    /// Returns the device and inode of the directory that the index remembers, if it remembers one.
    ///
    /// # Errors
    /// Where the backend fails.
    pub fn directory(&self) -> Result<Option<(u64, u64)>, IndexError> {
        self.read("reading the directory", |conn| {
            let sql = "SELECT device, inode FROM meta WHERE one = 1";
            let bits = |row: &rusqlite::Row<'_>, column| {
                let bits = row.get::<_, Option<i64>>(column)?;
                Ok::<_, rusqlite::Error>(bits.map(i64::cast_unsigned))
            };
            let found = one(conn, sql, [], |row| Ok((bits(row, 0)?, bits(row, 1)?)))?;
            Ok(match found {
                Some((Some(device), Some(inode))) => Some((device, inode)),
                _ => None,
            })
        })
    }

    /// Remembers the device and inode of the directory that holds the index.
    ///
    /// # Errors
    /// As a change.
    pub async fn remember_directory(&self, device: u64, inode: u64) -> Result<(), IndexError> {
        let work = move |conn: &Connection| {
            let sql = "UPDATE meta SET device = ?1, inode = ?2 WHERE one = 1";
            let bits = (device.cast_signed(), inode.cast_signed());
            Ok(run(conn, sql, bits)? as u64)
        };
        self.writer()?.work(Box::new(work)).await.map(drop)
    }

    /// Gives back to the system at most so many pages that are free; the file gets shorter when that
    /// is moved into it.
    ///
    /// # Errors
    /// As a change.
    pub async fn give_back(&self, pages: u32) -> Result<(), IndexError> {
        // To SQLite no pages would mean all.
        if pages == 0 {
            return Ok(());
        }
        let vacuum = move |conn: &Connection| {
            // It frees a page a step.
            let sql = format!("PRAGMA incremental_vacuum({pages})");
            all(conn, &sql, [], |_| Ok(()))?;
            Ok(0)
        };
        self.writer()?.work(Box::new(vacuum)).await.map(drop)
    }

    /// Moves what is committed from the WAL into the file of the index, and gives back to the system at
    /// most so many pages that are free. The WAL is empty then: what was deleted is in no file.
    ///
    /// # Errors
    /// [`IndexError::Busy`] where somebody read or wrote for too long; and where the backend fails.
    pub async fn checkpoint(&self, free_pages: u32) -> Result<(), IndexError> {
        self.give_back(free_pages).await?;
        let index = self.clone();
        self.blocking("a checkpoint", move || {
            index.alone("a checkpoint", |conn| {
                let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
                match one(conn, sql, [], |row| row.get::<_, i64>(0))? {
                    Some(0) => Ok(()),
                    _ => Err(IndexError::Busy.into()),
                }
            })
        })
        .await
    }

    /// Checks the index: that its file is whole, and that its tables agree with each other. It reads
    /// everything.
    ///
    /// # Errors
    /// Where the backend fails; an index that is malformed is no failure but a problem.
    pub async fn check(&self) -> Result<Check, IndexError> {
        let found = self.read_long("checking the index", check::problems).await;
        match found {
            Ok(problems) => Ok(Check { problems }),
            Err(IndexError::Corrupt { place }) => Ok(Check {
                problems: vec![place],
            }),
            Err(error) => Err(error),
        }
    }

    /// Runs something on a connection of its own, in no transaction.
    fn alone<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T, IndexError> {
        let conn = self.connect(operation)?;
        work(&conn).map_err(|failure: Failure| failure.at(operation))
    }
}

fn copy(from: &Connection, to: &Path) -> Outcome<Head> {
    const OPERATION: &str = "copying the index";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    make_file(to).map_err(|error| of_io(error, OPERATION))?;
    expect_room(to)?;
    let mut target = Connection::open_with_flags(to, flags)?;
    // All pages in one step: between two, a writer would make it begin again.
    match Backup::new(from, &mut target)?.step(-1)? {
        StepResult::Done => {}
        // It waited for as long as any statement does.
        _ => return Err(IndexError::Busy.into()),
    }
    let head = revisions::head(&target)?;
    target
        .close()
        .map_err(|(_, error)| of_sql(error, "closing the copy"))?;
    Ok(head)
}
