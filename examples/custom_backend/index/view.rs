//! Reads of what is and was.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    ops::Bound::{Excluded, Included, Unbounded},
};

use artifact::{
    AsOf, BlobRecord, BootTime, Committed, Digest, DocumentKind, DocumentRecord, Found, IndexError,
    LeaseRecord, LinkRecord, ManifestSummary, MediaType, PackageRef, Page, Query, Revision, Scope,
};

use super::{
    rows::{ManifestRow, Place},
    shared::Shared,
    state::{State, version},
};

impl State {
    pub fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        // Revisions leave the feed from its beginning, so the last that left says which did.
        let first = self.feed.keys().next().copied();
        let kept = first.unwrap_or_else(|| self.head.revision.next());
        let oldest = Revision::new(kept.get().saturating_sub(1));
        if after < oldest {
            return Err(IndexError::HistoryForgotten { oldest });
        }
        let committed = self.feed.range((Excluded(after), Unbounded));
        let committed = committed.take(limit.get() as usize);
        Ok(committed.map(|(_, one)| Committed::clone(one)).collect())
    }

    pub fn list_documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: &Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        let revision = self.documents_at(at)?;
        // An empty name is a name: that of the namespace which is the whole registry.
        let from = match &page.after {
            Some(after) => Excluded((kind, after.clone())),
            None => Included((kind, String::new())),
        };
        let documents = self.documents.range((from, Unbounded));
        let documents = documents.take_while(|((other, _), _)| *other == kind);
        let there = documents
            .filter_map(|(_, versions)| version(versions, revision))
            .filter(|record| record.body.is_some());
        Ok(there.take(page.limit.get() as usize).cloned().collect())
    }

    /// Returns the revision as of which documents are read: they outlive every horizon.
    pub fn documents_at(&self, at: AsOf) -> Result<Revision, IndexError> {
        match at {
            AsOf::Now => Ok(self.head.revision),
            AsOf::Revision(revision) => self.check_made(revision).map(|()| revision),
        }
    }

    /// Lists the manifests of a package that fit, those that were purged apart.
    pub fn list_manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: &Page<Digest>,
        fits: impl Fn(&ManifestSummary) -> bool,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        let Some(found) = self.package_at(at, package)? else {
            return Ok(Vec::new());
        };
        let fitting = |digest: &Digest, row: &Shared<ManifestRow>| {
            let listed = self.manifests.contains_key(digest) && fits(&row.summary);
            listed.then(|| row.summary.clone())
        };
        Ok(list(&found.manifests, page, fitting))
    }

    pub fn list_packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: &Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        let packages = self.packages_at(at, scope)?;
        let page = Page {
            after: page.after.as_deref().map(Place::behind),
            limit: page.limit,
        };
        Ok(list(packages, &page, |_, package| {
            let listed = scope.holds(&package.name.repository) && !package.manifests.is_empty();
            listed.then(|| package.name.clone())
        }))
    }

    pub fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: &Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        let packages = self.packages_at(at, &query.scope)?;
        let after = page.after.as_ref();
        let from = after.map(|after| (Place::of(&after.package), after.digest));
        let first = from.as_ref().map(|(place, _)| place.clone());
        let packages = match first {
            Some(first) => packages.range(first..),
            None => packages.range::<Place, _>(..),
        };
        let found = packages.flat_map(|(place, package)| {
            let manifests = package.manifests.iter();
            manifests.map(move |(digest, row)| (place, package, digest, row))
        });
        let found = found
            .filter(|(place, _, digest, _)| {
                let behind = |(at, last): &(Place, Digest)| (at, last) < (*place, *digest);
                from.as_ref().is_none_or(behind)
            })
            .filter(|(place, ..)| query.scope.holds(&place.repository))
            .filter(|(_, _, digest, _)| self.manifests.contains_key(digest))
            .filter(|(.., row)| fits(query, &row.summary));
        let found = found.map(|(_, package, digest, _)| Found {
            package: package.name.clone(),
            digest: *digest,
        });
        Ok(found.take(page.limit.get() as usize).collect())
    }

    pub fn blob_at(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        let Some(found) = self.package_at(at, package)? else {
            return Ok(None);
        };
        let named_by = found.namer(digest);
        let lease = match at {
            AsOf::Now => match found.links.get(digest) {
                Some(link) => link.lease.clone(),
                None => return Ok(None),
            },
            AsOf::Revision(_) if named_by.is_none() => return Ok(None),
            AsOf::Revision(_) => None,
        };
        match self.blobs.get(digest) {
            Some(row) => Ok(Some(LinkRecord::new(row.clone(), named_by, lease))),
            None if self.purged.contains(digest) => Err(IndexError::Purged { digest: *digest }),
            None => Ok(None),
        }
    }

    pub fn foreign_leases(&self, now: &BootTime, limit: NonZeroU32) -> Vec<LeaseRecord> {
        let links = self.packages.values().flat_map(|package| {
            let links = package.links.iter();
            links.map(move |(digest, link)| (package, digest, link))
        });
        let foreign = links.filter_map(|(package, digest, link)| {
            let lease = link.lease.clone()?;
            lease.left(now).is_none().then(|| LeaseRecord {
                package: package.name.clone(),
                digest: *digest,
                lease,
            })
        });
        foreign.take(limit.get() as usize).collect()
    }

    pub fn unwanted(&self, page: &Page<Digest>) -> Vec<BlobRecord> {
        let wanted = self.wanted();
        let from = page.after.map_or(Unbounded, Excluded);
        let unwanted = self.review.range((from, Unbounded));
        let unwanted = unwanted.filter(|digest| !wanted.contains(digest));
        let rows = unwanted.filter_map(|digest| self.blobs.get(digest));
        rows.take(page.limit.get() as usize).cloned().collect()
    }
}

/// Returns a page of the items of a map.
pub fn list<K: Ord, V, T>(
    map: &BTreeMap<K, V>,
    page: &Page<K>,
    mut item: impl FnMut(&K, &V) -> Option<T>,
) -> Vec<T> {
    let from = page.after.as_ref().map_or(Unbounded, Excluded);
    let items = map.range((from, Unbounded));
    let items = items.filter_map(|(key, value)| item(key, value));
    items.take(page.limit.get() as usize).collect()
}

fn fits(query: &Query, summary: &ManifestSummary) -> bool {
    let descriptor = &summary.descriptor;
    let wanted: Option<&MediaType> = query.artifact_type.as_ref();
    wanted.is_none_or(|wanted| descriptor.artifact_type.as_ref() == Some(wanted))
        && query
            .annotations
            .iter()
            .all(|(key, value)| descriptor.annotations.get(key) == Some(value))
}
