//! Things to push.

use artifact::{Algorithm, Hasher};
use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{Client, Reply};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Returns bytes that differ by seed.
pub(crate) fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Hasher::hash(Algorithm::Sha256, bytes).digest().to_string()
}

pub(crate) fn sha512(bytes: &[u8]) -> String {
    Hasher::hash(Algorithm::Sha512, bytes).digest().to_string()
}

/// Returns what a manifest says of some content.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// A manifest with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

impl Image {
    pub(crate) fn new(media_type: &'static str, document: &Value) -> Self {
        let bytes = Bytes::from(document.to_string());
        let digest = digest(&bytes);
        Self {
            media_type,
            bytes,
            digest,
        }
    }

    pub(crate) fn descriptor(&self) -> Value {
        descriptor(self.media_type, &self.bytes)
    }

    /// Pushes the manifest alone.
    pub(crate) async fn put(&self, client: &Client, name: &str, reference: &str) -> Reply {
        let path = format!("/v2/{name}/manifests/{reference}");
        client.put(&path, self.media_type, self.bytes.clone()).await
    }
}

/// Returns a manifest with these fields beside those that it needs, of a config that is `{}`.
pub(crate) fn image(fields: &Value) -> Image {
    let mut document = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(EMPTY, b"{}"),
        "layers": [],
    });
    for (name, value) in fields.as_object().unwrap() {
        document[name] = value.clone();
    }
    Image::new(MANIFEST, &document)
}

/// Returns an index of these manifests.
pub(crate) fn index(manifests: &[&Image]) -> Image {
    let manifests: Vec<Value> = manifests.iter().map(|image| image.descriptor()).collect();
    Image::new(
        INDEX,
        &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }),
    )
}

impl Client {
    /// Pushes a blob in one request.
    pub(crate) async fn push(&self, name: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        let digest = digest(&bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let reply = self
            .send(http::Method::POST, &path, &[], bytes)
            .await
            .expect(201);
        assert_eq!(reply.header("docker-content-digest"), digest);
        digest
    }

    /// Pushes a small image whose annotation makes it differ from others, and puts a tag on it.
    pub(crate) async fn image(&self, name: &str, tag: &str) -> Image {
        self.push(name, "{}").await;
        let image = image(&json!({ "annotations": { "org.example.is": tag } }));
        image.put(self, name, tag).await.expect(201);
        image
    }
}
