//! The uploads that this process writes.
//!
//! Locks of files tell every process who writes; this tells the same process more: whether the
//! writer was dropped and only its last work has still to end, which is then waited for, and whether
//! a file that has its final name already is still on its way to durability.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::{FutureExt as _, channel::oneshot, future::Shared as SharedFuture};
use parking_lot::Mutex;

use super::place::FileName;

/// The uploads that this process writes, by the names of their files.
#[derive(Default)]
pub(super) struct Live {
    all: Mutex<HashMap<FileName, Entry>>,
}

struct Entry {
    dropped: Arc<AtomicBool>,
    ended: SharedFuture<oneshot::Receiver<()>>,
}

impl Live {
    /// Says that somebody writes an upload, until the answer is dropped.
    pub(super) fn enter(self: &Arc<Self>, name: FileName) -> Presence {
        let (end, ended) = oneshot::channel();
        let dropped = Arc::new(AtomicBool::new(false));
        let entry = Entry {
            dropped: Arc::clone(&dropped),
            ended: ended.shared(),
        };
        self.all.lock().insert(name.clone(), entry);
        Presence {
            live: Arc::clone(self),
            name,
            dropped,
            end: Some(end),
        }
    }

    /// Says whether this process writes the upload.
    pub(super) fn has(&self, name: &FileName) -> bool {
        self.all.lock().contains_key(name)
    }

    /// Waits for the last work of an upload whose writer was dropped; returns whether this process
    /// writes it still.
    pub(super) async fn settle(&self, name: &FileName) -> bool {
        loop {
            let ended = match self.all.lock().get(name) {
                None => return false,
                Some(entry) if entry.dropped.load(Ordering::Acquire) => entry.ended.clone(),
                Some(_) => return true,
            };
            // The sender sends nothing: it is dropped when all has ended.
            let _ended = ended.await;
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.all.lock().len()).finish()
    }
}

/// Says that an upload is written by this process.
#[derive(Debug)]
pub(super) struct Presence {
    live: Arc<Live>,
    name: FileName,
    dropped: Arc<AtomicBool>,
    end: Option<oneshot::Sender<()>>,
}

impl Presence {
    /// Returns what the writer has: when it is dropped, the upload is given up.
    pub(super) fn grip(&self) -> Grip {
        Grip(Arc::clone(&self.dropped))
    }

    /// Says whether the writer was dropped.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.live.all.lock().remove(&self.name);
        // Only now: who waits looks for the entry next.
        drop(self.end.take());
    }
}

/// The writer of an upload, or the future of its last call, as long as it lives.
#[derive(Debug)]
pub(super) struct Grip(Arc<AtomicBool>);

impl Drop for Grip {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn bs9_the_last_work_of_a_dropped_writer_is_waited_for() {
        let live = Arc::new(Live::default());
        let name = FileName::from_random([1; 16]);
        assert!(!block_on(live.settle(&name)));
        let presence = live.enter(name.clone());
        let grip = presence.grip();
        assert!(block_on(live.settle(&name)), "its writer lives");
        drop(grip);
        assert!(presence.is_dropped() && live.has(&name));
        let work = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            drop(presence);
        });
        assert!(!block_on(live.settle(&name)));
        assert!(!live.has(&name));
        work.join().unwrap();
    }
}
