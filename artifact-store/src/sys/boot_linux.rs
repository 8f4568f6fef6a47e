//! Which boot this is, and how long it lasts, on Linux.

use std::{fs, io};

use artifact_core::BootId;
use rustix::time::{ClockId, clock_gettime};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const TIME_NAMESPACE: &str = "/proc/self/ns/time";
/// The time namespace that a system starts with (`PROC_TIME_INIT_INO` of the kernel).
const FIRST_TIME_NAMESPACE: &str = "time:[4026531834]";

/// Returns the boot's id. A time namespace shifts `CLOCK_BOOTTIME` (`time_namespaces(7)`), so one
/// that is not the system's own counts as a boot of its own.
pub(super) fn id() -> io::Result<BootId> {
    let id = fs::read_to_string(BOOT_ID)
        .map_err(|error| io::Error::new(error.kind(), format!("{BOOT_ID}: {error}")))?;
    let id = id.trim();
    let namespace = fs::read_link(TIME_NAMESPACE).ok();
    let namespace = namespace.as_deref().and_then(|link| link.to_str());
    Ok(match namespace {
        Some(shifted) if shifted != FIRST_TIME_NAMESPACE => {
            let digits: String = shifted.chars().filter(char::is_ascii_digit).collect();
            BootId::new(format!("{id}.{digits}"))
        }
        _ => BootId::new(id),
    })
}

/// Returns the milliseconds since boot, time asleep included.
pub(super) fn millis() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_names_no_path() {
        let id = id().unwrap();
        assert!(id.as_str().len() >= 36, "{id:?}");
        let plain = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'.');
        assert!(id.as_str().bytes().all(plain), "{id:?}");
    }
}
