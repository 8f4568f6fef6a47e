//! Changes of what stands above packages: documents, horizons, and whose a package is.

use artifact_core::{
    Conflict, DocumentKey, DocumentRecord, Event, Generation, IndexError, PackageRef,
    RepositoryName, Revision,
};

use super::{edit::Edit, state::PackageKey};

impl Edit {
    /// [`Change::PutDocument`](artifact_core::Change::PutDocument).
    pub(crate) fn put_document(&mut self, key: DocumentKey, body: String) {
        let old = self.document(&key);
        if old.is_some_and(|old| old.body.as_deref() == Some(&body)) {
            return;
        }
        let generation = self.write_document(&key, Some(body.clone()));
        self.events.push(Event::DocumentPut {
            key,
            generation,
            body,
        });
    }

    /// [`Change::DeleteDocument`](artifact_core::Change::DeleteDocument).
    pub(crate) fn delete_document(&mut self, key: DocumentKey) -> Result<(), Conflict> {
        if self.document(&key).is_none_or(|old| old.body.is_none()) {
            return Err(self.document_conflict(key));
        }
        let generation = self.write_document(&key, None);
        self.events.push(Event::DocumentDeleted { key, generation });
        Ok(())
    }

    /// Returns the document as it is now.
    fn document(&self, key: &DocumentKey) -> Option<&DocumentRecord> {
        self.state.documents.get(key)?.last()
    }

    /// Returns the generation of a document.
    pub(crate) fn document_generation(&self, key: &DocumentKey) -> Generation {
        let document = self.document(key);
        document.map_or(Generation::NONE, |document| document.generation)
    }

    /// Returns the conflict that says where a document is.
    pub(crate) fn document_conflict(&self, key: DocumentKey) -> Conflict {
        let generation = self.document_generation(&key);
        Conflict::Document { key, generation }
    }

    /// Writes what a document says from this revision on, and returns its generation.
    fn write_document(&mut self, key: &DocumentKey, body: Option<String>) -> Generation {
        let generation = self.document_generation(key).next();
        let record = DocumentRecord::new(key.clone(), generation, body, self.revision);
        let records = self.state.documents.entry(key.clone()).or_default();
        records.retain(|old| old.revision != record.revision);
        records.push(record);
        generation
    }

    /// [`Change::Forget`](artifact_core::Change::Forget).
    pub(crate) fn forget(
        &mut self,
        repository: RepositoryName,
        horizon: Revision,
    ) -> Result<(), IndexError> {
        let newest = self.state.head.revision;
        if horizon > newest {
            return Err(IndexError::FutureRevision {
                asked: horizon,
                newest,
            });
        }
        if horizon > self.state.horizon(&repository) {
            self.state.horizons.insert(repository.clone(), horizon);
            self.events.push(Event::Forgotten {
                repository,
                horizon,
            });
        }
        Ok(())
    }

    /// [`Change::Adopt`](artifact_core::Change::Adopt).
    pub(crate) fn adopt(&mut self, repository: &RepositoryName) -> Result<(), Conflict> {
        if repository.is_default() {
            return Ok(());
        }
        let packages = self.state.packages.keys().map(|key| &key.package);
        let uploading = self.state.uploads.values().map(|upload| &upload.package);
        let mut moves: Vec<(PackageKey, PackageRef)> = packages
            .chain(uploading)
            .filter(|package| package.repository.is_default())
            .filter_map(|old| Some((PackageKey::from(old), below(repository, old)?)))
            .collect();
        moves.sort();
        moves.dedup();
        for (old, new) in moves {
            self.adopt_package(&old.package, &new)?;
        }
        Ok(())
    }

    /// Moves what is now in one package to another that has nothing.
    fn adopt_package(&mut self, old: &PackageRef, new: &PackageRef) -> Result<(), Conflict> {
        let has_content = self.package(old).first_content().is_some();
        if let Some(digest) = self.package(new).first_content()
            && has_content
        {
            let package = new.clone();
            return Err(Conflict::InUse { digest, package });
        }
        let mut has_uploads = false;
        for upload in self.state.uploads.values_mut() {
            if upload.package == *old {
                upload.package = new.clone();
                has_uploads = true;
            }
        }
        self.move_tags(old, new);
        self.move_content(old, new);
        if has_content || has_uploads {
            let package = new.clone();
            self.events.push(Event::Adopted { package });
        }
        Ok(())
    }

    /// Moves the tags, and lets them go on counting; their past stays where it was.
    fn move_tags(&mut self, old: &PackageRef, new: &PackageRef) {
        let revision = self.revision;
        let mut moved = Vec::new();
        for (tag, history) in &mut self.package(old).tags {
            let record = history.rows.now().cloned();
            moved.push((tag.clone(), history.generation, record));
            history.rows.end(revision);
        }
        for (tag, generation, record) in moved {
            let history = self.package(new).tags.entry(tag).or_default();
            if history.rows.now().is_some() {
                continue;
            }
            history.generation = history.generation.max(generation);
            if let Some(mut record) = record {
                record.generation = history.generation;
                history.rows.begin(revision, record);
            }
        }
    }

    /// Moves manifests, links with their leases, and pins; the past stays where it was.
    fn move_content(&mut self, old: &PackageRef, new: &PackageRef) {
        let revision = self.revision;
        let source = self.package(old);
        let links = std::mem::take(&mut source.links);
        let pins = std::mem::take(&mut source.pins);
        let mut manifests = Vec::new();
        for (digest, rows) in &mut source.manifests {
            manifests.extend(rows.now().cloned().map(|row| (*digest, row)));
            rows.end(revision);
        }
        let target = self.package(new);
        target.links.extend(links);
        target.pins.extend(pins);
        for (digest, row) in manifests {
            target
                .manifests
                .entry(digest)
                .or_default()
                .begin(revision, row);
        }
    }
}

/// Returns what a package of the default repository is in another one, if it lies below it.
fn below(repository: &RepositoryName, old: &PackageRef) -> Option<PackageRef> {
    PackageRef::below(repository, &old.oci_name().parse().ok()?)
}
