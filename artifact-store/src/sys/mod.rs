//! What the operating system is asked for, a module each, with a portable fallback beside what is
//! not portable.
//!
//! Another system needs these modules and no other change.

#[cfg(unix)]
pub(crate) mod access;
#[cfg(not(unix))]
#[path = "access_portable.rs"]
pub(crate) mod access;
pub mod boot;
#[cfg(target_os = "linux")]
#[path = "boot_linux.rs"]
mod boot_source;
#[cfg(not(target_os = "linux"))]
#[path = "boot_portable.rs"]
mod boot_source;
#[cfg(target_os = "linux")]
pub(crate) mod cached;
#[cfg(not(target_os = "linux"))]
#[path = "cached_portable.rs"]
pub(crate) mod cached;
#[cfg(target_os = "linux")]
pub(crate) mod copy;
#[cfg(not(target_os = "linux"))]
#[path = "copy_portable.rs"]
pub(crate) mod copy;
#[cfg(unix)]
mod fcntl;
#[cfg(not(unix))]
#[path = "fcntl_portable.rs"]
mod fcntl;
pub mod file_id;
#[cfg(unix)]
pub(crate) mod file_io;
#[cfg(not(unix))]
#[path = "file_io_portable.rs"]
pub(crate) mod file_io;
#[cfg(target_os = "linux")]
pub(crate) mod file_system;
#[cfg(not(target_os = "linux"))]
#[path = "file_system_portable.rs"]
pub(crate) mod file_system;
pub(crate) mod file_system_kind;
#[cfg(target_os = "linux")]
pub(crate) mod flush;
#[cfg(not(target_os = "linux"))]
#[path = "flush_portable.rs"]
pub(crate) mod flush;
#[cfg(target_os = "linux")]
pub(crate) mod hole;
#[cfg(not(target_os = "linux"))]
#[path = "hole_portable.rs"]
pub(crate) mod hole;
pub mod lock;
#[cfg(target_os = "linux")]
pub(crate) mod process;
#[cfg(not(target_os = "linux"))]
#[path = "process_portable.rs"]
pub(crate) mod process;
pub mod random;
#[cfg(target_os = "linux")]
pub(crate) mod range_lock;
#[cfg(not(target_os = "linux"))]
#[path = "range_lock_portable.rs"]
pub(crate) mod range_lock;
#[cfg(target_os = "linux")]
pub(crate) mod reflink;
#[cfg(not(target_os = "linux"))]
#[path = "reflink_portable.rs"]
pub(crate) mod reflink;
#[cfg(target_os = "linux")]
pub(crate) mod rename;
#[cfg(not(target_os = "linux"))]
#[path = "rename_portable.rs"]
pub(crate) mod rename;
#[cfg(target_os = "linux")]
pub(crate) mod space;
#[cfg(not(target_os = "linux"))]
#[path = "space_portable.rs"]
pub(crate) mod space;
// File systems that take no blocks ahead need it on Linux, too.
#[cfg(target_os = "linux")]
pub(crate) mod space_portable;
#[cfg(target_os = "linux")]
pub(crate) mod unnamed;
#[cfg(not(target_os = "linux"))]
#[path = "unnamed_portable.rs"]
pub(crate) mod unnamed;

// The fallbacks are compiled and tested where the real thing is used, too.
#[cfg(all(test, unix))]
mod access_portable;
#[cfg(all(test, target_os = "linux"))]
mod boot_portable;
#[cfg(all(test, unix))]
mod fcntl_portable;
#[cfg(all(test, unix))]
mod file_io_portable;
#[cfg(all(test, target_os = "linux"))]
mod file_system_portable;
#[cfg(all(test, target_os = "linux"))]
mod hole_portable;
#[cfg(all(test, target_os = "linux"))]
mod process_portable;
