//! Links and pins.

use artifact_core::{Conflict, Digest, Event, Lease, PackageRef, guard};

use crate::index::sqlite::{
    failure::Outcome,
    state::{
        blobs, links, manifests,
        packages::{self, Package},
        tx::Tx,
    },
};

/// Links a blob to a package, or prolongs what holds it there.
pub(super) fn link(
    tx: &mut Tx<'_>,
    at: &PackageRef,
    digest: Digest,
    lease: Option<&Lease>,
) -> Outcome<()> {
    let Some(size) = blobs::size(tx.conn, &digest)? else {
        return Err(Conflict::BlobUnknown { digest }.into());
    };
    let package = packages::intern(tx, at)?;
    if links::find(tx.conn, &package, &digest)?.is_some() {
        if let Some(lease) = lease {
            links::set_lease(tx, &package, &digest, lease)?;
        }
        return Ok(());
    }
    links::link(tx, &package, &digest, size, lease)?;
    let package = package.at;
    tx.events.push(Event::BlobLinked { package, digest });
    Ok(())
}

/// Takes a link out of a package.
pub(super) fn unlink(tx: &mut Tx<'_>, at: &PackageRef, digest: Digest) -> Outcome<()> {
    let package = linked(tx, at, digest)?;
    if guard!(434)
        && let Some(by) = manifests::naming(tx.conn, &package, &digest, false)?
    {
        return Err(Conflict::BlobNamed { digest, by }.into());
    }
    if guard!(435)
        && let Some(name) = links::pin(tx.conn, &package, &digest)?
    {
        return Err(Conflict::BlobPinned { digest, name }.into());
    }
    remove(tx, &package, digest)
}

/// Takes out a link that nothing keeps, and says so.
pub(super) fn remove(tx: &mut Tx<'_>, package: &Package, digest: Digest) -> Outcome<()> {
    links::unlink(tx, package, &digest)?;
    let package = package.at.clone();
    tx.events.push(Event::BlobUnlinked { package, digest });
    Ok(())
}

/// Takes out a link that no manifest, lease or pin keeps.
pub(super) fn remove_if_loose(tx: &mut Tx<'_>, package: &Package, digest: Digest) -> Outcome<()> {
    let is_loose = |link: links::Link| guard!(436, link.lease.is_none());
    let loose = links::find(tx.conn, package, &digest)?.is_some_and(is_loose)
        && guard!(437, manifests::naming(tx.conn, package, &digest, false)?.is_none(), else true)
        && guard!(438, links::pin(tx.conn, package, &digest)?.is_none(), else true);
    if loose {
        remove(tx, package, digest)?;
    }
    Ok(())
}

/// Keeps a linked blob under a name.
pub(super) fn pin(tx: &mut Tx<'_>, at: &PackageRef, digest: Digest, name: String) -> Outcome<()> {
    let package = linked(tx, at, digest)?;
    if links::add_pin(tx, &package, &digest, &name)? {
        tx.events.push(Event::Pinned {
            package: package.at,
            digest,
            name,
        });
    }
    Ok(())
}

/// Ends a pin, and with its last pin the link that nothing else keeps.
pub(super) fn unpin(tx: &mut Tx<'_>, at: &PackageRef, digest: Digest, name: String) -> Outcome<()> {
    let package = packages::intern(tx, at)?;
    if !links::remove_pin(tx, &package, &digest, &name)? {
        return Err(Conflict::PinUnknown { digest, name }.into());
    }
    tx.events.push(Event::Unpinned {
        package: package.at.clone(),
        digest,
        name,
    });
    remove_if_loose(tx, &package, digest)
}

/// Returns the package, which must have the blob linked.
fn linked(tx: &Tx<'_>, at: &PackageRef, digest: Digest) -> Outcome<Package> {
    let package = packages::intern(tx, at)?;
    if guard!(439, links::find(tx.conn, &package, &digest)?.is_some(), else true) {
        return Ok(package);
    }
    let package = at.clone();
    Err(Conflict::NotLinked { package, digest }.into())
}
