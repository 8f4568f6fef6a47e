//! A clock that is moved by hand.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use artifact_core::{BootId, BootTime, Clock, Timestamp};
use futures::{FutureExt as _, future::BoxFuture};

/// A clock that stands still until it is moved. Clones show the same time.
///
/// ```
/// use std::time::Duration;
///
/// use artifact_core::Clock as _;
/// use artifact_testkit::seams::FakeClock;
///
/// let clock = FakeClock::new();
/// let before = clock.boot();
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.boot().millis - before.millis, 2_000);
/// ```
#[derive(Clone)]
pub struct FakeClock {
    dial: Arc<Mutex<Dial>>,
    skips: bool,
}

struct Dial {
    wall: i64,
    boot: BootId,
    millis: u64,
    sleepers: Vec<Waker>,
}

impl FakeClock {
    /// Returns a clock whose sleepers wait until it was moved far enough.
    pub fn new() -> Self {
        let dial = Dial {
            wall: 1_767_225_600_000,
            boot: BootId::new("boot-1"),
            millis: 1_000_000,
            sleepers: Vec::new(),
        };
        Self {
            dial: Arc::new(Mutex::new(dial)),
            skips: false,
        }
    }

    /// Returns a clock that a sleep moves to its end at once, so nobody waits.
    pub fn skipping() -> Self {
        Self {
            skips: true,
            ..Self::new()
        }
    }

    /// Moves both times forward, and wakes who slept until then.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut dial = self.dial();
        dial.wall = dial.wall.saturating_add_unsigned(millis);
        dial.millis = dial.millis.saturating_add(millis);
        for sleeper in dial.sleepers.drain(..) {
            sleeper.wake();
        }
    }

    /// Sets the wall time, forward or back.
    pub fn set_wall(&self, time: Timestamp) {
        self.dial().wall = time.as_millis();
    }

    /// Begins another boot: its clock starts at zero. Who slept in the last one wakes.
    pub fn reboot(&self, boot: BootId) {
        let mut dial = self.dial();
        dial.boot = boot;
        dial.millis = 0;
        for sleeper in dial.sleepers.drain(..) {
            sleeper.wake();
        }
    }

    fn dial(&self) -> MutexGuard<'_, Dial> {
        self.dial.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeClock")
            .field("now", &self.now())
            .field("boot", &self.boot())
            .finish_non_exhaustive()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.dial().wall)
    }

    fn boot(&self) -> BootTime {
        let dial = self.dial();
        BootTime::new(dial.boot.clone(), dial.millis)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if self.skips {
            self.advance(duration);
        }
        let begun = self.boot();
        let length = if self.skips {
            0
        } else {
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
        };
        Sleep {
            clock: self.clone(),
            end: BootTime::new(begun.boot, begun.millis.saturating_add(length)),
        }
        .boxed()
    }
}

struct Sleep {
    clock: FakeClock,
    end: BootTime,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut dial = self.clock.dial();
        if dial.boot != self.end.boot || dial.millis >= self.end.millis {
            return Poll::Ready(());
        }
        dial.sleepers.push(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come() {
        let clock = FakeClock::new();
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(5)));
        clock.advance(Duration::from_secs(4));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
    }

    #[tokio::test]
    async fn a_skipping_clock_lets_nobody_wait() {
        let clock = FakeClock::skipping();
        let before = clock.boot().millis;
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(clock.boot().millis, before + 5_000);
    }

    #[test]
    fn another_boot_starts_at_zero_and_wall_time_jumps() {
        let clock = FakeClock::new();
        let before = clock.boot();
        clock.reboot(BootId::new("boot-2"));
        clock.set_wall(Timestamp::from_millis(5));
        assert_ne!(clock.boot().boot, before.boot);
        assert_eq!(clock.boot().millis, 0);
        assert_eq!(clock.now().as_millis(), 5);
    }
}
