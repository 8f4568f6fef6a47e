//! A disk in memory that keeps what was written and what was synced apart.

mod content;
mod faults;
mod locks;
mod media;
mod names;
mod node;
mod promises;
mod vfs;

pub use faults::Faults;
pub use media::Disk;
pub use names::Survival;
pub use vfs::SimVfs;
