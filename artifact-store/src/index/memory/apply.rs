//! Change sets: expectations, changes, rooms.

use artifact_core::{
    Change, ChangeSet, Committed, Conflict, Expectation, Head, IndexError, UploadRecord,
};

use super::{edit::Edit, state::State};

/// Makes a change set on `state`, and says what happened.
///
/// # Errors
/// As [`ManifestIndex::apply`](artifact_core::ManifestIndex::apply); `state` is as it was then.
pub(crate) fn apply(state: &mut State, set: ChangeSet) -> Result<Committed, IndexError> {
    let mut edit = Edit::of(state, set.time);
    for expectation in set.expectations {
        edit.expect(expectation)?;
    }
    for change in set.changes {
        edit.make(change)?;
    }
    edit.state.check_rooms(state, &set.rooms)?;
    if !edit.events.is_empty() {
        edit.state.head = Head::new(edit.revision, edit.time);
    }
    *state = edit.state;
    let Head { revision, time, .. } = state.head;
    Ok(Committed::new(revision, time, set.actor, edit.events))
}

impl Edit {
    /// Says that an expectation must hold.
    fn expect(&self, expectation: Expectation) -> Result<(), Conflict> {
        match expectation {
            Expectation::Document(key, generation) => {
                if self.document_generation(&key) == generation {
                    return Ok(());
                }
                Err(self.document_conflict(key))
            }
            Expectation::TagAbsent(package, tag) => {
                let (_, digest) = self.tag_now(&package, &tag);
                if digest.is_none() {
                    return Ok(());
                }
                Err(self.tag_conflict(&package, &tag))
            }
            Expectation::TagAt(package, tag, expected) => {
                let (generation, digest) = self.tag_now(&package, &tag);
                if digest.is_some() && generation == expected {
                    return Ok(());
                }
                Err(self.tag_conflict(&package, &tag))
            }
            Expectation::Upload(id, version, holder) => {
                let upload = self.state.uploads.get(&id);
                let fits = |up: &UploadRecord| up.version == version && up.holder == holder;
                if upload.is_some_and(fits) {
                    return Ok(());
                }
                let version = upload.map(|upload| upload.version);
                Err(Conflict::Upload { id, version })
            }
        }
    }

    /// Makes a change.
    fn make(&mut self, change: Change) -> Result<(), IndexError> {
        match change {
            Change::Adopt(repository) => self.adopt(&repository)?,
            Change::Collect(digests) => self.collect(digests),
            Change::DeleteDocument(key) => self.delete_document(key)?,
            Change::DeleteManifest(package, digest) => self.delete_manifest(&package, digest)?,
            Change::DeleteTag(package, tag) => self.delete_tag(&package, &tag)?,
            Change::ExpireLeases { now, limit } => self.expire_leases(&now, limit),
            Change::Forget(repository, horizon) => self.forget(repository, horizon)?,
            Change::Link(package, digest, lease) => self.link(&package, digest, lease)?,
            Change::Pin(package, digest, name) => self.pin(&package, digest, name)?,
            Change::Purge(digest) => self.purge(digest)?,
            Change::PutBlob {
                blob,
                location,
                stamp,
                upload,
            } => self.put_blob(&blob, location, stamp, upload.as_ref())?,
            Change::PutDocument(key, body) => self.put_document(key, body),
            Change::PutManifest {
                package,
                manifest,
                published_at,
            } => self.put_manifest(&package, *manifest, published_at)?,
            Change::PutTag(package, tag, digest) => self.put_tag(&package, tag, digest)?,
            Change::Unlink(package, digest) => self.unlink(&package, digest)?,
            Change::Unpin(package, digest, name) => self.unpin(&package, digest, name)?,
        }
        Ok(())
    }
}
