//! The whole state of an index, and the questions that changes and reads both ask of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use artifact_core::{
    BlobKey, BlobRecord, Conflict, Digest, DocumentKey, DocumentRecord, Generation, Head, Holder,
    KeyOwner, Lease, Location, Manifest, PackageRef, RepositoryName, Revision, Role, Room, Scope,
    Tag, TagRecord, Timestamp, TrashRecord, UploadId, UploadRecord, Usage,
};

use super::history::History;

/// A package as it is sorted: by its OCI name, then by its repository.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PackageKey {
    /// The OCI name.
    pub(crate) name: String,
    /// The package.
    pub(crate) package: PackageRef,
}

impl From<&PackageRef> for PackageKey {
    fn from(package: &PackageRef) -> Self {
        Self {
            name: package.oci_name(),
            package: package.clone(),
        }
    }
}

/// A manifest in a package.
#[derive(Clone, Debug)]
pub(crate) struct ManifestRow {
    /// What it is.
    pub(crate) manifest: Arc<Manifest>,
    /// The revision that put it there.
    pub(crate) revision: Revision,
    /// When that was.
    pub(crate) time: Timestamp,
    /// When its publisher says that it was published.
    pub(crate) published_at: Option<Timestamp>,
}

impl ManifestRow {
    /// Says whether the manifest names the content.
    pub(crate) fn names(&self, digest: &Digest) -> bool {
        let mut references = self.manifest.references().iter();
        references.any(|reference| reference.descriptor.digest == *digest)
    }

    /// Says whether the manifest is an index with the manifest.
    pub(crate) fn has_child(&self, digest: &Digest) -> bool {
        let mut references = self.manifest.references().iter();
        references.any(|r| r.role == Role::Child && r.descriptor.digest == *digest)
    }
}

/// A tag with all it ever was.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagHistory {
    /// The generation, of its deletion if it is deleted.
    pub(crate) generation: Generation,
    /// What it was.
    pub(crate) rows: History<TagRecord>,
}

/// What a package has and had.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    /// Its tags.
    pub(crate) tags: BTreeMap<Tag, TagHistory>,
    /// Its manifests.
    pub(crate) manifests: BTreeMap<Digest, History<ManifestRow>>,
    /// The blobs that are linked to it now, with their leases.
    pub(crate) links: BTreeMap<Digest, Option<Lease>>,
    /// The pins of those blobs.
    pub(crate) pins: BTreeSet<(Digest, String)>,
}

impl Package {
    /// Returns the manifests that are there now.
    pub(crate) fn manifests_now(&self) -> impl Iterator<Item = (&Digest, &ManifestRow)> {
        let now = self.manifests.iter();
        now.filter_map(|(digest, rows)| Some((digest, rows.now()?)))
    }

    /// Says whether the manifest is there now.
    pub(crate) fn has_manifest(&self, digest: &Digest) -> bool {
        let rows = self.manifests.get(digest);
        rows.is_some_and(|rows| rows.now().is_some())
    }

    /// Returns the first manifest of now that names the content.
    pub(crate) fn named_by(&self, digest: &Digest) -> Option<Digest> {
        let mut now = self.manifests_now();
        now.find(|(_, row)| row.names(digest)).map(|(by, _)| *by)
    }

    /// Returns the first pin of the blob.
    pub(crate) fn pin(&self, digest: &Digest) -> Option<&str> {
        let mut pins = self.pins.iter();
        pins.find(|(of, _)| of == digest)
            .map(|(_, name)| name.as_str())
    }

    /// Returns the first content that is there now.
    pub(crate) fn first_content(&self) -> Option<Digest> {
        let manifests = self.manifests_now().map(|(digest, _)| digest);
        manifests.chain(self.links.keys()).min().copied()
    }
}

/// Everything but the feed.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// The newest revision.
    pub(crate) head: Head,
    /// All that each document was, the oldest first.
    pub(crate) documents: BTreeMap<DocumentKey, Vec<DocumentRecord>>,
    /// The packages.
    pub(crate) packages: BTreeMap<PackageKey, Package>,
    /// The horizons that were moved.
    pub(crate) horizons: BTreeMap<RepositoryName, Revision>,
    /// The rows of blobs.
    pub(crate) blobs: BTreeMap<Digest, BlobRecord>,
    /// Content that was purged and not stored again.
    pub(crate) purged: BTreeSet<Digest>,
    /// Manifests that were purged and not put again; to store their bytes as a blob is not that.
    pub(crate) purged_manifests: BTreeSet<Digest>,
    /// The uploads.
    pub(crate) uploads: BTreeMap<UploadId, UploadRecord>,
    /// The keys that wait to be deleted.
    pub(crate) trash: BTreeMap<BlobKey, TrashRecord>,
    /// Who claims what, until when.
    pub(crate) claims: BTreeMap<String, (Holder, Lease)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            head: Head::new(Revision::ZERO, Timestamp::default()),
            documents: BTreeMap::new(),
            packages: BTreeMap::new(),
            horizons: BTreeMap::new(),
            blobs: BTreeMap::new(),
            purged: BTreeSet::new(),
            purged_manifests: BTreeSet::new(),
            uploads: BTreeMap::new(),
            trash: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }
}

impl State {
    /// Returns the package, if it has or had anything.
    pub(crate) fn package(&self, package: &PackageRef) -> Option<&Package> {
        self.packages.get(&PackageKey::from(package))
    }

    /// Returns the packages of the repositories of a scope, in their order.
    pub(crate) fn within<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> impl Iterator<Item = (&'a PackageRef, &'a Package)> {
        let packages = self.packages.iter().map(|(key, p)| (&key.package, p));
        packages.filter(|(package, _)| scope.holds(&package.repository))
    }

    /// Returns the oldest revision of a repository that can be read.
    pub(crate) fn horizon(&self, repository: &RepositoryName) -> Revision {
        let moved = self.horizons.get(repository);
        moved.copied().unwrap_or(Revision::ZERO)
    }

    /// Returns who knows of a key.
    pub(crate) fn key_owner(&self, key: &BlobKey) -> Option<KeyOwner> {
        let mut blobs = self.blobs.values();
        if let Some(blob) = blobs.find(|blob| blob.location == Location::Key(key.clone())) {
            return Some(KeyOwner::Blob(blob.digest));
        }
        let mut uploads = self.uploads.values();
        let writes = |upload: &&UploadRecord| upload.at.as_ref().is_some_and(|at| at.key == *key);
        if let Some(upload) = uploads.find(writes) {
            return Some(KeyOwner::Upload(upload.id));
        }
        self.trash.contains_key(key).then_some(KeyOwner::Trash)
    }

    /// Says whether anything wants the blob: a link now, or a manifest of now or of kept history.
    pub(crate) fn is_wanted(&self, digest: &Digest) -> bool {
        self.packages.iter().any(|(key, package)| {
            let horizon = self.horizon(&key.package.repository);
            let names = |rows: &History<ManifestRow>| {
                rows.now().is_some_and(|row| row.names(digest))
                    || rows.past_since(horizon).any(|row| row.names(digest))
            };
            package.links.contains_key(digest) || package.manifests.values().any(names)
        })
    }

    /// Returns what the repositories of a scope are charged for: each of them once for each
    /// distinct digest.
    pub(crate) fn usage(&self, scope: &Scope) -> Usage {
        let mut charged = BTreeMap::new();
        for (package, content) in self.within(scope) {
            for digest in content.links.keys() {
                let size = self.blobs.get(digest).map_or(0, |blob| blob.size);
                charged.insert((&package.repository, *digest), size);
            }
            for (digest, row) in content.manifests_now() {
                charged.insert((&package.repository, *digest), row.manifest.size());
            }
        }
        let uploads = self.uploads.values();
        let reserved = uploads.filter(|upload| scope.holds(&upload.package.repository));
        Usage::new(
            charged.values().sum(),
            reserved.map(|upload| upload.reserved).sum(),
        )
    }

    /// Puts a key into the trash.
    pub(crate) fn throw(&mut self, key: BlobKey, size: u64) {
        self.trash.insert(key.clone(), TrashRecord::new(key, size));
    }

    /// Says whether the rooms hold, given the state before.
    ///
    /// # Errors
    /// [`Conflict::NoRoom`] for the first whose usage rose above its limit.
    pub(crate) fn check_rooms(&self, before: &Self, rooms: &[Room]) -> Result<(), Conflict> {
        for room in rooms {
            let usage = self.usage(&room.scope);
            let rose = usage.total() > before.usage(&room.scope).total();
            if rose && usage.total() > room.limit {
                return Err(Conflict::NoRoom {
                    scope: room.scope.clone(),
                    usage,
                    limit: room.limit,
                });
            }
        }
        Ok(())
    }
}
