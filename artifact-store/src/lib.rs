//! Blob stores and indexes of artifact, and the directory that holds a registry.
#![deny(unsafe_code)]

mod blob;
pub mod home;
mod index;
pub mod journal;
pub mod sys;
pub mod vfs;

pub use blob::fs::store::{FsBlobStore, FsOptions};
pub use blob::memory::MemoryBlobStore;
pub use index::memory::index::MemoryIndex;
pub use index::sqlite::{
    index::SqliteIndex,
    maintenance::Check,
    options::{Access, NewIndex, OpenError, SqliteOptions},
};
