//! Pushing a directory.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use artifact_core::{
    Algorithm, Annotations, Condition, Digest, DirectoryArtifact, DirectoryListing, EMPTY_DOCUMENT,
    ErrorKind, Hasher, Manifest, SpawnExt as _, Tag, TreeEntry, TreeNode,
};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;

use super::{
    file::hash,
    walk::{Found, FoundKind, lies_in, walk},
};
use crate::transfer::{
    bytes::Held,
    copy::Transfer,
    error::{TransferError, at},
    meter::Tally,
    place::Place,
};

/// How a directory is pushed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PushOptions {
    /// Notes on the artifact. Without any, one tree gives one digest.
    pub annotations: Annotations,
    /// What must hold of the tag before it is moved.
    pub condition: Condition,
}

impl PushOptions {
    /// Sets what must hold of the tag before it is moved.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Puts notes on the artifact.
    #[must_use]
    pub fn annotated(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
        self
    }
}

/// A directory that was pushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PushedDirectory {
    /// The digest of the artifact.
    pub digest: Digest,
    /// How many entries it has: files, directories, links.
    pub entries: u64,
    /// How many of them are files.
    pub files: u64,
    /// The bytes of all files together.
    pub bytes: u64,
    /// How many distinct contents were sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// How many distinct contents were there, or were taken from another package.
    pub present: u64,
    /// How many manifests it is kept as.
    pub manifests: u64,
}

impl Transfer {
    /// Pushes a directory, or one file, as an artifact, and moves `tag` to it when all of it is there.
    ///
    /// Each file is hashed first, so that what the place has is not sent again.
    ///
    /// # Errors
    /// [`TransferError::Changed`] when a file is written meanwhile, [`TransferError::Kind`] for
    /// devices, sockets and pipes, [`TransferError::Directory`] for links that leave the directory,
    /// [`TransferError::Registry`] where there is a registry in it, [`TransferError::Inside`] for a
    /// layout that lies in it; else those of the place.
    pub async fn push_directory(
        &self,
        path: &Path,
        to: &Place,
        tag: Option<&Tag>,
        options: &PushOptions,
    ) -> Result<PushedDirectory, TransferError> {
        let layout = match to {
            Place::Layout(layout) => Some(layout.path().to_owned()),
            _ => None,
        };
        let found = self.walk(path.to_owned(), layout).await?;
        let tally = Tally::default();
        let pushing = Pushing {
            transfer: self,
            to,
            tally: &tally,
            known: Mutex::default(),
        };
        check_links(path, &found)?;
        let entries: Vec<TreeEntry> = stream::iter(found)
            .map(|found| pushing.entry(found))
            .buffer_unordered(self.jobs)
            .try_collect()
            .await?;
        let wrong = |source| TransferError::Directory {
            what: path.display().to_string(),
            source,
        };
        let listing = DirectoryListing::new(entries).map_err(|error| wrong(error.into()))?;
        let artifact = DirectoryArtifact::new(&listing, &options.annotations).map_err(wrong)?;
        pushing.documents(&artifact).await?;
        pushing
            .manifests(&artifact, tag, &options.condition)
            .await?;
        Ok(summary(&listing, &artifact, &tally))
    }

    async fn walk(
        &self,
        path: PathBuf,
        layout: Option<PathBuf>,
    ) -> Result<Vec<Found>, TransferError> {
        let walking = self.spawn.run_blocking({
            let path = path.clone();
            move || match layout {
                // It would grow while it is read.
                Some(place) if lies_in(&place, &path).map_err(at(&path, "read"))? => {
                    Err(TransferError::Inside { path, place })
                }
                _ => walk(&path),
            }
        });
        let walked = walking.await;
        let found =
            walked.unwrap_or_else(|error| Err(at(path, "read")(std::io::Error::other(error))))?;
        let files = found.iter().filter_map(|found| match found.kind {
            FoundKind::File { size } => Some(size),
            FoundKind::Directory | FoundKind::Link { .. } => None,
        });
        files.for_each(|size| self.meter.expect(1, size));
        Ok(found)
    }
}

struct Pushing<'a> {
    transfer: &'a Transfer,
    to: &'a Place,
    tally: &'a Tally,
    /// The contents that are being pushed, or were.
    known: Mutex<HashSet<Digest>>,
}

impl Pushing<'_> {
    async fn entry(&self, found: Found) -> Result<TreeEntry, TransferError> {
        let node = match found.kind {
            FoundKind::Directory => TreeNode::Directory,
            FoundKind::Link { target } => TreeNode::Link { target },
            FoundKind::File { .. } => self.file(found.on_disk).await?,
        };
        Ok(TreeEntry {
            path: found.path,
            node,
        })
    }

    async fn file(&self, path: PathBuf) -> Result<TreeNode, TransferError> {
        let file = hash(&self.transfer.spawn, path).await?;
        let node = TreeNode::File {
            digest: file.digest,
            size: file.size,
            executable: file.executable,
        };
        if !self.known.lock().insert(file.digest) {
            self.transfer.meter.moved(file.size);
            self.transfer.meter.done();
            return Ok(node);
        }
        match self.transfer.send(&file, self.to, None, self.tally).await {
            // The place hashed other bytes than were hashed here a moment ago.
            Err(error) if error.kind() == ErrorKind::DigestMismatch => Err(file.changed()),
            Err(error) => Err(error),
            Ok(()) => Ok(node),
        }
    }

    /// Pushes what the manifests name beside the files.
    async fn documents(&self, artifact: &DirectoryArtifact) -> Result<(), TransferError> {
        let config = artifact
            .parts()
            .first()
            .and_then(|part| part.references().first());
        if let Some(config) = config {
            let bytes = artifact.config().clone();
            let held = Held {
                digest: config.descriptor.digest,
                bytes,
            };
            self.to.push(&held, None).await?;
        }
        if artifact.needs_empty_document() {
            let bytes = Bytes::from_static(EMPTY_DOCUMENT);
            let digest = Hasher::hash(Algorithm::Sha256, &bytes).digest();
            self.to.push(&Held { digest, bytes }, None).await?;
        }
        Ok(())
    }

    async fn manifests(
        &self,
        artifact: &DirectoryArtifact,
        tag: Option<&Tag>,
        condition: &Condition,
    ) -> Result<(), TransferError> {
        let part = |part: &Manifest| part.digest() != artifact.root().digest();
        for manifest in artifact.parts().iter().filter(|manifest| part(manifest)) {
            self.to
                .publish(manifest, true, None, &Condition::Any)
                .await?;
        }
        self.to
            .publish(artifact.root(), false, tag, condition)
            .await
    }
}

/// Refuses links that leave the directory before anything is read or sent.
fn check_links(root: &Path, found: &[Found]) -> Result<(), TransferError> {
    // What files hold does not matter here.
    let empty = Hasher::hash(Algorithm::Sha256, b"").digest();
    let entry = |found: &Found| TreeEntry {
        path: found.path.clone(),
        node: match &found.kind {
            FoundKind::Directory => TreeNode::Directory,
            FoundKind::File { .. } => TreeNode::File {
                digest: empty,
                size: 0,
                executable: false,
            },
            FoundKind::Link { target } => TreeNode::Link {
                target: target.clone(),
            },
        },
    };
    let listing = DirectoryListing::new(found.iter().map(entry).collect());
    listing.map(drop).map_err(|error| TransferError::Directory {
        what: root.display().to_string(),
        source: error.into(),
    })
}

fn summary(
    listing: &DirectoryListing,
    artifact: &DirectoryArtifact,
    tally: &Tally,
) -> PushedDirectory {
    let sizes = listing
        .entries()
        .iter()
        .filter_map(|entry| match entry.node {
            TreeNode::File { size, .. } => Some(size),
            TreeNode::Directory | TreeNode::Link { .. } => None,
        });
    let (files, bytes) = sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size));
    let counts = tally.counts();
    PushedDirectory {
        digest: artifact.root().digest(),
        entries: listing.entries().len() as u64,
        files,
        bytes,
        sent: counts.sent,
        sent_bytes: counts.sent_bytes,
        present: counts.present + counts.mounted,
        manifests: artifact.parts().len() as u64 + u64::from(artifact.index().is_some()),
    }
}
