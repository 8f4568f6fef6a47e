//! Real time.

use std::{fmt, io, sync::Arc, time::Duration};

use artifact_core::{BootTime, Clock, Spawn, SpawnExt as _, Timestamp};
use artifact_store::sys::boot::{self, BootClock};
use futures::{FutureExt as _, future::BoxFuture};

/// Tells the time of this machine.
pub struct SystemClock {
    boot: BootClock,
    sleeper: Sleeper,
}

enum Sleeper {
    Tokio,
    Thread(Arc<dyn Spawn>),
}

impl SystemClock {
    /// Returns the clock of a program that runs on tokio: waits cost no thread.
    ///
    /// # Errors
    /// When the system does not tell which boot it is in.
    pub fn on_tokio() -> io::Result<Self> {
        Ok(Self {
            boot: BootClock::new()?,
            sleeper: Sleeper::Tokio,
        })
    }

    /// Returns the clock of a program without a runtime: each wait blocks a thread of `spawn`.
    ///
    /// # Errors
    /// When the system does not tell which boot it is in.
    pub fn on_threads(spawn: Arc<dyn Spawn>) -> io::Result<Self> {
        Ok(Self {
            boot: BootClock::new()?,
            sleeper: Sleeper::Thread(spawn),
        })
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemClock")
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        boot::wall()
    }

    fn boot(&self) -> BootTime {
        self.boot.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match &self.sleeper {
            Sleeper::Tokio => tokio::time::sleep(duration).boxed(),
            Sleeper::Thread(spawn) => {
                let slept = spawn.run_blocking(move || std::thread::sleep(duration));
                // A pool that is ending wakes its sleepers early; they end with it.
                slept.map(|_ended| ()).boxed()
            }
        }
    }
}
