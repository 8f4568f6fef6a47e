//! The clocks of the machine: what a [`Clock`](artifact_core::Clock) is made of, but for its sleep,
//! which needs a runtime.

use std::{io, time::UNIX_EPOCH};

use artifact_core::{BootId, BootTime, Timestamp};

use super::boot_source;

/// Returns the wall time.
///
/// Before 1970 it is negative, and beyond the range of milliseconds it stays at the end.
pub fn wall() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is what the `Clock` seam reads"
    )]
    let now = std::time::SystemTime::now();
    let millis = match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Timestamp::from_millis(millis)
}

/// The clock that counts from boot, through sleep, and that nobody sets.
///
/// All processes of one boot read the same one: `CLOCK_BOOTTIME` under the id of
/// `/proc/sys/kernel/random/boot_id` on Linux (`proc_sys_kernel(5)`, `clock_gettime(2)`). Elsewhere a
/// process has a boot of its own, so that leases of others are never cut short.
#[derive(Clone, Debug)]
pub struct BootClock {
    id: BootId,
}

impl BootClock {
    /// Returns the clock of this boot.
    ///
    /// # Errors
    /// When the system does not tell which boot this is (on Linux: `/proc` is not mounted).
    pub fn new() -> io::Result<Self> {
        boot_source::id().map(|id| Self { id })
    }

    /// Returns the boot.
    pub const fn id(&self) -> &BootId {
        &self.id
    }

    /// Returns the time since boot.
    pub fn now(&self) -> BootTime {
        BootTime::new(self.id.clone(), boot_source::millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CL-1: within one boot the clock goes on and its id stays.
    #[test]
    fn cl1_the_boot_clock_goes_on() {
        let clock = BootClock::new().unwrap();
        let first = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let second = BootClock::new().unwrap().now();
        assert_eq!(first.boot, second.boot);
        assert!(second.millis >= first.millis + 5, "{first:?} {second:?}");
    }

    #[test]
    fn the_wall_clock_is_of_this_century() {
        let year_2020 = Timestamp::from_millis(1_577_836_800_000);
        assert!(wall() > year_2020);
    }
}
