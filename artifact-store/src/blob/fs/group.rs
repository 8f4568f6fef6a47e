//! One sync for all who wait: group commit of slots, without a thread of its own.
//!
//! Who comes and finds nobody leading makes a leader, which writes and syncs for all who have come by
//! then, and again for those who came meanwhile, until nobody waits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use artifact_core::{StoreError, guard};
use futures::channel::oneshot;
use parking_lot::Mutex;

use super::{
    append::Batch,
    error::{NAME, ended, failed},
    open_slot::OpenSlot,
    shared::Shared,
    table::{Row, State},
};
use crate::vfs::{VfsError, VfsFile};

/// Those who wait for a sync of one segment.
#[derive(Debug)]
pub(super) struct Group {
    file: Arc<dyn VfsFile>,
    /// Whether the name of the segment is known to be durable: who made it may have died before.
    named: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    is_led: bool,
}

/// A slot that is to be suspended or committed.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) slot: OpenSlot,
    /// The bytes that were not written yet.
    pub(super) batches: Vec<Batch>,
    pub(super) state: State,
    /// How many bytes there are, the unwritten ones too.
    pub(super) length: u32,
    /// The CRC-32 of those bytes.
    pub(super) checksum: u32,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

impl Group {
    /// Returns the group of a segment.
    pub(super) fn new(file: Arc<dyn VfsFile>) -> Self {
        Self {
            file,
            named: AtomicBool::new(false),
            queue: Mutex::default(),
        }
    }

    /// Makes the slot durable in its new state, together with others.
    pub(super) async fn settle(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        request: Request,
    ) -> Result<(), StoreError> {
        let (reply, outcome) = oneshot::channel();
        if self.join(Waiting { request, reply }) {
            let leader = Leader {
                shared: Arc::clone(shared),
                group: Arc::clone(self),
                done: false,
            };
            shared.spawn.spawn_blocking(Box::new(move || leader.lead()));
        }
        outcome.await.unwrap_or_else(|error| Err(ended(error)))
    }

    /// Joins those who wait; says whether a leader must be made.
    fn join(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue.lock();
        queue.waiting.push(waiting);
        !std::mem::replace(&mut queue.is_led, true)
    }

    /// Returns all who wait; nobody leads any more when there are none.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue.lock();
        if queue.waiting.is_empty() {
            queue.is_led = false;
            return None;
        }
        Some(std::mem::take(&mut queue.waiting))
    }
}

/// Works for all who wait. If it is dropped before its work is done, they are told.
struct Leader {
    shared: Arc<Shared>,
    group: Arc<Group>,
    done: bool,
}

impl Leader {
    fn lead(mut self) {
        while let Some(waiting) = self.group.next() {
            self.settle(waiting);
        }
        self.done = true;
    }

    fn settle(&self, waiting: Vec<Waiting>) {
        let mut written = Vec::with_capacity(waiting.len());
        for mut one in waiting {
            // Nobody waits: the writer was dropped, and its slot goes with it (BS-5).
            if one.reply.is_canceled() {
                continue;
            }
            let sound = guard!(167, self.shared.check_sound());
            match sound.and_then(|()| one.request.write().map_err(failed)) {
                Ok(()) => written.push(one),
                Err(error) => one.answer(Err(error)),
            }
        }
        if !written.is_empty() {
            self.sync(written);
        }
    }

    fn sync(&self, written: Vec<Waiting>) {
        let outcome = self.sync_segment();
        let is_sound = outcome.is_ok();
        let mut error = outcome.err();
        for mut one in written {
            if is_sound {
                one.request.slot.keep(one.request.state);
                one.answer(Ok(()));
            } else {
                // The error is one thing and cannot be told twice; what it means can.
                let poisoned = StoreError::Poisoned { backend: NAME };
                one.answer(Err(error.take().unwrap_or(poisoned)));
            }
        }
    }

    fn sync_segment(&self) -> Result<(), StoreError> {
        let (shared, group) = (&self.shared, &self.group);
        shared.synced(guard!(5, group.file.sync_data()))?;
        if !group.named.load(Ordering::Relaxed) {
            let segments = shared.layout.segments();
            shared.synced(guard!(6, shared.vfs.sync_directory(segments)))?;
            group.named.store(true, Ordering::Relaxed);
        }
        // Another sync may have failed meanwhile.
        guard!(168, shared.check_sound())
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.done {
            let mut queue = self.group.queue.lock();
            queue.is_led = false;
            let waiting = std::mem::take(&mut queue.waiting);
            drop(queue);
            // Their replies go with them.
            drop(waiting);
        }
    }
}

impl Request {
    fn write(&mut self) -> Result<(), VfsError> {
        let slot = *self.slot.slot();
        let row = Row::new(slot, self.state, self.length, self.checksum);
        self.slot.finish(&self.batches, &row)
    }
}

impl Waiting {
    fn answer(self, outcome: Result<(), StoreError>) {
        let Self { request, reply } = self;
        // First: who is answered finds the slot free.
        drop(request);
        // Who does not wait any more does not want to know.
        let _unwanted = reply.send(outcome);
    }
}
