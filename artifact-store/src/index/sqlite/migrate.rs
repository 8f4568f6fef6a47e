//! An index whose tables are of an older version, brought to the newest.

use std::path::{Path, PathBuf};

use artifact_core::{Identity, guard};
use rusqlite::{Connection, Result as SqlResult, TransactionBehavior};

use super::{
    connection::{self, Purpose},
    failure::{of_io, of_sql},
    ladder::Ladder,
    options::OpenError,
};
use crate::sys::file_io;

const OPERATION: &str = "migrating the index";

/// An index whose tables are of an older version.
#[derive(Debug)]
pub(crate) struct OldIndex {
    path: PathBuf,
    conn: Connection,
    ladder: Ladder,
    version: u32,
    identity: Identity,
}

impl OldIndex {
    /// Opens an index for its migration; `None` where it needs none. The caller has the directory alone.
    ///
    /// # Errors
    /// Those of opening an index. Nothing is changed.
    pub(crate) fn open(path: &Path, ladder: Ladder) -> Result<Option<Self>, OpenError> {
        let conn = connection::open_any(path, Purpose::Change, ladder)?;
        let version = connection::version(&conn)?;
        if version == ladder.top() {
            return Ok(None);
        }
        let identity = connection::identity(&conn)?;
        Ok(Some(Self {
            path: path.to_owned(),
            conn,
            ladder,
            version,
            identity,
        }))
    }

    /// Returns which registry it is of, and its epoch.
    pub(crate) const fn identity(&self) -> Identity {
        self.identity
    }

    /// Returns the version of its tables.
    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    /// Takes the missing steps, in one transaction with the new version and the next epoch: a handle from before
    /// can write no more. What is done is durable, and in the file of the index.
    ///
    /// # Errors
    /// Where the backend fails. Then the index is as it was or as it is to be: who opens it next finds out.
    pub(crate) fn climb(mut self) -> Result<(), OpenError> {
        // SQLite does so in the commit, and passes over a failure (F7).
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let named = guard!(90, file_io::sync_directory(directory));
        named.map_err(|error| of_io(error, OPERATION))?;
        self.take_steps()
            .map_err(|error| of_sql(error, OPERATION))?;
        let closed = self.conn.close();
        closed.map_err(|(_, error)| of_sql(error, OPERATION).into())
    }

    fn take_steps(&mut self) -> SqlResult<()> {
        // What a checkpoint says after a commit nobody hears who does not make it.
        self.conn.pragma_update(None, "wal_autocheckpoint", 0)?;
        let begun = TransactionBehavior::Immediate;
        let work = self.conn.transaction_with_behavior(begun)?;
        self.ladder.climb(&work, self.version)?;
        let raise = "UPDATE meta SET epoch = epoch + 1 WHERE one = 1";
        guard!(491, work.execute(raise, []).map(drop))?;
        work.commit()?;
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.conn.query_row(checkpoint, [], |_| Ok(()))
    }
}
