//! The manifests that a directory is kept as.
//!
//! Up to 2,000 distinct contents it is one image manifest: the config is the list of all entries, the
//! layers are the contents in the order of their first path. Above, it is an index of such manifests
//! of 2,000 each, in that order; the config of the first lists all entries, that of the others is
//! the empty one.

use bytes::Bytes;
use serde::Serialize;

use super::listing::{DirectoryListing, ListingError, TreeContent};
use crate::model::{
    descriptor::{Annotations, Descriptor},
    digest::Algorithm,
    hasher::Hasher,
    manifest::{Manifest, ManifestError, ManifestKind, Role},
    media_type::MediaType,
};

/// How many contents one manifest names.
pub const CONTENTS_PER_MANIFEST: usize = 2000;

/// The config that says nothing, and the layer of a directory that has no content.
pub const EMPTY_DOCUMENT: &[u8] = b"{}";

/// The annotation of a layer that says which path its content has first.
///
/// Source: OCI image specification, annotations.md.
const TITLE: &str = "org.opencontainers.image.title";

/// A directory as it is kept: the list of its entries and the manifests that name its contents.
#[derive(Clone, Debug)]
pub struct DirectoryArtifact {
    config: Bytes,
    parts: Vec<Manifest>,
    index: Option<Manifest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    media_type: &'a str,
    artifact_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests: Option<Vec<Descriptor>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Annotations>,
}

impl DirectoryArtifact {
    /// Returns the artifact of the listed directory, with annotations on what its tag points at.
    ///
    /// Without annotations one tree gives one digest.
    ///
    /// # Errors
    /// [`DirectoryError`] when the list or a manifest is longer than is taken.
    pub fn new(
        listing: &DirectoryListing,
        annotations: &Annotations,
    ) -> Result<Self, DirectoryError> {
        let config = listing.to_bytes()?;
        let contents = listing.contents();
        let annotations = (!annotations.is_empty()).then_some(annotations);
        let several = contents.len() > CONTENTS_PER_MANIFEST;
        let inner = annotations.filter(|_| !several);
        let first = descriptor(MediaType::DIRECTORY_CONFIG, &config);
        let rest = descriptor(MediaType::OCI_EMPTY, EMPTY_DOCUMENT);
        let configs = std::iter::once(first).chain(std::iter::repeat(rest));
        // A directory without content is one manifest all the same.
        let empty: &[TreeContent<'_>] = &[];
        let none = contents.is_empty().then_some(empty);
        let chunks = none
            .into_iter()
            .chain(contents.chunks(CONTENTS_PER_MANIFEST));
        let parts = chunks
            .zip(configs)
            .map(|(contents, config)| part(contents, config, inner))
            .collect::<Result<Vec<_>, _>>()?;
        let index = several.then(|| index(&parts, annotations)).transpose()?;
        Ok(Self {
            config,
            parts,
            index,
        })
    }

    /// Returns the list of entries, which is the config of the first part.
    pub const fn config(&self) -> &Bytes {
        &self.config
    }

    /// Returns the image manifests, in their order.
    pub fn parts(&self) -> &[Manifest] {
        &self.parts
    }

    /// Returns the index of the parts, where there are several.
    pub const fn index(&self) -> Option<&Manifest> {
        self.index.as_ref()
    }

    /// Returns what a tag of the directory points at: the index, or the only part.
    ///
    /// # Panics
    /// Never: there is at least one part.
    pub fn root(&self) -> &Manifest {
        let root = self.index.as_ref().or(self.parts.first());
        root.expect("a directory has at least one part")
    }

    /// Says whether the manifests name [`EMPTY_DOCUMENT`], which must be pushed then, too.
    pub fn needs_empty_document(&self) -> bool {
        let empty = Hasher::hash(Algorithm::Sha256, EMPTY_DOCUMENT).digest();
        let mut references = self.parts.iter().flat_map(Manifest::references);
        references.any(|reference| reference.descriptor.digest == empty)
    }
}

/// What the manifest at a directory's tag says: where the list of entries and the contents are.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a reader must handle the one form and the other"
)]
pub enum DirectoryRoot {
    /// The manifest is the only part.
    One,
    /// The manifest is an index of these parts.
    Several(Vec<Descriptor>),
}

impl DirectoryRoot {
    /// Reads the manifest of a directory, or returns `None` when it is of something else.
    pub fn of(manifest: &Manifest) -> Option<Self> {
        if manifest.artifact_type()?.as_str() != MediaType::DIRECTORY {
            return None;
        }
        match manifest.kind() {
            ManifestKind::Image => Some(Self::One),
            ManifestKind::Index => {
                let parts = manifest.references().iter();
                Some(Self::Several(
                    parts.map(|part| part.descriptor.clone()).collect(),
                ))
            }
            ManifestKind::Other => None,
        }
    }
}

/// Returns where the list of entries is: the config of the first part.
///
/// # Errors
/// [`DirectoryError::Part`] when that is no list of entries.
pub fn listing_of(first: &Manifest) -> Result<&Descriptor, DirectoryError> {
    let config = first.references().first().filter(|config| {
        config.role == Role::Config
            && config.descriptor.media_type.as_str() == MediaType::DIRECTORY_CONFIG
    });
    let config = config.ok_or(DirectoryError::Part { part: 0 })?;
    Ok(&config.descriptor)
}

/// Checks that the parts of a directory name exactly the contents that its list has, part by part: no
/// two of them need be at hand at a time.
#[derive(Debug)]
pub struct PartCheck<'a> {
    contents: Vec<TreeContent<'a>>,
    checked: usize,
}

impl<'a> PartCheck<'a> {
    /// Returns the check of the parts of the listed directory.
    pub fn new(listing: &'a DirectoryListing) -> Self {
        Self {
            contents: listing.contents(),
            checked: 0,
        }
    }

    /// Returns how many parts there must be.
    pub const fn parts(&self) -> usize {
        let full = self.contents.len().div_ceil(CONTENTS_PER_MANIFEST);
        if full == 0 { 1 } else { full }
    }

    /// Checks the next part.
    ///
    /// # Errors
    /// [`DirectoryError::Part`] when it does not name what the list says.
    pub fn check(&mut self, part: &Manifest) -> Result<(), DirectoryError> {
        let number = self.checked;
        let mut layers = part
            .references()
            .iter()
            .filter(|named| named.role == Role::Layer);
        let same = match self.contents.chunks(CONTENTS_PER_MANIFEST).nth(number) {
            Some(chunk) => layers
                .map(|layer| (layer.descriptor.digest, layer.descriptor.size))
                .eq(chunk.iter().map(|content| (content.digest, content.size))),
            // A directory without content has the empty document as its only layer, or none.
            None => {
                number == 0
                    && layers
                        .all(|layer| layer.descriptor.media_type.as_str() == MediaType::OCI_EMPTY)
            }
        };
        self.checked += 1;
        if same {
            Ok(())
        } else {
            Err(DirectoryError::Part { part: number })
        }
    }

    /// Checks that no part is missing.
    ///
    /// # Errors
    /// [`DirectoryError::Part`] with the first that is.
    pub fn finish(self) -> Result<(), DirectoryError> {
        if self.checked == self.parts() {
            Ok(())
        } else {
            Err(DirectoryError::Part { part: self.checked })
        }
    }
}

fn descriptor(media_type: &'static str, bytes: &[u8]) -> Descriptor {
    let blob = Hasher::hash(Algorithm::Sha256, bytes);
    Descriptor::new(MediaType::literal(media_type), blob.digest(), blob.size())
}

fn layer(content: &TreeContent<'_>) -> Descriptor {
    let octets = MediaType::literal(MediaType::OCTETS);
    let mut layer = Descriptor::new(octets, content.digest, content.size);
    layer
        .annotations
        .insert(TITLE.to_owned(), content.path.as_str().to_owned());
    layer
}

fn part(
    contents: &[TreeContent<'_>],
    config: Descriptor,
    annotations: Option<&Annotations>,
) -> Result<Manifest, DirectoryError> {
    let layers = if contents.is_empty() {
        vec![descriptor(MediaType::OCI_EMPTY, EMPTY_DOCUMENT)]
    } else {
        contents.iter().map(layer).collect()
    };
    manifest(&Document {
        schema_version: 2,
        media_type: MediaType::OCI_MANIFEST,
        artifact_type: MediaType::DIRECTORY,
        config: Some(config),
        layers: Some(layers),
        manifests: None,
        annotations,
    })
}

fn index(
    parts: &[Manifest],
    annotations: Option<&Annotations>,
) -> Result<Manifest, DirectoryError> {
    let entry = |part: &Manifest| {
        let media_type = MediaType::literal(MediaType::OCI_MANIFEST);
        let mut entry = Descriptor::new(media_type, part.digest(), part.size());
        entry.artifact_type = Some(MediaType::literal(MediaType::DIRECTORY));
        entry
    };
    manifest(&Document {
        schema_version: 2,
        media_type: MediaType::OCI_INDEX,
        artifact_type: MediaType::DIRECTORY,
        config: None,
        layers: None,
        manifests: Some(parts.iter().map(entry).collect()),
        annotations,
    })
}

fn manifest(document: &Document<'_>) -> Result<Manifest, DirectoryError> {
    let bytes = serde_json::to_vec(document).map_err(ManifestError::Json)?;
    Ok(Manifest::parse(bytes.into(), None, Algorithm::Sha256)?)
}

/// Why something is no directory that can be kept, or is kept wrongly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The list of entries is wrong.
    #[error("the list of entries is wrong")]
    Listing(#[from] ListingError),
    /// A manifest cannot be made; paths of many thousand bytes make it too long.
    #[error("a manifest of the directory cannot be made")]
    Manifest(#[from] ManifestError),
    /// A manifest does not name what the list of entries says.
    #[error("part {part} of the directory does not hold what the list of its entries says")]
    Part {
        /// Which of the manifests, from 0.
        part: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::directory::entry::{TreeEntry, TreeNode};

    fn tree(contents: usize) -> DirectoryListing {
        let file = |number: usize| {
            let bytes = number.to_string();
            let blob = Hasher::hash(Algorithm::Sha256, bytes.as_bytes());
            TreeEntry {
                path: format!("f{number:05}").parse().unwrap(),
                node: TreeNode::File {
                    digest: blob.digest(),
                    size: blob.size(),
                    executable: false,
                },
            }
        };
        DirectoryListing::new((0..contents).map(file).collect()).unwrap()
    }

    fn check_parts(listing: &DirectoryListing, parts: &[Manifest]) -> Result<(), DirectoryError> {
        let mut check = PartCheck::new(listing);
        parts.iter().try_for_each(|part| check.check(part))?;
        check.finish()
    }

    fn artifact(contents: usize) -> DirectoryArtifact {
        DirectoryArtifact::new(&tree(contents), &Annotations::new()).unwrap()
    }

    #[test]
    fn one_tree_has_one_digest() {
        let mut shuffled = tree(10).entries().to_vec();
        shuffled.reverse();
        let other = DirectoryListing::new(shuffled).unwrap();
        let other = DirectoryArtifact::new(&other, &Annotations::new()).unwrap();
        assert_eq!(artifact(10).root().digest(), other.root().digest());
        assert_ne!(artifact(10).root().digest(), artifact(11).root().digest());
        assert_eq!(
            artifact(1).root().digest().to_string(),
            "sha256:430a034a4fe588f75df49bc12896a4553d76ce0614d1d8888fb166d7af4cae5d",
            "the form of a kept directory never changes"
        );
    }

    #[test]
    fn above_two_thousand_contents_it_is_an_index() {
        let at_most = artifact(2000);
        assert!(at_most.index().is_none());
        assert_eq!(at_most.parts().len(), 1);
        let above = artifact(4001);
        let index = above.index().unwrap();
        assert_eq!(above.root().digest(), index.digest());
        assert_eq!(above.parts().len(), 3);
        let layers = above.parts().iter().map(|part| part.references().len() - 1);
        assert_eq!(layers.collect::<Vec<_>>(), [2000, 2000, 1]);
        let named: Vec<_> = index
            .references()
            .iter()
            .map(|r| r.descriptor.digest)
            .collect();
        let parts: Vec<_> = above.parts().iter().map(Manifest::digest).collect();
        assert_eq!(named, parts);
        assert!(above.needs_empty_document());
        assert!(listing_of(&above.parts()[0]).is_ok());
        assert!(listing_of(&above.parts()[1]).is_err());
        assert!(
            matches!(DirectoryRoot::of(index), Some(DirectoryRoot::Several(parts)) if parts.len() == 3)
        );
        assert!(matches!(
            DirectoryRoot::of(at_most.root()),
            Some(DirectoryRoot::One)
        ));
    }

    #[test]
    fn an_empty_directory_names_the_empty_document() {
        let artifact = artifact(0);
        assert!(artifact.needs_empty_document());
        assert!(check_parts(&tree(0), artifact.parts()).is_ok());
        assert_eq!(artifact.root().references().len(), 2);
    }

    /// I3: what the manifests name and what the list says must be the same.
    #[test]
    fn i3_parts_that_do_not_fit_the_list_are_refused() {
        for contents in [1, 10, 2000, 2001, 4001] {
            check_parts(&tree(contents), artifact(contents).parts()).unwrap();
        }
        for (list, parts) in [
            (1, 0),
            (0, 1),
            (10, 11),
            (11, 10),
            (2001, 2000),
            (2000, 2001),
        ] {
            let refused = check_parts(&tree(list), artifact(parts).parts());
            assert!(refused.is_err(), "{list} listed, {parts} kept");
        }
        let mut swapped = artifact(4001).parts().to_vec();
        swapped.swap(0, 1);
        assert!(check_parts(&tree(4001), &swapped).is_err());
        assert!(check_parts(&tree(4001), &swapped[..1]).is_err());
        assert!(check_parts(&tree(1), &[]).is_err());
    }

    #[test]
    fn annotations_stand_on_the_root_alone() {
        let notes = Annotations::from([("a".to_owned(), "b".to_owned())]);
        let above = DirectoryArtifact::new(&tree(2001), &notes).unwrap();
        assert_eq!(above.root().annotations(), &notes);
        assert!(
            above
                .parts()
                .iter()
                .all(|part| part.annotations().is_empty())
        );
        let single = DirectoryArtifact::new(&tree(1), &notes).unwrap();
        assert_eq!(single.root().annotations(), &notes);
    }
}
