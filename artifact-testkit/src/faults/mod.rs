//! Backends that fail as told, and the engine over them: what a backend of your own does to those who use
//! it when it fails at any of its calls.
//!
//! [`FaultStore`] and [`FaultIndex`] stand before any store and index. [`at_each_call`] runs something
//! with a fault at its first call, then at its second, and so on until a run has no such call any more.
//! [`fault_trials!`](crate::fault_trials) does that to the engine over a store and an index of yours:
//! whatever was acknowledged must be there, whatever was not must be wholly there or wholly absent, the
//! same calls must succeed when they are made again, and in the end nothing may be left behind.
//!
//! ```
//! use std::sync::Arc;
//! use artifact_core::RegistryId;
//! use artifact_store::{MemoryBlobStore, MemoryIndex};
//! use artifact_testkit::{faults::Backends, seams::SeededRng};
//!
//! artifact_testkit::fault_trials!(my_backends, async || {
//!     let store = MemoryBlobStore::new(Arc::new(SeededRng::new(1)));
//!     Backends::new(store, MemoryIndex::new(RegistryId::from_random([7; 16])))
//! });
//! # fn main() {}
//! ```

mod index;
mod macros;
mod model;
mod plan;
mod script;
mod store;
mod trial;

pub use index::FaultIndex;
pub use plan::{Fault, Faults, at_each_call};
pub use store::FaultStore;
pub use trial::{Backends, run_trial};
