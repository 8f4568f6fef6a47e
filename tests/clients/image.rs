//! OCI layouts that a test makes byte by byte, and the check that two hold the same artifact.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Returns `sha256:` and the digest, in hexadecimal, that this side of the wire computed.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Returns bytes that do not compress and that differ with `seed`.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A directory in the OCI image layout.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn create(root: PathBuf) -> Self {
        fs::create_dir_all(root.join("blobs/sha256")).unwrap();
        fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let layout = Self { root };
        layout.write_index(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}));
        layout
    }

    /// Takes a layout that a client wrote.
    pub(crate) fn open(root: PathBuf) -> Self {
        assert!(
            root.join("oci-layout").exists(),
            "{} is no OCI layout",
            root.display()
        );
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Stores bytes and returns their descriptor.
    pub(crate) fn add(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        fs::write(self.path_of(&digest), bytes).unwrap();
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Stores an image of one layer with one file, and returns its descriptor with its platform.
    pub(crate) fn add_image(&self, architecture: &str, content: &[u8]) -> Value {
        let layer = tar_of("content", content);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": {"content": digest_of(content)}},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(&layer)]},
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(CONFIG, config.to_string().as_bytes()),
            "layers": [self.add(LAYER, &layer)],
        });
        let mut descriptor = self.add(MANIFEST, manifest.to_string().as_bytes());
        descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
        descriptor
    }

    /// Stores an index of images of two platforms, and returns its descriptor.
    pub(crate) fn add_two_platforms(&self, seed: u64) -> Value {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [
                self.add_image("amd64", &noise(seed, 300_000)),
                self.add_image("arm64", &noise(seed + 1, 3_000)),
            ],
        });
        self.add(INDEX, index.to_string().as_bytes())
    }

    /// Gives an artifact of the layout a name, and returns the artifact's digest.
    pub(crate) fn tag(&self, descriptor: &Value, name: &str) -> String {
        let mut named = descriptor.clone();
        named["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        let mut index = self.index();
        index["manifests"]
            .as_array_mut()
            .expect("an index lists manifests")
            .push(named);
        self.write_index(&index);
        digest_in(descriptor)
    }

    /// Returns the digest of the one artifact that a client put into the layout.
    pub(crate) fn only(&self) -> String {
        let index = self.index();
        let manifests = index["manifests"]
            .as_array()
            .expect("an index lists manifests");
        assert_eq!(manifests.len(), 1, "one artifact is expected in {index:#}");
        digest_in(&manifests[0])
    }

    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        let bytes = fs::read(self.path_of(digest))
            .unwrap_or_else(|error| panic!("{digest} in {}: {error}", self.root.display()));
        assert_eq!(digest_of(&bytes), digest, "in {}", self.root.display());
        bytes
    }

    /// Fails unless both layouts hold the whole artifact, byte by byte; returns how many blobs it
    /// has.
    pub(crate) fn assert_same(&self, other: &Self, digest: &str) -> usize {
        let bytes = self.blob(digest);
        assert_eq!(bytes, other.blob(digest));
        let manifest: Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
        1 + referenced(&manifest, "manifests")
            .iter()
            .map(|child| self.assert_same(other, child))
            .sum::<usize>()
            + blobs_of(&manifest)
                .iter()
                .inspect(|blob| assert_eq!(self.blob(blob), other.blob(blob)))
                .count()
    }

    fn index(&self) -> Value {
        let bytes = fs::read(self.root.join("index.json")).unwrap();
        serde_json::from_slice(&bytes).expect("index.json is JSON")
    }

    fn write_index(&self, index: &Value) {
        fs::write(self.root.join("index.json"), index.to_string()).unwrap();
    }

    fn path_of(&self, digest: &str) -> PathBuf {
        self.root.join("blobs").join(digest.replace(':', "/"))
    }
}

/// Returns the digest in a descriptor.
pub(crate) fn digest_in(descriptor: &Value) -> String {
    descriptor["digest"]
        .as_str()
        .expect("a descriptor has a digest")
        .to_owned()
}

/// Returns the digests of the descriptors in a list of a manifest.
pub(crate) fn referenced(manifest: &Value, list: &str) -> Vec<String> {
    manifest[list]
        .as_array()
        .into_iter()
        .flatten()
        .map(digest_in)
        .collect()
}

/// Returns the digests of the config and the layers of a manifest.
pub(crate) fn blobs_of(manifest: &Value) -> Vec<String> {
    let config = manifest.get("config").map(digest_in);
    config
        .into_iter()
        .chain(referenced(manifest, "layers"))
        .collect()
}

/// Returns a tar archive (POSIX ustar) of one file.
pub(crate) fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    let whole = archive.len().next_multiple_of(512) + 1024;
    archive.resize(whole, 0);
    archive
}
