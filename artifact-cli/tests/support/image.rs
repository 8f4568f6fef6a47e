//! OCI layouts as other tools write them, by hand.

use std::{fs, path::Path};

use artifact_core::{Algorithm, Hasher};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Returns the digest of bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Hasher::hash(Algorithm::Sha256, bytes).digest().to_string()
}

fn put(root: &Path, media_type: &str, bytes: &str, more: &str) -> String {
    let digest = digest(bytes.as_bytes());
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(&digest[7..]), bytes).unwrap();
    let size = bytes.len();
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{more}}}"#)
}

/// Writes a layout with an image of two platforms under the name `v1`; returns the digests of the index
/// and of both images.
pub(crate) fn two_platforms(root: &Path) -> [String; 3] {
    let images = ["amd64", "arm64"].map(|architecture| {
        let config = format!(r#"{{"architecture":"{architecture}","os":"linux"}}"#);
        let config = put(
            root,
            "application/vnd.oci.image.config.v1+json",
            &config,
            "",
        );
        let layer = "application/vnd.oci.image.layer.v1.tar";
        let layer = put(root, layer, &format!("layer for {architecture}"), "");
        let image = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{layer}]}}"#
        );
        let platform = format!(r#","platform":{{"architecture":"{architecture}","os":"linux"}}"#);
        (
            digest(image.as_bytes()),
            put(root, IMAGE, &image, &platform),
        )
    });
    let [(first, one), (second, two)] = images;
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{one},{two}]}}"#);
    let name = r#","annotations":{"org.opencontainers.image.ref.name":"v1"}"#;
    let entry = put(root, INDEX, &index, name);
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let list = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
    fs::write(root.join("index.json"), list).unwrap();
    [digest(index.as_bytes()), first, second]
}
