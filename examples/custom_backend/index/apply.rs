//! Change sets: expectations, changes, rooms.

use artifact::{
    Change, ChangeSet, Committed, Conflict, Event, Expectation, IndexError, RepositoryName,
    Revision,
};

use super::{
    count::check_rooms, document::generation, draft::Draft, package::tag_conflict, state::State,
};

/// Makes a change set. Where it fails the state is half changed, and must not be kept.
pub fn apply(state: &mut State, set: ChangeSet) -> Result<Committed, IndexError> {
    for expectation in set.expectations {
        expect(state, expectation)?;
    }
    let before = state.clone();
    let mut draft = Draft::new(state, set.time);
    for change in set.changes {
        make(&mut draft, change)?;
    }
    check_rooms(&before, draft.state, set.rooms)?;
    Ok(draft.finish(set.actor))
}

fn expect(state: &State, expectation: Expectation) -> Result<(), Conflict> {
    match expectation {
        Expectation::Document(key, expected) => {
            let generation = generation(state, &key);
            if generation != expected {
                return Err(Conflict::Document { key, generation });
            }
        }
        Expectation::TagAbsent(package, tag) => {
            let row = state.tag(&package, &tag);
            if row.is_some_and(|row| row.digest.is_some()) {
                return Err(tag_conflict(state, package, tag));
            }
        }
        Expectation::TagAt(package, tag, expected) => {
            let row = state.tag(&package, &tag);
            if row.is_none_or(|row| row.digest.is_none() || row.generation != expected) {
                return Err(tag_conflict(state, package, tag));
            }
        }
        Expectation::Upload(id, version, holder) => {
            let upload = state.uploads.get(&id);
            if upload.is_none_or(|row| row.version != version || row.holder != holder) {
                let version = upload.map(|row| row.version);
                return Err(Conflict::Upload { id, version });
            }
        }
    }
    Ok(())
}

fn make(draft: &mut Draft<'_>, change: Change) -> Result<(), IndexError> {
    match change {
        Change::Adopt(repository) => draft.adopt(&repository)?,
        Change::Collect(digests) => draft.collect(digests),
        Change::DeleteDocument(key) => draft.delete_document(key)?,
        Change::DeleteManifest(package, digest) => draft.delete_manifest(package, digest)?,
        Change::DeleteTag(package, tag) => draft.delete_tag(package, tag)?,
        Change::ExpireLeases { now, limit } => draft.expire_leases(&now, limit),
        Change::Forget(repository, horizon) => forget(draft, repository, horizon)?,
        Change::Link(package, digest, lease) => draft.link(package, digest, lease)?,
        Change::Pin(package, digest, name) => draft.pin(package, digest, name)?,
        Change::Purge(digest) => draft.purge(digest)?,
        Change::PutBlob {
            blob,
            location,
            stamp,
            upload,
        } => draft.put_blob(blob, location, stamp, upload)?,
        Change::PutDocument(key, body) => draft.put_document(key, body),
        Change::PutManifest {
            package,
            manifest,
            published_at,
        } => draft.put_manifest(package, &manifest, published_at)?,
        Change::PutTag(package, tag, digest) => draft.put_tag(package, tag, digest)?,
        Change::Unlink(package, digest) => draft.remove_link(package, digest)?,
        Change::Unpin(package, digest, name) => draft.unpin(&package, digest, name)?,
    }
    Ok(())
}

/// Moves the horizon of a repository forward. What it passed goes when it is pruned.
fn forget(
    draft: &mut Draft<'_>,
    repository: RepositoryName,
    horizon: Revision,
) -> Result<(), IndexError> {
    draft.state.check_made(horizon)?;
    if horizon > draft.state.horizon(&repository) {
        draft.state.horizons.insert(repository.clone(), horizon);
        draft.events.push(Event::Forgotten {
            repository,
            horizon,
        });
    }
    Ok(())
}
