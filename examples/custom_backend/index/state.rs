//! All that an index knows at one instant.

use std::collections::{BTreeMap, BTreeSet};

use artifact::{
    AsOf, BlobRecord, Committed, Digest, DocumentKey, DocumentKind, DocumentRecord, Head, Holder,
    IndexError, Lease, PackageRef, RepositoryName, Revision, Scope, Tag, Timestamp, UploadId,
    UploadRecord,
};
use bytes::Bytes;

use super::{
    keys::Keys,
    rows::{Ended, ManifestRow, Package, Packages, Place, TagRow},
    shared::Shared,
};

/// One state; a clone shares all of it until it is changed.
#[derive(Clone, Debug)]
pub struct State {
    pub head: Head,
    /// The time of each revision, from the first on.
    pub times: Shared<Vec<Timestamp>>,
    /// What was committed, as long as it is kept.
    pub feed: Shared<BTreeMap<Revision, Shared<Committed>>>,
    pub packages: Shared<Packages>,
    /// The packages as each revision left them, as long as they can be read.
    pub history: Shared<BTreeMap<Revision, Shared<Packages>>>,
    /// The past rows, in the order in which they ended.
    pub ended: Shared<Vec<Ended>>,
    /// All versions of each document, for documents outlive every horizon.
    pub documents: Shared<BTreeMap<(DocumentKind, String), Vec<DocumentRecord>>>,
    pub horizons: Shared<BTreeMap<RepositoryName, Revision>>,
    /// The repositories that ever had a link or manifest.
    pub peopled: Shared<BTreeSet<RepositoryName>>,
    /// The bytes of manifests that are in a package or past row; what is missing was purged.
    pub manifests: Shared<BTreeMap<Digest, Bytes>>,
    pub blobs: Shared<BTreeMap<Digest, BlobRecord>>,
    /// The content that was purged, and is not stored again.
    pub purged: Shared<BTreeSet<Digest>>,
    /// The blobs that may have become unwanted.
    pub review: Shared<BTreeSet<Digest>>,
    pub keys: Shared<Keys>,
    pub uploads: Shared<BTreeMap<UploadId, UploadRecord>>,
    pub claims: Shared<BTreeMap<String, (Holder, Lease)>>,
}

impl State {
    /// Returns the state of a registry in which nothing was done.
    pub fn new() -> Self {
        Self {
            head: Head::new(Revision::ZERO, Timestamp::default()),
            times: Shared::default(),
            feed: Shared::default(),
            packages: Shared::default(),
            history: BTreeMap::from([(Revision::ZERO, Shared::default())]).into(),
            ended: Shared::default(),
            documents: Shared::default(),
            horizons: Shared::default(),
            peopled: Shared::default(),
            manifests: Shared::default(),
            blobs: Shared::default(),
            purged: Shared::default(),
            review: Shared::default(),
            keys: Shared::default(),
            uploads: Shared::default(),
            claims: Shared::default(),
        }
    }

    pub fn package(&self, package: &PackageRef) -> Option<&Package> {
        self.packages.get(&Place::of(package)).map(|found| &**found)
    }

    /// Returns a package to change it, and makes it where it is new.
    pub fn package_mut(&mut self, package: &PackageRef) -> &mut Package {
        self.packages
            .entry(Place::of(package))
            .or_insert_with(|| Package::new(package.clone()).into())
    }

    pub fn horizon(&self, repository: &RepositoryName) -> Revision {
        let horizon = self.horizons.get(repository);
        horizon.copied().unwrap_or(Revision::ZERO)
    }

    /// Returns the packages of a state, where all repositories of the scope can be read.
    pub fn packages_at(&self, at: AsOf, scope: &Scope) -> Result<&Packages, IndexError> {
        let AsOf::Revision(revision) = at else {
            return Ok(&self.packages);
        };
        self.check_made(revision)?;
        let horizons = self.horizons.iter();
        let oldest = horizons
            .filter(|(repository, _)| scope.holds(repository))
            .map(|(_, horizon)| *horizon)
            .max();
        self.packages_of(revision, oldest.unwrap_or(Revision::ZERO))
    }

    /// Returns one package of a state, if it was there.
    pub fn package_at(
        &self,
        at: AsOf,
        package: &PackageRef,
    ) -> Result<Option<&Package>, IndexError> {
        let AsOf::Revision(revision) = at else {
            return Ok(self.package(package));
        };
        self.check_made(revision)?;
        let packages = self.packages_of(revision, self.horizon(&package.repository))?;
        Ok(packages.get(&Place::of(package)).map(|found| &**found))
    }

    pub fn check_made(&self, asked: Revision) -> Result<(), IndexError> {
        let newest = self.head.revision;
        if asked > newest {
            return Err(IndexError::FutureRevision { asked, newest });
        }
        Ok(())
    }

    fn packages_of(&self, revision: Revision, oldest: Revision) -> Result<&Packages, IndexError> {
        // The state of revision zero is never forgotten, so there is always one.
        let state = self.history.range(..=revision).next_back();
        match state {
            Some((_, packages)) if revision >= oldest => Ok(packages),
            _ => Err(IndexError::HistoryForgotten { oldest }),
        }
    }

    /// Returns what is known of a tag, also of a deleted one.
    pub fn tag(&self, package: &PackageRef, tag: &Tag) -> Option<&TagRow> {
        self.package(package)?.tags.get(tag)
    }

    /// Returns the newest version of a document, also of a deleted one.
    pub fn document(&self, key: &DocumentKey) -> Option<&DocumentRecord> {
        self.documents.get(&document_place(key))?.last()
    }

    /// Lets go of the bytes of a manifest that no package and no past row has any more.
    pub fn drop_manifest(&mut self, digest: &Digest) {
        let packages = self.packages.values();
        let past = self.ended.iter().filter_map(|row| row.manifest.as_ref());
        let in_package = packages.flat_map(|package| package.manifests.keys());
        let in_past = past.map(|row| &row.summary.descriptor.digest);
        if !in_package.chain(in_past).any(|other| other == digest) {
            self.manifests.remove(digest);
        }
    }

    /// Returns all that anything wants: what packages link, and what the manifests name that are in
    /// a package now, or were at or after the horizon of its repository (MI-14).
    pub fn wanted(&self) -> BTreeSet<Digest> {
        let packages = self.packages.values();
        let now = packages.flat_map(|package| {
            let named = package.manifests.values().flat_map(|row| &row.named);
            package.links.keys().chain(named)
        });
        let kept = self.kept().flat_map(|(_, row)| &row.named);
        now.chain(kept).copied().collect()
    }

    /// Returns the past manifests that can still be read, with their repositories.
    pub fn kept(&self) -> impl Iterator<Item = (&RepositoryName, &ManifestRow)> {
        let ended = self.ended.iter();
        let kept = ended.filter(|row| row.until > self.horizon(&row.repository));
        kept.filter_map(|row| Some((&row.repository, &**row.manifest.as_ref()?)))
    }
}

/// Returns where a document stands in lists: by its kind, then by its name.
pub fn document_place(key: &DocumentKey) -> (DocumentKind, String) {
    (key.kind(), key.name().to_owned())
}

/// Returns the version of a document that a revision left.
pub fn version(versions: &[DocumentRecord], revision: Revision) -> Option<&DocumentRecord> {
    let later = versions.partition_point(|version| version.revision <= revision);
    versions.get(later.checked_sub(1)?)
}
