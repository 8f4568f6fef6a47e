//! Packages that move to another repository.

use artifact_core::{Conflict, Digest, Event, OciName, PackageRef, RepositoryName, guard};

use crate::index::sqlite::{
    codec::Raw,
    failure::Outcome,
    state::{
        adoption,
        packages::{self, Package},
        tx::Tx,
        uploads,
    },
    statement::one,
};

/// Moves the packages of the default repository that lie below a repository into it.
pub(super) fn adopt(tx: &mut Tx<'_>, repository: &RepositoryName) -> Outcome<()> {
    if repository.is_default() {
        return Ok(());
    }
    for from in packages::of_default_below(tx.conn, repository)? {
        let name: Option<OciName> = from.at.oci_name().parse().ok();
        if let Some(to) = name.and_then(|name| PackageRef::below(repository, &name)) {
            adopt_package(tx, &from, &to)?;
        }
    }
    Ok(())
}

/// Moves what a package has to one that has nothing.
fn adopt_package(tx: &mut Tx<'_>, from: &Package, to: &PackageRef) -> Outcome<()> {
    let has_content = first_content(tx, from)?.is_some();
    let has_uploads = uploads::any(tx.conn, from)?;
    let to = packages::intern(tx, to)?;
    if guard!(461)
        && let Some(digest) = first_content(tx, &to)?
        && has_content
    {
        let package = to.at;
        return Err(Conflict::InUse { digest, package }.into());
    }
    adoption::relocate(tx, from, &to)?;
    if has_content || has_uploads {
        tx.events.push(Event::Adopted { package: to.at });
    }
    Ok(())
}

/// Returns the first manifest or blob of a package.
fn first_content(tx: &Tx<'_>, package: &Package) -> Outcome<Option<Digest>> {
    let sql = "SELECT min(digest) FROM (
        SELECT min(digest) AS digest FROM presences WHERE package = ?1
        UNION ALL SELECT min(digest) FROM links WHERE package = ?1)";
    let first = one(tx.conn, sql, [package.id], |row| {
        row.get::<_, Option<Raw<Digest>>>(0)
    })?;
    Ok(first.flatten().map(|digest| digest.0))
}
