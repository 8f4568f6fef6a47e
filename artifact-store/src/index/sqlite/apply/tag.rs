//! Tags.

use artifact_core::{Conflict, Digest, Event, Generation, PackageRef, Tag, guard};

use crate::index::sqlite::{
    failure::{Failure, Outcome},
    state::{
        manifests,
        packages::{self, Package},
        tags,
        tx::Tx,
    },
};

/// The generation of a tag, of its deletion where it is deleted, and what it points at.
pub(super) type There = (Generation, Option<Digest>);

/// Returns what there is of a tag.
pub(super) fn look(tx: &Tx<'_>, package: &PackageRef, tag: &Tag) -> Outcome<There> {
    match packages::find(tx.conn, package)? {
        Some(package) => look_in(tx, &package, tag),
        None => Ok((Generation::NONE, None)),
    }
}

fn look_in(tx: &Tx<'_>, package: &Package, tag: &Tag) -> Outcome<There> {
    match tags::current(tx.conn, package, tag)? {
        Some(there) => Ok((there.generation, Some(there.digest))),
        None => Ok((tags::gone(tx.conn, package, tag)?, None)),
    }
}

/// Returns the conflict that tells what there is of a tag.
pub(super) fn conflict(package: &PackageRef, tag: &Tag, there: There) -> Failure {
    let conflict = Conflict::Tag {
        package: package.clone(),
        tag: tag.clone(),
        generation: there.0,
        digest: there.1,
    };
    conflict.into()
}

/// Makes or moves a tag.
pub(super) fn put(tx: &mut Tx<'_>, at: &PackageRef, tag: Tag, digest: Digest) -> Outcome<()> {
    let package = packages::intern(tx, at)?;
    if guard!(442) && !manifests::is_present(tx.conn, &package, &digest)? {
        let package = at.clone();
        return Err(Conflict::ManifestUnknown { package, digest }.into());
    }
    let (generation, previous) = look_in(tx, &package, &tag)?;
    if previous == Some(digest) {
        return Ok(());
    }
    let generation = generation.next();
    tags::put(tx, &package, &tag, &digest, generation)?;
    tx.events.push(Event::TagPut {
        package: package.at,
        tag,
        digest,
        previous,
        generation,
    });
    Ok(())
}

/// Deletes a tag.
pub(super) fn delete(tx: &mut Tx<'_>, at: &PackageRef, tag: Tag) -> Outcome<()> {
    let package = packages::intern(tx, at)?;
    match look_in(tx, &package, &tag)? {
        (generation, Some(digest)) => remove(tx, &package, tag, digest, generation),
        there => Err(conflict(at, &tag, there)),
    }
}

/// Deletes a tag that is there at a generation, and says so.
pub(super) fn remove(
    tx: &mut Tx<'_>,
    package: &Package,
    tag: Tag,
    digest: Digest,
    generation: Generation,
) -> Outcome<()> {
    let generation = generation.next();
    tags::remove(tx, package, &tag, generation)?;
    tx.events.push(Event::TagDeleted {
        package: package.at.clone(),
        tag,
        digest,
        generation,
    });
    Ok(())
}
