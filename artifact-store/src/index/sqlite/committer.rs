//! Transactions: the lock before them, the journal after them, and what becomes of a failed one.

use std::{
    ffi::c_int,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use artifact_core::{Epoch, IndexError, guard};
use rusqlite::{Connection, Error as SqlError, ErrorCode, hooks::Wal};

use super::{
    batch::{Batch, Pending},
    connection::{self, Purpose},
    failure::{backend, of_io, of_sql},
    job::Job,
    journaling,
    ladder::Ladder,
    options::OpenError,
    refusal::Refusal,
    state::revisions,
    statement::run,
};
use crate::{
    journal::{Journal, JournalEntry},
    sys::{
        file_io,
        lock::{RecordGuard, RecordLock, RecordLockError},
    },
};

/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// From how many pages on the WAL is written back into the index, as SQLite does by itself.
const LONG: c_int = 1000;

/// Commits batches of jobs.
#[derive(Debug)]
pub(super) struct Committer {
    connections: Option<Connections>,
    lock: RecordLock,
    journal: Option<Arc<Journal>>,
    epoch: Arc<AtomicU64>,
    /// The index's directory, until it is known to have the name of the WAL for good.
    unnamed: Option<PathBuf>,
    poisoned: bool,
}

/// The two connections that write.
#[derive(Debug)]
struct Connections {
    change: Connection,
    note: Connection,
}

impl Connections {
    /// Returns the one for jobs that share a transaction: they are all as durable as one of them.
    fn of(&self, jobs: &[Job]) -> &Connection {
        if jobs.iter().all(|job| matches!(job, Job::Note(..))) {
            &self.note
        } else {
            &self.change
        }
    }
}

impl Committer {
    /// Opens the connections that write.
    ///
    /// # Errors
    /// Those of opening.
    pub(super) fn open(
        path: &Path,
        lock: &Path,
        ladder: Ladder,
        journal: Option<Arc<Journal>>,
        epoch: Arc<AtomicU64>,
    ) -> Result<Self, OpenError> {
        let mut change = connection::open(path, Purpose::Change, ladder)?;
        let mut note = connection::open(path, Purpose::Note, ladder)?;
        for connection in [&mut change, &mut note] {
            let hooked = connection.wal_hook(Some(checkpoint));
            hooked.map_err(|error| of_sql(error, "configuring the index"))?;
        }
        let lock = RecordLock::open(lock)
            .map_err(|error| OpenError::Index(backend("opening the writer's lock", error)))?;
        Ok(Self {
            connections: Some(Connections { change, note }),
            lock,
            journal,
            epoch,
            unnamed: path.parent().map(Path::to_owned),
            poisoned: false,
        })
    }

    /// Refuses all that follows, until the index is opened again (I21).
    pub(super) fn poison(&mut self) {
        self.poisoned = true;
        // A transaction that is still open would keep other processes from writing.
        self.connections = None;
    }

    /// Does jobs in their order, as many as possible in one transaction, and answers each.
    pub(super) fn commit(&mut self, jobs: Vec<Job>) {
        let mut batch = Vec::new();
        for job in jobs {
            if let Job::Close(answer) = job {
                self.commit_batch(std::mem::take(&mut batch));
                // Whoever asked may be gone.
                drop(answer.send(self.close()));
            } else {
                batch.push(job);
            }
        }
        self.commit_batch(batch);
    }

    fn close(&mut self) -> Result<(), IndexError> {
        let Some(Connections { change, note }) = self.connections.take() else {
            return Ok(());
        };
        for connection in [note, change] {
            let closed = connection.close();
            closed.map_err(|(_, error)| of_sql(error, "closing the index"))?;
        }
        Ok(())
    }

    fn commit_batch(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let locked = match self.lock() {
            Ok(locked) => locked,
            Err(refusal) => return refuse_all(jobs, &refusal),
        };
        let (pending, ended) = self.transact(jobs);
        // Others may write before anybody is told: what was committed is durable already.
        drop(locked);
        for pending in pending {
            match &ended {
                Ok(()) => pending.answer(),
                Err(refusal) => pending.refuse(refusal),
            }
        }
    }

    /// Takes the writer's lock, unless nothing may be written any more.
    fn lock(&self) -> Result<RecordGuard, Refusal> {
        if guard!(178) && self.poisoned {
            return Err(Refusal::Poisoned);
        }
        if self.connections.is_none() {
            return Err(Refusal::Closed);
        }
        let acquired = || self.lock.acquire(PATIENCE);
        let acquired = guard!(126, acquired(), else RecordLock::elsewhere().acquire(PATIENCE));
        acquired.map_err(|error| match error {
            RecordLockError::Busy { .. } => Refusal::Busy,
            other @ RecordLockError::Io { .. } => Refusal::of(&backend("locking the index", other)),
        })
    }

    /// Does jobs in one transaction. Returns the answers, and how it ended.
    fn transact(&mut self, jobs: Vec<Job>) -> (Vec<Pending>, Result<(), Refusal>) {
        let Some(connections) = &self.connections else {
            refuse_all(jobs, &Refusal::Closed);
            return (Vec::new(), Ok(()));
        };
        let conn = connections.of(&jobs);
        let notes = jobs.iter().all(|job| matches!(job, Job::Note(..)));
        // Maintenance needs no journal: it may be what brings the index to where that is.
        let journaled = jobs.iter().any(|job| matches!(job, Job::Apply(..)));
        if let Err(refusal) = self.begin(conn, journaled) {
            roll_back(conn);
            refuse_all(jobs, &refusal);
            return (Vec::new(), Ok(()));
        }
        let ran = Batch::run_all(conn, jobs);
        let ended = match ran.lost {
            Some(lost) => Err((lost, false)),
            None if notes => end(conn),
            None => name(&mut self.unnamed).and_then(|()| end(conn)),
        };
        let Err((refusal, unknown)) = ended else {
            self.append(&ran.entries);
            return (ran.pending, Ok(()));
        };
        roll_back(conn);
        if guard!(179) && unknown {
            self.poison();
        }
        (ran.pending, Err(refusal))
    }

    /// Gives the journal what was committed.
    fn append(&self, entries: &[JournalEntry]) {
        if let Some(journal) = &self.journal {
            // It is durable in the index, so it is acknowledged. What the journal misses is filled in
            // before the next commit, which is refused where that fails, too.
            let _missing = journal.append(entries);
        }
    }

    /// Begins a transaction, and sees that it may write.
    fn begin(&self, conn: &Connection, journaled: bool) -> Result<(), Refusal> {
        run(conn, "BEGIN IMMEDIATE", [])
            .map_err(|error| Refusal::of(&of_sql(error, "beginning a transaction")))?;
        let found = connection::identity(conn).map_err(|error| Refusal::of(&error))?;
        if guard!(182) && found.epoch != Epoch::new(self.epoch.load(Ordering::Acquire)) {
            return Err(Refusal::StaleEpoch(found.epoch));
        }
        let Some(journal) = self.journal.as_ref().filter(|_| journaled) else {
            return Ok(());
        };
        revisions::head(conn)
            .and_then(|head| journaling::fill_gap(conn, journal, head.revision))
            .map_err(|failure| Refusal::of(&failure.at("filling the journal")))
    }
}

fn refuse_all(jobs: Vec<Job>, refusal: &Refusal) {
    for job in jobs {
        job.refuse(refusal);
    }
}

/// Ends a transaction. Where that fails, says whether nobody knows what is on the disk.
fn end(conn: &Connection) -> Result<(), (Refusal, bool)> {
    let Err(error) = run(conn, "COMMIT", []) else {
        return Ok(());
    };
    // A full disk, and a lock that is not free, are met before anything is synced.
    let known = matches!(
        &error,
        SqlError::SqliteFailure(code, _)
            if matches!(code.code, ErrorCode::DiskFull | ErrorCode::DatabaseBusy)
    );
    Err((Refusal::of(&of_sql(error, "a commit")), !known))
}

/// Makes the name of the WAL durable, once, before the first commit that rests on it. SQLite does so in that
/// commit and passes over a failure (F7), after which a second try would be told of a success.
fn name(unnamed: &mut Option<PathBuf>) -> Result<(), (Refusal, bool)> {
    let Some(directory) = unnamed else {
        return Ok(());
    };
    let synced = guard!(619, file_io::sync_directory(directory));
    synced.map_err(|error| (Refusal::of(&of_io(error, "a commit")), true))?;
    *unnamed = None;
    Ok(())
}

/// Writes a long WAL back after a commit. SQLite does so by itself, and passes over a failure: of a sync
/// that failed nobody would hear, and what it was for may be nowhere, before what is committed next (I21).
fn checkpoint(wal: &mut Wal, pages: c_int) -> rusqlite::Result<()> {
    if pages < LONG {
        return Ok(());
    }
    match wal.checkpoint() {
        // Another process does it, or there is no room: the WAL keeps what is in it, until the next commit.
        Err(SqlError::SqliteFailure(code, _))
            if matches!(
                code.code,
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit() {
        // A transaction that does not end here ends with its connection.
        let _ended = run(conn, "ROLLBACK", []);
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::{
        Actor, Change, ChangeSet, Committed, DocumentKey, Principal, RegistryId, Timestamp,
    };
    use futures::channel::oneshot;
    use tempfile::TempDir;

    use super::*;
    use crate::index::sqlite::options::NewIndex;

    struct Bench {
        directory: TempDir,
        committer: Committer,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("index.db");
            let new = NewIndex::new(RegistryId::from_random([1; 16]));
            connection::create(&path, new).unwrap();
            let lock = directory.path().join("writer.lock");
            let epoch = Arc::new(AtomicU64::new(new.epoch.get()));
            let committer = Committer::open(&path, &lock, new.ladder, None, epoch).unwrap();
            Self {
                directory,
                committer,
            }
        }

        /// Commits a batch of documents, and returns the answers.
        fn commit(&mut self, bodies: &[&str]) -> Vec<Result<Committed, IndexError>> {
            let mut waiting = Vec::new();
            let jobs = bodies.iter().enumerate().map(|(number, body)| {
                let (answer, answered) = oneshot::channel();
                waiting.push(answered);
                let key: DocumentKey = format!("user:u{number}").parse().unwrap();
                let actor = Actor::new(Principal::System, None);
                let set = ChangeSet::new(actor, Timestamp::from_millis(1))
                    .change(Change::PutDocument(key, (*body).to_owned()));
                Job::Apply(set, answer)
            });
            let jobs = jobs.collect();
            self.committer.commit(jobs);
            let answers = waiting.into_iter();
            answers
                .map(|mut answered| answered.try_recv().unwrap().unwrap())
                .collect()
        }

        fn change(&self) -> &Connection {
            &self.committer.connections.as_ref().unwrap().change
        }

        fn head(&self) -> u64 {
            let path = self.directory.path().join("index.db");
            let conn = connection::open(&path, Purpose::Read, Ladder::SHIPPED).unwrap();
            revisions::head(&conn).unwrap().revision.get()
        }
    }

    /// I21: after a commit that failed with an outcome that nobody knows, nothing more is
    /// acknowledged, and no lock is kept from others.
    #[test]
    fn i21_a_failed_commit_poisons() {
        let mut bench = Bench::new();
        assert!(bench.commit(&["a"])[0].is_ok());
        let connections = bench.committer.connections.as_mut().unwrap();
        connections.change.commit_hook(Some(|| true)).unwrap();
        for answer in bench.commit(&["b", "c"]) {
            assert!(
                matches!(answer, Err(IndexError::Backend { .. })),
                "{answer:?}"
            );
        }
        assert_eq!(bench.head(), 1);
        for answer in bench.commit(&["d"]) {
            assert!(
                matches!(answer, Err(IndexError::Poisoned { .. })),
                "{answer:?}"
            );
        }
        let path = bench.directory.path().join("index.db");
        let other = connection::open(&path, Purpose::Change, Ladder::SHIPPED).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
    }

    /// F8: a full disk refuses what finds no room, keeps what was there, and poisons nothing.
    #[test]
    fn f8_no_space_is_told_and_passes() {
        let mut bench = Bench::new();
        assert!(bench.commit(&["a"])[0].is_ok());
        let pages: i64 = bench
            .change()
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .unwrap();
        let limit = |bench: &Bench, pages: i64| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            bench.change().query_row(&sql, [], |_| Ok(())).unwrap();
        };
        limit(&bench, pages + 2);
        let long = "x".repeat(60_000);
        let answers = bench.commit(&["b", &long, "c"]);
        assert!(
            matches!(answers[1], Err(IndexError::NoSpace { .. })),
            "{answers:?}"
        );
        let made = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
        assert_eq!(bench.head(), 1 + made);
        limit(&bench, 1_000_000);
        assert!(bench.commit(&[&long])[0].is_ok());
        assert_eq!(bench.head(), 2 + made);
    }
}
