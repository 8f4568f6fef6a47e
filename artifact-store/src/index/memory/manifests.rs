//! Changes of manifests and tags.

use std::{collections::BTreeSet, sync::Arc};

use artifact_core::{
    Conflict, Digest, Event, Generation, Manifest, PackageRef, Role, Tag, TagRecord, Timestamp,
};

use super::{edit::Edit, state::ManifestRow};

impl Edit {
    /// [`Change::PutManifest`](artifact_core::Change::PutManifest).
    pub(crate) fn put_manifest(
        &mut self,
        package: &PackageRef,
        manifest: Manifest,
        published_at: Option<Timestamp>,
    ) -> Result<(), Conflict> {
        let digest = manifest.digest();
        if self.package(package).has_manifest(&digest) {
            return Ok(());
        }
        self.check_references(package, &manifest)?;
        self.events.push(Event::ManifestPut {
            package: package.clone(),
            digest,
            media_type: manifest.media_type().clone(),
            size: manifest.size(),
            published_at,
        });
        let row = ManifestRow {
            manifest: Arc::new(manifest),
            revision: self.revision,
            time: self.time,
            published_at,
        };
        let revision = self.revision;
        let content = self.package(package);
        for reference in row.manifest.references() {
            if let Some(lease) = content.links.get_mut(&reference.descriptor.digest) {
                *lease = None;
            }
        }
        content
            .manifests
            .entry(digest)
            .or_default()
            .begin(revision, row);
        self.state.purged.remove(&digest);
        self.state.purged_manifests.remove(&digest);
        Ok(())
    }

    /// Says that the package must have what the manifest names.
    fn check_references(
        &mut self,
        package: &PackageRef,
        manifest: &Manifest,
    ) -> Result<(), Conflict> {
        let content = self.package(package);
        for reference in manifest.references() {
            let digest = reference.descriptor.digest;
            let is_child = reference.role == Role::Child;
            let is_there = content.links.contains_key(&digest)
                || (is_child && content.has_manifest(&digest))
                || reference.may_be_absent();
            if is_there {
                continue;
            }
            let package = package.clone();
            return Err(if is_child {
                Conflict::ManifestUnknown { package, digest }
            } else {
                Conflict::NotLinked { package, digest }
            });
        }
        Ok(())
    }

    /// [`Change::DeleteManifest`](artifact_core::Change::DeleteManifest).
    pub(crate) fn delete_manifest(
        &mut self,
        package: &PackageRef,
        digest: Digest,
    ) -> Result<(), Conflict> {
        let revision = self.revision;
        let content = self.package(package);
        let Some(row) = content.manifests.get(&digest).and_then(|rows| rows.now()) else {
            let package = package.clone();
            return Err(Conflict::ManifestUnknown { package, digest });
        };
        let references = row.manifest.references().iter();
        let named: BTreeSet<Digest> = references.map(|named| named.descriptor.digest).collect();
        let mut indexes = content.manifests_now();
        if let Some((by, _)) = indexes.find(|(_, row)| row.has_child(&digest)) {
            return Err(Conflict::ManifestNamed { digest, by: *by });
        }
        drop(indexes);
        let tags = content.tags.iter();
        let pointing = tags.filter(|(_, tag)| tag.rows.now().is_some_and(|t| t.digest == digest));
        let pointing: Vec<Tag> = pointing.map(|(tag, _)| tag.clone()).collect();
        for tag in &pointing {
            self.delete_tag(package, tag)?;
        }
        let content = self.package(package);
        content.manifests.entry(digest).or_default().end(revision);
        self.events.push(Event::ManifestDeleted {
            package: package.clone(),
            digest,
        });
        for digest in named {
            let content = self.package(package);
            let held = content.named_by(&digest).is_some() || content.pin(&digest).is_some();
            if !held && content.links.get(&digest) == Some(&None) {
                self.remove_link(package, &digest);
            }
        }
        Ok(())
    }

    /// [`Change::PutTag`](artifact_core::Change::PutTag).
    pub(crate) fn put_tag(
        &mut self,
        package: &PackageRef,
        tag: Tag,
        digest: Digest,
    ) -> Result<(), Conflict> {
        let (revision, time) = (self.revision, self.time);
        let content = self.package(package);
        if !content.has_manifest(&digest) {
            let package = package.clone();
            return Err(Conflict::ManifestUnknown { package, digest });
        }
        let history = content.tags.entry(tag.clone()).or_default();
        let previous = history.rows.now().map(|record| record.digest);
        if previous == Some(digest) {
            return Ok(());
        }
        let generation = history.generation.next();
        history.generation = generation;
        history.rows.end(revision);
        let record = TagRecord::new(tag.clone(), digest, generation, revision, time);
        history.rows.begin(revision, record);
        self.events.push(Event::TagPut {
            package: package.clone(),
            tag,
            digest,
            previous,
            generation,
        });
        Ok(())
    }

    /// [`Change::DeleteTag`](artifact_core::Change::DeleteTag).
    pub(crate) fn delete_tag(&mut self, package: &PackageRef, tag: &Tag) -> Result<(), Conflict> {
        let revision = self.revision;
        let there = self.tag_now(package, tag);
        let history = self.package(package).tags.get_mut(tag);
        let (Some(history), (generation, Some(digest))) = (history, there) else {
            return Err(self.tag_conflict(package, tag));
        };
        history.generation = generation.next();
        history.rows.end(revision);
        self.events.push(Event::TagDeleted {
            package: package.clone(),
            tag: tag.clone(),
            digest,
            generation: generation.next(),
        });
        Ok(())
    }

    /// Returns the generation of a tag, and what it points at if it is there.
    pub(crate) fn tag_now(&self, package: &PackageRef, tag: &Tag) -> (Generation, Option<Digest>) {
        let content = self.state.package(package);
        let Some(history) = content.and_then(|content| content.tags.get(tag)) else {
            return (Generation::NONE, None);
        };
        (history.generation, history.rows.now().map(|t| t.digest))
    }

    /// Returns the conflict that says where a tag is.
    pub(crate) fn tag_conflict(&self, package: &PackageRef, tag: &Tag) -> Conflict {
        let (generation, digest) = self.tag_now(package, tag);
        Conflict::Tag {
            package: package.clone(),
            tag: tag.clone(),
            generation,
            digest,
        }
    }
}
