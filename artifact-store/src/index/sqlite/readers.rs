//! The connections that read: few, opened when first needed, and each in one read at a time.

use std::path::PathBuf;

use artifact_core::IndexError;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::{
    connection::{self, Purpose},
    failure::{Outcome, backend, of_sql},
    ladder::Ladder,
    options::OpenError,
    statement::run,
};

/// How many reads go on at once. A read takes microseconds, so more would wait for a core instead.
const MOST: usize = 4;

/// The connections that read.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    purpose: Purpose,
    ladder: Ladder,
    pool: Mutex<Pool>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Connection>,
    open: usize,
    closed: bool,
}

impl Readers {
    /// Returns readers that have no connection yet.
    pub(super) fn new(path: PathBuf, purpose: Purpose, ladder: Ladder) -> Self {
        Self {
            path,
            purpose,
            ladder,
            pool: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Adds a connection that is open already.
    pub(super) fn add(&self, connection: Connection) {
        let mut pool = self.pool.lock();
        pool.idle.push(connection);
        pool.open += 1;
    }

    /// Opens a connection that is of no pool.
    ///
    /// # Errors
    /// Those of opening.
    pub(super) fn open(&self, operation: &'static str) -> Result<Connection, IndexError> {
        connection::open(&self.path, self.purpose, self.ladder).map_err(|error| match error {
            OpenError::Index(error) => error,
            other => backend(operation, other),
        })
    }

    /// Runs a read in a transaction of its own: all that it sees is of one state.
    ///
    /// # Errors
    /// Where the backend fails, and those of the read.
    pub(super) fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T, IndexError> {
        let lent = self.take(operation)?;
        let conn = lent.connection.as_ref().ok_or_else(|| closed(operation))?;
        run(conn, "BEGIN", []).map_err(|error| of_sql(error, operation))?;
        let ended = Ended(conn);
        let outcome = read(conn).map_err(|failure| failure.at(operation));
        drop(ended);
        outcome
    }

    /// Closes all connections, and waits for those that are in use.
    pub(super) fn close(&self) {
        let mut pool = self.pool.lock();
        pool.closed = true;
        loop {
            pool.open -= pool.idle.len();
            pool.idle.clear();
            if pool.open == 0 {
                return;
            }
            self.returned.wait(&mut pool);
        }
    }

    fn take(&self, operation: &'static str) -> Result<Lent<'_>, IndexError> {
        let mut pool = self.pool.lock();
        loop {
            if pool.closed {
                return Err(closed(operation));
            }
            if let Some(connection) = pool.idle.pop() {
                let connection = Some(connection);
                return Ok(Lent {
                    readers: self,
                    connection,
                });
            }
            if pool.open < MOST {
                break;
            }
            self.returned.wait(&mut pool);
        }
        pool.open += 1;
        drop(pool);
        // Should the opening fail, the place is given back when this is dropped.
        let mut lent = Lent {
            readers: self,
            connection: None,
        };
        lent.connection = Some(self.open(operation)?);
        Ok(lent)
    }
}

/// A connection that is in use; it comes back when this is dropped.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool.lock();
        match self.connection.take() {
            // After a panic nobody knows what it is in the middle of.
            Some(connection) if connection.is_autocommit() => pool.idle.push(connection),
            _ => pool.open -= 1,
        }
        drop(pool);
        self.readers.returned.notify_all();
    }
}

/// A read transaction; it ends when this is dropped, so also when the read panics.
struct Ended<'a>(&'a Connection);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // A failure leaves the transaction open, and then the connection is not used again.
        let _ended = run(self.0, "COMMIT", []);
    }
}

/// Returns the error of a call on an index that was closed.
pub(super) fn closed(operation: &'static str) -> IndexError {
    backend(operation, "the index is closed")
}
