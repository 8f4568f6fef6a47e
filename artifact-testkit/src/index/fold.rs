//! The state that the feed tells, without looking at the index (MI-9).

use std::collections::{BTreeMap, BTreeSet};

use artifact_core::{
    AsOf, BlobKey, Committed, Digest, DocumentKey, DocumentKind, Event, Generation, Location,
    ManifestIndex, MediaType, PackageRef, RepositoryName, Revision, Scope, Tag, Timestamp,
};

use super::goods::{MANY, all};

/// The states after each revision that was read, the newest last.
#[derive(Debug)]
pub(crate) struct Folds(Vec<Fold>);

impl Default for Folds {
    fn default() -> Self {
        Self(vec![Fold::default()])
    }
}

impl Folds {
    /// Returns the state after the last revision that was read.
    pub(crate) fn newest(&self) -> &Fold {
        self.0.last().expect("the empty state is always there")
    }

    /// Reads what the feed tells since it was read last; it must be before it is pruned.
    pub(crate) async fn catch_up(&mut self, index: &dyn ManifestIndex) {
        let feed = index.changes(self.newest().revision, MANY).await;
        for committed in feed.expect("a feed that nobody pruned since") {
            let mut next = self.newest().clone();
            next.take(&committed);
            self.0.push(next);
        }
    }

    /// Checks that the index answers these states at each revision that is kept, and now.
    pub(crate) async fn check(&mut self, index: &dyn ManifestIndex) {
        self.catch_up(index).await;
        let newest = self.newest();
        for past in &self.0 {
            // What is forgotten or purged by now is not asked for.
            let mut past = past.clone();
            past.horizons.clone_from(&newest.horizons);
            past.purged.clone_from(&newest.purged);
            past.check_past(index).await;
        }
        newest.check_now(index).await;
    }
}

/// A manifest as the feed tells of it.
type Told = (MediaType, u64, Option<Timestamp>, Revision);

/// What a package has.
#[derive(Clone, Debug, Default)]
struct Content {
    tags: BTreeMap<Tag, (Generation, Option<Digest>)>,
    manifests: BTreeMap<Digest, Told>,
    links: BTreeSet<Digest>,
    pins: BTreeSet<(Digest, String)>,
}

/// The state after some events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fold {
    revision: Revision,
    documents: BTreeMap<DocumentKey, (Generation, Option<String>)>,
    packages: BTreeMap<PackageRef, Content>,
    blobs: BTreeMap<Digest, (u64, Option<BlobKey>)>,
    horizons: BTreeMap<RepositoryName, Revision>,
    purged: BTreeSet<Digest>,
}

impl Fold {
    /// Returns the manifests that are there.
    pub(crate) fn manifests(&self) -> Vec<(PackageRef, Digest)> {
        self.each(|content| content.manifests.keys().copied())
    }

    /// Returns the links that are there.
    pub(crate) fn links(&self) -> Vec<(PackageRef, Digest)> {
        self.each(|content| content.links.iter().copied())
    }

    /// Returns the tags that are there.
    pub(crate) fn tags(&self) -> Vec<(PackageRef, Tag)> {
        self.each(|content| {
            let there = content
                .tags
                .iter()
                .filter(|(_, (_, digest))| digest.is_some());
            there.map(|(tag, _)| tag.clone())
        })
    }

    /// Returns the pins that are there.
    pub(crate) fn pins(&self) -> Vec<(PackageRef, Digest, String)> {
        let pins = self.each(|content| content.pins.iter().cloned());
        let flat = pins
            .into_iter()
            .map(|(package, (digest, name))| (package, digest, name));
        flat.collect()
    }

    /// Returns the blobs that have rows.
    pub(crate) fn rows(&self) -> Vec<Digest> {
        self.blobs.keys().copied().collect()
    }

    /// Returns the blobs whose bytes are at a key, with it.
    pub(crate) fn keys(&self) -> Vec<(Digest, BlobKey)> {
        let rows = self.blobs.iter();
        rows.filter_map(|(digest, (_, key))| Some((*digest, key.clone()?)))
            .collect()
    }

    fn each<'a, T, I>(&'a self, items: impl Fn(&'a Content) -> I) -> Vec<(PackageRef, T)>
    where
        I: Iterator<Item = T>,
    {
        let mut all = Vec::new();
        for (package, content) in &self.packages {
            all.extend(items(content).map(|item| (package.clone(), item)));
        }
        all
    }

    /// Takes what was committed next.
    ///
    /// # Panics
    /// When it is not what comes next.
    pub(crate) fn take(&mut self, committed: &Committed) {
        assert_eq!(
            committed.revision,
            self.revision.next(),
            "the feed has a gap"
        );
        self.revision = committed.revision;
        for event in &committed.events {
            self.happen(event);
        }
    }

    fn package(&mut self, package: &PackageRef) -> &mut Content {
        self.packages.entry(package.clone()).or_default()
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Adopted { package } => self.adopt(package),
            Event::BlobLinked { package, digest } => {
                self.package(package).links.insert(*digest);
            }
            Event::BlobStored { digest, size, key } => {
                self.purged.remove(digest);
                self.blobs.insert(*digest, (*size, key.clone()));
            }
            Event::BlobUnlinked { package, digest } => {
                self.package(package).links.remove(digest);
            }
            Event::Collected { digest, .. } => {
                self.blobs.remove(digest);
            }
            Event::Purged { digest } => {
                self.blobs.remove(digest);
                self.purged.insert(*digest);
            }
            Event::DocumentDeleted { key, generation } => {
                self.documents.insert(key.clone(), (*generation, None));
            }
            Event::DocumentPut {
                key,
                generation,
                body,
            } => {
                let record = (*generation, Some(body.clone()));
                self.documents.insert(key.clone(), record);
            }
            Event::Forgotten {
                repository,
                horizon,
            } => {
                self.horizons.insert(repository.clone(), *horizon);
            }
            other => self.happen_in_package(other),
        }
    }

    fn happen_in_package(&mut self, event: &Event) {
        let revision = self.revision;
        match event {
            Event::ManifestDeleted { package, digest } => {
                self.package(package).manifests.remove(digest);
            }
            Event::ManifestPut {
                package,
                digest,
                media_type,
                size,
                published_at,
            } => {
                self.purged.remove(digest);
                let told = (media_type.clone(), *size, *published_at, revision);
                self.package(package).manifests.insert(*digest, told);
            }
            Event::Pinned {
                package,
                digest,
                name,
            } => {
                self.package(package).pins.insert((*digest, name.clone()));
            }
            Event::TagDeleted {
                package,
                tag,
                generation,
                ..
            } => {
                let tags = &mut self.package(package).tags;
                tags.insert(tag.clone(), (*generation, None));
            }
            Event::TagPut {
                package,
                tag,
                digest,
                generation,
                previous,
            } => {
                let tags = &mut self.package(package).tags;
                let old = tags.insert(tag.clone(), (*generation, Some(*digest)));
                let old = old.and_then(|(_, digest)| digest);
                assert_eq!(old, *previous, "what {tag} pointed at before");
            }
            Event::Unpinned {
                package,
                digest,
                name,
            } => {
                self.package(package).pins.remove(&(*digest, name.clone()));
            }
            other => unreachable!("an event that the fold does not know: {other:?}"),
        }
    }

    /// Moves what the package was in the default repository.
    fn adopt(&mut self, package: &PackageRef) {
        let name = package.oci_name().parse().expect("the name of a package");
        let old = self.package(&PackageRef::in_default(&name));
        let moved = old.clone();
        *old = Content::default();
        // A tag that is made anew under the old name goes on counting there.
        for (tag, (generation, _)) in &moved.tags {
            old.tags.insert(tag.clone(), (*generation, None));
        }
        let new = self.package(package);
        for (tag, (generation, digest)) in moved.tags {
            if new
                .tags
                .get(&tag)
                .is_some_and(|(_, digest)| digest.is_some())
            {
                continue;
            }
            let counted = new.tags.get(&tag).map_or(Generation::NONE, |(g, _)| *g);
            new.tags.insert(tag, (generation.max(counted), digest));
        }
        new.manifests.extend(moved.manifests);
        new.links.extend(moved.links);
        new.pins.extend(moved.pins);
    }

    /// Checks that the index answers this state as of the revision of the fold.
    pub(crate) async fn check_past(&self, index: &dyn ManifestIndex) {
        let at = AsOf::Revision(self.revision);
        self.check_documents(index, at).await;
        let newest = self.horizons.values().max();
        if newest.is_none_or(|horizon| *horizon <= self.revision) {
            self.check_packages(index, at).await;
        }
        for (package, content) in &self.packages {
            if self
                .horizons
                .get(&package.repository)
                .is_none_or(|horizon| *horizon <= self.revision)
            {
                self.check_content(index, at, package, content).await;
            }
        }
    }

    /// Checks that the index answers this state now.
    pub(crate) async fn check_now(&self, index: &dyn ManifestIndex) {
        let head = index.head().await.expect("head answers");
        assert_eq!(head.revision, self.revision, "the feed ends elsewhere");
        self.check_documents(index, AsOf::Now).await;
        self.check_packages(index, AsOf::Now).await;
        for (package, content) in &self.packages {
            self.check_content(index, AsOf::Now, package, content).await;
            self.check_links(index, package, content).await;
        }
        let rows = index.blob_rows(all()).await.expect("blob_rows answers");
        let rows = rows.into_iter().map(|row| match row.location {
            Location::Inline(_) => (row.digest, (row.size, None)),
            Location::Key(key) => (row.digest, (row.size, Some(key))),
        });
        assert_eq!(
            rows.collect::<BTreeMap<_, _>>(),
            self.blobs,
            "the rows of blobs"
        );
        for (repository, horizon) in &self.horizons {
            let moved = index.horizon(repository).await.expect("horizon answers");
            assert_eq!(moved.revision, *horizon, "the horizon of {repository}");
        }
    }

    async fn check_documents(&self, index: &dyn ManifestIndex, at: AsOf) {
        let mut told = Vec::new();
        for (key, (generation, body)) in &self.documents {
            let record = index.document(at, key).await.expect("document answers");
            let record = record.map(|record| (record.generation, record.body));
            assert_eq!(record, Some((*generation, body.clone())), "{key} at {at:?}");
            if key.kind() == DocumentKind::Repository && body.is_some() {
                told.push(key.clone());
            }
        }
        let listed = index.documents(at, DocumentKind::Repository, all()).await;
        let listed = listed.expect("documents answers").into_iter();
        let listed: Vec<DocumentKey> = listed.map(|record| record.key).collect();
        assert_eq!(listed, told, "the repositories at {at:?}");
    }

    async fn check_packages(&self, index: &dyn ManifestIndex, at: AsOf) {
        let told = self
            .packages
            .iter()
            .filter(|(_, p)| !p.manifests.is_empty());
        let told: BTreeSet<PackageRef> = told.map(|(package, _)| package.clone()).collect();
        let listed = index.packages(at, &Scope::all(), all()).await;
        let listed = listed.expect("packages answers").into_iter().collect();
        assert_eq!(told, listed, "the packages at {at:?}");
    }

    async fn check_content(
        &self,
        index: &dyn ManifestIndex,
        at: AsOf,
        package: &PackageRef,
        content: &Content,
    ) {
        let tags = index.tags(at, package, all()).await.expect("tags answers");
        let tags = tags
            .into_iter()
            .map(|t| (t.tag, (t.generation, Some(t.digest))));
        let there = content
            .tags
            .iter()
            .filter(|(_, (_, digest))| digest.is_some());
        let told: BTreeMap<Tag, _> = there.map(|(tag, told)| (tag.clone(), *told)).collect();
        assert_eq!(
            tags.collect::<BTreeMap<_, _>>(),
            told,
            "the tags of {package} at {at:?}"
        );
        let manifests = index.manifests(at, package, all()).await;
        let manifests = manifests
            .expect("manifests answers")
            .into_iter()
            .map(|summary| {
                let of = summary.descriptor;
                let told = (
                    of.media_type,
                    of.size,
                    summary.published_at,
                    summary.revision,
                );
                (of.digest, told)
            });
        let manifests: BTreeMap<Digest, Told> = manifests.collect();
        let left = content.manifests.iter();
        let left = left.filter(|(digest, _)| !self.purged.contains(digest));
        let left: BTreeMap<Digest, Told> =
            left.map(|(digest, told)| (*digest, told.clone())).collect();
        assert_eq!(manifests, left, "the manifests of {package} at {at:?}");
    }

    async fn check_links(&self, index: &dyn ManifestIndex, package: &PackageRef, told: &Content) {
        for digest in self.blobs.keys() {
            let link = index.blob(AsOf::Now, package, digest).await;
            let is_linked = link.expect("blob answers").is_some();
            assert_eq!(
                is_linked,
                told.links.contains(digest),
                "{digest} in {package}"
            );
        }
        for (digest, name) in &told.pins {
            assert!(
                told.links.contains(digest),
                "the pin {name} of a blob that is not linked"
            );
        }
    }
}
