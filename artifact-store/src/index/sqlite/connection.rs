//! Connections: opened with every setting read back, for nothing may rest on one that did not take.

use std::{
    ffi::OsString,
    fmt::Write as _,
    io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use artifact_core::{Epoch, Identity, IndexError, RegistryId, guard};
use rusqlite::{Connection, ErrorCode, OpenFlags, types::FromSql};

use super::{
    codec::Raw,
    failure::{corrupt, is_no_space, of_io, of_sql},
    ladder::Ladder,
    options::{NewIndex, OpenError},
    schema,
    statement::run,
};
use crate::sys::{file_io, space};

/// The oldest SQLite that is safe: before it, checkpoints of several processes could corrupt a WAL.
const OLDEST: i32 = 3_051_003;

/// How long SQLite itself waits for a lock. The writer's lock stands before it, so this is for what
/// that lock does not cover: a checkpoint, or a recovery by another process.
const BUSY: Duration = Duration::from_secs(5);

/// The page cache of a connection, in KiB.
const CACHE_KIB: i64 = 2048;

/// The WAL is cut to this many bytes when it is begun anew.
const WAL_KEPT: i64 = 64 << 20;

/// The least that SQLite's shared memory has while an index is open, in bytes.
const SHARED: u64 = 32 << 10;

/// The room that must be on the disk before an index is opened that nobody has open: for the shared
/// memory, and for what the file system needs besides.
const ROOM: u64 = 4 * SHARED;

/// Prepared statements a connection keeps.
const STATEMENTS: usize = 160;

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    /// Changes: durable when committed.
    Change,
    /// Bookkeeping: durable with the next change.
    Note,
    /// Reading beside writers.
    Read,
    /// Reading where nobody writes, without locks and without a file beside the index.
    Immutable,
}

/// What an index stands on: which SQLite, and how much room is on its disk.
#[derive(Clone, Copy)]
struct Ground {
    sqlite: i32,
    free: fn(&Path) -> io::Result<Option<u64>>,
}

impl Ground {
    /// Returns that of this program and its machine.
    fn here() -> Self {
        Self {
            sqlite: rusqlite::version_number(),
            free: space::free,
        }
    }
}

/// Opens a connection to an index that is there, and whose tables are those of this program.
pub(super) fn open(path: &Path, purpose: Purpose, ladder: Ladder) -> Result<Connection, OpenError> {
    let versions = ladder.top()..=ladder.top();
    let opened = connect(path, purpose, &versions, Ground::here());
    opened.map_err(|error| with_cause(error, path))
}

/// Opens a connection to an index that is there, also one whose tables are older.
pub(super) fn open_any(
    path: &Path,
    purpose: Purpose,
    ladder: Ladder,
) -> Result<Connection, OpenError> {
    let versions = schema::VERSION..=ladder.top();
    let opened = connect(path, purpose, &versions, Ground::here());
    opened.map_err(|error| with_cause(error, path))
}

fn connect(
    path: &Path,
    purpose: Purpose,
    versions: &RangeInclusive<u32>,
    ground: Ground,
) -> Result<Connection, OpenError> {
    guard!(183, check_library(ground))?;
    let conn = if purpose == Purpose::Immutable {
        guard!(185, refuse_wal(path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(immutable_uri(path), flags)
    } else {
        guard!(186, find_room(path, ground))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(path, flags)
    }
    .map_err(|error| of_sql(error, "opening the index"))?;
    check_format(&conn, path, versions)?;
    configure(&conn, purpose)?;
    Ok(conn)
}

/// Makes the file of an index, with its tables, and closes it.
pub(super) fn create(path: &Path, new: NewIndex) -> Result<(), OpenError> {
    create_on(path, new, Ground::here())
}

fn create_on(path: &Path, new: NewIndex, ground: Ground) -> Result<(), OpenError> {
    guard!(184, check_library(ground))?;
    match make_file(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(OpenError::Exists { path: path.into() });
        }
        made => made.map_err(|error| of_io(error, "creating the index"))?,
    }
    let filled = fill(path, new, ground);
    filled.map_err(|error| with_cause(error, path))?;
    // SQLite does not say when closing a file fails that was in its WAL: what is on the disk may be
    // another mode than was read back, or nothing. Whoever relies on the file finds out now.
    open(path, Purpose::Read, new.ladder).map(drop)
}

/// Makes the empty file of an index. SQLite would, too, for others to read and without a word of why it
/// cannot.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    file_io::create_new(path, 0o600).map(drop)
}

fn fill(path: &Path, new: NewIndex, ground: Ground) -> Result<(), OpenError> {
    guard!(187, find_room(path, ground))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)
        .map_err(|error| of_sql(error, "creating the index"))?;
    // What only the making of the file decides.
    set(&conn, "page_size", i64::from(new.page_size))?;
    set(&conn, "auto_vacuum", 2)?;
    configure(&conn, Purpose::Change)?;
    let sql = format!(
        "BEGIN IMMEDIATE; PRAGMA application_id = {}; {}",
        schema::APPLICATION_ID,
        schema::CREATE
    );
    let filled = conn
        .execute_batch(&sql)
        .and_then(|()| new.ladder.climb(&conn, schema::VERSION))
        .and_then(|()| {
            let sql = "INSERT INTO meta (one, registry, epoch) VALUES (1, ?1, ?2)";
            run(&conn, sql, (Raw(&new.registry), Raw(new.epoch)))
        })
        .and_then(|_| conn.execute_batch("COMMIT"));
    filled.map_err(|error| of_sql(error, "creating the index"))?;
    conn.close()
        .map_err(|(_, error)| of_sql(error, "closing the new index"))?;
    Ok(())
}

/// Reads which registry an index is of, and its epoch.
pub(super) fn identity(conn: &Connection) -> Result<Identity, IndexError> {
    let sql = "SELECT registry, epoch FROM meta WHERE one = 1";
    let read = |row: &rusqlite::Row<'_>| {
        let registry = row.get::<_, Raw<RegistryId>>(0)?.0;
        Ok(Identity::new(registry, row.get::<_, Raw<Epoch>>(1)?.0))
    };
    match super::statement::one(conn, sql, [], read) {
        Ok(Some(identity)) => Ok(identity),
        Ok(None) => Err(corrupt("the row of meta").at("opening the index")),
        Err(error) => Err(of_sql(error, "opening the index")),
    }
}

fn check_library(ground: Ground) -> Result<(), OpenError> {
    if ground.sqlite < OLDEST {
        return Err(OpenError::Library {
            found: rusqlite::version(),
        });
    }
    Ok(())
}

/// Refuses to open an index where there is no room for the shared memory that SQLite maps beside it.
///
/// SQLite takes a block of each page of that file, so where blocks are smaller than pages it has holes; and
/// who writes to a hole through a mapping of a full disk is killed by a signal.
pub(super) fn expect_room(path: &Path) -> Result<(), IndexError> {
    find_room(path, Ground::here())
}

fn find_room(path: &Path, ground: Ground) -> Result<(), IndexError> {
    let there = std::fs::metadata(beside(path, "-shm")).map_or(0, |shm| shm.len());
    let free = path.parent().map(ground.free);
    match free {
        Some(Ok(Some(free))) if there < SHARED && free < ROOM => {
            let full = io::Error::from(io::ErrorKind::StorageFull);
            Err(of_io(full, "opening the index"))
        }
        // Where the system does not tell, the call tells that needs it.
        _ => Ok(()),
    }
}

/// Returns an error that tells of a full disk where SQLite only says that it cannot open a file: those
/// beside the index it makes as it needs them.
fn with_cause(error: OpenError, path: &Path) -> OpenError {
    let OpenError::Index(IndexError::Backend {
        operation, source, ..
    }) = &error
    else {
        return error;
    };
    let code = source
        .downcast_ref::<rusqlite::Error>()
        .and_then(rusqlite::Error::sqlite_error_code);
    if code != Some(ErrorCode::CannotOpen) {
        return error;
    }
    let tried = beside(path, "-room");
    match make_file(&tried) {
        Err(full) if is_no_space(&full) => of_io(full, operation).into(),
        Ok(()) => {
            // Nothing was to be learned from it.
            let _removed = std::fs::remove_file(tried);
            error
        }
        Err(_) => error,
    }
}

/// Returns the version of the tables; 0 where there is none.
pub(super) fn version(conn: &Connection) -> Result<u32, OpenError> {
    let version: i32 = read(conn, "user_version")?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// Refuses what is no index, what a newer program made, and what an older one made that is to be migrated
/// before, all before anything is changed (I25).
fn check_format(
    conn: &Connection,
    path: &Path,
    versions: &RangeInclusive<u32>,
) -> Result<(), OpenError> {
    let application: i32 = read(conn, "application_id")?;
    let found = version(conn)?;
    let path = || path.to_owned();
    if guard!(188) && (application != schema::APPLICATION_ID || found < 1) {
        return Err(OpenError::NotAnIndex { path: path() });
    }
    let known = *versions.end();
    if guard!(189) && found > known {
        let path = path();
        return Err(OpenError::Newer { path, found, known });
    }
    if guard!(490) && found < *versions.start() {
        let path = path();
        return Err(OpenError::Older { path, found, known });
    }
    Ok(())
}

fn configure(conn: &Connection, purpose: Purpose) -> Result<(), OpenError> {
    conn.busy_timeout(BUSY)
        .map_err(|error| of_sql(error, "configuring the index"))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    let busy = i64::try_from(BUSY.as_millis()).unwrap_or(i64::MAX);
    expect(conn, "busy_timeout", &busy)?;
    set(conn, "cache_size", -CACHE_KIB)?;
    set(conn, "mmap_size", 0)?;
    set(conn, "temp_store", 2)?;
    set(conn, "trusted_schema", 0)?;
    set(conn, "cell_size_check", 1)?;
    match purpose {
        Purpose::Change | Purpose::Note => configure_writer(conn, purpose),
        Purpose::Read => {
            expect(conn, "journal_mode", &String::from("wal"))?;
            set(conn, "query_only", 1)
        }
        Purpose::Immutable => set(conn, "query_only", 1),
    }
}

fn configure_writer(conn: &Connection, purpose: Purpose) -> Result<(), OpenError> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .map_err(|error| of_sql(error, "configuring the index"))?;
    expect(conn, "journal_mode", &String::from("wal"))?;
    expect(conn, "auto_vacuum", &2)?;
    let durable = guard!(34) && purpose == Purpose::Change;
    let full = if durable { 2 } else { 1 };
    set(conn, "synchronous", full)?;
    set(conn, "journal_size_limit", WAL_KEPT)?;
    // What is purged leaves the pages, too.
    set(conn, "secure_delete", 1)
}

/// Sets a pragma, and reads it back.
fn set(conn: &Connection, name: &'static str, value: i64) -> Result<(), OpenError> {
    conn.execute_batch(&format!("PRAGMA {name} = {value}"))
        .map_err(|error| of_sql(error, "configuring the index"))?;
    expect(conn, name, &value)
}

fn read<T: FromSql>(conn: &Connection, name: &'static str) -> Result<T, OpenError> {
    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .map_err(|error| of_sql(error, "reading the settings of the index").into())
}

/// Reads a pragma back.
fn expect<T: FromSql + PartialEq + ToString>(
    conn: &Connection,
    name: &'static str,
    wanted: &T,
) -> Result<(), OpenError> {
    let found: T = read(conn, name)?;
    if guard!(190, found == *wanted) {
        return Ok(());
    }
    Err(OpenError::Setting {
        name,
        wanted: wanted.to_string(),
        found: found.to_string(),
    })
}

/// Refuses an index whose newest commits stand in a WAL: `immutable` does not read it.
fn refuse_wal(path: &Path) -> Result<(), OpenError> {
    let wal = beside(path, "-wal");
    match std::fs::metadata(&wal) {
        Ok(meta) if meta.len() > 0 => Err(OpenError::Wal { path: wal }),
        _ => Ok(()),
    }
}

/// Returns the path of a file that SQLite keeps beside the index.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Returns the URI under which SQLite opens a file that nothing changes.
///
/// Source: SQLite, "Uniform Resource Identifiers", 3.
fn immutable_uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut uri = String::from(if bytes.starts_with(b"/") {
        "file://"
    } else {
        "file:"
    });
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_hides_nothing_of_the_path() {
        assert_eq!(
            immutable_uri(Path::new("/a b/x?y#z%.db")),
            "file:///a%20b/x%3Fy%23z%25.db?immutable=1"
        );
        assert_eq!(immutable_uri(Path::new("x.db")), "file:x.db?immutable=1");
    }

    fn made() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.db");
        create_new(&path, Ground::here()).unwrap();
        (dir, path)
    }

    fn create_new(path: &Path, ground: Ground) -> Result<(), OpenError> {
        let registry = RegistryId::from_random([1; 16]);
        create_on(path, NewIndex::new(registry), ground)
    }

    /// A SQLite of before the fault in its WAL neither makes an index nor opens one.
    #[test]
    fn i32_an_old_sqlite_is_refused_before_anything_is_changed() {
        let ground = |sqlite| Ground {
            sqlite,
            ..Ground::here()
        };
        let (dir, path) = made();
        let other = dir.path().join("other.db");
        for purpose in [Purpose::Change, Purpose::Read, Purpose::Immutable] {
            let refused = connect(&path, purpose, &(1..=1), ground(OLDEST - 1));
            assert!(
                matches!(refused, Err(OpenError::Library { .. })),
                "{purpose:?}: {refused:?}"
            );
        }
        let refused = create_new(&other, ground(OLDEST - 1));
        assert!(
            matches!(refused, Err(OpenError::Library { .. })),
            "{refused:?}"
        );
        assert!(!other.exists());
        drop(connect(&path, Purpose::Change, &(1..=1), ground(OLDEST)).unwrap());
        create_new(&other, ground(OLDEST)).unwrap();
    }

    /// F8: where there is no room for the memory that SQLite maps, an index is neither made nor opened: who
    /// touched that memory would be killed. Where it has its room already, a full disk does not matter.
    #[test]
    fn f8_no_index_is_opened_without_room_for_its_shared_memory() {
        let full = Ground {
            free: |_| Ok(Some(ROOM - 1)),
            ..Ground::here()
        };
        let is_told = |outcome: Result<(), OpenError>| {
            matches!(outcome, Err(OpenError::Index(IndexError::NoSpace { .. })))
        };
        let (dir, path) = made();
        assert!(is_told(
            connect(&path, Purpose::Read, &(1..=1), full).map(drop)
        ));
        assert!(is_told(create_new(&dir.path().join("other.db"), full)));
        let _open = connect(&path, Purpose::Change, &(1..=1), Ground::here()).unwrap();
        connect(&path, Purpose::Read, &(1..=1), full).unwrap();
    }

    /// I32: a setting that did not take stops the start.
    #[test]
    fn i32_a_setting_that_does_not_take_is_an_error() {
        let conn = Connection::open_in_memory().unwrap();
        // A database in memory knows no WAL.
        let refused = expect(&conn, "journal_mode", &String::from("wal"));
        let Err(OpenError::Setting { found, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(found, "memory");
        assert!(configure_writer(&conn, Purpose::Change).is_err());
    }
}
