//! The catalog.

use artifact_core::{AsOf, PackageName, PackageRef, Page, RepositoryName, Scope};
use rusqlite::{Connection, Row};

use super::{
    as_of,
    manifests::number,
    spans::{merge, step},
};
use crate::index::sqlite::{
    failure::Outcome,
    state::packages::{below, read_ref},
    statement::{all, exists, one},
};

/// The packages that have manifests, after an OCI name.
pub(super) const THERE: &str = "SELECT repository, name FROM packages
    WHERE manifests > 0 AND in_default = ?1 AND oci > ?2 AND oci < ?3 AND since <= ?5
      AND (?6 = '' OR repository = ?6 OR (repository > ?6 || '/' AND repository < ?6 || '0'))
    ORDER BY oci, repository LIMIT ?4";
/// The package after another, of those that have a past.
pub(super) const NEXT: &str = "SELECT oci, repository FROM packages_past
    WHERE in_default = ?1 AND (oci, repository) > (?2, ?3) AND oci < ?4
    ORDER BY oci, repository LIMIT 1";
/// Whether a package had manifests.
pub(super) const WAS: &str = "SELECT 1 FROM (
        SELECT since FROM packages_past
        WHERE in_default = ?1 AND oci = ?2 AND repository = ?3 AND until > ?4
        ORDER BY until LIMIT 1)
    WHERE since <= ?4";

/// Above all names: none has such a character.
const ABOVE: &str = "~";

/// A range of OCI names that holds those of a scope's packages.
///
/// The names of the default repository's packages do not begin with it, so those are a range of
/// their own.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// Whether it is of the default repository.
    pub(super) in_default: bool,
    /// Names are above this.
    pub(super) from: String,
    /// Names are below this.
    pub(super) to: String,
}

/// Returns the ranges of a scope.
pub(super) fn ranges(scope: &Scope) -> Vec<Range> {
    let all = |in_default| Range {
        in_default,
        from: String::new(),
        to: ABOVE.to_owned(),
    };
    if *scope == Scope::all() {
        return vec![all(false), all(true)];
    }
    let (from, to) = below(scope.as_str());
    let mut ranges = vec![Range {
        in_default: false,
        from,
        to,
    }];
    if scope.holds(&RepositoryName::default_repository()) {
        ranges.push(all(true));
    }
    ranges
}

/// Returns the package whose OCI name and repository these are.
pub(super) fn package(oci: &str, repository: RepositoryName) -> Option<PackageRef> {
    let name = if repository.is_default() {
        oci
    } else {
        oci.strip_prefix(repository.as_str())?.strip_prefix('/')?
    };
    let name: PackageName = name.parse().ok()?;
    Some(PackageRef::new(repository, name))
}

/// Lists the packages of a scope that have a manifest.
pub(in crate::index::sqlite) fn list(
    conn: &Connection,
    at: AsOf,
    scope: &Scope,
    page: &Page<String>,
) -> Outcome<Vec<PackageRef>> {
    as_of::check_scope(conn, at, scope)?;
    let limit = page.limit.get() as usize;
    let key = |package: &PackageRef| (package.oci_name(), package.repository.clone());
    let mut found = Vec::new();
    for range in ranges(scope) {
        found = merge(found, there(conn, at, scope, &range, page)?, limit, key);
        if let AsOf::Revision(_) = at {
            found = merge(found, past(conn, at, scope, &range, page)?, limit, key);
        }
    }
    Ok(found)
}

fn there(
    conn: &Connection,
    at: AsOf,
    scope: &Scope,
    range: &Range,
    page: &Page<String>,
) -> Outcome<Vec<PackageRef>> {
    let after = page.after.as_ref().max(Some(&range.from));
    // In the default repository's range the scope is that repository, or all.
    let of = if range.in_default { "" } else { scope.as_str() };
    let params = (
        range.in_default,
        after,
        &range.to,
        page.limit.get(),
        number(at),
        of,
    );
    Ok(all(conn, THERE, params, |row| read_ref(row, 0))?)
}

fn past(
    conn: &Connection,
    at: AsOf,
    scope: &Scope,
    range: &Range,
    page: &Page<String>,
) -> Outcome<Vec<PackageRef>> {
    // After a name means after it in whichever repository.
    let first = match &page.after {
        Some(after) if *after > range.from => (after.clone(), ABOVE.to_owned()),
        _ => (range.from.clone(), String::new()),
    };
    let next = |(oci, repository): &(String, String)| {
        let params = (range.in_default, oci, repository, &range.to);
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(one(conn, NEXT, params, read)?)
    };
    let at = |(oci, repository): &(String, String)| {
        let params = (range.in_default, oci, repository, number(at));
        let Ok(name) = repository.parse::<RepositoryName>() else {
            return Ok(None);
        };
        if !scope.holds(&name) || !exists(conn, WAS, params)? {
            return Ok(None);
        }
        Ok(package(oci, name))
    };
    step(first, page.limit.get() as usize, next, at)
}
