//! The store.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use artifact_core::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlob, LocalBlobs, RegistryId, Rng, Spawn, StoreError, StoreInfo, Suspended, UploadHint,
    UploadId, Way, guard,
};
use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{
    error::{NAME, failed, no_store},
    file_writer::FileWriter,
    files,
    layout::Layout,
    live::{Claim, Presence},
    local,
    place::{FileName, Place, Slot},
    read::reader,
    segments::Segments,
    shared::Shared,
    slot_writer::SlotWriter,
    slots,
    staged::{Opened, Staged, stamp},
    walk::walk,
};
use crate::vfs::{Vfs, VfsFile};

/// How long a slot stays after its row is gone: no transfer may last longer, and who reads or maps
/// it then has a lock on it besides.
const SLOT_LINGER: Duration = Duration::from_secs(15 * 60);

/// How many calls are served well at once: a disk's queue.
const CONCURRENCY: usize = 32;

/// The size at which a segment is full, unless told otherwise: 256 MiB.
const SEGMENT_SIZE: u64 = 256 << 20;

/// What a [`FsBlobStore`] is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FsOptions {
    /// The directory that has, or gets, `blobs/`, `segments/` and `staging/`.
    pub root: PathBuf,
    /// The file system.
    pub vfs: Arc<dyn Vfs>,
    /// Where work runs that blocks.
    pub spawn: Arc<dyn Spawn>,
    /// What the names of files are made of.
    pub rng: Arc<dyn Rng>,
    /// Whether nothing is written; then no permission to write is needed.
    pub read_only: bool,
    /// The registry that the store belongs to, for [`StoreInfo`].
    pub registry: Option<RegistryId>,
    /// The size in bytes at which a segment is full; at least 1.5 MiB and 4 KiB are taken.
    pub segment_size: u64,
}

impl FsOptions {
    /// Returns the options of a store that is read and written.
    pub fn new(
        root: impl Into<PathBuf>,
        vfs: Arc<dyn Vfs>,
        spawn: Arc<dyn Spawn>,
        rng: Arc<dyn Rng>,
    ) -> Self {
        Self {
            root: root.into(),
            vfs,
            spawn,
            rng,
            read_only: false,
            registry: None,
            segment_size: SEGMENT_SIZE,
        }
    }
}

/// Keeps blobs in a directory of a local file system, durable when acknowledged.
///
/// Large blobs and those of unknown size have a file of their own (`staging/`, then `blobs/`).
/// Blobs of up to 1 MiB, as announced, have a slot of a segment (`segments/`): one sync serves all
/// that are committed at once. Any number of stores, in this process and others, may be open on one
/// directory. Clones share one store.
#[derive(Clone)]
pub struct FsBlobStore {
    shared: Arc<Shared>,
    segments: Arc<Segments>,
    registry: Option<RegistryId>,
}

impl FsBlobStore {
    /// Makes the directories of a store in `root`, those that are missing; durable when it returns.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn create_layout(vfs: &dyn Vfs, root: &Path) -> Result<(), StoreError> {
        Layout::new(root).create(vfs, root).map_err(failed)
    }

    /// Opens a store, in a time that does not depend on what it holds.
    ///
    /// # Errors
    /// When its directories are missing (see [`FsBlobStore::create_layout`]), and where the file
    /// system fails.
    pub fn open(options: FsOptions) -> Result<Self, StoreError> {
        let layout = Layout::new(&options.root);
        if let Some(path) = layout.missing(&*options.vfs).map_err(failed)? {
            return Err(no_store("open", path));
        }
        let FsOptions {
            vfs, spawn, rng, ..
        } = options;
        Ok(Self {
            shared: Arc::new(Shared::new(vfs, spawn, rng, layout, options.read_only)),
            segments: Arc::new(Segments::new(options.segment_size)),
            registry: options.registry,
        })
    }

    /// Refuses to go on after a sync has failed: nobody knows what is on the disk until the store is
    /// opened again (BS-10, I21).
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    pub fn check_sound(&self) -> Result<(), StoreError> {
        self.shared.check_sound()
    }

    /// Opens the file of a blob, without a change of threads where the kernel knows it.
    async fn open_file(&self, name: &FileName) -> Result<Option<Box<dyn VfsFile>>, StoreError> {
        if let Some(file) = files::open_cached(&self.shared, name) {
            return Ok(Some(file));
        }
        let name = name.clone();
        let open = move |shared: &Arc<Shared>| files::open(shared, &name);
        self.shared.run(open).await
    }

    async fn open_slot(&self, slot: Slot) -> Result<Option<slots::Found>, StoreError> {
        if let Some(found) = slots::open_cached(&self.shared, &slot) {
            return Ok(Some(found));
        }
        let open = move |shared: &Arc<Shared>| slots::open(shared, &slot);
        self.shared.run(open).await
    }

    async fn stat_file(&self, name: &FileName) -> Result<Option<BlobStat>, StoreError> {
        let Some(file) = self.open_file(name).await? else {
            return Ok(None);
        };
        // Of an open file the kernel knows all without its disk.
        let meta = file.metadata().map_err(failed)?;
        Ok(Some(BlobStat::new(meta.size, Some(stamp(meta)))))
    }

    async fn read_file(
        &self,
        key: &BlobKey,
        name: &FileName,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        let Some(file) = self.open_file(name).await? else {
            return Ok(None);
        };
        let size = file.metadata().map_err(failed)?.size;
        reader(&self.shared, key, file.into(), 0, size, range).map(Some)
    }
}

impl fmt::Debug for FsBlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FsBlobStore")
            .field("blobs", &self.shared.layout.blobs())
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobStore for FsBlobStore {
    fn info(&self) -> StoreInfo {
        let mut info = StoreInfo::new(NAME, CONCURRENCY);
        info.registry = self.registry;
        info
    }

    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        match Place::of(key) {
            None => Ok(None),
            Some(Place::File(name)) => self.stat_file(&name).await,
            Some(Place::Slot(slot)) => match self.open_slot(slot).await? {
                Some(found) => Ok(Some(BlobStat::new(found.length, None))),
                None => self.stat_file(&slot.spill()).await,
            },
        }
    }

    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        let slot = match Place::of(key) {
            None => return Ok(None),
            Some(Place::File(name)) => return self.read_file(key, &name, range).await,
            Some(Place::Slot(slot)) => slot,
        };
        let Some(found) = self.open_slot(slot).await? else {
            return self.read_file(key, &slot.spill(), range).await;
        };
        let (file, offset) = (found.file.into(), slot.range().start);
        reader(&self.shared, key, file, offset, found.length, range).map(Some)
    }

    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        self.shared.check_writable()?;
        if let Some(size) = hint.size
            && let Some((slot, group)) = self.segments.reserve(&self.shared, size).await?
        {
            return Ok(Box::new(SlotWriter::new(&self.shared, *id, slot, group)));
        }
        let staged = self.shared.run(Staged::create).await?;
        let key = staged.name().key();
        Ok(Box::new(FileWriter::new(&self.shared, *id, key, staged, 0)))
    }

    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        self.shared.check_writable()?;
        let Some(place) = Place::of(&at.key) else {
            return Ok(None);
        };
        let (live, name) = (&self.shared.live, place.file_name());
        let bytes = live.take(Claim::Bytes(name.clone())).await;
        let upload = live.take(Claim::Continued(name)).await;
        let (Some(bytes), Some(upload)) = (bytes, upload) else {
            return Err(StoreError::Held { key: at.key });
        };
        let offset = at.offset;
        let open = move |shared: &Arc<Shared>| reopen(shared, &place, offset, bytes, upload);
        match self.shared.run(open).await? {
            Opened::Absent => Ok(None),
            Opened::Held => Err(StoreError::Held { key: at.key }),
            Opened::Staged(staged) => {
                let key = staged.name().key();
                let writer = FileWriter::new(&self.shared, *id, key, *staged, offset);
                Ok(Some(Box::new(writer)))
            }
        }
    }

    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        let Some(place) = Place::of(key) else {
            return Ok(false);
        };
        for claim in [Claim::Bytes, Claim::Continued] {
            if self.shared.live.is_held(&claim(place.file_name())).await {
                return Ok(true);
            }
        }
        let ask = move |shared: &Arc<Shared>| {
            if let Place::Slot(slot) = &place
                && slots::is_held(shared, slot).map_err(failed)?
            {
                return Ok(true);
            }
            files::is_held(shared, &place.file_name()).map_err(failed)
        };
        self.shared.run(ask).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        if guard!(181) && self.shared.read_only {
            return Err(StoreError::ReadOnly { backend: NAME });
        }
        let Some(place) = Place::of(key) else {
            return Ok(());
        };
        let claim = Claim::Bytes(place.file_name());
        let Some(turn) = self.shared.live.take_to_delete(claim).await else {
            return Err(StoreError::Held { key: key.clone() });
        };
        let delete = move |shared: &Arc<Shared>| {
            let _turn = turn;
            if let Place::Slot(slot) = &place
                && slots::delete(shared, slot)?
            {
                return Ok(());
            }
            files::delete(shared, &place.file_name())
        };
        self.shared.run(delete).await
    }

    fn linger(&self, key: &BlobKey) -> Duration {
        match Place::of(key) {
            Some(Place::Slot(_)) => SLOT_LINGER,
            _ => Duration::ZERO,
        }
    }

    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        walk(&self.shared)
    }

    fn local(&self) -> Option<&dyn LocalBlobs> {
        self.shared.vfs.is_real().then_some(self)
    }

    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        None
    }
}

impl LocalBlobs for FsBlobStore {
    fn open(&self, key: &BlobKey) -> Result<Option<LocalBlob>, StoreError> {
        local::open(&self.shared, key)
    }

    fn materialize(
        &self,
        key: &BlobKey,
        target: &Path,
        ways: &[Way],
    ) -> Result<Option<Way>, StoreError> {
        local::materialize(&self.shared, key, target, ways)
    }
}

/// Opens what was suspended at a place. A slot that was outgrown has its bytes in a file.
fn reopen(
    shared: &Arc<Shared>,
    place: &Place,
    offset: u64,
    bytes: Presence,
    upload: Presence,
) -> Result<Opened, StoreError> {
    match (
        Staged::reopen(shared, &place.file_name(), offset, bytes)?,
        place,
    ) {
        (Opened::Absent, Place::Slot(slot)) => slots::resume(shared, slot, offset, upload),
        (opened, _) => Ok(opened),
    }
}
