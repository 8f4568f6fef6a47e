//! Which boot this is, where the system does not tell: the process is its own boot.
//!
//! Other processes then take its leases for those of another boot, and prolong them: too long is
//! possible, too short is not (I17).

use std::{
    io,
    sync::{LazyLock, OnceLock},
    time::Instant,
};

use artifact_core::BootId;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
static ID: OnceLock<String> = OnceLock::new();

/// Returns the process's id for itself.
pub(super) fn id() -> io::Result<BootId> {
    LazyLock::force(&START);
    if let Some(id) = ID.get() {
        return Ok(BootId::new(id));
    }
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(BootId::new(ID.get_or_init(|| hex::encode(bytes))))
}

/// Returns the milliseconds since the first call of this module.
pub(super) fn millis() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_keeps_its_boot() {
        let first = id().unwrap();
        assert_eq!(first, id().unwrap());
        let before = millis();
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert!(millis() >= before + 3);
    }
}
