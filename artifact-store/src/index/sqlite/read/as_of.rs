//! Which states can be read.

use artifact_core::{AsOf, IndexError, PackageRef, Revision, Scope};
use rusqlite::Connection;

use crate::index::sqlite::{
    failure::Outcome,
    state::{packages, revisions},
};

/// Refuses a revision that is not made yet.
pub(super) fn check_made(conn: &Connection, at: AsOf) -> Outcome<()> {
    let AsOf::Revision(asked) = at else {
        return Ok(());
    };
    let newest = revisions::head(conn)?.revision;
    if asked > newest {
        return Err(IndexError::FutureRevision { asked, newest }.into());
    }
    Ok(())
}

/// Refuses a revision that cannot be read of a package's repository.
pub(super) fn check_package(conn: &Connection, at: AsOf, package: &PackageRef) -> Outcome<()> {
    check_made(conn, at)?;
    check_kept(at, || packages::horizon(conn, &package.repository))
}

/// Refuses a revision that cannot be read of all repositories of a scope.
pub(super) fn check_scope(conn: &Connection, at: AsOf, scope: &Scope) -> Outcome<()> {
    check_made(conn, at)?;
    check_kept(at, || packages::scope_horizon(conn, scope))
}

fn check_kept(at: AsOf, horizon: impl FnOnce() -> Outcome<Revision>) -> Outcome<()> {
    let AsOf::Revision(asked) = at else {
        return Ok(());
    };
    let oldest = horizon()?;
    if asked < oldest {
        return Err(IndexError::HistoryForgotten { oldest }.into());
    }
    Ok(())
}
