//! What the operating system is asked for, a module each, with a portable fallback beside what is
//! not portable.
//!
//! Another system needs these modules and no other change.

pub mod boot;
#[cfg(target_os = "linux")]
#[path = "boot_linux.rs"]
mod boot_source;
#[cfg(not(target_os = "linux"))]
#[path = "boot_portable.rs"]
mod boot_source;
#[cfg(unix)]
mod fcntl;
#[cfg(not(unix))]
#[path = "fcntl_portable.rs"]
mod fcntl;
pub mod file_id;
pub mod lock;
pub mod random;

// The fallbacks are compiled and tested where the real thing is used, too.
#[cfg(all(test, target_os = "linux"))]
mod boot_portable;
#[cfg(all(test, unix))]
mod fcntl_portable;
