//! The file of an upload that is under way.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use artifact_core::{Stamp, StoreError, guard};

use super::{
    error::failed,
    live::{Claim, Grip, Presence},
    origin::Origin,
    place::FileName,
    shared::{Shared, still_there},
    slot_lock::SlotLock,
};
use crate::{
    sys::lock::Hold,
    vfs::{FileMeta, OpenMode, VfsError, VfsFile},
};

/// The umask cuts it, and the commit takes the permission to write away.
const MODE: u32 = 0o666;

/// The file of an upload that is under way, locked as long as this lives.
#[derive(Debug)]
pub(super) struct Staged {
    shared: Arc<Shared>,
    name: FileName,
    /// Whether the file goes with this. One that was suspended stays for who resumes it.
    discard: AtomicBool,
    /// Whether its name is known to be durable.
    named: AtomicBool,
    // In this order: who waits for the presence to end finds the locks free.
    file: Box<dyn VfsFile>,
    /// The slot that the upload outgrew.
    slot: Option<Arc<SlotLock>>,
    /// The slot that the upload was suspended in. It stays until its key is deleted: a power cut may take the
    /// record away that tells of this file, and the one before tells of the slot.
    origin: Option<Origin>,
    presence: Option<Presence>,
}

/// What was found under the name of a staged file.
#[derive(Debug)]
pub(super) enum Opened {
    Absent,
    /// Somebody else writes it.
    Held,
    Staged(Box<Staged>),
}

impl Staged {
    /// Makes the file of a new upload, under a name of its own.
    pub(super) fn create(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let (name, file) = shared.new_name(shared.layout.staging(), |random| {
            let name = FileName::from_random(random);
            Ok(create_locked(shared, &name)?.map(|file| (name, file)))
        })?;
        let presence = shared.live.enter(Claim::Bytes(name.clone()));
        presence.hide();
        let mut staged = Self::new(shared, name, file);
        staged.presence = Some(presence);
        Ok(staged)
    }

    /// Makes the file of an upload that goes on from a slot.
    pub(super) fn create_from(shared: &Arc<Shared>, origin: Origin) -> Result<Self, StoreError> {
        let mut staged = Self::create(shared)?;
        staged.origin = Some(origin);
        Ok(staged)
    }

    /// Makes the file of an upload that outgrew its slot, which stays locked.
    pub(super) fn spill(
        shared: &Arc<Shared>,
        name: FileName,
        slot: Arc<SlotLock>,
    ) -> Result<Self, StoreError> {
        let Some(file) = create_locked(shared, &name).map_err(failed)? else {
            // Nobody but the holder of the slot's lock makes this name.
            return Err(StoreError::Held { key: name.key() });
        };
        slot.hide();
        let mut staged = Self::new(shared, name, file);
        staged.slot = Some(slot);
        Ok(staged)
    }

    /// Opens the file of a suspended upload, cut to `offset`.
    pub(super) fn reopen(
        shared: &Arc<Shared>,
        name: &FileName,
        offset: u64,
        presence: Presence,
    ) -> Result<Opened, StoreError> {
        let path = shared.layout.staged(name);
        let Some(file) = shared.vfs.open(&path, OpenMode::Write).map_err(failed)? else {
            return Ok(Opened::Absent);
        };
        if !guard!(111, file.try_lock(Hold::Exclusive)).map_err(failed)? {
            return Ok(Opened::Held);
        }
        let there = || still_there(&*shared.vfs, &path, &*file);
        let size = guard!(136, there(), else file.metadata().map(|meta| Some(meta.size)));
        let Some(size) = size.map_err(failed)? else {
            return Ok(Opened::Absent);
        };
        if guard!(234) && size < offset {
            return Ok(Opened::Absent);
        }
        presence.hide();
        let mut staged = Self::new(shared, name.clone(), file);
        staged.presence = Some(presence);
        // It was suspended: it stays, whatever becomes of this sitting.
        staged.keep();
        staged.named.store(true, Ordering::Relaxed);
        if size > offset {
            staged.file.set_length(offset).map_err(failed)?;
        }
        Ok(Opened::Staged(Box::new(staged)))
    }

    /// Copies the first `length` bytes of where the upload was suspended; `false` when there are
    /// fewer.
    pub(super) fn copy_origin(&self, length: u64) -> Result<bool, VfsError> {
        match &self.origin {
            Some(origin) => origin.copy_to(&*self.file, length),
            None => Ok(length == 0),
        }
    }

    fn new(shared: &Arc<Shared>, name: FileName, file: Box<dyn VfsFile>) -> Self {
        Self {
            shared: Arc::clone(shared),
            name,
            discard: AtomicBool::new(true),
            named: AtomicBool::new(false),
            file,
            slot: None,
            origin: None,
            presence: None,
        }
    }

    pub(super) fn file(&self) -> &dyn VfsFile {
        &*self.file
    }

    pub(super) const fn name(&self) -> &FileName {
        &self.name
    }

    /// Returns what the writer has: when they are dropped, the upload is given up.
    pub(super) fn grips(&self) -> Vec<Grip> {
        let own = self.presence.iter().map(Presence::grip);
        own.chain(self.slot.as_ref().map(|slot| slot.grip()))
            .chain(self.origin.as_ref().map(Origin::grip))
            .collect()
    }

    fn is_given_up(&self) -> bool {
        match &self.presence {
            Some(presence) => presence.is_given_up(),
            None => self.slot.as_ref().is_some_and(|slot| slot.is_given_up()),
        }
    }

    fn keep(&self) {
        self.discard.store(false, Ordering::Relaxed);
    }

    /// Makes the bytes, their number and the name durable, so that another process can go on.
    pub(super) fn suspend(&self) -> Result<(), StoreError> {
        guard!(162, self.shared.check_sound())?;
        self.shared.synced(guard!(1, self.file.sync_data()))?;
        if !self.named.load(Ordering::Relaxed) {
            let staging = self.shared.layout.staging();
            let synced = guard!(2, self.shared.vfs.sync_directory(staging));
            self.shared.synced(synced)?;
            self.named.store(true, Ordering::Relaxed);
        }
        guard!(163, self.shared.check_sound())?;
        self.keep();
        Ok(())
    }

    /// Makes the bytes durable under their final name, and returns their stamp.
    pub(super) fn publish(&self) -> Result<Stamp, StoreError> {
        let shared = &self.shared;
        guard!(164, shared.check_sound())?;
        shared.synced(guard!(3, self.file.sync_data()))?;
        // Another sync may have failed meanwhile, or the writer may have been dropped: this is the
        // last moment at which that leaves nothing behind.
        guard!(165, shared.check_sound())?;
        if guard!(147) && self.is_given_up() {
            return Err(super::error::broken());
        }
        let (from, to) = (
            shared.layout.staged(&self.name),
            shared.layout.blob(&self.name),
        );
        shared.vfs.rename_new(&from, &to).map_err(failed)?;
        self.keep();
        // Not before: who resumes what a crash left here must be able to write.
        self.file.set_read_only().map_err(failed)?;
        let directory = shared.layout.shard(&self.name);
        shared.synced(guard!(4, shared.vfs.sync_directory(&directory)))?;
        guard!(166, shared.check_sound())?;
        self.file.metadata().map(stamp).map_err(failed)
    }

    /// Ends the upload, and takes away what it left.
    pub(super) fn abort(&self) -> Result<(), StoreError> {
        self.keep();
        let path = self.shared.layout.staged(&self.name);
        self.shared.vfs.unlink(&path).map(drop).map_err(failed)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if *self.discard.get_mut() {
            // What cannot be taken away is listed as staged.
            let _listed = self.abort();
        }
    }
}

/// Returns what changes when somebody changes the file's bytes behind the store's back.
pub(super) fn stamp(meta: FileMeta) -> Stamp {
    Stamp::new(format!("{}:{}:{}", meta.inode, meta.size, meta.modified))
}

/// Makes and locks a staged file; `None` when somebody else had it before the lock.
fn create_locked(shared: &Shared, name: &FileName) -> Result<Option<Box<dyn VfsFile>>, VfsError> {
    let path = shared.layout.staged(name);
    let file = shared.vfs.create(&path, MODE)?;
    // Between the two calls it looks like what a dead process left: a scrub may lock or delete it.
    let ours = guard!(112, file.try_lock(Hold::Exclusive))?;
    let there = || still_there(&*shared.vfs, &path, &*file).map(|size| size.is_some());
    if ours && guard!(135, there())? {
        return Ok(Some(file));
    }
    Ok(None)
}
