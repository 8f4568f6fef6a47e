//! artifact, the embeddable artifact repository: to build outputs what SQLite is to data.
//!
//! A registry is a directory. It keeps images, packages, models and files content-addressed, named,
//! with history and recoverable; what was acknowledged is durable. Several processes use it at once.
//!
//! ```
//! use std::io::{Read as _, Write as _};
//! use artifact::{AsOf, BlobRange, PackageRef, UploadOptions};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("registry");
//! let registry = artifact::Registry::open_or_create(&path)?;
//! let session = registry.blocking();
//! let package = PackageRef::in_default(&"team/app".parse()?);
//!
//! let mut upload = session.begin_upload(&package, UploadOptions::default())?;
//! upload.write_all(b"hello")?;
//! let blob = upload.finish(None)?; // durable from here on
//!
//! let mut bytes = Vec::new();
//! session.read_blob(AsOf::Now, &package, &blob.digest, BlobRange::All)?.read_to_end(&mut bytes)?;
//! assert_eq!(bytes, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All calls exist twice: as `async` on a [`Session`], and waiting on the caller's thread on a
//! [`blocking::Session`]. The library installs nothing global and prints nothing. Where the caller has no
//! runtime, work runs on threads that are started for it, end when they had none for ten seconds, and are
//! gone with the last handle.
#![forbid(unsafe_code)]

pub mod blocking;
mod chunks;
pub mod directory;
pub mod layout;
mod open;
pub mod parts;
mod seams;
pub mod transfer;

pub use artifact_core::*;
pub use artifact_store::{
    MemoryBlobStore, MemoryIndex,
    home::{Home, HomeError, Note, Settings},
};

pub use open::{OpenError, OpenOptions, Registry};
pub use seams::{clock::SystemClock, threads::Threads, tokio::Tokio};

/// The example of the README, which is built with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
