//! What this process has under way.
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

/// What somebody has under way.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Claim {
    /// The bytes of a place.
    Bytes(FileName),
    /// An upload that was suspended in a slot and goes on elsewhere.
    Continued(FileName),
}

/// What this process has under way.
#[derive(Default)]
pub(super) struct Live {
    all: Mutex<HashMap<Claim, Entry>>,
}

struct Entry {
    flags: Arc<Flags>,
    ended: SharedFuture<oneshot::Receiver<()>>,
}

#[derive(Debug, Default)]
struct Flags {
    /// Whether nobody but its last work is left.
    ending: AtomicBool,
    /// Whether what is found there is not to be told of.
    hides: AtomicBool,
}

/// What is found at a claim.
enum State {
    Free,
    Ending(SharedFuture<oneshot::Receiver<()>>),
    Held,
}

impl Live {
    /// Says that somebody writes at a place that is new, until the answer is dropped.
    pub(super) fn enter(self: &Arc<Self>, claim: Claim) -> Presence {
        self.insert(&mut self.all.lock(), claim, false)
    }

    /// Says that somebody goes on writing, until the answer is dropped, as soon as the last work of
    /// who was dropped has ended; `None` while somebody else writes.
    pub(super) async fn take(self: &Arc<Self>, claim: Claim) -> Option<Presence> {
        self.turn(claim, false).await
    }

    /// As [`Live::take`], for who deletes: others wait for it as for any last work.
    pub(super) async fn take_to_delete(self: &Arc<Self>, claim: Claim) -> Option<Presence> {
        self.turn(claim, true).await
    }

    async fn turn(self: &Arc<Self>, claim: Claim, deletes: bool) -> Option<Presence> {
        loop {
            let ended = {
                let mut all = self.all.lock();
                match state(&all, &claim) {
                    State::Free => return Some(self.insert(&mut all, claim, deletes)),
                    State::Held => return None,
                    State::Ending(ended) => ended,
                }
            };
            // The sender sends nothing: it is dropped when all has ended.
            let _ended = ended.await;
        }
    }

    fn insert(
        self: &Arc<Self>,
        all: &mut HashMap<Claim, Entry>,
        claim: Claim,
        deletes: bool,
    ) -> Presence {
        let (end, ended) = oneshot::channel();
        let flags = Arc::new(Flags::default());
        flags.ending.store(deletes, Ordering::Release);
        let entry = Entry {
            flags: Arc::clone(&flags),
            ended: ended.shared(),
        };
        all.insert(claim.clone(), entry);
        Presence {
            live: Arc::clone(self),
            claim,
            flags,
            end: Some(end),
        }
    }

    /// Says whether a file is not to be told of yet.
    pub(super) fn hides(&self, name: &FileName) -> bool {
        let all = self.all.lock();
        // Most times nobody writes at all: then no name is made.
        !all.is_empty()
            && all
                .get(&Claim::Bytes(name.clone()))
                .is_some_and(|entry| entry.flags.hides.load(Ordering::Acquire))
    }

    /// Says whether somebody writes, once the last work of who was dropped has ended.
    pub(super) async fn is_held(&self, claim: &Claim) -> bool {
        loop {
            let ended = match state(&self.all.lock(), claim) {
                State::Free => return false,
                State::Held => return true,
                State::Ending(ended) => ended,
            };
            let _ended = ended.await;
        }
    }
}

fn state(all: &HashMap<Claim, Entry>, claim: &Claim) -> State {
    match all.get(claim) {
        None => State::Free,
        Some(entry) if entry.flags.ending.load(Ordering::Acquire) => {
            State::Ending(entry.ended.clone())
        }
        Some(_) => State::Held,
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.all.lock().len()).finish()
    }
}

/// Says that somebody has a claim.
#[derive(Debug)]
pub(super) struct Presence {
    live: Arc<Live>,
    claim: Claim,
    flags: Arc<Flags>,
    end: Option<oneshot::Sender<()>>,
}

impl Presence {
    /// Returns what the writer has: when it is dropped, the upload is given up.
    pub(super) fn grip(&self) -> Grip {
        Grip(Arc::clone(&self.flags))
    }

    /// Says whether the writer was dropped.
    pub(super) fn is_given_up(&self) -> bool {
        self.flags.ending.load(Ordering::Acquire)
    }

    /// Says that there is a file which is not to be told of until this is dropped (BS-1).
    pub(super) fn hide(&self) {
        self.flags.hides.store(true, Ordering::Release);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut all = self.live.all.lock();
        let is_ours = |entry: &Entry| Arc::ptr_eq(&entry.flags, &self.flags);
        if all.get(&self.claim).is_some_and(is_ours) {
            all.remove(&self.claim);
        }
        drop(all);
        // Only now: who waits looks for the entry next.
        drop(self.end.take());
    }
}

/// The writer of an upload, or the future of its last call, as long as it lives.
#[derive(Debug)]
pub(super) struct Grip(Arc<Flags>);

impl Drop for Grip {
    fn drop(&mut self) {
        self.0.ending.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    fn later(what: impl Send + 'static) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            drop(what);
        })
    }

    #[tokio::test]
    async fn bs9_the_last_work_of_a_dropped_writer_is_waited_for() {
        let live = Arc::new(Live::default());
        let name = FileName::from_random([1; 16]);
        let claim = Claim::Bytes(name.clone());
        assert!(!live.is_held(&claim).await);
        let presence = live.enter(claim.clone());
        assert!(!live.hides(&name), "there is no file yet");
        presence.hide();
        let grip = presence.grip();
        assert!(live.is_held(&claim).await, "its writer lives");
        assert!(live.take(claim.clone()).await.is_none());
        assert!(!live.is_held(&Claim::Continued(name.clone())).await);
        drop(grip);
        assert!(presence.is_given_up() && live.hides(&name));
        let work = later(presence);
        assert!(!live.is_held(&claim).await);
        assert!(!live.hides(&name));
        work.join().unwrap();
    }

    #[tokio::test]
    async fn bs3_who_deletes_second_waits_for_the_first() {
        let live = Arc::new(Live::default());
        let name = FileName::from_random([1; 16]);
        let claim = Claim::Bytes(name.clone());
        let first = live.take_to_delete(claim.clone()).await.unwrap();
        let work = later(first);
        let second = live.take(claim.clone()).await.unwrap();
        assert!(!live.hides(&name), "what is there stays visible");
        work.join().unwrap();
        drop(second);
        assert!(!live.is_held(&claim).await);
    }
}
