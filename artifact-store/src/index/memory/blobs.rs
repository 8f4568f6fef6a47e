//! Changes of blobs: their rows, links, leases and pins.

use artifact_core::{
    BlobKey, BlobRecord, BootTime, Conflict, Digest, Event, KeyOwner, Lease, Location, PackageRef,
    Stamp, UploadId, VerifiedBlob,
};

use super::{edit::Edit, state::PackageKey};

impl Edit {
    /// [`Change::PutBlob`](artifact_core::Change::PutBlob).
    pub(crate) fn put_blob(
        &mut self,
        blob: &VerifiedBlob,
        location: Location,
        stamp: Option<Stamp>,
        upload: Option<&UploadId>,
    ) -> Result<(), Conflict> {
        let upload = upload.and_then(|id| self.state.uploads.remove(id));
        if let Location::Key(key) = &location {
            self.check_free(key, &blob.digest())?;
        }
        if let Some(at) = upload.and_then(|upload| upload.at)
            && location != Location::Key(at.key.clone())
        {
            self.state.throw(at.key, at.offset);
        }
        let digest = blob.digest();
        let old = self.state.blobs.get(&digest).cloned();
        let dead = match old {
            Some(old) if !old.quarantined => (old.location != location).then_some(location),
            old => {
                let moved = old.map(|old| old.location).filter(|old| *old != location);
                self.enter(blob, location, stamp);
                moved
            }
        };
        if let Some(Location::Key(key)) = dead {
            self.state.throw(key, blob.size());
        }
        Ok(())
    }

    /// Makes or replaces the row of a blob.
    fn enter(&mut self, blob: &VerifiedBlob, location: Location, stamp: Option<Stamp>) {
        let digest = blob.digest();
        let key = match &location {
            Location::Inline(_) => None,
            Location::Key(key) => Some(key.clone()),
        };
        let row = BlobRecord::new(digest, blob.size(), location, stamp, self.time);
        self.state.blobs.insert(digest, row);
        self.state.purged.remove(&digest);
        self.events.push(Event::BlobStored {
            digest,
            size: blob.size(),
            key,
        });
    }

    /// Says that a key must be nobody's, or the blob's own.
    fn check_free(&self, key: &BlobKey, digest: &Digest) -> Result<(), Conflict> {
        match self.state.key_owner(key) {
            None => Ok(()),
            Some(KeyOwner::Blob(owner)) if owner == *digest => Ok(()),
            Some(_) => Err(Conflict::KeyTaken { key: key.clone() }),
        }
    }

    /// [`Change::Link`](artifact_core::Change::Link).
    pub(crate) fn link(
        &mut self,
        package: &PackageRef,
        digest: Digest,
        lease: Option<Lease>,
    ) -> Result<(), Conflict> {
        if !self.state.blobs.contains_key(&digest) {
            return Err(Conflict::BlobUnknown { digest });
        }
        let links = &mut self.package(package).links;
        let is_new = !links.contains_key(&digest);
        let held = links.entry(digest).or_default();
        if let Some(lease) = lease {
            *held = Some(lease.or_later(held.as_ref()));
        }
        if is_new {
            let package = package.clone();
            self.events.push(Event::BlobLinked { package, digest });
        }
        Ok(())
    }

    /// [`Change::Unlink`](artifact_core::Change::Unlink).
    pub(crate) fn unlink(&mut self, package: &PackageRef, digest: Digest) -> Result<(), Conflict> {
        self.check_linked(package, &digest)?;
        let content = self.package(package);
        if let Some(by) = content.named_by(&digest) {
            return Err(Conflict::BlobNamed { digest, by });
        }
        if let Some(name) = content.pin(&digest) {
            let name = name.to_owned();
            return Err(Conflict::BlobPinned { digest, name });
        }
        self.remove_link(package, &digest);
        Ok(())
    }

    /// [`Change::Pin`](artifact_core::Change::Pin).
    pub(crate) fn pin(
        &mut self,
        package: &PackageRef,
        digest: Digest,
        name: String,
    ) -> Result<(), Conflict> {
        self.check_linked(package, &digest)?;
        if self.package(package).pins.insert((digest, name.clone())) {
            let package = package.clone();
            self.events.push(Event::Pinned {
                package,
                digest,
                name,
            });
        }
        Ok(())
    }

    /// [`Change::Unpin`](artifact_core::Change::Unpin).
    pub(crate) fn unpin(
        &mut self,
        package: &PackageRef,
        digest: Digest,
        name: String,
    ) -> Result<(), Conflict> {
        if !self.package(package).pins.remove(&(digest, name.clone())) {
            return Err(Conflict::PinUnknown { digest, name });
        }
        self.events.push(Event::Unpinned {
            package: package.clone(),
            digest,
            name,
        });
        let leased = matches!(self.package(package).links.get(&digest), Some(Some(_)));
        if !leased {
            self.remove_unkept_link(package, &digest);
        }
        Ok(())
    }

    /// Takes a blob's link out of a package where no manifest names the blob and no pin holds it.
    fn remove_unkept_link(&mut self, package: &PackageRef, digest: &Digest) {
        let content = self.package(package);
        if content.named_by(digest).is_none() && content.pin(digest).is_none() {
            self.remove_link(package, digest);
        }
    }

    /// [`Change::ExpireLeases`](artifact_core::Change::ExpireLeases).
    pub(crate) fn expire_leases(&mut self, now: &BootTime, limit: u32) {
        let mut over: Vec<(u64, PackageKey, Digest)> = Vec::new();
        for (key, content) in &self.state.packages {
            for (digest, lease) in &content.links {
                if let Some(lease) = lease
                    && lease.left(now) == Some(0)
                {
                    over.push((lease.deadline.millis, key.clone(), *digest));
                }
            }
        }
        over.sort();
        for (_, key, digest) in over.into_iter().take(limit as usize) {
            self.package(&key.package).links.insert(digest, None);
            self.remove_unkept_link(&key.package, &digest);
        }
    }

    /// [`Change::Collect`](artifact_core::Change::Collect).
    pub(crate) fn collect(&mut self, digests: Vec<Digest>) {
        for digest in digests {
            if self.state.is_wanted(&digest) {
                continue;
            }
            if let Some(size) = self.remove_row(&digest) {
                self.events.push(Event::Collected { digest, size });
            }
        }
    }

    /// [`Change::Purge`](artifact_core::Change::Purge).
    pub(crate) fn purge(&mut self, digest: Digest) -> Result<(), Conflict> {
        let mut packages = self.state.packages.iter();
        let user = packages.find(|(_, content)| {
            content.has_manifest(&digest) || content.links.contains_key(&digest)
        });
        if let Some((key, _)) = user {
            let package = key.package.clone();
            return Err(Conflict::InUse { digest, package });
        }
        let mut packages = self.state.packages.values();
        let had_manifest = packages.any(|content| {
            let rows = content.manifests.get(&digest);
            rows.is_some_and(|rows| rows.all().next().is_some())
        });
        let had_manifest = had_manifest && self.state.purged_manifests.insert(digest);
        let had_blob = self.remove_row(&digest).is_some();
        if had_manifest || had_blob {
            self.state.purged.insert(digest);
            self.events.push(Event::Purged { digest });
        }
        Ok(())
    }

    /// Deletes the row of a blob, and puts its key into the trash. Returns its size.
    fn remove_row(&mut self, digest: &Digest) -> Option<u64> {
        let row = self.state.blobs.remove(digest)?;
        if let Location::Key(key) = row.location {
            self.state.throw(key, row.size);
        }
        Some(row.size)
    }
}
