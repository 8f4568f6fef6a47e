//! A registry of parts that its caller brings, such as storage of one's own.
//!
//! [`Registry`](crate::Registry) opens a directory with the usual parts; the [`Registry`] of this module is what it
//! opens, over any [`BlobStore`](crate::BlobStore) and any [`ManifestIndex`](crate::ManifestIndex). A new index has no
//! repository: [`Session::create_repository`](crate::Session::create_repository) makes the first.
//!
//! ```
//! use std::sync::Arc;
//! use artifact::{
//!     Holder, Holders, MemoryBlobStore, MemoryIndex, Principal, RegistryId, RegistryParts, RepositoryName,
//!     RepositorySettings, RequestContext, Seams, SystemClock, Threads, blocking, parts,
//! };
//!
//! /// No other process has the storage open.
//! #[derive(Debug)]
//! struct Alone(Holder);
//!
//! impl Holders for Alone {
//!     fn is_alive(&self, holder: &Holder) -> bool {
//!         *holder == self.0
//!     }
//! }
//!
//! let rng = Arc::new(parts::SystemRng::new()?);
//! let spawn = Arc::new(Threads::new());
//! let holder = Holder::new("this process");
//! let seams = Seams {
//!     clock: Arc::new(SystemClock::on_threads(spawn.clone())?),
//!     rng: rng.clone(),
//!     spawn,
//!     holders: Arc::new(Alone(holder.clone())),
//! };
//! let store = MemoryBlobStore::new(rng); // yours
//! let index = MemoryIndex::new(RegistryId::from_random([7; 16])); // yours
//! let parts = RegistryParts::new(Arc::new(index), Arc::new(store), seams, holder);
//! let session = parts::Registry::new(parts).session(Principal::Embedder, RequestContext::default());
//! let session = blocking::Session::from(session);
//! session.create_repository(
//!     &RepositoryName::default_repository(),
//!     &RepositorySettings::default(),
//!     false,
//! )?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use artifact_core::Registry;
pub use artifact_store::sys::random::SystemRng;
