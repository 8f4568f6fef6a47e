//! Work on the runtime that the test runs in.

use artifact_core::Spawn;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

/// Runs work on a tokio runtime; what is still running when the runtime ends, ends with it.
#[derive(Clone, Debug)]
pub struct TokioSpawn {
    runtime: Handle,
}

impl TokioSpawn {
    /// Returns a way to run work on the runtime that the caller runs in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn current() -> Self {
        Self {
            runtime: Handle::current(),
        }
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        drop(self.runtime.spawn(future));
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        drop(self.runtime.spawn_blocking(work));
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::SpawnExt as _;

    use super::*;

    /// SP-1, SP-2, SP-3.
    #[tokio::test]
    async fn work_runs_and_a_panic_ends_it_alone() {
        let spawn = TokioSpawn::current();
        assert_eq!(spawn.run(async { 1 }).await, Ok(1));
        assert_eq!(spawn.run_blocking(|| 2).await, Ok(2));
        let panics = spawn.run_blocking(|| -> u8 { panic!("as the test wants") });
        assert!(panics.await.is_err());
        assert_eq!(spawn.run(async { 3 }).await, Ok(3));
    }
}
