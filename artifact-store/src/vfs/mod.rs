//! The file system as artifact-store uses it: a small contract, so that a simulated disk can stand
//! in for the real one and fail at every call.

mod contract;
mod error;
mod real;

pub use contract::{DirEntry, FileMeta, OpenMode, Vfs, VfsFile};
pub use error::VfsError;
pub use real::RealVfs;
