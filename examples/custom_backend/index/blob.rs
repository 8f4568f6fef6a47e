//! Changes of the registry's blobs, whoever has them.

use std::collections::btree_map::Entry;

use artifact::{
    BlobKey, BlobRecord, Conflict, Digest, Event, KeyOwner, Location, Stamp, UploadId, VerifiedBlob,
};

use super::{draft::Draft, state::State};

impl Draft<'_> {
    /// Enters a blob, or heals the one that is quarantined, and ends its upload.
    pub fn put_blob(
        &mut self,
        blob: VerifiedBlob,
        location: Location,
        stamp: Option<Stamp>,
        upload: Option<UploadId>,
    ) -> Result<(), Conflict> {
        let (digest, size) = (blob.digest(), blob.size());
        if let Location::Key(key) = &location {
            let owner = KeyOwner::Blob(digest);
            let from = upload.map(KeyOwner::Upload);
            self.state.keys.take(key, owner, from.as_ref())?;
        }
        if let Some(upload) = upload {
            self.end_upload(&upload, &location);
        }
        let record = BlobRecord::new(digest, size, location, stamp, self.time);
        self.state.review.insert(digest);
        let spare = match self.state.blobs.entry(digest) {
            Entry::Vacant(place) => {
                place.insert(record.clone());
                None
            }
            Entry::Occupied(mut place) if place.get().quarantined => {
                Some(place.insert(record.clone()))
            }
            Entry::Occupied(place) => {
                if place.get().location != record.location {
                    discard(self.state, &record);
                }
                return Ok(());
            }
        };
        if let Some(spare) = spare.filter(|spare| spare.location != record.location) {
            discard(self.state, &spare);
        }
        self.state.purged.remove(&digest);
        let key = key_of(&record).cloned();
        self.events.push(Event::BlobStored { digest, size, key });
        Ok(())
    }

    /// Removes an upload whose blob was entered. Its key goes to the trash, unless the blob has it.
    fn end_upload(&mut self, id: &UploadId, location: &Location) {
        let upload = self.state.uploads.remove(id);
        if let Some(at) = upload.and_then(|upload| upload.at)
            && *location != Location::Key(at.key.clone())
        {
            self.state.keys.discard(&at.key, at.offset);
        }
    }

    /// Deletes the rows of those of the blobs that nothing wants.
    pub fn collect(&mut self, digests: Vec<Digest>) {
        let wanted = self.state.wanted();
        for digest in digests {
            if wanted.contains(&digest) {
                continue;
            }
            if let Some(record) = self.remove_row(&digest) {
                let size = record.size;
                self.events.push(Event::Collected { digest, size });
            }
        }
    }

    /// Removes the bytes of a blob or manifest that no package has now.
    pub fn purge(&mut self, digest: Digest) -> Result<(), Conflict> {
        let mut packages = self.state.packages.values();
        let user = packages.find(|package| {
            package.manifests.contains_key(&digest) || package.links.contains_key(&digest)
        });
        if let Some(user) = user {
            let package = user.name.clone();
            return Err(Conflict::InUse { digest, package });
        }
        let row = self.remove_row(&digest).is_some();
        let manifest = self.state.manifests.remove(&digest).is_some();
        if row || manifest {
            self.state.purged.insert(digest);
            self.events.push(Event::Purged { digest });
        }
        Ok(())
    }

    fn remove_row(&mut self, digest: &Digest) -> Option<BlobRecord> {
        let record = self.state.blobs.remove(digest)?;
        discard(self.state, &record);
        self.state.review.remove(digest);
        Some(record)
    }
}

/// Puts the key of a blob in the trash, if it has one.
fn discard(state: &mut State, record: &BlobRecord) {
    if let Some(key) = key_of(record) {
        state.keys.discard(key, record.size);
    }
}

/// Returns the key of a blob; `None` where its bytes are in the index.
pub const fn key_of(record: &BlobRecord) -> Option<&BlobKey> {
    match &record.location {
        Location::Inline(_) => None,
        Location::Key(key) => Some(key),
    }
}
