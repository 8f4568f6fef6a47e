//! The state that the commits tell of, folded here once more, with all that it was.

use std::collections::{BTreeMap, BTreeSet};

use artifact_core::{
    Committed, Digest, DocumentKey, Event, Generation, PackageRef, RepositoryName, Revision, Role,
    Tag, Timestamp,
};

use crate::goods::Goods;

/// What something was, from each revision on that changed it.
#[derive(Clone, Debug)]
pub(crate) struct Past<T>(Vec<(Revision, T)>);

impl<T> Default for Past<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Past<T> {
    fn put(&mut self, at: Revision, value: T) {
        self.0.retain(|(since, _)| *since != at);
        self.0.push((at, value));
    }

    fn at(&self, at: Revision) -> Option<&T> {
        let mut newest_first = self.0.iter().rev();
        newest_first
            .find(|(since, _)| *since <= at)
            .map(|(_, value)| value)
    }

    fn now(&self) -> Option<&T> {
        self.0.last().map(|(_, value)| value)
    }

    /// Returns all that it was at one of these revisions.
    fn between(&self, first: Revision, last: Revision) -> Vec<T> {
        let later = self
            .0
            .iter()
            .filter(|(since, _)| first < *since && *since <= last);
        let all = self
            .at(first)
            .into_iter()
            .chain(later.map(|(_, value)| value));
        all.cloned().collect()
    }
}

type TagState = (Option<Digest>, Generation, Revision);

/// The state that the commits tell of, with all that it was.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) head: Revision,
    time: Option<Timestamp>,
    tags: BTreeMap<(PackageRef, Tag), Past<TagState>>,
    manifests: BTreeMap<(PackageRef, Digest), Past<bool>>,
    links: BTreeMap<(PackageRef, Digest), Past<bool>>,
    rows: BTreeSet<Digest>,
    /// What each of them was.
    stored: BTreeMap<Digest, Past<bool>>,
    /// What was purged, and whether it was stored anew since.
    purged: BTreeMap<Digest, Past<bool>>,
    mode: Past<String>,
    pub(crate) horizons: BTreeMap<RepositoryName, Revision>,
}

impl Model {
    pub(crate) fn horizon(&self, package: &PackageRef) -> Revision {
        self.horizons
            .get(&package.repository)
            .copied()
            .unwrap_or(Revision::ZERO)
    }

    pub(crate) fn tag_at(&self, at: Revision, package: &PackageRef, tag: &Tag) -> TagState {
        let past = self.tags.get(&(package.clone(), tag.clone()));
        past.and_then(|past| past.at(at)).copied().unwrap_or((
            None,
            Generation::NONE,
            Revision::ZERO,
        ))
    }

    /// Returns all that a tag was between two revisions.
    pub(crate) fn tag_between(
        &self,
        first: Revision,
        last: Revision,
        package: &PackageRef,
        tag: &Tag,
    ) -> Vec<TagState> {
        let past = self.tags.get(&(package.clone(), tag.clone()));
        let mut all = past
            .map(|past| past.between(first, last))
            .unwrap_or_default();
        if past.is_none_or(|past| past.at(first).is_none()) {
            all.push((None, Generation::NONE, Revision::ZERO));
        }
        all
    }

    pub(crate) fn has_manifest_at(
        &self,
        at: Revision,
        package: &PackageRef,
        digest: &Digest,
    ) -> bool {
        let past = self.manifests.get(&(package.clone(), *digest));
        past.and_then(|past| past.at(at)).copied().unwrap_or(false)
    }

    pub(crate) fn has_link_at(&self, at: Revision, package: &PackageRef, digest: &Digest) -> bool {
        let past = self.links.get(&(package.clone(), *digest));
        past.and_then(|past| past.at(at)).copied().unwrap_or(false)
    }

    /// Says whether something was there at one of the revisions, and whether at all of them.
    fn ever_and_always(past: Option<&Past<bool>>, first: Revision, last: Revision) -> (bool, bool) {
        let Some(past) = past else {
            return (false, false);
        };
        let all = past.between(first, last);
        let always = past.at(first).is_some() && all.iter().all(|there| *there);
        (all.iter().any(|there| *there), always)
    }

    pub(crate) fn manifest_between(
        &self,
        first: Revision,
        last: Revision,
        package: &PackageRef,
        digest: &Digest,
    ) -> (bool, bool) {
        Self::ever_and_always(self.manifests.get(&(package.clone(), *digest)), first, last)
    }

    pub(crate) fn link_between(
        &self,
        first: Revision,
        last: Revision,
        package: &PackageRef,
        digest: &Digest,
    ) -> (bool, bool) {
        Self::ever_and_always(self.links.get(&(package.clone(), *digest)), first, last)
    }

    /// Says whether some content was purged, and not stored anew, at one of the revisions, and whether at all.
    pub(crate) fn purged_between(
        &self,
        first: Revision,
        last: Revision,
        digest: &Digest,
    ) -> (bool, bool) {
        Self::ever_and_always(self.purged.get(digest), first, last)
    }

    /// Says whether a blob was stored at all of the revisions.
    pub(crate) fn was_stored(&self, first: Revision, last: Revision, digest: &Digest) -> bool {
        Self::ever_and_always(self.stored.get(digest), first, last).1
    }

    /// Says whether any package had some content at one of the revisions.
    pub(crate) fn anybody_had(&self, first: Revision, last: Revision, digest: &Digest) -> bool {
        let had = |((_, of), past): (&(PackageRef, Digest), &Past<bool>)| {
            of == digest && past.between(first, last).contains(&true)
        };
        self.links.iter().any(had) || self.manifests.iter().any(had)
    }

    pub(crate) fn was_read_only(&self, first: Revision, last: Revision) -> bool {
        self.mode
            .between(first, last)
            .iter()
            .any(|mode| mode.contains("read-only"))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.mode
            .now()
            .is_some_and(|mode| mode.contains("read-only"))
    }

    /// Returns the manifests that a package has at a revision.
    pub(crate) fn manifests_at(&self, at: Revision, package: &PackageRef) -> Vec<Digest> {
        let own = self.manifests.keys().filter(|(of, _)| of == package);
        own.map(|(_, digest)| *digest)
            .filter(|digest| self.has_manifest_at(at, package, digest))
            .collect()
    }

    pub(crate) fn links_now(&self) -> Vec<(PackageRef, Digest)> {
        let there = self
            .links
            .iter()
            .filter(|(_, past)| past.now() == Some(&true));
        there.map(|(key, _)| key.clone()).collect()
    }

    /// Returns the tags that a package has at a revision.
    pub(crate) fn tags_at(
        &self,
        at: Revision,
        package: &PackageRef,
    ) -> Vec<(Tag, Digest, Generation)> {
        let own = self.tags.keys().filter(|(of, _)| of == package);
        let found = own.filter_map(|(_, tag)| {
            let (digest, generation, _) = self.tag_at(at, package, tag);
            Some((tag.clone(), digest?, generation))
        });
        found.collect()
    }

    /// Returns the manifests of a package at a revision that refer to a subject.
    pub(crate) fn referrers_at(
        &self,
        goods: &Goods,
        at: Revision,
        package: &PackageRef,
        subject: &Digest,
    ) -> Vec<Digest> {
        let refers = |digest: &Digest| {
            let manifest = goods.manifest(digest);
            manifest
                .and_then(|m| m.subject())
                .is_some_and(|s| s.digest == *subject)
        };
        let mut found = self.manifests_at(at, package);
        found.retain(refers);
        found
    }

    /// Says whether a manifest of the package at a revision names the blob.
    pub(crate) fn names_at(
        &self,
        goods: &Goods,
        at: Revision,
        package: &PackageRef,
        digest: &Digest,
    ) -> bool {
        let found = self.manifests_at(at, package);
        found.iter().any(|by| names(goods, by, digest))
    }

    /// Says whether anything wants a blob: a link, or a manifest of now or of kept history (I8).
    pub(crate) fn wants(&self, goods: &Goods, digest: &Digest) -> Option<String> {
        for ((package, linked), past) in &self.links {
            if linked == digest && past.now() == Some(&true) {
                return Some(format!("{package} links it"));
            }
        }
        for ((package, by), past) in &self.manifests {
            let horizon = self.horizon(package);
            let kept = past.between(horizon, self.head).contains(&true);
            if kept && names(goods, by, digest) {
                return Some(format!(
                    "{package} has, or had at its horizon {horizon} or later, {by}, which names it"
                ));
            }
        }
        None
    }

    /// Returns the bytes that the repository of a package is charged for (I14).
    pub(crate) fn charged(&self, goods: &Goods, repository: &RepositoryName) -> u64 {
        let links = self
            .links
            .iter()
            .filter(|(_, past)| past.now() == Some(&true));
        let manifests = self
            .manifests
            .iter()
            .filter(|(_, past)| past.now() == Some(&true));
        let all = links.chain(manifests).map(|(key, _)| key);
        let own = all.filter(|(package, _)| package.repository == *repository);
        let distinct: BTreeSet<Digest> = own.map(|(_, digest)| *digest).collect();
        distinct.iter().map(|digest| goods.size(digest)).sum()
    }

    /// Takes a commit into the state.
    ///
    /// # Errors
    /// What of it cannot be, in words.
    pub(crate) fn fold(&mut self, goods: &Goods, committed: &Committed) -> Result<(), String> {
        if committed.revision != self.head.next() {
            let head = self.head;
            return Err(format!(
                "I18 the feed has no gaps: revision {} follows {head}",
                committed.revision
            ));
        }
        if self.time.is_some_and(|time| committed.time <= time) {
            return Err(String::from(
                "I17 times of revisions rise whatever the wall clock does",
            ));
        }
        self.head = committed.revision;
        self.time = Some(committed.time);
        for event in &committed.events {
            self.fold_event(goods, event)?;
        }
        self.check_closed(goods)
    }

    fn fold_event(&mut self, goods: &Goods, event: &Event) -> Result<(), String> {
        let at = self.head;
        match event {
            Event::BlobStored { digest, .. } => {
                self.rows.insert(*digest);
                self.stored.entry(*digest).or_default().put(at, true);
                self.is_back(digest);
            }
            Event::Purged { digest } => {
                if self.anybody_had(at, at, digest) {
                    return Err(format!("I2 what a package has is not purged: {digest} was"));
                }
                self.rows.remove(digest);
                self.stored.entry(*digest).or_default().put(at, false);
                self.purged.entry(*digest).or_default().put(at, true);
            }
            Event::BlobLinked { package, digest } => {
                self.links
                    .entry((package.clone(), *digest))
                    .or_default()
                    .put(at, true);
            }
            Event::BlobUnlinked { package, digest } => {
                self.links
                    .entry((package.clone(), *digest))
                    .or_default()
                    .put(at, false);
            }
            Event::Collected { digest, .. } => {
                if let Some(why) = self.wants(goods, digest) {
                    return Err(format!(
                        "I8 only what nothing wants is collected: {digest} went, but {why}"
                    ));
                }
                self.rows.remove(digest);
                self.stored.entry(*digest).or_default().put(at, false);
            }
            Event::Forgotten {
                repository,
                horizon,
            } => {
                let before = self.horizons.insert(repository.clone(), *horizon);
                if before.is_some_and(|before| before >= *horizon) {
                    return Err(format!(
                        "I18 horizons move forward: that of {repository} went to {horizon}"
                    ));
                }
            }
            Event::ManifestPut {
                package, digest, ..
            } => {
                self.is_back(digest);
                self.manifests
                    .entry((package.clone(), *digest))
                    .or_default()
                    .put(at, true);
            }
            Event::ManifestDeleted { package, digest } => {
                self.manifests
                    .entry((package.clone(), *digest))
                    .or_default()
                    .put(at, false);
            }
            Event::TagPut {
                package,
                tag,
                digest,
                previous,
                generation,
            } => {
                self.move_tag(package, tag, Some(*digest), *previous, *generation)?;
            }
            Event::TagDeleted {
                package,
                tag,
                digest,
                generation,
            } => {
                self.move_tag(package, tag, None, Some(*digest), *generation)?;
            }
            Event::DocumentPut { key, body, .. } if *key == DocumentKey::Mode => {
                self.mode.put(at, body.clone());
            }
            Event::DocumentPut { .. } => {}
            other => return Err(format!("I4 nobody asked for {other:?}")),
        }
        Ok(())
    }

    /// Says that content was stored anew, if it had been purged.
    fn is_back(&mut self, digest: &Digest) {
        let at = self.head;
        if let Some(past) = self.purged.get_mut(digest) {
            past.put(at, false);
        }
    }

    fn move_tag(
        &mut self,
        package: &PackageRef,
        tag: &Tag,
        to: Option<Digest>,
        previous: Option<Digest>,
        generation: Generation,
    ) -> Result<(), String> {
        let (was, old, _) = self.tag_at(self.head, package, tag);
        if (was, old.next()) != (previous, generation) {
            return Err(format!(
                "I6 each change of a tag counts its generation up by one: {tag} of {package} was {was:?} at \
                 {old}, and the commit says that it was {previous:?} and is at {generation}"
            ));
        }
        let past = self.tags.entry((package.clone(), tag.clone())).or_default();
        past.put(self.head, (to, generation, self.head));
        Ok(())
    }

    /// Says whether everything that is named is there (I2).
    fn check_closed(&self, goods: &Goods) -> Result<(), String> {
        for package in &goods.packages {
            for digest in self.manifests_at(self.head, package) {
                let Some(manifest) = goods.manifest(&digest) else {
                    return Err(format!("I4 nobody pushed the manifest {digest}"));
                };
                for reference in manifest.references() {
                    let named = reference.descriptor.digest;
                    let is_child = reference.role == Role::Child
                        && self.has_manifest_at(self.head, package, &named);
                    if !is_child && !self.has_link_at(self.head, package, &named) {
                        return Err(format!(
                            "I2 what a manifest names is there: {package} has {digest} and not {named}"
                        ));
                    }
                }
            }
            for (tag, digest, _) in self.tags_at(self.head, package) {
                if !self.has_manifest_at(self.head, package, &digest) {
                    return Err(format!(
                        "I2 a tag points at a manifest: {tag} of {package} points at {digest}"
                    ));
                }
            }
        }
        for (package, digest) in self.links_now() {
            if !self.rows.contains(&digest) {
                return Err(format!(
                    "I2 what is linked is stored: {package} links {digest}, which has no row"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn rows(&self) -> &BTreeSet<Digest> {
        &self.rows
    }
}

/// Says whether a manifest names a blob or manifest.
pub(crate) fn names(goods: &Goods, by: &Digest, digest: &Digest) -> bool {
    let references = goods.manifest(by).map(|manifest| manifest.references());
    references.is_some_and(|all| {
        all.iter()
            .any(|reference| reference.descriptor.digest == *digest)
    })
}
