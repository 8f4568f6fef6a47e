//! Repositories and packages.

use artifact_core::{PackageName, PackageRef, RepositoryName, Revision, Scope};
use rusqlite::Connection;

use super::tx::Tx;
use crate::index::sqlite::{
    codec::Raw,
    failure::{Outcome, corrupt},
    statement::{all, one, run},
};

/// A package that has a row.
#[derive(Clone, Debug)]
pub(in crate::index::sqlite) struct Package {
    /// Its row.
    pub(in crate::index::sqlite) id: i64,
    /// Its repository's row.
    pub(in crate::index::sqlite) repository: i64,
    /// Its name.
    pub(in crate::index::sqlite) at: PackageRef,
}

/// Returns the row of a package, if it was ever spoken of.
pub(in crate::index::sqlite) fn find(
    conn: &Connection,
    at: &PackageRef,
) -> Outcome<Option<Package>> {
    let sql = "SELECT id, repository_id FROM packages WHERE repository = ?1 AND name = ?2";
    let found = one(conn, sql, (Raw(&at.repository), Raw(&at.package)), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(found.map(|(id, repository)| Package {
        id,
        repository,
        at: at.clone(),
    }))
}

/// Returns the row of a package, which it makes if need be.
pub(in crate::index::sqlite) fn intern(tx: &Tx<'_>, at: &PackageRef) -> Outcome<Package> {
    if let Some(package) = find(tx.conn, at)? {
        return Ok(package);
    }
    let repository = intern_repository(tx, &at.repository)?;
    let sql = "INSERT INTO packages (repository, name, repository_id, in_default, oci)
        VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
    let params = (
        Raw(&at.repository),
        Raw(&at.package),
        repository,
        at.repository.is_default(),
        at.oci_name(),
    );
    let id = one(tx.conn, sql, params, |row| row.get(0))?;
    Ok(Package {
        id: id.ok_or_else(|| corrupt("packages"))?,
        repository,
        at: at.clone(),
    })
}

/// Returns the row of a repository, which it makes if need be.
pub(in crate::index::sqlite) fn intern_repository(
    tx: &Tx<'_>,
    name: &RepositoryName,
) -> Outcome<i64> {
    let sql = "SELECT id FROM repositories WHERE name = ?1";
    if let Some(id) = one(tx.conn, sql, [Raw(name)], |row| row.get(0))? {
        return Ok(id);
    }
    let sql = "INSERT INTO repositories (name) VALUES (?1) RETURNING id";
    let id = one(tx.conn, sql, [Raw(name)], |row| row.get(0))?;
    id.ok_or_else(|| corrupt("repositories"))
}

/// Marks that a repository has, or had, content.
pub(in crate::index::sqlite) fn use_repository(tx: &Tx<'_>, package: &Package) -> Outcome<()> {
    let sql = "UPDATE repositories SET used = 1 WHERE id = ?1 AND used = 0";
    run(tx.conn, sql, [package.repository])?;
    Ok(())
}

/// Returns the name of a package.
pub(in crate::index::sqlite) fn name(conn: &Connection, id: i64) -> Outcome<PackageRef> {
    let sql = "SELECT repository, name FROM packages WHERE id = ?1";
    one(conn, sql, [id], |row| read_ref(row, 0))?.ok_or_else(|| corrupt(format!("package {id}")))
}

/// Reads a package's name from two columns: its repository's, and its own.
pub(in crate::index::sqlite) fn read_ref(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<PackageRef> {
    let repository = row.get::<_, Raw<RepositoryName>>(column)?.0;
    let package = row.get::<_, Raw<PackageName>>(column + 1)?.0;
    Ok(PackageRef::new(repository, package))
}

/// Returns the packages of the default repository whose OCI name lies below a repository, in the
/// order of their names.
pub(in crate::index::sqlite) fn of_default_below(
    conn: &Connection,
    repository: &RepositoryName,
) -> Outcome<Vec<Package>> {
    let sql = "SELECT id, repository_id, repository, name FROM packages
        WHERE repository = ?1 AND name > ?2 AND name < ?3 ORDER BY name";
    let default = RepositoryName::default_repository();
    let (from, to) = below(repository.as_str());
    let found = all(conn, sql, (Raw(&default), from, to), |row| {
        Ok(Package {
            id: row.get(0)?,
            repository: row.get(1)?,
            at: read_ref(row, 2)?,
        })
    })?;
    Ok(found)
}

/// Returns the two texts between which all paths below a path lie.
pub(in crate::index::sqlite) fn below(path: &str) -> (String, String) {
    // '0' is the byte after '/'.
    (format!("{path}/"), format!("{path}0"))
}

/// Notes that a package has so many more manifests, or fewer.
pub(in crate::index::sqlite) fn count(tx: &Tx<'_>, package: &Package, by: i64) -> Outcome<()> {
    let sql = "SELECT manifests, since FROM packages WHERE id = ?1";
    let found = one(tx.conn, sql, [package.id], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Raw<Revision>>(1)?.0))
    })?;
    let (before, since) = found.ok_or_else(|| corrupt(format!("package {}", package.id)))?;
    let after = before + by;
    if before > 0 && after == 0 && since < tx.revision {
        let sql = "INSERT INTO packages_past
                (in_default, oci, repository, until, since, repository_id)
            SELECT in_default, oci, repository, ?2, since, repository_id
            FROM packages WHERE id = ?1";
        run(tx.conn, sql, (package.id, Raw(tx.revision)))?;
    }
    // What ends and begins in one revision never ended.
    let since = match (before, after) {
        (0, 1..) => reopened(tx, package)?.unwrap_or(tx.revision),
        _ => since,
    };
    let sql = "UPDATE packages SET manifests = ?2, since = ?3 WHERE id = ?1";
    run(tx.conn, sql, (package.id, after, Raw(since)))?;
    Ok(())
}

/// Takes back the past row of a package that ended in this very revision, and returns since when it
/// had manifests.
fn reopened(tx: &Tx<'_>, package: &Package) -> Outcome<Option<Revision>> {
    let sql = "DELETE FROM packages_past
        WHERE in_default = ?1 AND oci = ?2 AND repository = ?3 AND until = ?4 RETURNING since";
    let at = &package.at;
    let params = (
        at.repository.is_default(),
        at.oci_name(),
        Raw(&at.repository),
        Raw(tx.revision),
    );
    Ok(one(tx.conn, sql, params, |row| row.get::<_, Raw<Revision>>(0))?.map(|since| since.0))
}

/// Returns the oldest revision of a repository that can be read.
pub(in crate::index::sqlite) fn horizon(
    conn: &Connection,
    repository: &RepositoryName,
) -> Outcome<Revision> {
    let sql = "SELECT horizon FROM repositories WHERE name = ?1";
    let found = one(conn, sql, [Raw(repository)], |row| {
        row.get::<_, Raw<Revision>>(0)
    })?;
    Ok(found.map_or(Revision::ZERO, |horizon| horizon.0))
}

/// Returns the highest horizon of the repositories in a scope.
pub(in crate::index::sqlite) fn scope_horizon(
    conn: &Connection,
    scope: &Scope,
) -> Outcome<Revision> {
    let sql = "SELECT horizon FROM scopes WHERE path = ?1";
    let found = one(conn, sql, [scope.as_str()], |row| {
        row.get::<_, Raw<Revision>>(0)
    })?;
    Ok(found.map_or(Revision::ZERO, |horizon| horizon.0))
}

/// Moves a horizon forward.
pub(in crate::index::sqlite) fn forget(
    tx: &Tx<'_>,
    repository: &RepositoryName,
    horizon: Revision,
) -> Outcome<()> {
    let id = intern_repository(tx, repository)?;
    let sql = "UPDATE repositories SET horizon = ?2 WHERE id = ?1";
    run(tx.conn, sql, (id, Raw(horizon)))?;
    for scope in Scope::above(repository) {
        let sql = "INSERT INTO scopes (path, horizon) VALUES (?1, ?2)
            ON CONFLICT DO UPDATE SET horizon = max(horizon, excluded.horizon)";
        run(tx.conn, sql, (scope.as_str(), Raw(horizon)))?;
    }
    Ok(())
}
