//! Copying artifacts between places.

use std::{collections::HashSet, sync::Arc};

use artifact_core::{
    AsOf, BoxError, Condition, Descriptor, Digest, Manifest, ManifestRef, Reference, Role, Spawn,
    Tag, guard,
};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};

use super::{
    bytes::{Chunks, Content, Delivery},
    error::TransferError,
    meter::{Counts, Meter, Tally},
    place::{BlobOf, Place},
};

/// How many contents are moved at a time where nothing else is said.
const JOBS: usize = 16;

/// No artifact has more manifests in it than this.
const MANIFESTS_MAX: usize = 100_000;

/// No artifact has its manifests deeper in one another than this.
const DEPTH_MAX: usize = 32;

/// Moves artifacts. To clone it costs nothing.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub(crate) spawn: Arc<dyn Spawn>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) jobs: usize,
}

/// How an artifact is copied.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CopyOptions {
    /// What must hold of the tag before it is moved.
    pub condition: Condition,
    /// Whether what refers to the artifact comes along: signatures, attestations.
    pub referrers: bool,
}

impl CopyOptions {
    /// Sets what must hold of the tag before it is moved.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Takes along what refers to the artifact.
    #[must_use]
    pub const fn with_referrers(mut self) -> Self {
        self.referrers = true;
        self
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Copied {
    /// The digest of the artifact.
    pub digest: Digest,
    /// How many manifests were written; none where the place had them.
    pub manifests: u64,
    /// How many blobs were sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// How many blobs the place took from another of its packages.
    pub mounted: u64,
    /// How many blobs were there.
    pub present: u64,
}

impl Transfer {
    /// Returns a mover that works on the threads of `spawn`.
    pub fn new(spawn: Arc<dyn Spawn>) -> Self {
        Self {
            spawn,
            meter: Arc::default(),
            jobs: JOBS,
        }
    }

    /// Sets how many contents are moved at a time; at least one.
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Returns what counts how far it is.
    pub const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Copies an artifact with all that it names, and moves `tag` to it when it is there.
    ///
    /// What the place has is not sent again. Between packages of one registry no bytes move.
    ///
    /// # Errors
    /// [`TransferError`]; what was copied before it has no name.
    pub async fn copy(
        &self,
        from: &Place,
        reference: &ManifestRef,
        to: &Place,
        tag: Option<&Tag>,
        options: &CopyOptions,
    ) -> Result<Copied, TransferError> {
        let root = from.manifest(reference).await?;
        let copy = Copy {
            transfer: self,
            from,
            to,
            tally: Tally::default(),
        };
        let mut seen = HashSet::new();
        if copy.inside(&root, tag, options).await? {
            return Ok(copied(&root, 0, copy.tally.counts()));
        }
        copy.closure(&root, &mut seen, 0).await?;
        if options.referrers {
            copy.referrers(&root, &mut seen).await?;
        }
        to.publish(&root, false, tag, &options.condition).await?;
        Ok(copied(&root, seen.len() as u64 + 1, copy.tally.counts()))
    }

    /// Pushes content, and counts.
    pub(crate) async fn send(
        &self,
        content: &dyn Content,
        to: &Place,
        from: Option<&Place>,
        tally: &Tally,
    ) -> Result<(), TransferError> {
        let size = content.size();
        let counted = Counted {
            content,
            meter: &self.meter,
        };
        let sent = to.push(&counted, from).await?;
        if sent != Delivery::Sent {
            self.meter.moved(size);
        }
        self.meter.done();
        tally.count(sent, size);
        Ok(())
    }
}

fn copied(root: &Manifest, manifests: u64, counts: Counts) -> Copied {
    Copied {
        digest: root.digest(),
        manifests,
        sent: counts.sent,
        sent_bytes: counts.sent_bytes,
        mounted: counts.mounted,
        present: counts.present,
    }
}

struct Copy<'a> {
    transfer: &'a Transfer,
    from: &'a Place,
    to: &'a Place,
    tally: Tally,
}

impl Copy<'_> {
    /// Copies inside one registry, where no bytes need to move; says whether that was so.
    async fn inside(
        &self,
        root: &Manifest,
        tag: Option<&Tag>,
        options: &CopyOptions,
    ) -> Result<bool, TransferError> {
        let (Place::Local(from), Place::Local(to)) = (self.from, self.to) else {
            return Ok(false);
        };
        if !from.is_beside(to) || from.at != AsOf::Now || options.referrers {
            return Ok(false);
        }
        to.check_now()?;
        let coordinate = from.package.at(root.digest());
        let condition = &options.condition;
        from.session
            .copy(&coordinate, &to.package, tag, condition)
            .await?;
        Ok(true)
    }

    /// Copies all that a manifest names, and the manifests below it.
    fn closure<'a>(
        &'a self,
        manifest: &'a Manifest,
        seen: &'a mut HashSet<Digest>,
        depth: usize,
    ) -> BoxFuture<'a, Result<(), TransferError>> {
        async move {
            if guard!(567) && (depth > DEPTH_MAX || seen.len() > MANIFESTS_MAX) {
                let what = "the artifact is an index of indexes without end".to_owned();
                return Err(TransferError::Unsupported { what });
            }
            let mut blobs = Vec::new();
            for reference in manifest.references() {
                match self.child(reference).await? {
                    Some(child) => {
                        if seen.insert(child.digest()) {
                            self.part(&child, seen, depth).await?;
                        }
                    }
                    None => blobs.push(reference.clone()),
                }
            }
            self.blobs(blobs).await
        }
        .boxed()
    }

    /// Copies a manifest that another names. Its blobs are looked at also where the place has the
    /// manifest: it may have lost the bytes of one since (I22).
    async fn part(
        &self,
        child: &Manifest,
        seen: &mut HashSet<Digest>,
        depth: usize,
    ) -> Result<(), TransferError> {
        self.closure(child, seen, depth + 1).await?;
        if self.to.has_manifest(&child.digest()).await? {
            return Ok(());
        }
        self.to.publish(child, true, None, &Condition::Any).await
    }

    /// Returns the manifest that an entry of an index is, or `None` when it is a blob.
    async fn child(&self, reference: &Reference) -> Result<Option<Manifest>, TransferError> {
        if reference.role != Role::Child {
            return Ok(None);
        }
        let Descriptor {
            digest, media_type, ..
        } = &reference.descriptor;
        match self.from.manifest(&ManifestRef::Digest(*digest)).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(_) if !media_type.is_image() && !media_type.is_index() => Ok(None),
            Err(error) if error.is_missing() => Err(TransferError::Incomplete {
                digest: *digest,
                place: self.from.to_string(),
            }),
            Err(error) => Err(error),
        }
    }

    async fn blobs(&self, mut references: Vec<Reference>) -> Result<(), TransferError> {
        let mut seen = HashSet::new();
        references.retain(|named| seen.insert(named.descriptor.digest));
        let bytes = references.iter().map(|named| named.descriptor.size).sum();
        self.transfer.meter.expect(references.len() as u64, bytes);
        stream::iter(references)
            .map(|reference| self.blob(reference))
            .buffer_unordered(self.transfer.jobs)
            .try_collect()
            .await
    }

    async fn blob(&self, reference: Reference) -> Result<(), TransferError> {
        let Descriptor { digest, size, .. } = &reference.descriptor;
        if reference.may_be_absent() && !self.from.has_blob(digest).await? {
            return Ok(());
        }
        let content = BlobOf {
            place: self.from,
            digest: *digest,
            size: *size,
        };
        self.transfer
            .send(&content, self.to, Some(self.from), &self.tally)
            .await
    }

    /// Copies what refers to a manifest, and what refers to that.
    async fn referrers(
        &self,
        root: &Manifest,
        seen: &mut HashSet<Digest>,
    ) -> Result<(), TransferError> {
        let mut subjects = vec![root.digest()];
        subjects.extend(seen.iter().copied());
        while let Some(subject) = subjects.pop() {
            for referrer in self.from.referrers(&subject).await? {
                if !seen.insert(referrer.digest) {
                    continue;
                }
                let manifest = self
                    .from
                    .manifest(&ManifestRef::Digest(referrer.digest))
                    .await?;
                self.closure(&manifest, seen, 0).await?;
                self.to
                    .publish(&manifest, false, None, &Condition::Any)
                    .await?;
                subjects.push(referrer.digest);
            }
        }
        Ok(())
    }
}

/// Content whose bytes are counted as they pass.
struct Counted<'a> {
    content: &'a dyn Content,
    meter: &'a Arc<Meter>,
}

impl Content for Counted<'_> {
    fn digest(&self) -> Digest {
        self.content.digest()
    }

    fn size(&self) -> u64 {
        self.content.size()
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Chunks, BoxError>> {
        async move {
            let chunks = self.content.open(offset).await?;
            let meter = Arc::clone(self.meter);
            let count = move |chunk: &Result<Bytes, BoxError>| {
                if let Ok(chunk) = chunk {
                    meter.moved(chunk.len() as u64);
                }
            };
            Ok(chunks.inspect(count).boxed())
        }
        .boxed()
    }
}
