//! Reads.

use std::collections::{BTreeMap, BTreeSet};

use artifact_core::{
    AsOf, BlobRecord, BootTime, Descriptor, Digest, DocumentKey, DocumentKind, DocumentRecord,
    Footprint, Found, IndexError, LeaseRecord, LinkRecord, Location, ManifestRecord,
    ManifestSummary, MediaType, PackageRef, Page, Query, Scope, Tag, TagRecord, Totals,
};

use super::{
    history::History,
    state::{ManifestRow, Package, State},
};

/// Returns the items after the page's key, at most so many; `items` are in the order of their keys.
pub(crate) fn page<K: Ord, T>(
    items: impl IntoIterator<Item = T>,
    page: &Page<K>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let is_after = |item: &T| page.after.as_ref().is_none_or(|after| key(item) > *after);
    let limit = page.limit.get() as usize;
    items.into_iter().filter(is_after).take(limit).collect()
}

impl State {
    /// Says whether the revision is made.
    ///
    /// # Errors
    /// [`IndexError::FutureRevision`].
    fn check_made(&self, at: AsOf) -> Result<(), IndexError> {
        let newest = self.head.revision;
        match at {
            AsOf::Revision(asked) if asked > newest => {
                Err(IndexError::FutureRevision { asked, newest })
            }
            _ => Ok(()),
        }
    }

    /// Says whether the revision can be read of the repositories of a scope.
    ///
    /// # Errors
    /// [`IndexError::FutureRevision`], [`IndexError::HistoryForgotten`].
    fn check_kept(&self, at: AsOf, scope: &Scope) -> Result<(), IndexError> {
        self.check_made(at)?;
        let horizons = self.horizons.iter().filter(|(name, _)| scope.holds(name));
        let oldest = horizons.map(|(_, horizon)| *horizon).max();
        match (at, oldest) {
            (AsOf::Revision(asked), Some(oldest)) if asked < oldest => {
                Err(IndexError::HistoryForgotten { oldest })
            }
            _ => Ok(()),
        }
    }

    /// Returns the package, if the revision can be read of its repository.
    fn package_at(&self, at: AsOf, package: &PackageRef) -> Result<Option<&Package>, IndexError> {
        self.check_made(at)?;
        let oldest = self.horizon(&package.repository);
        match at {
            AsOf::Revision(asked) if asked < oldest => Err(IndexError::HistoryForgotten { oldest }),
            _ => Ok(self.package(package)),
        }
    }

    /// [`ManifestIndex::document`](artifact_core::ManifestIndex::document).
    pub(crate) fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.check_made(at)?;
        Ok(self.documents.get(key).and_then(|all| record_at(all, at)))
    }

    /// [`ManifestIndex::documents`](artifact_core::ManifestIndex::documents).
    pub(crate) fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        after: &Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.check_made(at)?;
        let all = self.documents.iter().filter(|(key, _)| key.kind() == kind);
        let there = all.filter_map(|(_, all)| record_at(all, at));
        let there = there.filter(|record| record.body.is_some());
        Ok(page(there, after, |record| record.key.name().to_owned()))
    }

    /// [`ManifestIndex::tag`](artifact_core::ManifestIndex::tag).
    pub(crate) fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        let content = self.package_at(at, package)?;
        let history = content.and_then(|content| content.tags.get(tag));
        Ok(history.and_then(|history| history.rows.at(at)).cloned())
    }

    /// [`ManifestIndex::tags`](artifact_core::ManifestIndex::tags).
    pub(crate) fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        after: &Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        let Some(content) = self.package_at(at, package)? else {
            return Ok(Vec::new());
        };
        let there = content.tags.values();
        let there = there.filter_map(|history| history.rows.at(at).cloned());
        Ok(page(there, after, |record| record.tag.clone()))
    }

    /// [`ManifestIndex::manifest`](artifact_core::ManifestIndex::manifest).
    pub(crate) fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        let content = self.package_at(at, package)?;
        let rows = content.and_then(|content| content.manifests.get(digest));
        let Some(row) = rows.and_then(|rows| rows.at(at)) else {
            return Ok(None);
        };
        if self.purged_manifests.contains(digest) {
            return Err(IndexError::Purged { digest: *digest });
        }
        Ok(Some(record_of(row)))
    }

    /// Returns the manifests of a package at a state, by digest.
    fn manifests_at(
        &self,
        at: AsOf,
        package: &PackageRef,
    ) -> Result<impl Iterator<Item = &ManifestRow>, IndexError> {
        let content = self.package_at(at, package)?.into_iter();
        let rows = content.flat_map(|content| content.manifests.values());
        Ok(rows.filter_map(move |rows| rows.at(at)))
    }

    /// Returns what lists tell of the manifests of a package at a state: all but what was purged.
    fn summaries_at(
        &self,
        at: AsOf,
        package: &PackageRef,
    ) -> Result<impl Iterator<Item = ManifestSummary>, IndexError> {
        let rows = self.manifests_at(at, package)?;
        let left = rows.filter(|row| !self.purged_manifests.contains(&row.manifest.digest()));
        Ok(left.map(summary_of))
    }

    /// [`ManifestIndex::manifests`](artifact_core::ManifestIndex::manifests).
    pub(crate) fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        after: &Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        let there = self.summaries_at(at, package)?;
        Ok(page(there, after, |summary| summary.descriptor.digest))
    }

    /// [`ManifestIndex::referrers`](artifact_core::ManifestIndex::referrers).
    pub(crate) fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        after: &Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        let there = self.summaries_at(at, package)?;
        let refer = there.filter(|summary| {
            let own_type = summary.descriptor.artifact_type.as_ref();
            summary.subject.as_ref() == Some(subject)
                && artifact_type.is_none_or(|wanted| own_type == Some(wanted))
        });
        Ok(page(refer, after, |summary| summary.descriptor.digest))
    }

    /// [`ManifestIndex::packages`](artifact_core::ManifestIndex::packages).
    pub(crate) fn list_packages(
        &self,
        at: AsOf,
        scope: &Scope,
        after: &Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.check_kept(at, scope)?;
        let there = self.within(scope).filter(|(_, content)| {
            let mut manifests = content.manifests.values();
            manifests.any(|rows| rows.at(at).is_some())
        });
        let there = there.map(|(package, _)| package.clone());
        Ok(page(there, after, PackageRef::oci_name))
    }

    /// [`ManifestIndex::blob`](artifact_core::ManifestIndex::blob).
    pub(crate) fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        let mut manifests = self.manifests_at(at, package)?;
        let named_by = manifests.find(|row| row.names(digest));
        let named_by = named_by.map(|row| row.manifest.digest());
        let content = self.package(package);
        let link = content.and_then(|content| content.links.get(digest));
        let (has, lease) = match at {
            AsOf::Now => (link.is_some(), link.cloned().flatten()),
            AsOf::Revision(_) => (named_by.is_some(), None),
        };
        match self.blobs.get(digest) {
            Some(blob) if has => Ok(Some(LinkRecord::new(blob.clone(), named_by, lease))),
            None if has && self.purged.contains(digest) => {
                Err(IndexError::Purged { digest: *digest })
            }
            _ => Ok(None),
        }
    }

    /// [`ManifestIndex::foreign_leases`](artifact_core::ManifestIndex::foreign_leases).
    pub(crate) fn foreign_leases(&self, now: &BootTime, limit: usize) -> Vec<LeaseRecord> {
        let mut foreign = Vec::new();
        for (key, content) in &self.packages {
            for (digest, lease) in &content.links {
                if let Some(lease) = lease
                    && lease.left(now).is_none()
                {
                    foreign.push(LeaseRecord {
                        package: key.package.clone(),
                        digest: *digest,
                        lease: lease.clone(),
                    });
                }
            }
        }
        foreign.truncate(limit);
        foreign
    }

    /// [`ManifestIndex::unwanted`](artifact_core::ManifestIndex::unwanted).
    pub(crate) fn unwanted(&self, after: &Page<Digest>) -> Vec<BlobRecord> {
        let rows = self.blobs.values();
        let unwanted = rows.filter(|row| !self.is_wanted(&row.digest)).cloned();
        page(unwanted, after, |row| row.digest)
    }

    /// [`ManifestIndex::footprint`](artifact_core::ManifestIndex::footprint).
    pub(crate) fn footprint(&self, scope: &Scope) -> Footprint {
        let mut footprint = Footprint::default();
        let mut linked = BTreeSet::new();
        for (_, content) in self.within(scope) {
            let manifests = content.manifests_now().count() as u64;
            let tags = content.tags.values();
            footprint.packages += u64::from(manifests > 0);
            footprint.manifests += manifests;
            footprint.tags += tags.filter(|tag| tag.rows.now().is_some()).count() as u64;
            linked.extend(content.links.keys().copied());
        }
        let sizes = |digests: &BTreeSet<Digest>| {
            let rows = digests.iter().filter_map(|digest| self.blobs.get(digest));
            rows.map(|row| row.size).sum()
        };
        let past = &self.named_in_past(scope) - &linked;
        footprint.blobs = linked.len() as u64;
        footprint.blob_bytes = sizes(&linked);
        footprint.history_bytes = sizes(&past);
        footprint
    }

    /// Returns the content that kept past manifests of a scope name.
    fn named_in_past(&self, scope: &Scope) -> BTreeSet<Digest> {
        let mut named = BTreeSet::new();
        for (package, content) in self.within(scope) {
            let horizon = self.horizon(&package.repository);
            let rows = content.manifests.values();
            for row in rows.flat_map(|rows| rows.past_since(horizon)) {
                let references = row.manifest.references().iter();
                named.extend(references.map(|reference| reference.descriptor.digest));
            }
        }
        named
    }

    /// [`ManifestIndex::totals`](artifact_core::ManifestIndex::totals).
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for row in self.blobs.values() {
            totals.blobs += 1;
            totals.quarantined += u64::from(row.quarantined);
            match row.location {
                Location::Inline(_) => totals.inline_bytes += row.size,
                Location::Key(_) => totals.stored_bytes += row.size,
            }
        }
        let rows = self.packages.values().flat_map(|p| p.manifests.values());
        let rows = rows.flat_map(History::all);
        let manifests: BTreeMap<Digest, u64> = rows
            .map(|row| (row.manifest.digest(), row.manifest.size()))
            .filter(|(digest, _)| !self.purged_manifests.contains(digest))
            .collect();
        totals.manifest_bytes = manifests.values().sum();
        totals.trash = self.trash.len() as u64;
        totals.trash_bytes = self.trash.values().map(|record| record.size).sum();
        totals.uploads = self.uploads.len() as u64;
        totals
    }

    /// [`ManifestIndex::search`](artifact_core::ManifestIndex::search).
    pub(crate) fn search(
        &self,
        at: AsOf,
        query: &Query,
        after: &Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.check_kept(at, &query.scope)?;
        let mut found = Vec::new();
        for (package, content) in self.within(&query.scope) {
            for row in content.manifests.values().filter_map(|rows| rows.at(at)) {
                if fits(row, query) && !self.purged_manifests.contains(&row.manifest.digest()) {
                    found.push(Found {
                        package: package.clone(),
                        digest: row.manifest.digest(),
                    });
                }
            }
        }
        let sorted = |found: &Found| {
            let Found { package, digest } = found;
            (package.oci_name(), package.repository.clone(), *digest)
        };
        let after = Page {
            after: after.after.as_ref().map(sorted),
            limit: after.limit,
        };
        Ok(page(found, &after, sorted))
    }
}

/// Returns what a document was at a state.
fn record_at(all: &[DocumentRecord], at: AsOf) -> Option<DocumentRecord> {
    let made = |record: &&DocumentRecord| match at {
        AsOf::Now => true,
        AsOf::Revision(asked) => record.revision <= asked,
    };
    all.iter().rev().find(made).cloned()
}

fn fits(row: &ManifestRow, query: &Query) -> bool {
    let own_type = row.manifest.artifact_type();
    let own = row.manifest.annotations();
    let is_of_type = query.artifact_type.as_ref();
    is_of_type.is_none_or(|wanted| own_type == Some(wanted))
        && query
            .annotations
            .iter()
            .all(|(key, value)| own.get(key) == Some(value))
}

fn record_of(row: &ManifestRow) -> ManifestRecord {
    let manifest = &row.manifest;
    let mut record = ManifestRecord::new(
        manifest.digest(),
        manifest.media_type().clone(),
        manifest.artifact_type().cloned(),
        manifest.bytes().clone(),
        row.revision,
        row.time,
    );
    record.published_at = row.published_at;
    record
}

fn summary_of(row: &ManifestRow) -> ManifestSummary {
    let manifest = &row.manifest;
    let mut descriptor = Descriptor::new(
        manifest.media_type().clone(),
        manifest.digest(),
        manifest.size(),
    );
    descriptor.annotations = manifest.annotations().clone();
    descriptor.artifact_type = manifest.artifact_type().cloned();
    let mut summary = ManifestSummary::new(descriptor, row.revision, row.time);
    summary.subject = manifest.subject().map(|subject| subject.digest);
    summary.published_at = row.published_at;
    summary
}
