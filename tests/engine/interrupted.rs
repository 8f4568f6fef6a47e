//! An index in which something happens between what a call was decided on and its commit.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use artifact::{
    AsOf, BlobKey, BlobRecord, Bookkeeping, BootTime, ChangeSet, Committed, Digest, DocumentKey,
    DocumentKind, DocumentRecord, Footprint, Found, Head, Horizon, Identity, IndexError, KeyOwner,
    LeaseRecord, LinkRecord, Location, ManifestIndex, ManifestRecord, ManifestSummary, MediaType,
    Noted, PackageRef, Page, Query, RepositoryName, Revision, Scope, Tag, TagRecord, Timestamp,
    Totals, TrashRecord, UploadId, UploadRecord, Usage,
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

type Act = Box<dyn FnOnce() + Send>;

/// What happens, once.
#[derive(Clone, Default)]
pub(crate) struct Meanwhile(Arc<Mutex<Option<Act>>>, Arc<AtomicBool>);

impl Meanwhile {
    /// Has something happen right before the next change set is judged; its own commits come before
    /// that one.
    pub(crate) fn happens(&self, act: impl FnOnce() + Send + 'static) {
        *self.0.lock() = Some(Box::new(act));
    }

    /// Returns the index in which it happens.
    pub(crate) fn over(&self, index: Arc<dyn ManifestIndex>) -> Arc<dyn ManifestIndex> {
        Arc::new(Interrupted {
            index,
            meanwhile: self.clone(),
        })
    }

    /// Has the bytes rot that the index itself keeps: one bit of each.
    pub(crate) fn rot(&self) {
        self.1.store(true, Ordering::SeqCst);
    }

    fn read(&self, bytes: &mut Bytes) {
        if self.1.load(Ordering::SeqCst) {
            let mut rotten = bytes.to_vec();
            rotten[0] ^= 1;
            *bytes = rotten.into();
        }
    }

    fn read_blob(&self, blob: &mut BlobRecord) {
        if let Location::Inline(bytes) = &mut blob.location {
            self.read(bytes);
        }
    }

    fn happen(&self) {
        let act = self.0.lock().take();
        if let Some(act) = act {
            // On a thread of its own, for this one waits already.
            std::thread::spawn(act).join().unwrap();
        }
    }

    /// Says that it has happened; else a test would show nothing.
    #[track_caller]
    pub(crate) fn assert_happened(&self) {
        assert!(self.0.lock().is_none(), "nothing was committed");
    }
}

#[derive(Debug)]
struct Interrupted {
    index: Arc<dyn ManifestIndex>,
    meanwhile: Meanwhile,
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

/// Writes the methods that only pass on.
macro_rules! passing_on {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl ManifestIndex for Interrupted {
            fn identity(&self) -> Identity {
                self.index.identity()
            }

            async fn apply(&self, changes: ChangeSet) -> Result<Committed, IndexError> {
                self.meanwhile.happen();
                self.index.apply(changes).await
            }

            async fn manifest(
                &self,
                at: AsOf,
                package: &PackageRef,
                digest: &Digest,
            ) -> Result<Option<ManifestRecord>, IndexError> {
                let mut found = self.index.manifest(at, package, digest).await?;
                found.iter_mut().for_each(|record| self.meanwhile.read(&mut record.bytes));
                Ok(found)
            }

            async fn blob(
                &self,
                at: AsOf,
                package: &PackageRef,
                digest: &Digest,
            ) -> Result<Option<LinkRecord>, IndexError> {
                let mut found = self.index.blob(at, package, digest).await?;
                found.iter_mut().for_each(|link| self.meanwhile.read_blob(&mut link.blob));
                Ok(found)
            }

            async fn blob_rows(&self, page: Page<Digest>) -> Result<Vec<BlobRecord>, IndexError> {
                let mut found = self.index.blob_rows(page).await?;
                found.iter_mut().for_each(|blob| self.meanwhile.read_blob(blob));
                Ok(found)
            }

            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer, IndexError> {
                self.index.$name($($argument),*).await
            })*
        }
    };
}

passing_on! {
    note(bookkeeping: Bookkeeping) -> Noted;
    head() -> Head;
    revision_at(time: Timestamp) -> Revision;
    changes(after: Revision, limit: NonZeroU32) -> Vec<Committed>;
    horizon(repository: &RepositoryName) -> Horizon;
    document(at: AsOf, key: &DocumentKey) -> Option<DocumentRecord>;
    documents(at: AsOf, kind: DocumentKind, page: Page<String>) -> Vec<DocumentRecord>;
    tag(at: AsOf, package: &PackageRef, tag: &Tag) -> Option<TagRecord>;
    tags(at: AsOf, package: &PackageRef, page: Page<Tag>) -> Vec<TagRecord>;
    manifests(at: AsOf, package: &PackageRef, page: Page<Digest>) -> Vec<ManifestSummary>;
    referrers(
        at: AsOf, package: &PackageRef, subject: &Digest, kind: Option<&MediaType>,
        page: Page<Digest>
    ) -> Vec<ManifestSummary>;
    packages(at: AsOf, scope: &Scope, page: Page<String>) -> Vec<PackageRef>;
    blob_row(digest: &Digest) -> Option<BlobRecord>;
    key_owner(key: &BlobKey) -> Option<KeyOwner>;
    upload(id: &UploadId) -> Option<UploadRecord>;
    uploads(page: Page<UploadId>) -> Vec<UploadRecord>;
    foreign_leases(now: &BootTime, limit: NonZeroU32) -> Vec<LeaseRecord>;
    unwanted(page: Page<Digest>) -> Vec<BlobRecord>;
    trash(page: Page<BlobKey>) -> Vec<TrashRecord>;
    usage(scope: &Scope) -> Usage;
    footprint(scope: &Scope) -> Footprint;
    totals() -> Totals;
    search(at: AsOf, query: &Query, page: Page<Found>) -> Vec<Found>;
}
