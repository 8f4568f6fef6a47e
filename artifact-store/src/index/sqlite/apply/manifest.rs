//! Manifests.

use artifact_core::{
    Conflict, Digest, Event, Manifest, PackageRef, Reference, Role, Timestamp, guard,
};

use super::{link, tag};
use crate::index::sqlite::{
    failure::Outcome,
    state::{
        links,
        manifests::{self, Presence},
        packages::{self, Package},
        tags,
        tx::Tx,
    },
};

/// Puts a manifest into a package.
pub(super) fn put(
    tx: &mut Tx<'_>,
    at: &PackageRef,
    manifest: &Manifest,
    published_at: Option<Timestamp>,
) -> Outcome<()> {
    let package = packages::intern(tx, at)?;
    let digest = manifest.digest();
    if manifests::is_present(tx.conn, &package, &digest)? {
        return Ok(());
    }
    for reference in manifest.references() {
        guard!(440, check(tx, &package, reference))?;
    }
    let presence = Presence {
        manifest: manifests::store(tx, manifest)?,
        revision: tx.revision,
        seen_at: tx.time,
        published_at,
    };
    manifests::enter(tx, &package, &digest, &presence)?;
    for reference in manifest.references() {
        links::end_lease(tx, &package, &reference.descriptor.digest)?;
    }
    tx.events.push(Event::ManifestPut {
        package: package.at,
        digest,
        media_type: manifest.media_type().clone(),
        size: manifest.size(),
        published_at,
    });
    Ok(())
}

/// Refuses a manifest that names what its package does not have (MI-4).
fn check(tx: &Tx<'_>, package: &Package, reference: &Reference) -> Outcome<()> {
    let digest = reference.descriptor.digest;
    let is_child = reference.role == Role::Child;
    if reference.may_be_absent()
        || links::find(tx.conn, package, &digest)?.is_some()
        || (is_child && manifests::is_present(tx.conn, package, &digest)?)
    {
        return Ok(());
    }
    let package = package.at.clone();
    Err(if is_child {
        Conflict::ManifestUnknown { package, digest }.into()
    } else {
        Conflict::NotLinked { package, digest }.into()
    })
}

/// Takes a manifest out of a package, with its tags, and with the links that nothing else keeps.
pub(super) fn delete(tx: &mut Tx<'_>, at: &PackageRef, digest: Digest) -> Outcome<()> {
    let package = packages::intern(tx, at)?;
    if !manifests::is_present(tx.conn, &package, &digest)? {
        let package = at.clone();
        return Err(Conflict::ManifestUnknown { package, digest }.into());
    }
    if guard!(441)
        && let Some(by) = manifests::naming(tx.conn, &package, &digest, true)?
    {
        return Err(Conflict::ManifestNamed { digest, by }.into());
    }
    for (tag, generation) in tags::of_manifest(tx.conn, &package, &digest)? {
        tag::remove(tx, &package, tag, digest, generation)?;
    }
    let named = manifests::leave(tx, &package, &digest)?;
    tx.events.push(Event::ManifestDeleted {
        package: package.at.clone(),
        digest,
    });
    for digest in named {
        link::remove_if_loose(tx, &package, digest)?;
    }
    Ok(())
}
