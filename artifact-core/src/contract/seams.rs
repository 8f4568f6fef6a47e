//! The seams through which every effect goes that is not storage: time, chance and threads.
//!
//! One seed replays one run of the whole engine because nothing goes around them.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    FutureExt as _,
    channel::oneshot,
    future::{AbortHandle, Abortable, BoxFuture},
};

use crate::model::{
    id::Holder,
    time::{BootTime, Timestamp},
};

/// Tells the time, and waits.
///
/// # Contract
/// * CL-1: `boot` never goes back within one boot, and counts while the machine sleeps.
/// * CL-2: `now` may jump either way; nothing that must hold depends on it (I17).
/// * CL-3: `sleep` ends no earlier than asked, measured by `boot`.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the wall time.
    fn now(&self) -> Timestamp;

    /// Returns the boot clock.
    fn boot(&self) -> BootTime;

    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Makes bytes that nobody can guess.
///
/// # Contract
/// * RN-1: no output tells anything of another; upload ids are made of it (I15).
pub trait Rng: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Knows which processes of the registry live.
///
/// # Contract
/// * HO-1: a process that can still write is alive; a process that ended is found dead, at the
///   latest when nothing holds its lock any more.
pub trait Holders: fmt::Debug + Send + Sync + 'static {
    /// Says whether the process lives.
    fn is_alive(&self, holder: &Holder) -> bool;
}

/// Runs work beside the caller's.
///
/// # Contract
/// * SP-1: what is spawned runs, unless the whole program ends first.
/// * SP-2: `spawn_blocking` may block a thread without holding up a future.
/// * SP-3: a panic in the work ends that work alone.
///
/// Callers use [`SpawnExt`], whose handles are awaited or end what they stand for.
pub trait Spawn: fmt::Debug + Send + Sync + 'static {
    /// Runs a future.
    fn spawn(&self, future: BoxFuture<'static, ()>);

    /// Runs work that blocks.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);
}

/// What callers of a [`Spawn`] use.
pub trait SpawnExt: Spawn {
    /// Runs a future; when its handle is dropped, the future ends at its next await point.
    fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let (send, receive) = oneshot::channel();
        let (abort, registration) = AbortHandle::new_pair();
        let future = async move {
            // The receiver is gone when nobody waits any more: then the outcome interests nobody.
            let _outcome = send.send(future.await);
        };
        self.spawn(Abortable::new(future, registration).map(|_| ()).boxed());
        Task {
            receive,
            abort: Some(abort),
        }
    }

    /// Runs work that blocks; when its handle is dropped, the work still runs to its end.
    fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let (send, receive) = oneshot::channel();
        self.spawn_blocking(Box::new(move || {
            let _outcome = send.send(work());
        }));
        Task {
            receive,
            abort: None,
        }
    }
}

impl<S: Spawn + ?Sized> SpawnExt for S {}

/// The handle of spawned work: a future of its outcome.
#[derive(Debug)]
pub struct Task<T> {
    receive: oneshot::Receiver<T>,
    abort: Option<AbortHandle>,
}

impl<T> Future for Task<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.receive.poll_unpin(context).map_err(|_| TaskError)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// The work ended without an outcome: it panicked, or the program is ending.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("background work ended early: it panicked, or the program is ending")]
#[non_exhaustive]
pub struct TaskError;
