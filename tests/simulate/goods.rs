//! What clients push: few names and few contents, so that they meet.

use std::collections::BTreeMap;

use artifact_core::{
    Algorithm, Digest, Hasher, Manifest, MediaType, PackageRef, RepositoryName, Tag,
};
use artifact_testkit::seams::SeededRng;
use bytes::Bytes;

use crate::chance::Chance;

/// Blobs up to this many bytes are kept in the index.
pub(crate) const INLINE_MAX: usize = 200;

/// A blob.
#[derive(Clone, Debug)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
}

/// What there is to push.
#[derive(Debug)]
pub(crate) struct Goods {
    pub(crate) blobs: Vec<Blob>,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) packages: Vec<PackageRef>,
    pub(crate) tags: Vec<Tag>,
    /// What each digest stands for.
    pub(crate) contents: BTreeMap<Digest, Bytes>,
    /// The repository in which nothing is overwritten or deleted, if there is one (I7).
    pub(crate) keeper: Option<RepositoryName>,
    /// Whether somebody purges.
    pub(crate) purges: bool,
}

impl Goods {
    /// Returns the goods of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let chance = Chance::new(seed, 3);
        let sizes = [0, 60, INLINE_MAX + 1, 5_000, 700, 9_000];
        let mut blobs: Vec<Blob> = Vec::new();
        for (number, size) in sizes.into_iter().enumerate() {
            let size = match number {
                // Now and then one that is hashed beside, or written in more than one batch.
                5 if chance.one_in(12) => 300_000,
                5 if chance.one_in(4) => 40_000 + chance.index(60_000),
                0 => chance.index(2),
                _ => size + chance.index(size / 2),
            };
            blobs.push(blob(seed, number as u64, size));
        }
        let image = |parts: &[usize], subject: Option<&Manifest>| image(&blobs, parts, subject);
        let first = image(&[1, 2, 3], None);
        let second = image(&[1, 4, 0], None);
        let both = index(&[&first, &second]);
        let about = image(&[0, 5], Some(&first));
        let third = image(&[2, 3, 5], None);
        let manifests = vec![first, second, both, about, third];
        let contents = blobs.iter().map(|blob| (blob.digest, blob.bytes.clone()));
        let contents = contents.chain(manifests.iter().map(|m| (m.digest(), m.bytes().clone())));
        // Drawn apart: so the other worlds stay what they were.
        let rare = Chance::new(seed, 6);
        let team = package("team", "x");
        Self {
            contents: contents.collect(),
            blobs,
            manifests,
            packages: vec![
                package("default", "a"),
                package("default", "b"),
                team.clone(),
            ],
            keeper: rare.one_in(4).then_some(team.repository),
            purges: rare.one_in(3),
            tags: ["v1", "v2"].map(|name| name.parse().unwrap()).to_vec(),
        }
    }

    /// Says whether a package keeps what was once put there (I7).
    pub(crate) fn keeps(&self, package: &PackageRef) -> bool {
        self.keeper.as_ref() == Some(&package.repository)
    }

    /// Returns the manifest with this digest.
    pub(crate) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests
            .iter()
            .find(|manifest| manifest.digest() == *digest)
    }

    /// Returns how long what a digest stands for is, in bytes.
    pub(crate) fn size(&self, digest: &Digest) -> u64 {
        self.contents
            .get(digest)
            .map_or(0, |bytes| bytes.len() as u64)
    }
}

fn package(repository: &str, name: &str) -> PackageRef {
    let repository: RepositoryName = repository.parse().unwrap();
    PackageRef::new(repository, name.parse().unwrap())
}

fn blob(seed: u64, number: u64, size: usize) -> Blob {
    let mut bytes = vec![0; size];
    artifact_core::Rng::fill(&SeededRng::new(seed.wrapping_mul(31) + number), &mut bytes);
    Blob {
        digest: Hasher::hash(Algorithm::Sha256, &bytes).digest(),
        bytes: bytes.into(),
    }
}

fn image(blobs: &[Blob], parts: &[usize], subject: Option<&Manifest>) -> Manifest {
    let descriptor = |kind: &str, part: usize| {
        let (digest, size) = (blobs[part].digest, blobs[part].bytes.len());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let layers: Vec<_> = parts[1..]
        .iter()
        .map(|part| descriptor("application/vnd.example.layer", *part))
        .collect();
    let subject = subject.map_or(String::new(), |subject| {
        format!(
            r#","subject":{{"mediaType":"{}","digest":"{}","size":{}}}"#,
            subject.media_type(),
            subject.digest(),
            subject.size()
        )
    });
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]{subject}}}"#,
        MediaType::OCI_MANIFEST,
        descriptor("application/vnd.example.config", parts[0]),
        layers.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

fn index(manifests: &[&Manifest]) -> Manifest {
    let entry = |manifest: &&Manifest| {
        let (kind, digest, size) = (manifest.media_type(), manifest.digest(), manifest.size());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let entries: Vec<_> = manifests.iter().map(entry).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        MediaType::OCI_INDEX,
        entries.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}
