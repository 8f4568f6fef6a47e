//! The index itself.

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use artifact_core::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Epoch, Footprint, Found, Head, Horizon, Identity, IndexError,
    KeyOwner, LeaseRecord, LinkRecord, ManifestIndex, ManifestRecord, ManifestSummary, MediaType,
    Noted, PackageRef, Page, Query, RegistryId, RepositoryName, Revision, Scope, Spawn,
    SpawnExt as _, Tag, TagRecord, Timestamp, Totals, TrashRecord, UploadId, UploadRecord, Usage,
    guard,
};
use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    committer::Committer,
    connection::{self, Purpose},
    failure::{BACKEND, Outcome},
    options::{Access, NewIndex, OpenError, SqliteOptions},
    read::{
        blobs, counts, documents, feed,
        manifests::{self, Which},
        packages, search, tags, uploads,
    },
    readers::Readers,
    state::{self, revisions, tx::scope_usage},
    writer::Writer,
};

/// The durable index: a SQLite database in WAL mode.
///
/// Several processes may have it open at once. Change sets are durable when they are acknowledged
/// (`synchronous=FULL`), and many of them share one sync; bookkeeping goes another way
/// (`synchronous=NORMAL`), visible to all at once and durable with the next change.
///
/// Reads run on the caller's thread, for microseconds; what reads everything, and all that writes,
/// runs under [`Spawn::spawn_blocking`].
#[derive(Clone, Debug)]
pub struct SqliteIndex {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: RegistryId,
    epoch: Arc<AtomicU64>,
    // Before the writer: the last connection that closes moves the WAL into the file.
    readers: Readers,
    writer: Option<Writer>,
    spawn: Arc<dyn Spawn>,
}

impl SqliteIndex {
    /// Makes the file of a new index, which must not be there.
    ///
    /// The directory that holds it is not synced.
    ///
    /// # Errors
    /// [`OpenError::Exists`], and where the backend fails; then a part of the file may be left.
    pub fn create(path: &Path, new: NewIndex) -> Result<(), OpenError> {
        connection::create(path, new)
    }

    /// Opens an index.
    ///
    /// # Errors
    /// [`OpenError`], before anything is changed.
    pub fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        let purpose = match options.access {
            Access::Immutable => Purpose::Immutable,
            Access::ReadOnly | Access::ReadWrite => Purpose::Read,
        };
        let readers = Readers::new(options.path.clone(), purpose, options.ladder);
        // Opened by way of the first reader, which stays.
        let Identity {
            registry, epoch, ..
        } = {
            let conn = connection::open(&options.path, purpose, options.ladder)?;
            let identity = connection::identity(&conn)?;
            readers.add(conn);
            identity
        };
        if guard!(191) && options.epoch.is_some_and(|expected| expected != epoch) {
            return Err(IndexError::StaleEpoch { found: epoch }.into());
        }
        let epoch = Arc::new(AtomicU64::new(epoch.get()));
        let writer = match options.access {
            Access::ReadWrite => {
                let shared = Arc::clone(&epoch);
                let committer = Committer::open(
                    &options.path,
                    &options.lock,
                    options.ladder,
                    options.journal,
                    shared,
                )?;
                Some(Writer::new(committer, Arc::clone(&options.spawn)))
            }
            Access::Immutable | Access::ReadOnly => None,
        };
        let inner = Inner {
            registry,
            epoch,
            readers,
            writer,
            spawn: options.spawn,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Closes the index after all that was handed over, and moves what is durable into its one file
    /// where no other process has it open. What is asked of it later fails.
    ///
    /// An index that is only dropped loses nothing either.
    ///
    /// # Errors
    /// Where the backend fails.
    pub async fn close(&self) -> Result<(), IndexError> {
        self.inner.readers.close();
        match &self.inner.writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }

    /// Runs a read.
    pub(super) fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T>,
    ) -> Result<T, IndexError> {
        self.inner.readers.read(operation, read)
    }

    /// Runs a read that takes longer than a caller's thread can be kept.
    pub(super) async fn read_long<T: Send + 'static>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, IndexError> {
        let index = self.clone();
        self.blocking(operation, move || index.read(operation, read))
            .await
    }

    /// Runs something that blocks.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let ended = self.inner.spawn.run_blocking(work).await;
        ended.unwrap_or_else(|lost| {
            Err(IndexError::Unavailable {
                backend: BACKEND,
                operation,
                source: lost.into(),
            })
        })
    }

    /// Opens a connection of its own for reading.
    pub(super) fn connect(&self, operation: &'static str) -> Result<Connection, IndexError> {
        self.inner.readers.open(operation)
    }

    /// Returns the one who writes.
    ///
    /// # Errors
    /// [`IndexError::ReadOnly`] when the handle is for reading.
    pub(super) fn writer(&self) -> Result<&Writer, IndexError> {
        let writer = self.inner.writer.as_ref();
        writer.ok_or(IndexError::ReadOnly { backend: BACKEND })
    }

    /// Returns the epoch, which a rebuild raises for its own handle.
    pub(super) fn epoch(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.inner.epoch)
    }
}

#[async_trait]
impl ManifestIndex for SqliteIndex {
    fn identity(&self) -> Identity {
        let epoch = Epoch::new(self.inner.epoch.load(Ordering::Acquire));
        Identity::new(self.inner.registry, epoch)
    }

    async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
        self.writer()?.apply(changes).await
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> Result<Noted, IndexError> {
        self.writer()?.note(bookkeeping).await
    }

    async fn head(&self) -> Result<Head, IndexError> {
        self.read("reading the newest revision", revisions::head)
    }

    async fn revision_at(&self, time: Timestamp) -> Result<Revision, IndexError> {
        self.read("finding a revision", |conn| feed::revision_at(conn, time))
    }

    async fn changes(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, IndexError> {
        self.read("reading the feed", |conn| feed::changes(conn, after, limit))
    }

    async fn horizon(&self, repository: &RepositoryName) -> Result<Horizon, IndexError> {
        let revision = self.read("reading a horizon", |conn| {
            state::packages::horizon(conn, repository)
        })?;
        Ok(Horizon::new(repository.clone(), revision))
    }

    async fn document(
        &self,
        at: AsOf,
        key: &DocumentKey,
    ) -> Result<Option<DocumentRecord>, IndexError> {
        self.read("reading a document", |conn| {
            documents::document(conn, at, key)
        })
    }

    async fn documents(
        &self,
        at: AsOf,
        kind: DocumentKind,
        page: Page<String>,
    ) -> Result<Vec<DocumentRecord>, IndexError> {
        self.read("listing documents", |conn| {
            documents::list(conn, at, kind, &page)
        })
    }

    async fn tag(
        &self,
        at: AsOf,
        package: &PackageRef,
        tag: &Tag,
    ) -> Result<Option<TagRecord>, IndexError> {
        self.read("reading a tag", |conn| tags::tag(conn, at, package, tag))
    }

    async fn tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, IndexError> {
        self.read("listing tags", |conn| tags::list(conn, at, package, &page))
    }

    async fn manifest(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<ManifestRecord>, IndexError> {
        self.read("reading a manifest", |conn| {
            manifests::manifest(conn, at, package, digest)
        })
    }

    async fn manifests(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.read("listing manifests", |conn| {
            manifests::list(conn, at, package, Which::All, &page)
        })
    }

    async fn referrers(
        &self,
        at: AsOf,
        package: &PackageRef,
        subject: &Digest,
        artifact_type: Option<&MediaType>,
        page: Page<Digest>,
    ) -> Result<Vec<ManifestSummary>, IndexError> {
        self.read("listing referrers", |conn| {
            let which = Which::Referrers(subject, artifact_type);
            manifests::list(conn, at, package, which, &page)
        })
    }

    async fn packages(
        &self,
        at: AsOf,
        scope: &Scope,
        page: Page<String>,
    ) -> Result<Vec<PackageRef>, IndexError> {
        self.read("listing packages", |conn| {
            packages::list(conn, at, scope, &page)
        })
    }

    async fn blob(
        &self,
        at: AsOf,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Option<LinkRecord>, IndexError> {
        self.read("reading a link", |conn| {
            blobs::blob(conn, at, package, digest)
        })
    }

    async fn blob_row(&self, digest: &Digest) -> Result<Option<BlobRecord>, IndexError> {
        self.read("reading a blob's row", |conn| {
            state::blobs::find(conn, digest)
        })
    }

    async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read("listing blobs", |conn| blobs::list(conn, &page))
    }

    async fn key_owner(&self, key: &BlobKey) -> Result<Option<KeyOwner>, IndexError> {
        self.read("finding a key", |conn| state::trash::owner(conn, key))
    }

    async fn upload(&self, id: &UploadId) -> Result<Option<UploadRecord>, IndexError> {
        self.read("reading an upload", |conn| state::uploads::find(conn, id))
    }

    async fn uploads(&self, page: Page<UploadId>) -> Result<Vec<UploadRecord>, IndexError> {
        self.read("listing uploads", |conn| uploads::list(conn, &page))
    }

    async fn foreign_leases(
        &self,
        now: &BootTime,
        limit: NonZeroU32,
    ) -> Result<Vec<LeaseRecord>, IndexError> {
        self.read("listing leases", |conn| {
            blobs::foreign_leases(conn, now, limit)
        })
    }

    async fn unwanted(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
        self.read("listing unwanted blobs", |conn| {
            blobs::unwanted(conn, &page)
        })
    }

    async fn trash(&self, page: Page<BlobKey>) -> Result<Vec<TrashRecord>, IndexError> {
        self.read("listing the trash", |conn| blobs::trash(conn, &page))
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, IndexError> {
        self.read("reading a usage", |conn| scope_usage(conn, scope))
    }

    async fn footprint(&self, scope: &Scope) -> Result<Footprint, IndexError> {
        let scope = scope.clone();
        self.read_long("counting a footprint", move |conn| {
            counts::footprint(conn, &scope)
        })
        .await
    }

    async fn totals(&self) -> Result<Totals, IndexError> {
        self.read_long("counting the registry", counts::totals)
            .await
    }

    async fn search(
        &self,
        at: AsOf,
        query: &Query,
        page: Page<Found>,
    ) -> Result<Vec<Found>, IndexError> {
        self.read("searching", |conn| search::search(conn, at, query, &page))
    }
}
