//! Work on a tokio runtime.

use artifact_core::Spawn;
use futures::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work on a tokio runtime that the program has.
#[derive(Clone, Debug)]
pub struct Tokio {
    handle: Handle,
}

impl Tokio {
    /// Returns the spawner of this runtime.
    pub const fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Returns the spawner of the runtime that the caller runs on, if it runs on one.
    pub fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self::new)
    }

    /// Returns the spawner of the runtime that the caller runs on, if it runs on one whose tasks go
    /// on while this thread waits.
    pub(crate) fn current_threaded() -> Option<Self> {
        let threaded = |own: &Self| own.handle.runtime_flavor() == RuntimeFlavor::MultiThread;
        Self::current().filter(threaded)
    }
}

impl Spawn for Tokio {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        // The outcome comes back by the channel of the task's own handle.
        drop(self.handle.spawn(future));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        drop(self.handle.spawn_blocking(work));
    }
}
