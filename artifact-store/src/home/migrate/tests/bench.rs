//! The directory that a program of format 1 has written, and the steps that are made up for it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use artifact_core::{
    Actor, Change, ChangeSet, DocumentKey, IndexError, ManifestIndex, Principal, Timestamp,
};
use artifact_testkit::seams::{FakeClock, TokioSpawn};
use rusqlite::{Connection, OpenFlags, Result as SqlResult};
use tempfile::TempDir;

use crate::{
    home::{Home, HomeError, Note, OpenOptions},
    index::sqlite::ladder::Ladder,
    sys::random::SystemRng,
};

/// A table of what can be computed from others.
pub(super) const FIRST: &[&str] = &[
    "CREATE TABLE made_up (package INTEGER PRIMARY KEY, tags INTEGER NOT NULL) STRICT",
    "INSERT INTO made_up SELECT package, count(*) FROM tags GROUP BY package",
];

/// A column of it, and where else there was nothing.
pub(super) const SECOND: &[&str] = &[
    "ALTER TABLE made_up ADD COLUMN name TEXT NOT NULL DEFAULT ''",
    "UPDATE made_up SET name = (SELECT oci FROM packages WHERE id = package)",
    "CREATE INDEX made_up_name ON made_up (name)",
];

pub(super) const TWO: Ladder = Ladder::of(&[
    |conn| FIRST.iter().try_for_each(|sql| conn.execute_batch(sql)),
    |conn| SECOND.iter().try_for_each(|sql| conn.execute_batch(sql)),
]);

/// The same, but that one of the statements fails.
pub(super) const BROKEN: Ladder = Ladder::of(&[
    |conn| until_broken(conn, FIRST, 0),
    |conn| until_broken(conn, SECOND, FIRST.len()),
]);

/// Which of the statements of [`BROKEN`] fails.
pub(super) static BREAKS_AT: AtomicUsize = AtomicUsize::new(0);

pub(super) fn until_broken(conn: &Connection, all: &[&str], before: usize) -> SqlResult<()> {
    for (number, sql) in all.iter().enumerate() {
        if before + number == BREAKS_AT.load(Ordering::Relaxed) {
            return conn.execute_batch("INSERT INTO nowhere VALUES (1)");
        }
        conn.execute_batch(sql)?;
    }
    Ok(())
}

pub(super) fn options(ladder: Ladder) -> OpenOptions {
    let mut options = OpenOptions::new(
        Arc::new(TokioSpawn::current()),
        Arc::new(FakeClock::new()),
        Arc::new(SystemRng::new().unwrap()),
    );
    options.ladder = ladder;
    options
}

/// A directory as a program of format 1 has left it.
pub(super) struct Old {
    pub(super) dir: TempDir,
    /// Its epoch.
    pub(super) epoch: u64,
}

impl Old {
    pub(super) fn new() -> Self {
        let packed = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../artifact-cli/tests/cli/fixtures/format-1.tar.gz");
        let dir = tempfile::tempdir().unwrap();
        let unpacked = Command::new("tar")
            .arg("-xzf")
            .arg(packed)
            .arg("-C")
            .arg(dir.path())
            .status();
        assert!(unpacked.expect("tar is installed").success());
        let mut old = Self { dir, epoch: 0 };
        // It is a copy, and is told so once by the program of its time.
        tokio::task::block_in_place(|| {
            let path = old.path();
            let opened = Home::open(&path, options(Ladder::SHIPPED));
            let runtime = tokio::runtime::Handle::current();
            let home = runtime.block_on(opened).unwrap();
            old.epoch = home.identity().epoch.get();
            runtime.block_on(home.close()).unwrap();
        });
        assert_eq!(old.look().version, 1);
        old
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("registry")
    }

    pub(super) fn settings(&self) -> String {
        fs::read_to_string(self.path().join("artifact.toml")).unwrap()
    }

    pub(super) fn format(&self) -> u32 {
        let settings = self.settings();
        let line = settings.lines().find_map(|l| l.strip_prefix("format"));
        let number = line.unwrap().trim_start_matches([' ', '=']);
        number.split(' ').next().unwrap().parse().unwrap()
    }

    pub(super) fn look(&self) -> Tables {
        Tables::of(&self.path().join("index.db"))
    }

    /// Says which bytes its settings, index and journal have.
    pub(super) fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = vec![self.path().join("artifact.toml")];
        files.push(self.path().join("index.db"));
        let journal = fs::read_dir(self.path().join("journal")).unwrap();
        files.extend(journal.map(|entry| entry.unwrap().path()));
        let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
        files.into_iter().map(read).collect()
    }

    /// The index is as it was, or as it is to be, and never so before the settings say it.
    #[track_caller]
    pub(super) fn is_whole(&self) -> bool {
        let (tables, format) = (self.look(), self.format());
        let made = tables.made_up.clone();
        match tables.version {
            1 => {
                assert_eq!((tables.epoch, made), (self.epoch, None));
                assert!(format == 1 || format == 3, "{format}");
                false
            }
            3 => {
                assert_eq!((tables.epoch, format), (self.epoch + 1, 3));
                let made = made.expect("the steps were taken");
                assert_eq!(made, tables.computed);
                assert!(made.starts_with("team/models/net "), "{made}");
                true
            }
            other => panic!("the index is of version {other}"),
        }
    }

    /// An older program refuses it, and changes nothing.
    pub(super) async fn refuses_older(&self) {
        let before = self.bytes();
        let refused = Home::open(&self.path(), options(Ladder::SHIPPED)).await;
        let refused = refused.unwrap_err();
        let told = matches!(
            refused,
            HomeError::Format {
                found: 3,
                known: 1,
                ..
            }
        );
        assert!(told, "{refused:?}");
        assert!(before == self.bytes());
    }

    /// The newest program opens it without help, and all is there.
    pub(super) async fn opens(&self) -> Vec<Note> {
        let home = Home::open(&self.path(), options(TWO)).await.unwrap();
        assert!(self.is_whole());
        assert_eq!(home.identity().epoch.get(), self.epoch + 1);
        let checked = home.check().await.unwrap();
        assert_eq!((checked.index, checked.journal), (vec![], vec![]));
        write(&*home.index()).await.unwrap();
        let notes = home.notes().to_vec();
        home.close().await.unwrap();
        notes
    }

    /// Starts another process that opens it.
    pub(super) fn child(&self, role: &str, variables: &[(String, OsString)]) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "home::migrate::tests::role", "--nocapture"])
            .env(ROLE, role)
            .env(DIRECTORY, self.path())
            .envs(variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

/// What an index is.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Tables {
    pub(super) version: u32,
    pub(super) epoch: u64,
    /// What the steps have made, a line a package.
    pub(super) made_up: Option<String>,
    /// What they were to make.
    pub(super) computed: String,
    /// The texts that make its tables.
    pub(super) schema: Vec<String>,
}

impl Tables {
    pub(super) fn of(index: &Path) -> Self {
        // With what stands in a WAL, as whoever opens it next sees it.
        let conn = Connection::open_with_flags(index, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get(0)).unwrap();
        let version: u32 = number("PRAGMA user_version");
        let epoch = conn.query_row("SELECT epoch FROM meta", [], |row| row.get::<_, i64>(0));
        let lines = |from: &str| {
            let sql = format!(
                "SELECT coalesce(group_concat(name || ' ' || tags, ', '), '') FROM ({from})"
            );
            conn.query_row(&sql, [], |row| row.get(0))
        };
        let made_up = lines("SELECT name, tags FROM made_up ORDER BY package").ok();
        let computed = lines(
            "SELECT oci AS name, count(*) AS tags FROM tags JOIN packages ON id = package
             GROUP BY package ORDER BY package",
        );
        let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql";
        let mut schema = conn.prepare(sql).unwrap();
        let schema = schema.query_map([], |row| row.get(0)).unwrap();
        Self {
            version,
            epoch: epoch.unwrap().cast_unsigned(),
            made_up,
            computed: computed.unwrap(),
            schema: schema.map(Result::unwrap).collect(),
        }
    }
}

/// Makes a change that needs nothing but the index.
pub(super) async fn write(index: &dyn ManifestIndex) -> Result<(), IndexError> {
    let actor = Actor::new(Principal::System, None);
    let key = DocumentKey::User("somebody".parse().unwrap());
    let body = format!("{{\"at\":{}}}", index.head().await?.revision);
    let set =
        ChangeSet::new(actor, Timestamp::from_millis(0)).change(Change::PutDocument(key, body));
    index.apply(set).await.map(drop)
}

/// What another process is to do, and where.
pub(super) const ROLE: &str = "ARTIFACT_TEST_MIGRATION";
pub(super) const DIRECTORY: &str = "ARTIFACT_TEST_DIRECTORY";
