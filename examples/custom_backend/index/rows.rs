//! What a package holds.

use std::collections::{BTreeMap, BTreeSet};

use artifact::{
    Descriptor, Digest, Generation, Lease, Manifest, ManifestRecord, ManifestSummary, PackageRef,
    RepositoryName, Revision, Role, Tag, TagRecord, Timestamp,
};

use bytes::Bytes;

use super::shared::Shared;

/// The packages, in the order in which they are listed.
pub type Packages = BTreeMap<Place, Shared<Package>>;

/// Where a package stands in lists: by its OCI name, then by its repository.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    oci_name: String,
    pub repository: RepositoryName,
}

impl Place {
    pub fn of(package: &PackageRef) -> Self {
        Self {
            oci_name: package.oci_name(),
            repository: package.repository.clone(),
        }
    }

    /// Returns a bound that lies after all packages of an OCI name, and before those of the next.
    pub fn behind(oci_name: &str) -> Self {
        Self {
            // No name has this character, and it is the first of all.
            oci_name: format!("{oci_name}\0"),
            repository: RepositoryName::default_repository(),
        }
    }
}

/// A package. Reads as of a revision ask for its tags and manifests; links are of now alone.
#[derive(Clone, Debug)]
pub struct Package {
    pub name: PackageRef,
    pub tags: BTreeMap<Tag, TagRow>,
    pub manifests: BTreeMap<Digest, Shared<ManifestRow>>,
    pub links: BTreeMap<Digest, Link>,
}

impl Package {
    pub const fn new(name: PackageRef) -> Self {
        Self {
            name,
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
            links: BTreeMap::new(),
        }
    }

    /// Returns the first manifest that names some content.
    pub fn namer(&self, digest: &Digest) -> Option<Digest> {
        let mut manifests = self.manifests.iter();
        let (namer, _) = manifests.find(|(_, row)| row.named.contains(digest))?;
        Some(*namer)
    }

    /// Says whether nothing keeps a link: no manifest, lease or pin.
    pub fn is_loose(&self, digest: &Digest) -> bool {
        let link = self.links.get(digest);
        link.is_some_and(|link| link.lease.is_none() && link.pins.is_empty())
            && self.namer(digest).is_none()
    }

    /// Returns the first content that it has: a manifest or a link.
    pub fn content(&self) -> Option<Digest> {
        let manifest = self.manifests.keys().next();
        let link = self.links.keys().next();
        manifest.into_iter().chain(link).min().copied()
    }
}

/// A tag, or what is left of a deleted one.
#[derive(Clone, Debug)]
pub struct TagRow {
    /// What it points at; `None` when it was deleted.
    pub digest: Option<Digest>,
    pub generation: Generation,
    pub revision: Revision,
    pub changed_at: Timestamp,
    /// The revision since which it is in this package: later than `revision` where it was adopted.
    pub since: Revision,
}

impl TagRow {
    /// Returns its record, unless it was deleted.
    pub fn record(&self, tag: &Tag) -> Option<TagRecord> {
        let (generation, revision, at) = (self.generation, self.revision, self.changed_at);
        let digest = self.digest?;
        Some(TagRecord::new(
            tag.clone(),
            digest,
            generation,
            revision,
            at,
        ))
    }
}

/// A manifest in a package, without its bytes: those are kept once, so that they can be purged.
#[derive(Clone, Debug)]
pub struct ManifestRow {
    pub summary: ManifestSummary,
    /// What it names, in any role.
    pub named: BTreeSet<Digest>,
    /// What it names as an index.
    pub children: BTreeSet<Digest>,
    /// The revision since which it is in this package: later than the one that its summary tells
    /// where it was adopted.
    pub since: Revision,
}

impl ManifestRow {
    pub fn new(
        manifest: &Manifest,
        published_at: Option<Timestamp>,
        revision: Revision,
        time: Timestamp,
    ) -> Self {
        let media_type = manifest.media_type().clone();
        let mut descriptor = Descriptor::new(media_type, manifest.digest(), manifest.size());
        descriptor.annotations = manifest.annotations().clone();
        descriptor.artifact_type = manifest.artifact_type().cloned();
        let mut summary = ManifestSummary::new(descriptor, revision, time);
        summary.subject = manifest.subject().map(|subject| subject.digest);
        summary.published_at = published_at;
        let named = manifest.references().iter();
        let children = named.clone().filter(|named| named.role == Role::Child);
        Self {
            summary,
            children: children.map(|child| child.descriptor.digest).collect(),
            named: named.map(|named| named.descriptor.digest).collect(),
            since: revision,
        }
    }

    /// Returns its record, with the bytes that are kept of it.
    pub fn record(&self, bytes: &Bytes) -> ManifestRecord {
        let (summary, descriptor) = (&self.summary, &self.summary.descriptor);
        let mut record = ManifestRecord::new(
            descriptor.digest,
            descriptor.media_type.clone(),
            descriptor.artifact_type.clone(),
            bytes.clone(),
            summary.revision,
            summary.first_seen_at,
        );
        record.published_at = summary.published_at;
        record
    }
}

/// A blob in a package.
#[derive(Clone, Debug, Default)]
pub struct Link {
    pub lease: Option<Lease>,
    pub pins: BTreeSet<String>,
}

/// A past row: a tag or manifest that was in a package until a revision.
#[derive(Clone, Debug)]
pub struct Ended {
    pub repository: RepositoryName,
    /// The first revision in which it was not there any more.
    pub until: Revision,
    /// The manifest; `None` for a tag.
    pub manifest: Option<Shared<ManifestRow>>,
}
