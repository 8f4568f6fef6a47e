//! The machine.

use std::{fs, path::Path};

use artifact::{Clock as _, SystemClock, Timestamp};

use super::check::{Checks, story};
use crate::size::bytes;

/// A server with all its connections has about so many files open.
const FILES: u64 = 4096;

/// 2025-01-01: a clock before it was never set.
const SET_SINCE: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// Below this, in bytes, a server under load would be short of memory.
const MEMORY: u64 = 64 << 20;

/// Looks at the machine: its limits, its clock, and what its kernel can do in `directory`.
pub(crate) fn look(directory: Option<&Path>, newest: Option<Timestamp>) -> Checks {
    let mut checks = Checks::of("machine");
    kernel(&mut checks);
    files(&mut checks);
    memory(&mut checks);
    clock(newest, &mut checks);
    match directory {
        Some(directory) => powers(directory, &mut checks),
        None => checks.skipped("reflink", "no directory to try it in"),
    }
    checks
}

fn kernel(checks: &mut Checks) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = format!(
        "{} {} {}",
        std::env::consts::OS,
        release.trim(),
        std::env::consts::ARCH
    );
    if cfg!(target_os = "linux") {
        checks.good("system", system);
    } else {
        checks.warning("system", system, "Linux is what is tested");
    }
}

#[cfg(unix)]
fn files(checks: &mut Checks) {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile);
    let show = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    let finding = format!(
        "{} open files, at most {}",
        show(limit.current),
        show(limit.maximum)
    );
    if limit.current.is_none_or(|current| current >= FILES) {
        checks.good("open files", finding);
    } else {
        let remedy =
            "for a server with many clients raise it: ulimit -n 65536, or LimitNOFILE= in its unit";
        checks.warning("open files", finding, remedy);
    }
}

#[cfg(not(unix))]
fn files(checks: &mut Checks) {
    checks.skipped("open files", "no limit is known here");
}

fn memory(checks: &mut Checks) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    match kib.map(|kib| kib.saturating_mul(1024)) {
        Some(free) if free < MEMORY => {
            checks.warning(
                "memory",
                format!("{} available", bytes(free)),
                "a server takes up to 64 MiB",
            );
        }
        Some(free) => checks.good("memory", format!("{} available", bytes(free))),
        None => checks.skipped("memory", "the system does not tell"),
    }
}

fn clock(newest: Option<Timestamp>, checks: &mut Checks) {
    const REMEDY: &str = "set it, and keep it set (chrony, systemd-timesyncd)";
    let clock = match SystemClock::on_tokio() {
        Ok(clock) => clock,
        Err(error) => return checks.failed("clock", story(&error), "mount /proc"),
    };
    let now = clock.now();
    if now < SET_SINCE {
        checks.warning("clock", format!("it says {now}"), REMEDY);
    } else if let Some(newest) = newest.filter(|newest| now < *newest) {
        let behind = (newest.as_millis() - now.as_millis()) / 1000;
        let finding = format!("it says {now}, {behind} seconds before the newest revision");
        checks.warning("clock", finding, REMEDY);
    } else {
        checks.good(
            "clock",
            format!("it says {now}; leases count by the boot clock"),
        );
    }
}

/// Tries what the kernel and the file system can do.
#[cfg(target_os = "linux")]
fn powers(directory: &Path, checks: &mut Checks) {
    let place = directory.join(format!("doctor-{}", std::process::id()));
    let tried = fs::create_dir(&place).and_then(|()| try_powers(&place));
    let removed = fs::remove_dir_all(&place);
    drop(removed);
    match tried {
        Ok((reflink, hole)) => {
            if reflink {
                checks.good(
                    "reflink",
                    "files pulled out of the registry share their blocks",
                );
            } else {
                checks.good("reflink", "not here: files pulled out of the registry are copied, or hard-linked with --link");
            }
            if hole {
                checks.good("holes", "room inside of segments is freed at once");
            } else {
                let remedy = "ext4, xfs, btrfs and tmpfs can";
                checks.warning(
                    "holes",
                    "not here: room inside of segments is freed when all of one is",
                    remedy,
                );
            }
        }
        Err(error) => checks.warning("reflink", format!("not tried: {error}"), ""),
    }
}

#[cfg(target_os = "linux")]
fn try_powers(place: &Path) -> std::io::Result<(bool, bool)> {
    use rustix::fs::{FallocateFlags, fallocate, ioctl_ficlone};
    fs::write(place.join("a"), vec![1; 8192])?;
    let source = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.join("a"))?;
    let target = fs::File::create(place.join("b"))?;
    let reflink = ioctl_ficlone(&target, &source).is_ok();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let hole = fallocate(&source, flags, 0, 4096).is_ok();
    Ok((reflink, hole))
}

#[cfg(not(target_os = "linux"))]
fn powers(_: &Path, checks: &mut Checks) {
    checks.skipped("reflink", "no call is known here that tries it");
}
