//! What is in an artifact.

use artifact::{
    Annotations, BlobRange, Descriptor, DirectoryListing, DirectoryRoot, ErrorKind, LISTING_MAX,
    Manifest, ManifestRef, Reference as Named, Role, TreeNode, listing_of, transfer::Place,
};
use bytes::{Bytes, BytesMut};
use futures::{Stream, TryStreamExt as _};
use serde::Serialize;

use crate::{
    desk::Source,
    failure::{At as _, Failure},
    output::{Report, printable, table},
    size::bytes,
};

/// What is in an artifact: the entries of a directory, else what the manifest names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    reference: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<EntryDocument>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Vec<NamedDocument>>,
}

/// An entry of a directory.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryDocument {
    path: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// Something that a manifest names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NamedDocument {
    role: &'static str,
    media_type: String,
    digest: String,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    annotations: Annotations,
}

impl NamedDocument {
    pub(crate) fn of(manifest: &Manifest) -> Vec<Self> {
        manifest.references().iter().map(Self::new).collect()
    }

    fn new(named: &Named) -> Self {
        let Descriptor {
            media_type,
            digest,
            size,
            annotations,
            platform,
            ..
        } = &named.descriptor;
        let platform = platform.as_ref().map(|platform| {
            let parts = [
                Some(&platform.os),
                Some(&platform.architecture),
                platform.variant.as_ref(),
            ];
            parts
                .into_iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join("/")
        });
        Self {
            role: match named.role {
                Role::Config => "config",
                Role::Layer => "layer",
                _ => "manifest",
            },
            media_type: media_type.to_string(),
            digest: digest.to_string(),
            size: *size,
            platform,
            annotations: annotations.clone(),
        }
    }

    fn title(&self) -> String {
        let title = self.annotations.get("org.opencontainers.image.title");
        let shown = title.or(self.platform.as_ref());
        shown.map(|text| printable(text)).unwrap_or_default()
    }

    pub(crate) fn row(&self) -> [String; 5] {
        [
            self.role.to_owned(),
            self.digest.clone(),
            bytes(self.size),
            printable(&self.media_type),
            self.title(),
        ]
    }
}

impl EntryDocument {
    fn row(&self) -> [String; 3] {
        let path = printable(&self.path);
        let shown = match (&self.target, self.kind) {
            (Some(target), _) => format!("{path} -> {}", printable(target)),
            (None, "directory") => format!("{path}/"),
            (None, _) if self.executable == Some(true) => format!("{path}*"),
            (None, _) => path,
        };
        let size = self.size.map(bytes).unwrap_or_default();
        [size, shown, self.digest.clone().unwrap_or_default()]
    }
}

fn entries(listing: &DirectoryListing) -> Vec<EntryDocument> {
    let entry = |path: &str, kind| EntryDocument {
        path: path.to_owned(),
        kind,
        size: None,
        digest: None,
        executable: None,
        target: None,
    };
    let documents = listing.entries().iter().map(|found| {
        let path = found.path.as_str();
        match &found.node {
            TreeNode::Directory => entry(path, "directory"),
            TreeNode::File {
                digest,
                size,
                executable,
            } => EntryDocument {
                size: Some(*size),
                digest: Some(digest.to_string()),
                executable: Some(*executable),
                ..entry(path, "file")
            },
            TreeNode::Link { target } => EntryDocument {
                target: Some(target.clone()),
                ..entry(path, "link")
            },
        }
    });
    documents.collect()
}

impl Report for Content {
    fn text(&self) -> String {
        if let Some(entries) = &self.entries {
            return table(&entries.iter().map(EntryDocument::row).collect::<Vec<_>>());
        }
        let content = self.content.iter().flatten();
        table(&content.map(NamedDocument::row).collect::<Vec<_>>())
    }
}

/// Reads what is in an artifact.
pub(crate) async fn of(source: &Source) -> Result<Content, Failure> {
    let manifest = source.manifest().await?;
    let listing = listing(source, &manifest).await?;
    Ok(Content {
        reference: source.shown.clone(),
        digest: manifest.digest().to_string(),
        content: listing.is_none().then(|| NamedDocument::of(&manifest)),
        entries: listing.as_ref().map(entries),
    })
}

/// Reads the list of a directory's entries; `None` when the artifact is something else.
async fn listing(source: &Source, root: &Manifest) -> Result<Option<DirectoryListing>, Failure> {
    let place = &source.place;
    let parts = match DirectoryRoot::of(root) {
        None => return Ok(None),
        Some(DirectoryRoot::One) => Vec::new(),
        Some(DirectoryRoot::Several(parts)) => parts,
    };
    let first = match parts.first() {
        Some(part) => place
            .manifest(&ManifestRef::Digest(part.digest))
            .await
            .at(&source.shown)?,
        None => root.clone(),
    };
    let wrong = |error: &(dyn std::error::Error + 'static)| {
        Failure::of(ErrorKind::InvalidArgument, error).at(&source.shown)
    };
    let config = listing_of(&first).map_err(|error| wrong(&error))?;
    if config.size > LISTING_MAX as u64 {
        return Err(Failure::new(
            ErrorKind::TooLarge,
            "the list of entries is longer than is read",
        )
        .at(&source.shown));
    }
    let bytes = read(place, config).await.at(&source.shown)?;
    DirectoryListing::parse(&bytes)
        .map(Some)
        .map_err(|error| wrong(&error))
}

/// Reads a small blob.
async fn read(place: &Place, blob: &Descriptor) -> Result<Bytes, Failure> {
    let Descriptor { digest, size, .. } = blob;
    match place {
        Place::Local(local) => {
            let (session, package) = (&local.session, &local.package);
            let body = session
                .read_blob(local.at, package, digest, BlobRange::All)
                .await?;
            Ok(body.collect(*size).await?)
        }
        Place::Layout(layout) => gather(layout.blob(digest).await?.chunks, *size).await,
        Place::Remote(package) => gather(package.blob(digest, Some(*size)).await?, *size).await,
        _ => Err(Failure::new(
            ErrorKind::Unsupported,
            "it cannot be read there",
        )),
    }
}

async fn gather<E: Into<Failure> + Send>(
    mut chunks: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    size: u64,
) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await.map_err(Into::<Failure>::into)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > size {
            return Err(Failure::new(
                ErrorKind::TooLarge,
                "it has more bytes than its manifest says",
            ));
        }
    }
    Ok(bytes.freeze())
}
