//! The scrub: every byte is hashed, what is wrong is quarantined, what nobody knows of is freed.

use std::{num::NonZeroU32, sync::Arc};

use futures::StreamExt as _;
use serde::Serialize;

use super::{reclaim::PAGE, registry::Inner, session::Session, transfer::check_inline};
use crate::{
    contract::{
        blob_store::BlobEntry,
        change::{Bookkeeping, Change, Location},
        policy::Action,
        record::{AsOf, BlobRecord, Page},
        store_error::StoreError,
    },
    error::{Error, story},
    guard,
    model::{
        digest::Digest,
        id::BlobKey,
        name::{PackageRef, Scope},
    },
};

/// How to scrub.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ScrubOptions {
    /// Hash also what was hashed within the scrub interval and has not changed since.
    pub all: bool,
    /// Free nothing. What was hashed is recorded, as by any read; a registry that was opened to be
    /// read records nothing either.
    pub dry_run: bool,
}

impl ScrubOptions {
    /// Returns the options under which everything is hashed.
    #[must_use]
    pub const fn all(mut self) -> Self {
        self.all = true;
        self
    }
}

/// How far a scrub is, for whoever waits for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScrubProgress {
    /// Blobs and manifests that were looked at.
    pub checked: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
}

/// What a scrub found.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Scrubbed {
    /// Blobs that were looked at.
    pub blobs: u64,
    /// Manifests that were looked at.
    pub manifests: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Blobs and manifests whose bytes are wrong or gone.
    pub corrupt: Vec<Digest>,
    /// Things in the store that nobody knew of, and that were put in the trash or removed.
    pub leaked: u64,
    /// Their bytes.
    pub leaked_bytes: u64,
    /// What of the store could not be read, and why: what nobody knows of may be there.
    pub unreadable: Vec<String>,
}

impl Session {
    /// Hashes what is stored, and tells `progress` how far it is.
    ///
    /// # Errors
    /// Refusals; and where a backend fails. Corruption is no error of the scrub: it is what it finds.
    pub async fn scrub(
        &self,
        options: ScrubOptions,
        mut progress: impl FnMut(ScrubProgress) + Send,
    ) -> Result<Scrubbed, Error> {
        guard!(343, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        let mut found = Scrubbed::default();
        let mut after = None;
        loop {
            let page = self
                .inner()
                .index()
                .blob_rows(Page { after, limit: PAGE })
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest);
            for blob in page {
                self.inner().scrub_blob(&blob, options, &mut found).await?;
                let checked = found.blobs;
                progress(ScrubProgress {
                    checked,
                    bytes: found.bytes,
                });
            }
        }
        self.scrub_manifests(&mut found, &mut progress).await?;
        self.inner().scrub_store(options, &mut found).await?;
        Ok(found)
    }

    async fn scrub_manifests(
        &self,
        found: &mut Scrubbed,
        progress: &mut (impl FnMut(ScrubProgress) + Send),
    ) -> Result<(), Error> {
        let mut after = None;
        loop {
            let (index, scope) = (self.inner().index(), Scope::all());
            let page = Page { after, limit: PAGE };
            let packages = index.packages(AsOf::Now, &scope, page).await?;
            let Some(last) = packages.last() else {
                return Ok(());
            };
            after = Some(last.oci_name());
            for package in packages {
                self.scrub_package(&package, found).await?;
                let checked = found.blobs + found.manifests;
                progress(ScrubProgress {
                    checked,
                    bytes: found.bytes,
                });
            }
        }
    }

    async fn scrub_package(&self, package: &PackageRef, found: &mut Scrubbed) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = Page {
                after,
                limit: NonZeroU32::new(100).unwrap_or(NonZeroU32::MIN),
            };
            let summaries = self
                .inner()
                .index()
                .manifests(AsOf::Now, package, page)
                .await?;
            let Some(last) = summaries.last() else {
                return Ok(());
            };
            after = Some(last.descriptor.digest);
            for summary in summaries {
                let digest = summary.descriptor.digest;
                let record = self
                    .inner()
                    .index()
                    .manifest(AsOf::Now, package, &digest)
                    .await?;
                let Some(record) = record else { continue };
                found.manifests += 1;
                found.bytes += record.bytes.len() as u64;
                if guard!(206, check_inline(&digest, &record.bytes)).is_err() {
                    found.corrupt.push(digest);
                }
            }
        }
    }

    /// Removes the bytes of some content for ever, also from what was. It must have been deleted. What is
    /// not there, or not any more, changes nothing: a purge may be repeated.
    ///
    /// # Errors
    /// [`Error::Blocked`] when a package still has it; refusals; and where the index fails.
    pub async fn purge(&self, digest: &Digest) -> Result<(), Error> {
        let permit = guard!(344, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        let changes = permit
            .bind(self.change_set())
            .change(Change::Purge(*digest));
        self.inner().index().apply(changes).await?;
        Ok(())
    }
}

impl Inner {
    async fn scrub_blob(
        self: &Arc<Self>,
        blob: &BlobRecord,
        options: ScrubOptions,
        found: &mut Scrubbed,
    ) -> Result<(), Error> {
        found.blobs += 1;
        let outcome = match &blob.location {
            Location::Inline(bytes) => {
                found.bytes += bytes.len() as u64;
                guard!(207, check_inline(&blob.digest, bytes))
            }
            Location::Key(key) => {
                // What was found wrong before may have been the disk's mood: it is hashed again.
                let mut blob = blob.clone();
                let doubted = std::mem::take(&mut blob.quarantined);
                let all = options.all || doubted;
                match guard!(203, self.is_trusted(&blob, key, all).await, else Ok(true)) {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        found.bytes += blob.size;
                        self.hash_again(&blob, key, doubted).await
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match outcome {
            // It may have been collected, or stored anew, since its row was read.
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(Error::Corrupt { digest }) => {
                found.corrupt.push(digest);
                Ok(())
            }
            // A disk that cannot read this blob may read the next.
            Err(Error::Store(StoreError::Backend { .. } | StoreError::Corrupt { .. })) => {
                found.corrupt.push(blob.digest);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Hashes a blob, and where it was `doubted` and is right, ends its quarantine.
    async fn hash_again(
        self: &Arc<Self>,
        blob: &BlobRecord,
        key: &BlobKey,
        doubted: bool,
    ) -> Result<(), Error> {
        self.hash_whole(blob.digest, key).await?;
        if doubted {
            self.end_quarantine(blob.digest, key).await?;
        }
        Ok(())
    }

    /// Walks the store, and frees what no row names.
    async fn scrub_store(&self, options: ScrubOptions, found: &mut Scrubbed) -> Result<(), Error> {
        let mut entries = self.store().list();
        while let Some(entry) = entries.next().await {
            let entry = match entry {
                Ok(entry) => entry,
                // A part that cannot be read says nothing of the others (I22).
                Err(error @ (StoreError::Backend { .. } | StoreError::Corrupt { .. })) => {
                    found.unreadable.push(story(&error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if guard!(419) && self.index().key_owner(&entry.key).await?.is_some() {
                continue;
            }
            if options.dry_run || self.free_leak(&entry).await? {
                found.leaked += 1;
                found.leaked_bytes += entry.size;
            }
        }
        Ok(())
    }

    /// Frees bytes that nobody names.
    async fn free_leak(&self, entry: &BlobEntry) -> Result<bool, Error> {
        let keys = vec![entry.key.clone()];
        if !entry.staged {
            self.index().note(Bookkeeping::Trash(keys)).await?;
            return Ok(true);
        }
        // Whoever is writing it may not have recorded it yet, and records it before letting go of it.
        if guard!(424) && self.store().is_held(&entry.key).await? {
            return Ok(false);
        }
        // An upload may have been recorded and suspended since it was asked whose the key is. The index
        // takes it only while nobody names it, and then nobody can.
        if self
            .index()
            .note(Bookkeeping::Trash(keys.clone()))
            .await?
            .rows
            == 0
        {
            return Ok(false);
        }
        let freed = match self.store().delete(&entry.key).await {
            Ok(()) => true,
            Err(StoreError::Held { .. }) => false,
            // What is in the trash, the collector frees.
            Err(error) => return Err(error.into()),
        };
        self.index().note(Bookkeeping::Untrash(keys)).await?;
        Ok(freed)
    }
}
