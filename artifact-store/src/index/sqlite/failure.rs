//! How the work inside fails, and what the callers of the contract are told of it.

use std::io;

use artifact_core::{BoxError, Conflict, IndexError};
use rusqlite::{Error as SqlError, ErrorCode, ffi};

/// The name under which this index stands in errors.
pub(super) const BACKEND: &str = "sqlite";

/// How a piece of work fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// In the words of the contract already.
    Index(IndexError),
    /// In SQLite's.
    Sql(SqlError),
}

/// What a piece of work comes to.
pub(super) type Outcome<T> = Result<T, Failure>;

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

impl From<Conflict> for Failure {
    fn from(conflict: Conflict) -> Self {
        Self::Index(IndexError::Conflict(conflict))
    }
}

impl Failure {
    /// Returns the contract's error for a failure of `operation`.
    pub(super) fn at(self, operation: &'static str) -> IndexError {
        match self {
            Self::Index(error) => error,
            Self::Sql(error) => of_sql(error, operation),
        }
    }
}

/// Returns the failure of a row whose content makes no sense.
pub(super) fn corrupt(place: impl Into<String>) -> Failure {
    Failure::Index(IndexError::Corrupt {
        place: place.into(),
    })
}

/// Returns the failure of something else than SQLite.
pub(super) fn backend(operation: &'static str, source: impl Into<BoxError>) -> IndexError {
    IndexError::Backend {
        backend: BACKEND,
        operation,
        source: source.into(),
    }
}

/// Returns the contract's error for one of SQLite's.
pub(super) fn of_sql(error: SqlError, operation: &'static str) -> IndexError {
    match &error {
        SqlError::SqliteFailure(code, _) => match code.code {
            ErrorCode::DiskFull => no_space(error, operation),
            // The shared memory file cannot grow: the same full disk, told otherwise.
            _ if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => no_space(error, operation),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => IndexError::Busy,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => IndexError::Corrupt {
                place: format!("index.db ({error})"),
            },
            ErrorCode::ReadOnly => IndexError::ReadOnly { backend: BACKEND },
            _ => backend(operation, error),
        },
        SqlError::FromSqlConversionFailure(column, _, source) => IndexError::Corrupt {
            place: format!("column {column} of {operation} ({source})"),
        },
        SqlError::IntegralValueOutOfRange(column, value) => IndexError::Corrupt {
            place: format!("column {column} of {operation} ({value})"),
        },
        SqlError::InvalidColumnType(column, name, kind) => IndexError::Corrupt {
            place: format!("column {column} ({name}) of {operation}, a {kind}"),
        },
        _ => backend(operation, error),
    }
}

/// Returns the contract's error for one of the operating system's.
pub(super) fn of_io(error: io::Error, operation: &'static str) -> IndexError {
    if is_no_space(&error) {
        no_space(error, operation)
    } else {
        backend(operation, error)
    }
}

/// Says whether no space is left.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull
    )
}

fn no_space(error: impl Into<BoxError>, operation: &'static str) -> IndexError {
    IndexError::NoSpace {
        backend: BACKEND,
        operation,
        source: error.into(),
    }
}
