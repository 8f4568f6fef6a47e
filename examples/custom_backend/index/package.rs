//! Changes of what a package has: tags, manifests, links, leases and pins.

use std::collections::{BTreeSet, btree_map::Entry};

use artifact::{
    BootTime, Conflict, Digest, Event, Generation, Lease, Manifest, PackageRef, Reference, Role,
    Tag, Timestamp,
};

use super::{
    draft::Draft,
    rows::{Link, ManifestRow, TagRow},
    state::State,
};

impl Draft<'_> {
    /// Makes or moves a tag.
    pub fn put_tag(
        &mut self,
        package: PackageRef,
        tag: Tag,
        digest: Digest,
    ) -> Result<(), Conflict> {
        let found = self.state.package(&package);
        if found.is_none_or(|found| !found.manifests.contains_key(&digest)) {
            return Err(Conflict::ManifestUnknown { package, digest });
        }
        let before = self.state.tag(&package, &tag).cloned();
        let previous = before.as_ref().and_then(|row| row.digest);
        if previous == Some(digest) {
            return Ok(());
        }
        let generation = self.write_tag(&package, &tag, Some(digest));
        self.events.push(Event::TagPut {
            package,
            tag,
            digest,
            previous,
            generation,
        });
        Ok(())
    }

    /// Deletes a tag that is there.
    pub fn delete_tag(&mut self, package: PackageRef, tag: Tag) -> Result<(), Conflict> {
        let row = self.state.tag(&package, &tag);
        let Some(digest) = row.and_then(|row| row.digest) else {
            return Err(tag_conflict(self.state, package, tag));
        };
        let generation = self.write_tag(&package, &tag, None);
        self.events.push(Event::TagDeleted {
            package,
            tag,
            digest,
            generation,
        });
        Ok(())
    }

    /// Writes the next generation of a tag.
    fn write_tag(&mut self, package: &PackageRef, tag: &Tag, digest: Option<Digest>) -> Generation {
        let (revision, changed_at) = (self.revision, self.time);
        let before = self.state.tag(package, tag).cloned();
        if let Some(before) = &before {
            self.end_tag(package, before);
        }
        let generation = before.map_or(Generation::NONE, |row| row.generation).next();
        let row = TagRow {
            digest,
            generation,
            revision,
            changed_at,
            since: revision,
        };
        let tags = &mut self.state.package_mut(package).tags;
        tags.insert(tag.clone(), row);
        generation
    }

    /// Puts a manifest into a package that has what it names.
    pub fn put_manifest(
        &mut self,
        package: PackageRef,
        manifest: &Manifest,
        published_at: Option<Timestamp>,
    ) -> Result<(), Conflict> {
        let digest = manifest.digest();
        let found = self.state.package(&package);
        if found.is_some_and(|found| found.manifests.contains_key(&digest)) {
            return Ok(());
        }
        if let Some(conflict) = missing(self.state, &package, manifest) {
            return Err(conflict);
        }
        let row = ManifestRow::new(manifest, published_at, self.revision, self.time);
        let target = self.state.package_mut(&package);
        for named in &row.named {
            if let Some(link) = target.links.get_mut(named) {
                link.lease = None;
            }
        }
        target.manifests.insert(digest, row.into());
        self.state.peopled.insert(package.repository.clone());
        self.state.purged.remove(&digest);
        let bytes = manifest.bytes().clone();
        self.state.manifests.insert(digest, bytes);
        self.events.push(Event::ManifestPut {
            package,
            digest,
            media_type: manifest.media_type().clone(),
            size: manifest.size(),
            published_at,
        });
        Ok(())
    }

    /// Takes a manifest out of a package, with its tags and with the links that only it kept.
    pub fn delete_manifest(&mut self, package: PackageRef, digest: Digest) -> Result<(), Conflict> {
        let found = self.state.package(&package);
        let Some(found) = found.filter(|found| found.manifests.contains_key(&digest)) else {
            return Err(Conflict::ManifestUnknown { package, digest });
        };
        let mut others = found.manifests.iter();
        if let Some((by, _)) = others.find(|(_, row)| row.children.contains(&digest)) {
            return Err(Conflict::ManifestNamed { digest, by: *by });
        }
        let tags = found.tags.iter();
        let tags: Vec<Tag> = tags
            .filter(|(_, row)| row.digest == Some(digest))
            .map(|(tag, _)| tag.clone())
            .collect();
        for tag in tags {
            self.delete_tag(package.clone(), tag)?;
        }
        let manifests = &mut self.state.package_mut(&package).manifests;
        if let Some(row) = manifests.remove(&digest) {
            self.events.push(Event::ManifestDeleted {
                package: package.clone(),
                digest,
            });
            for named in &row.named {
                self.unlink_loose(&package, *named);
            }
            self.end_manifest(&package, row);
        }
        Ok(())
    }

    /// Links a blob to a package.
    pub fn link(
        &mut self,
        package: PackageRef,
        digest: Digest,
        lease: Option<Lease>,
    ) -> Result<(), Conflict> {
        if !self.state.blobs.contains_key(&digest) {
            return Err(Conflict::BlobUnknown { digest });
        }
        match self.state.package_mut(&package).links.entry(digest) {
            Entry::Occupied(mut link) => {
                if let Some(lease) = lease {
                    let link = link.get_mut();
                    link.lease = Some(lease.or_later(link.lease.as_ref()));
                }
            }
            Entry::Vacant(place) => {
                let pins = BTreeSet::new();
                place.insert(Link { lease, pins });
                self.state.peopled.insert(package.repository.clone());
                self.events.push(Event::BlobLinked { package, digest });
            }
        }
        Ok(())
    }

    /// Takes a blob's link out of a package.
    pub fn remove_link(&mut self, package: PackageRef, digest: Digest) -> Result<(), Conflict> {
        let found = self.state.package(&package);
        let Some((found, link)) = found.and_then(|found| Some((found, found.links.get(&digest)?)))
        else {
            return Err(Conflict::NotLinked { package, digest });
        };
        if let Some(by) = found.namer(&digest) {
            return Err(Conflict::BlobNamed { digest, by });
        }
        if let Some(name) = link.pins.first().cloned() {
            return Err(Conflict::BlobPinned { digest, name });
        }
        self.unlink(&package, digest);
        Ok(())
    }

    /// Keeps a linked blob under a name.
    pub fn pin(
        &mut self,
        package: PackageRef,
        digest: Digest,
        name: String,
    ) -> Result<(), Conflict> {
        let Some(link) = link_mut(self.state, &package, &digest) else {
            return Err(Conflict::NotLinked { package, digest });
        };
        if link.pins.insert(name.clone()) {
            self.events.push(Event::Pinned {
                package,
                digest,
                name,
            });
        }
        Ok(())
    }

    /// Ends a pin, and with its last one a link that nothing else keeps.
    pub fn unpin(
        &mut self,
        package: &PackageRef,
        digest: Digest,
        name: String,
    ) -> Result<(), Conflict> {
        let link = link_mut(self.state, package, &digest);
        if !link.is_some_and(|link| link.pins.remove(&name)) {
            return Err(Conflict::PinUnknown { digest, name });
        }
        self.events.push(Event::Unpinned {
            package: package.clone(),
            digest,
            name,
        });
        self.unlink_loose(package, digest);
        Ok(())
    }

    /// Ends the leases of this boot that are over, and the links that nothing else keeps.
    pub fn expire_leases(&mut self, now: &BootTime, limit: u32) {
        let mut over = Vec::new();
        // Packages and links come in the order that decides between equal deadlines, and the sort
        // keeps it.
        for package in self.state.packages.values() {
            for (digest, link) in &package.links {
                let lease = link.lease.as_ref();
                if let Some(lease) = lease.filter(|lease| lease.left(now) == Some(0)) {
                    over.push((lease.deadline.millis, package.name.clone(), *digest));
                }
            }
        }
        over.sort_by_key(|(deadline, ..)| *deadline);
        for (_, package, digest) in over.into_iter().take(limit as usize) {
            if let Some(link) = link_mut(self.state, &package, &digest) {
                link.lease = None;
            }
            self.unlink_loose(&package, digest);
        }
    }
}

/// Returns the link of a blob that a package has, to change it.
pub fn link_mut<'a>(
    state: &'a mut State,
    package: &PackageRef,
    digest: &Digest,
) -> Option<&'a mut Link> {
    // A package is not made only to find that it has no such link.
    state.package(package)?;
    state.package_mut(package).links.get_mut(digest)
}

/// Returns what is there of a tag that is not as it should be.
pub fn tag_conflict(state: &State, package: PackageRef, tag: Tag) -> Conflict {
    let row = state.tag(&package, &tag);
    Conflict::Tag {
        generation: row.map_or(Generation::NONE, |row| row.generation),
        digest: row.and_then(|row| row.digest),
        package,
        tag,
    }
}

/// Returns the first thing that a manifest names and the package has not.
fn missing(state: &State, package: &PackageRef, manifest: &Manifest) -> Option<Conflict> {
    let found = state.package(package);
    let has = |named: &Reference| {
        let digest = &named.descriptor.digest;
        found.is_some_and(|found| {
            found.links.contains_key(digest)
                || named.role == Role::Child && found.manifests.contains_key(digest)
        })
    };
    let mut needed = manifest.references().iter();
    let lacks = needed.find(|named| !named.may_be_absent() && !has(named))?;
    let (package, digest) = (package.clone(), lacks.descriptor.digest);
    Some(match lacks.role {
        Role::Child => Conflict::ManifestUnknown { package, digest },
        _ => Conflict::NotLinked { package, digest },
    })
}
