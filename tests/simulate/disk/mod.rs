//! A disk in memory that keeps what was written and what was synced apart.

mod content;
mod faults;
mod locks;
mod media;
mod names;
mod node;
mod promises;
mod vfs;

pub(crate) use faults::Faults;
pub(crate) use media::Disk;
pub(crate) use names::Survival;
pub(crate) use vfs::SimVfs;
