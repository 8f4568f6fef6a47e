//! Manifests: kept to the byte, parsed strictly.

use crate::guard;
use bytes::Bytes;
use serde::Deserialize;

use super::{
    descriptor::{Annotations, Descriptor},
    digest::{Algorithm, Digest},
    hasher::Hasher,
    json::{Object, check_unique_keys, object, objects},
    media_type::MediaType,
    spelling::check_spelling,
};

/// The longest manifest that is taken, in bytes.
pub const MANIFEST_MAX: usize = 4 << 20;

/// One immutable manifest: its bytes as they were pushed, and what they say.
///
/// The bytes are served as they are, always: the digest is of them.
///
/// Source: OCI image specification, manifest.md and image-index.md.
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Bytes,
    digest: Digest,
    media_type: MediaType,
    kind: ManifestKind,
    artifact_type: Option<MediaType>,
    subject: Option<Descriptor>,
    references: Vec<Reference>,
    annotations: Annotations,
}

/// What a manifest is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ManifestKind {
    /// An image: a config and layers.
    Image,
    /// An index: other manifests.
    Index,
    /// Of a type that is not known here: bytes alone, which name nothing.
    Other,
}

/// The place in which a manifest names some content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Role {
    /// The config of an image; a blob.
    Config,
    /// A layer of an image; a blob.
    Layer,
    /// An entry of an index: a manifest, or a blob where it is no manifest.
    Child,
}

/// Some content that a manifest names.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reference {
    /// Its place in the manifest.
    pub role: Role,
    /// What the manifest says of it.
    pub descriptor: Descriptor,
}

impl Reference {
    /// Says whether the manifest may be pushed although the content is absent.
    pub fn may_be_absent(&self) -> bool {
        self.role == Role::Layer && self.descriptor.media_type.is_foreign()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: Option<u64>,
    media_type: Option<MediaType>,
    artifact_type: Option<String>,
    #[serde(default, deserialize_with = "object")]
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "objects")]
    layers: Option<Vec<Descriptor>>,
    #[serde(default, deserialize_with = "objects")]
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "object")]
    subject: Option<Descriptor>,
    annotations: Option<Annotations>,
}

impl Manifest {
    /// Parses the bytes of a manifest.
    ///
    /// `media_type` is what came beside the bytes (`Content-Type`). Without it the document's own
    /// `mediaType` counts, and without that its shape. The digest is of `algorithm`.
    ///
    /// # Errors
    /// [`ManifestError`] when the document is too long, is not a JSON object, gives a key twice or in
    /// another case or a list where an object belongs, has both `layers` and `manifests`, names another
    /// type than came beside it, or misses what its type asks for (A36).
    pub fn parse(
        bytes: Bytes,
        media_type: Option<&MediaType>,
        algorithm: Algorithm,
    ) -> Result<Self, ManifestError> {
        if guard!(550) && bytes.len() > MANIFEST_MAX {
            return Err(ManifestError::TooLarge { size: bytes.len() });
        }
        guard!(551, check_unique_keys(&bytes)).map_err(ManifestError::Json)?;
        let Object::<Wire>(wire) = serde_json::from_slice(&bytes).map_err(ManifestError::Json)?;
        if guard!(552)
            && wire.manifests.is_some()
            && (wire.layers.is_some() || wire.config.is_some())
        {
            return Err(ManifestError::Ambiguous);
        }
        if guard!(553) && wire.fs_layers.is_some() {
            return Err(ManifestError::SchemaVersion);
        }
        let media_type = wire.media_type_beside(media_type)?;
        let kind = if media_type.is_index() {
            ManifestKind::Index
        } else if media_type.is_image() {
            ManifestKind::Image
        } else {
            ManifestKind::Other
        };
        if kind != ManifestKind::Other {
            guard!(554, check_spelling(&bytes)).map_err(ManifestError::Json)?;
            if guard!(555) && wire.schema_version != Some(2) {
                return Err(ManifestError::SchemaVersion);
            }
        }
        let digest = Hasher::hash(algorithm, &bytes).digest();
        let artifact_type = wire.artifact_type(kind)?;
        let subject = wire.subject.clone();
        let annotations = wire.annotations.clone().unwrap_or_default();
        let references = wire.references(kind)?;
        Ok(Self {
            bytes,
            digest,
            media_type,
            kind,
            artifact_type,
            subject,
            references,
            annotations,
        })
    }

    /// Returns the bytes as they were pushed.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the digest of the bytes.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the length of the bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns the type under which it was pushed and is served.
    pub const fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// Returns what it is.
    pub const fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// Returns the type of the artifact: `artifactType`, or for an image that has none the type of
    /// its config.
    ///
    /// Source: OCI distribution specification 1.1, "Listing referrers".
    pub const fn artifact_type(&self) -> Option<&MediaType> {
        self.artifact_type.as_ref()
    }

    /// Returns the manifest that this one refers to; it need not exist.
    pub const fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// Returns what it names, in its order: config, layers or entries.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Returns its annotations.
    pub const fn annotations(&self) -> &Annotations {
        &self.annotations
    }
}

impl Wire {
    fn media_type_beside(&self, beside: Option<&MediaType>) -> Result<MediaType, ManifestError> {
        match (beside, &self.media_type) {
            (Some(beside), Some(inside)) if guard!(556) && beside != inside => {
                Err(ManifestError::MediaType {
                    beside: beside.clone(),
                    inside: inside.clone(),
                })
            }
            (Some(known), _) | (None, Some(known)) => Ok(known.clone()),
            (None, None) if self.manifests.is_some() => {
                Ok(MediaType::literal(MediaType::OCI_INDEX))
            }
            (None, None) if self.config.is_some() => {
                Ok(MediaType::literal(MediaType::OCI_MANIFEST))
            }
            (None, None) => Err(ManifestError::NoMediaType),
        }
    }

    fn artifact_type(&self, kind: ManifestKind) -> Result<Option<MediaType>, ManifestError> {
        let own = self
            .artifact_type
            .as_deref()
            .filter(|text| !text.is_empty());
        match (own, &self.config) {
            (Some(own), _) => match own.parse() {
                Ok(own) => Ok(Some(own)),
                Err(_) => Err(ManifestError::ArtifactType),
            },
            (None, Some(config)) if kind == ManifestKind::Image => {
                Ok(Some(config.media_type.clone()))
            }
            _ => Ok(None),
        }
    }

    fn references(self, kind: ManifestKind) -> Result<Vec<Reference>, ManifestError> {
        let named = |role| move |descriptor| Reference { role, descriptor };
        match kind {
            ManifestKind::Image => {
                if self.manifests.is_some() {
                    return Err(ManifestError::Ambiguous);
                }
                let config = self
                    .config
                    .ok_or(ManifestError::Missing { field: "config" })?;
                let config = std::iter::once(config).map(named(Role::Config));
                let layers = self
                    .layers
                    .unwrap_or_default()
                    .into_iter()
                    .map(named(Role::Layer));
                Ok(config.chain(layers).collect())
            }
            ManifestKind::Index => {
                if self.layers.is_some() || self.config.is_some() {
                    return Err(ManifestError::Ambiguous);
                }
                let entries = self.manifests.unwrap_or_default();
                Ok(entries.into_iter().map(named(Role::Child)).collect())
            }
            ManifestKind::Other => Ok(Vec::new()),
        }
    }
}

/// Why bytes are not a manifest that can be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It could be read as an image and as an index.
    #[error("the manifest has the fields of an image and of an index: push one or the other")]
    Ambiguous,
    /// `artifactType` is no media type.
    #[error("the manifest's artifactType is not a media type")]
    ArtifactType,
    /// It is not JSON, or a field has a wrong value.
    #[error("the manifest cannot be read")]
    Json(#[source] serde_json::Error),
    /// `Content-Type` and `mediaType` differ.
    #[error("the manifest was sent as {beside} but says that it is {inside}")]
    MediaType {
        /// What came beside the bytes.
        beside: MediaType,
        /// What the document says.
        inside: MediaType,
    },
    /// A field that the type asks for is absent.
    #[error("the manifest has no {field}")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Nothing says what it is.
    #[error("the manifest has no mediaType, and none was sent beside it")]
    NoMediaType,
    /// It is of an old or unknown schema.
    #[error("the manifest is not of schemaVersion 2: push it with a client of this decade")]
    SchemaVersion,
    /// It is too long.
    #[error("the manifest has {size} bytes, and {MANIFEST_MAX} are taken")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, media_type: Option<&str>) -> Result<Manifest, ManifestError> {
        let media_type = media_type.map(|text| text.parse().unwrap());
        Manifest::parse(
            text.to_owned().into(),
            media_type.as_ref(),
            Algorithm::Sha256,
        )
    }

    fn descriptor(media_type: &str) -> String {
        let digest = format!("sha256:{}", "a".repeat(64));
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":3}}"#)
    }

    /// The fields of a descriptor in the order in which the program declares them.
    fn entry_as_list(media_type: &str) -> String {
        let digest = format!("sha256:{}", "a".repeat(64));
        format!(r#"["{media_type}","{digest}",3,[],{{}},null,null]"#)
    }

    fn image(extra: &str) -> String {
        let config = descriptor("application/vnd.oci.image.config.v1+json");
        let layer = descriptor("application/vnd.oci.image.layer.v1.tar");
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]{extra}}}"#)
    }

    #[test]
    fn an_image_is_read() {
        let manifest = parse(&image(""), Some(MediaType::OCI_MANIFEST)).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::Image);
        assert_eq!(manifest.references().len(), 2);
        assert_eq!(
            manifest.artifact_type().unwrap().as_str(),
            "application/vnd.oci.image.config.v1+json"
        );
        assert_eq!(&manifest.bytes()[..], image("").as_bytes());
        let bare = parse(&image(""), None).unwrap();
        assert_eq!(bare.media_type().as_str(), MediaType::OCI_MANIFEST);
    }

    #[test]
    fn an_image_without_layers_is_taken() {
        let config = descriptor(MediaType::OCI_EMPTY);
        for layers in ["", r#","layers":null"#, r#","layers":[]"#] {
            let text = format!(r#"{{"schemaVersion":2,"config":{config}{layers}}}"#);
            assert_eq!(
                parse(&text, None).unwrap().references().len(),
                1,
                "{layers}"
            );
        }
    }

    #[test]
    fn an_unknown_type_is_kept_and_names_nothing() {
        let manifest = parse(r#"{"x":1}"#, Some("application/vnd.example+json")).unwrap();
        assert_eq!(manifest.kind(), ManifestKind::Other);
        assert!(manifest.references().is_empty());
    }

    /// A36: what two readers could read differently is refused.
    #[test]
    fn a36_confusion_is_refused() {
        let entry = descriptor(MediaType::OCI_MANIFEST);
        let both = image(&format!(r#","manifests":[{entry}]"#));
        assert!(matches!(parse(&both, None), Err(ManifestError::Ambiguous)));
        let typed = image(&format!(r#","mediaType":"{}""#, MediaType::OCI_MANIFEST));
        let beside = Some(MediaType::DOCKER_MANIFEST);
        assert!(matches!(
            parse(&typed, beside),
            Err(ManifestError::MediaType { .. })
        ));
        // Known fields, and what nobody here reads.
        for twice in [r#","layers":[]"#, r#","x":1,"x":2"#] {
            let refused = parse(&image(twice), None);
            assert!(matches!(refused, Err(ManifestError::Json(_))), "{twice}");
        }
        let listed = entry_as_list(MediaType::OCI_EMPTY);
        let kind = MediaType::OCI_MANIFEST;
        for list in [
            format!(r#"[2,"{kind}",null,{entry},[],null,null,null,null]"#),
            format!(r#"{{"schemaVersion":2,"config":{listed}}}"#),
            image(&format!(r#","subject":{listed}"#)),
            format!(r#"{{"schemaVersion":2,"config":{entry},"layers":[{listed}]}}"#),
            format!(r#"{{"schemaVersion":2,"manifests":[{listed}]}}"#),
            image(&format!(
                r#","subject":{},"platform":["a","b",null]}}"#,
                entry.trim_end_matches('}')
            )),
        ] {
            let refused = parse(&list, None);
            assert!(matches!(refused, Err(ManifestError::Json(_))), "{list}");
        }
        let spelled = image(r#","Layers":[]"#);
        assert!(matches!(parse(&spelled, None), Err(ManifestError::Json(_))));
        let other = Some("application/vnd.example+json");
        assert!(matches!(parse(&both, other), Err(ManifestError::Ambiguous)));
        assert!(parse(&image(""), Some(MediaType::OCI_INDEX)).is_err());
        let entries = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
        assert!(parse(&entries, Some(MediaType::OCI_MANIFEST)).is_err());
        assert!(parse(&entries, None).is_ok());
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        assert!(matches!(parse("{}", None), Err(ManifestError::NoMediaType)));
        assert!(matches!(
            parse(r#"{"schemaVersion":2}"#, Some(MediaType::OCI_MANIFEST)),
            Err(ManifestError::Missing { field: "config" })
        ));
        assert!(matches!(
            parse(r#"{"schemaVersion":1,"fsLayers":[]}"#, None),
            Err(ManifestError::SchemaVersion)
        ));
        for version in ["3", "null"] {
            let other = image("").replace(
                r#""schemaVersion":2"#,
                &format!(r#""schemaVersion":{version}"#),
            );
            assert!(matches!(
                parse(&other, None),
                Err(ManifestError::SchemaVersion)
            ));
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MANIFEST_MAX));
        assert!(matches!(
            parse(&long, None),
            Err(ManifestError::TooLarge { .. })
        ));
    }
}
