//! The index of a directory: SQLite's, with what the directory as a whole demands.

use std::{num::NonZeroU32, sync::Arc};

use artifact_core::{
    AsOf, BlobKey, BlobRecord, BlobStore as _, Bookkeeping, BootTime, Change, ChangeSet, Committed,
    Digest, DocumentKey, DocumentKind, DocumentRecord, Footprint, Found, Head, Horizon, Identity,
    IndexError, KeyOwner, LeaseRecord, LinkRecord, Location, ManifestIndex, ManifestRecord,
    ManifestSummary, MediaType, Noted, PackageRef, Page, Query, RepositoryName, Revision, Scope,
    Tag, TagRecord, Timestamp, Totals, TrashRecord, UploadId, UploadRecord, Usage, guard,
};
use async_trait::async_trait;

use super::parts::{Parts, Writing};

/// The index that a registry's directory is worked with. As long as it lives, so does the process's
/// seat.
///
/// Where the disk is nearly full it takes nothing more in, and what makes room finds room: that is
/// what the reserve is for. After a purge the other files forget the bytes, too.
#[derive(Debug)]
pub(super) struct HomeIndex {
    parts: Arc<Parts>,
}

impl HomeIndex {
    pub(super) const fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Returns what is needed to write. After a sync has failed nothing more is acknowledged, whatever
    /// part of the registry it was of (I21).
    fn writing(&self) -> Result<&Writing, IndexError> {
        let store = &self.parts.store;
        if guard!(171) && store.check_sound().is_err() {
            let backend = store.info().name;
            return Err(IndexError::Poisoned { backend });
        }
        let writing = self.parts.writing.as_ref();
        writing.ok_or(IndexError::ReadOnly { backend: BACKEND })
    }

    async fn apply_or_make_room(
        &self,
        writing: &Writing,
        changes: ChangeSet,
    ) -> Result<Committed, IndexError> {
        let index = &self.parts.index;
        if changes.changes.iter().any(takes_room) {
            guard!(422, refuse(writing, "a push"))?;
            return index.apply(changes).await;
        }
        let again = changes.clone();
        match index.apply(changes).await {
            Err(IndexError::NoSpace { .. }) if writing.upkeep.give_up_reserve().await => {
                index.apply(again).await
            }
            done => done,
        }
    }
}

/// The index's name in errors.
const BACKEND: &str = "sqlite";

fn refuse(writing: &Writing, operation: &'static str) -> Result<(), IndexError> {
    if writing.room.is_left() {
        return Ok(());
    }
    Err(IndexError::NoSpace {
        backend: BACKEND,
        operation,
        source: writing.room.shortage().into(),
    })
}

/// Says whether a change was certainly not made: after another failure the feed tells, once the index
/// was opened again.
const fn was_refused(error: &IndexError) -> bool {
    matches!(
        error,
        IndexError::Busy
            | IndexError::Conflict(_)
            | IndexError::NoSpace { .. }
            | IndexError::ReadOnly { .. }
            | IndexError::StaleEpoch { .. }
    )
}

/// Says whether a change brings bytes, which the index then holds.
const fn takes_room(change: &Change) -> bool {
    matches!(
        change,
        Change::PutManifest { .. }
            | Change::PutBlob {
                location: Location::Inline(_),
                ..
            }
    )
}

#[async_trait]
impl ManifestIndex for HomeIndex {
    fn identity(&self) -> Identity {
        self.parts.index.identity()
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        let writing = self.writing()?;
        let purged: Vec<Digest> = (changes.changes.iter())
            .filter_map(|change| match change {
                Change::Purge(digest) => Some(*digest),
                _ => None,
            })
            .collect();
        let frees = !changes.changes.iter().any(takes_room);
        let committed = if purged.is_empty() {
            self.apply_or_make_room(writing, changes).await?
        } else {
            let head = self.parts.index.head().await?.revision;
            let intent = writing.upkeep.intend_purge(head, purged).await?;
            match self.apply_or_make_room(writing, changes).await {
                Ok(committed) => {
                    let at = committed.revision;
                    writing
                        .upkeep
                        .end_purge(&self.parts.index, intent, at)
                        .await;
                    committed
                }
                Err(error) => {
                    if was_refused(&error) {
                        intent.end();
                    }
                    return Err(error);
                }
            }
        };
        if frees {
            writing.upkeep.restore_reserve().await;
        }
        Ok(committed)
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        let writing = self.writing()?;
        if matches!(bookkeeping, Bookkeeping::BeginUpload(..)) {
            guard!(423, refuse(writing, "an upload"))?;
        }
        let prunes = matches!(bookkeeping, Bookkeeping::Prune(..));
        let again = bookkeeping.clone();
        let noted = match self.parts.index.note(bookkeeping).await {
            Err(IndexError::NoSpace { .. }) if writing.upkeep.give_up_reserve().await => {
                self.parts.index.note(again).await?
            }
            done => done?,
        };
        if prunes {
            writing.upkeep.tidy_soon(self.parts.index.clone());
        }
        Ok(noted)
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.parts.index.head().await
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        self.parts.index.revision_at(time).await
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.parts.index.changes(after, limit).await
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        self.parts.index.horizon(repository).await
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.parts.index.document(at, key).await
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.parts.index.documents(at, kind, page).await
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.parts.index.tag(at, package, tag).await
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.parts.index.tags(at, package, page).await
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.parts.index.manifest(at, package, digest).await
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.parts.index.manifests(at, package, page).await
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.parts
            .index
            .referrers(at, package, subject, artifact_type, page)
            .await
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.parts.index.packages(at, scope, page).await
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.parts.index.blob(at, package, digest).await
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.parts.index.blob_row(digest).await
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.parts.index.blob_rows(page).await
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        self.parts.index.key_owner(key).await
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        self.parts.index.upload(id).await
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        self.parts.index.uploads(page).await
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        self.parts.index.foreign_leases(now, limit).await
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.parts.index.unwanted(page).await
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.parts.index.trash(page).await
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        self.parts.index.usage(scope).await
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        self.parts.index.footprint(scope).await
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        self.parts.index.totals().await
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.parts.index.search(at, query, page).await
    }
}
