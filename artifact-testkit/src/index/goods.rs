//! Names, blobs and manifests for cases, each made from a small number, so that they collide.

use std::num::NonZeroU32;

use artifact_core::{
    Actor, Algorithm, BlobKey, BootId, BootTime, Change, ChangeSet, Digest, DocumentKey, Hasher,
    Holder, Lease, Location, Manifest, MediaType, PackageRef, Page, Principal, RepositoryName,
    Scope, Stamp, Suspended, Tag, Timestamp, UploadId, UploadRecord, VerifiedBlob,
};
use bytes::Bytes;

/// A limit that no list of a case reaches.
pub(crate) const MANY: NonZeroU32 = NonZeroU32::new(10_000).expect("not zero");

/// The type of the configs of images here.
const CONFIG: &str = "application/vnd.example.config.v1+json";
/// The type of the layers of images here.
const LAYER: &str = "application/vnd.example.layer.v1";
/// The type of layers that may be absent.
const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// Returns a page of everything.
pub(crate) fn all<K>() -> Page<K> {
    Page::first(MANY)
}

/// Returns a limit.
pub(crate) fn limit(limit: u32) -> NonZeroU32 {
    NonZeroU32::new(limit).expect("a limit that is not zero")
}

/// Returns a repository's name.
pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().expect("a repository's name")
}

/// Returns a scope.
pub(crate) fn scope(path: &str) -> Scope {
    path.parse().expect("a scope")
}

/// Returns a package of the default repository.
pub(crate) fn package(name: &str) -> PackageRef {
    PackageRef::new(
        RepositoryName::default_repository(),
        name.parse().expect("a package's name"),
    )
}

/// Returns a package of a repository.
pub(crate) fn package_of(of: &str, name: &str) -> PackageRef {
    PackageRef::new(repository(of), name.parse().expect("a package's name"))
}

/// Returns a tag.
pub(crate) fn tag(name: &str) -> Tag {
    name.parse().expect("a tag")
}

/// Returns the name of the document that is a repository.
pub(crate) fn repository_document(name: &str) -> DocumentKey {
    DocumentKey::Repository(repository(name))
}

/// Returns the bytes of a blob: the number, as often as it says, and once more.
pub(crate) fn blob_bytes(number: u8) -> Bytes {
    vec![number; usize::from(number) + 1].into()
}

/// Returns the proof of a blob.
pub(crate) fn blob(number: u8) -> VerifiedBlob {
    Hasher::hash(Algorithm::Sha256, &blob_bytes(number))
}

/// Returns the digest of a blob.
pub(crate) fn digest(number: u8) -> Digest {
    blob(number).digest()
}

/// Returns the size of a blob.
pub(crate) fn size(number: u8) -> u64 {
    blob(number).size()
}

/// Returns a key of a blob store.
pub(crate) fn key(number: u32) -> BlobKey {
    format!("kit/{number:04}").parse().expect("a key")
}

/// Returns a stamp.
pub(crate) fn stamp(number: u32) -> Stamp {
    Stamp::new(format!("stamp-{number}"))
}

/// Returns the change that enters a blob whose bytes are in the index.
pub(crate) fn put_inline(number: u8) -> Change {
    Change::PutBlob {
        blob: blob(number),
        location: Location::Inline(blob_bytes(number)),
        stamp: None,
        upload: None,
    }
}

/// Returns the change that enters a blob whose bytes are at a key.
pub(crate) fn put_at(number: u8, at: u32) -> Change {
    Change::PutBlob {
        blob: blob(number),
        location: Location::Key(key(at)),
        stamp: Some(stamp(at)),
        upload: None,
    }
}

/// Returns the change that links a blob without a lease.
pub(crate) fn link(package: &PackageRef, number: u8) -> Change {
    Change::Link(package.clone(), digest(number), None)
}

/// Returns a time of a boot.
pub(crate) fn boot(name: &str, millis: u64) -> BootTime {
    BootTime::new(BootId::new(name), millis)
}

/// Returns a lease of the first boot that ends at a time.
pub(crate) fn lease_until(millis: u64) -> Lease {
    Lease::starting(&boot("first", millis.saturating_sub(100)), 100)
}

/// Returns a holder.
pub(crate) fn holder(number: u8) -> Holder {
    Holder::new(format!("holder-{number}"))
}

/// Returns an upload's id.
pub(crate) fn upload_id(number: u8) -> UploadId {
    UploadId::from_random([number; 16])
}

/// Returns the record of an upload that the store has at a key.
pub(crate) fn upload(number: u8, package: &PackageRef, at: Option<u32>) -> UploadRecord {
    let mut record = UploadRecord::new(
        upload_id(number),
        package.clone(),
        Principal::Embedder,
        holder(1),
        Timestamp::from_millis(1_000),
    );
    record.at = at.map(|at| Suspended::new(key(at), u64::from(number), Bytes::from_static(b"s")));
    record
}

/// Returns a change set of a time.
pub(crate) fn set_at(millis: i64) -> ChangeSet {
    let actor = Actor::new(Principal::Embedder, Some("request".to_owned()));
    ChangeSet::new(actor, Timestamp::from_millis(millis))
}

/// What a manifest is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// The blobs that are its layers; of an index, its children that are blobs.
    pub(crate) blobs: Vec<u8>,
    /// Layers that may be absent.
    pub(crate) foreign: Vec<u8>,
    /// The manifest that it refers to.
    pub(crate) subject: Option<Digest>,
    /// The type of the artifact.
    pub(crate) artifact_type: Option<&'static str>,
    /// An annotation.
    pub(crate) note: Option<String>,
}

fn descriptor(media_type: &str, digest: &Digest, size: u64) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn blob_descriptor(media_type: &str, number: u8) -> String {
    descriptor(media_type, &digest(number), size(number))
}

impl Parts {
    /// Returns the parts of what has these blobs.
    pub(crate) fn of(blobs: &[u8]) -> Self {
        Self {
            blobs: blobs.to_vec(),
            ..Self::default()
        }
    }

    /// Returns the image whose config is the first blob, and whose layers are the others.
    pub(crate) fn image(&self) -> Manifest {
        let config = blob_descriptor(CONFIG, self.blobs.first().copied().unwrap_or_default());
        let layers = self
            .blobs
            .iter()
            .skip(1)
            .map(|n| blob_descriptor(LAYER, *n));
        let foreign = self.foreign.iter().map(|n| blob_descriptor(FOREIGN, *n));
        let layers: Vec<String> = layers.chain(foreign).collect();
        let body = format!(r#""config":{config},"layers":[{}]"#, layers.join(","));
        self.parse(&body, MediaType::OCI_MANIFEST)
    }

    /// Returns the index of manifests and blobs.
    pub(crate) fn index(&self, children: &[&Manifest]) -> Manifest {
        let manifests = children
            .iter()
            .map(|child| descriptor(child.media_type().as_str(), &child.digest(), child.size()));
        let blobs = self.blobs.iter().map(|n| blob_descriptor(LAYER, *n));
        let children: Vec<String> = manifests.chain(blobs).collect();
        let body = format!(r#""manifests":[{}]"#, children.join(","));
        self.parse(&body, MediaType::OCI_INDEX)
    }

    fn parse(&self, body: &str, media_type: &'static str) -> Manifest {
        let artifact_type = self.artifact_type;
        let artifact_type = artifact_type.map(|text| format!(r#""artifactType":"{text}""#));
        let subject = self.subject.as_ref().map(|subject| {
            let subject = descriptor(MediaType::OCI_MANIFEST, subject, 2);
            format!(r#""subject":{subject}"#)
        });
        let note = self.note.as_ref();
        let note = note.map(|note| format!(r#""annotations":{{"note":"{note}"}}"#));
        let head = format!(r#""schemaVersion":2,"mediaType":"{media_type}""#);
        let fields = [
            Some(head),
            Some(body.to_owned()),
            artifact_type,
            subject,
            note,
        ];
        let fields: Vec<String> = fields.into_iter().flatten().collect();
        let text = format!("{{{}}}", fields.join(","));
        let parsed = Manifest::parse(text.into(), None, Algorithm::Sha256);
        parsed.expect("a manifest that is well formed")
    }
}

/// Returns the change that puts a manifest into a package.
pub(crate) fn put_manifest(package: &PackageRef, manifest: &Manifest) -> Change {
    Change::PutManifest {
        package: package.clone(),
        manifest: Box::new(manifest.clone()),
        published_at: None,
    }
}

/// Returns the change that tags a manifest.
pub(crate) fn put_tag(package: &PackageRef, name: &str, manifest: &Manifest) -> Change {
    Change::PutTag(package.clone(), tag(name), manifest.digest())
}
