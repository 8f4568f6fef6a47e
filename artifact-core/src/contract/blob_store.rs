//! The contract of what keeps bytes.

use std::{fmt, fs::File, path::Path, pin::Pin, task::Context, task::Poll, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};

use super::store_error::StoreError;
use crate::model::{
    hasher::VerifiedBlob,
    id::{BlobKey, RegistryId, UploadId},
};

/// Keeps the bytes of blobs, each under a key that the store makes.
///
/// The store knows keys and bytes. Which digest a key holds, who may read it and when it dies is
/// the index's to know. An object dies only by [`BlobStore::delete`], which the engine calls for
/// keys in the index's trash.
///
/// # Contract
/// * BS-1 Atomic: before `commit` returned, `stat`, `read` and `local` of the key find nothing;
///   after it, they find all the bytes. `list` may show what is staged, marked as such.
/// * BS-2 Immutable: the bytes under a key never change.
/// * BS-3 To delete what is not there is a success. `delete` also removes what an upload has staged
///   under the key. What was deleted comes back by nothing but a crash.
/// * BS-4 Durable: when `commit` returned, the bytes survive any crash and power loss; when
///   `suspend` returned, the bytes up to its offset do.
/// * BS-5 Cancel-safe: a dropped writer equals a crash of that upload. What it staged is found by
///   `list` or removed by the store, and never becomes a blob. What is suspended is found by `list`;
///   what is aborted is gone.
/// * BS-6 A key is never used again: the same bytes, stored again, get another key.
/// * BS-7 `read` gives exactly the bytes of its range, in order, or ends with an error; never fewer.
///   A range that starts at or after the end of a blob that is not empty is
///   [`StoreError::RangeNotSatisfiable`]; one that ends after it is cut.
/// * BS-8 `resume` continues at exactly the offset of the suspension, dropping what came after it;
///   it answers `None` where the staged bytes are gone or fewer.
/// * BS-9 One writer: while a live writer holds an upload, `resume` and `delete` of it answer
///   [`StoreError::Held`] and `is_held` is true; when its process has died, or the writer was
///   dropped, it is not held.
/// * BS-10 Fail-stop: after a sync of unknown effect every later `commit` and `suspend` is
///   [`StoreError::Poisoned`] until the store is opened again; reads go on (I21).
///
/// All methods may be called from several tasks at once. Who polls them may have a runtime or none, as
/// the blocking face of the facade has none: what blocks, or needs threads, runs on a
/// [`Spawn`](super::seams::Spawn) that the store is given when it is made.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync + 'static {
    /// Returns what the store is; it never lies.
    fn info(&self) -> StoreInfo;

    /// Returns the size of the blob, and a stamp by which a change of its bytes at rest would show.
    ///
    /// # Errors
    /// Only where the store fails: an absent blob is `Ok(None)`.
    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError>;

    /// Returns the bytes of a range of the blob, or `None` when it is absent.
    ///
    /// # Errors
    /// [`StoreError::RangeNotSatisfiable`], and where the store fails.
    async fn read(&self, key: &BlobKey, range: ByteRange)
    -> Result<Option<BlobReader>, StoreError>;

    /// Begins an upload, and makes the key that its blob will have.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`], [`StoreError::Poisoned`], [`StoreError::ReadOnly`], and where the
    /// store fails.
    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Goes on with an upload that was suspended, also by another process. `None` when it is gone.
    ///
    /// The writer's key may differ from the suspended one: the caller records it, and trashes the
    /// old one. Until that is deleted its bytes stay as they were, whatever becomes of the writer: a
    /// crash may take the record of the new key away, and the upload goes on from the old one.
    ///
    /// # Errors
    /// As `begin`, and [`StoreError::Held`] while another writer holds the upload.
    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError>;

    /// Says whether a live writer, of this or another process, holds the upload that has staged the key.
    ///
    /// # Errors
    /// Where the store fails.
    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError>;

    /// Deletes the blob, or what an upload has staged for it.
    ///
    /// # Errors
    /// [`StoreError::Held`] while somebody still needs the bytes: ask again later.
    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError>;

    /// Returns how long after its row is gone a blob must stay, for transfers that are under way.
    fn linger(&self, key: &BlobKey) -> Duration;

    /// Lists what is stored, in no order; for the scrub, never for the collector. What was committed or
    /// deleted before the call is told as such.
    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>>;

    /// Returns the store's power to give its blobs as local files, if it has it.
    fn local(&self) -> Option<&dyn LocalBlobs>;

    /// Returns the store's power to let clients fetch from it directly, if it has it.
    fn direct_download(&self) -> Option<&dyn DirectDownload>;
}

/// Receives the bytes of one blob.
///
/// Its clauses are those of [`BlobStore`]. A writer is used by one task at a time.
#[async_trait]
pub trait BlobWriter: fmt::Debug + Send + 'static {
    /// Returns the key that the blob will have.
    fn key(&self) -> &BlobKey;

    /// Returns how many bytes were written, also in earlier sittings.
    fn offset(&self) -> u64;

    /// Appends a chunk.
    ///
    /// # Errors
    /// Where the store fails; the upload then goes on only by `resume` at an earlier offset.
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError>;

    /// Returns a reader of all that was written so far; nothing is written while it is read.
    ///
    /// It serves uploads whose digest turns out to be of another algorithm than was hashed.
    ///
    /// # Errors
    /// Where the store fails.
    async fn read_back(&mut self) -> Result<BlobReader, StoreError>;

    /// Makes what was written durable, and lets go of the upload.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`], [`StoreError::Poisoned`], and where the store fails.
    async fn suspend(self: Box<Self>) -> Result<Suspended, StoreError>;

    /// Makes the blob durable under its key, and visible. Returns its stamp, if the store has
    /// stamps.
    ///
    /// # Errors
    /// [`StoreError::OffsetMismatch`] when `blob` is not as long as what was written;
    /// [`StoreError::NoSpace`], [`StoreError::Poisoned`], and where the store fails.
    async fn commit(self: Box<Self>, blob: &VerifiedBlob) -> Result<Option<Stamp>, StoreError>;

    /// Throws away what was written.
    ///
    /// # Errors
    /// Where the store fails; the upload is over all the same.
    async fn abort(self: Box<Self>) -> Result<(), StoreError>;
}

/// The power of a store to give its blobs as local files.
///
/// Its methods may block: they are called where that is allowed.
///
/// # Contract
/// * LB-1: the file's bytes from `offset` on, `length` of them, are the blob's, as long as the
///   [`LocalBlob`] lives.
/// * LB-2: `materialize` leaves `target` complete or absent, never in between, and never replaces
///   what is there.
pub trait LocalBlobs: fmt::Debug + Send + Sync {
    /// Opens the blob, or returns `None` when it is absent.
    ///
    /// # Errors
    /// Where the file system fails.
    fn open(&self, key: &BlobKey) -> Result<Option<LocalBlob>, StoreError>;

    /// Makes the file `target` with the blob's bytes, in the first of `ways` that works; `None` when
    /// the blob is absent.
    ///
    /// A hard link shares mode and bytes with the store; the others give a file of its own, mode
    /// `0666` less the umask.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when `target` is there already, [`StoreError::NoWay`] when none of the ways
    /// can be taken; and where the file system fails.
    fn materialize(
        &self,
        key: &BlobKey,
        target: &Path,
        ways: &[Way],
    ) -> Result<Option<Way>, StoreError>;
}

/// A way for a blob to become a file.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Way {
    /// A second name of the store's own file. It is read-only and must stay so.
    HardLink,
    /// A file that shares its extents until one of both is written.
    Reflink,
    /// A copy.
    Copy,
}

/// A blob in a local file.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalBlob {
    /// The file, open for reading. Locks that keep the bytes in place live as long as it.
    pub file: File,
    /// Where in the file the blob begins, in bytes.
    pub offset: u64,
    /// The length of the blob, in bytes.
    pub length: u64,
    /// Whether the file holds this blob and nothing else.
    pub whole_file: bool,
}

impl LocalBlob {
    /// Returns the blob at `offset` of `file`.
    pub const fn new(file: File, offset: u64, length: u64, whole_file: bool) -> Self {
        Self {
            file,
            offset,
            length,
            whole_file,
        }
    }
}

/// The power of a store to let clients fetch from it directly.
#[async_trait]
pub trait DirectDownload: fmt::Debug + Send + Sync {
    /// Returns a URL that gives the blob's bytes, to whoever has it, for `valid`.
    ///
    /// # Errors
    /// Where the store fails.
    async fn url(&self, key: &BlobKey, valid: Duration) -> Result<String, StoreError>;
}

/// What a store is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreInfo {
    /// Its name, for messages: `fs`, `memory`, `s3`.
    pub name: &'static str,
    /// How many calls it serves well at once.
    pub concurrency: usize,
    /// Whether what it acknowledged survives the process and power loss.
    pub durable: bool,
    /// The registry that it belongs to, where it can say.
    pub registry: Option<RegistryId>,
}

impl StoreInfo {
    /// Returns the description of a store that is durable.
    pub const fn new(name: &'static str, concurrency: usize) -> Self {
        Self {
            name,
            concurrency,
            durable: true,
            registry: None,
        }
    }
}

/// What a store tells of a blob.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlobStat {
    /// Its length in bytes.
    pub size: u64,
    /// Its stamp, if the store has stamps for it.
    pub stamp: Option<Stamp>,
}

impl BlobStat {
    /// Returns the statement of size and stamp.
    pub const fn new(size: u64, stamp: Option<Stamp>) -> Self {
        Self { size, stamp }
    }
}

/// What changes when somebody changes a blob's bytes behind the store's back: on a file system the
/// file's inode, size and modification time; in an object store its entity tag.
///
/// At most 255 bytes of printable ASCII; compared, never read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Stamp(String);

impl Stamp {
    /// Returns the stamp with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of a blob.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ByteRange {
    /// Where it begins, in bytes. Not `usize`: a 32-bit program serves large blobs, too.
    pub offset: u64,
    /// Its length in bytes; to the end when `None`.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The whole blob.
    pub const ALL: Self = Self {
        offset: 0,
        length: None,
    };

    /// Returns the part from `offset` on, at most `length` bytes of it.
    pub const fn new(offset: u64, length: Option<u64>) -> Self {
        Self { offset, length }
    }

    /// Returns where the range ends in a blob of `size` bytes, or `None` when it begins at or after
    /// the end of a blob that is not empty.
    pub fn end(&self, size: u64) -> Option<u64> {
        if self.offset >= size && !(size == 0 && self.offset == 0) {
            return None;
        }
        let length = self.length.unwrap_or(u64::MAX);
        Some(self.offset.saturating_add(length).min(size))
    }
}

/// What is known of a blob before its bytes are.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UploadHint {
    /// Its length in bytes, where announced. It may be wrong.
    pub size: Option<u64>,
}

impl UploadHint {
    /// Returns the hint of a size.
    pub const fn sized(size: Option<u64>) -> Self {
        Self { size }
    }
}

/// Where an upload stopped, in a form that another process can go on from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Suspended {
    /// The key that the blob was to have.
    pub key: BlobKey,
    /// The bytes that are durable.
    pub offset: u64,
    /// What else the store needs; at most 64 KiB, and nobody else reads it.
    #[serde(with = "crate::model::base64_bytes")]
    pub state: Bytes,
}

impl Suspended {
    /// Returns the point at which an upload stopped.
    pub const fn new(key: BlobKey, offset: u64, state: Bytes) -> Self {
        Self { key, offset, state }
    }
}

/// Something that a store holds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlobEntry {
    /// Its key.
    pub key: BlobKey,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it is staged: an upload that was not committed.
    pub staged: bool,
}

impl BlobEntry {
    /// Returns the entry.
    pub const fn new(key: BlobKey, size: u64, staged: bool) -> Self {
        Self { key, size, staged }
    }
}

/// The bytes of a blob, or of a range of it, as they arrive.
///
/// It never holds more than a few chunks.
pub struct BlobReader {
    length: u64,
    chunks: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl BlobReader {
    /// Returns the reader of `chunks`, which are `length` bytes together.
    pub fn new(
        length: u64,
        chunks: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
    ) -> Self {
        Self {
            length,
            chunks: chunks.boxed(),
        }
    }

    /// Returns the number of bytes that it gives, from the first on.
    pub const fn length(&self) -> u64 {
        self.length
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(context)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
