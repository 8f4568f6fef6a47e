//! Conformance suites for backends of artifact.
//!
//! Whoever writes a [`BlobStore`](artifact_core::BlobStore) or a
//! [`ManifestIndex`](artifact_core::ManifestIndex) writes it from the numbered clauses of the trait,
//! and proves it with one macro, in a test of a few lines:
//!
//! ```
//! // my-backend/tests/conformance.rs
//! # use std::sync::Arc;
//! # use artifact_core::RegistryId;
//! # use artifact_store::{MemoryBlobStore, MemoryIndex};
//! # use artifact_testkit::seams::SeededRng;
//! # async fn my_store() -> MemoryBlobStore { MemoryBlobStore::new(Arc::new(SeededRng::new(1))) }
//! # fn my_index() -> MemoryIndex { MemoryIndex::new(RegistryId::from_random([7; 16])) }
//! artifact_testkit::blob_store_conformance!(
//!     my_store_tests,
//!     async { my_store().await },
//!     lacks: [local, reopen, failing_sync]
//! );
//! artifact_testkit::manifest_index_conformance!(my_index_tests, async { my_index() }, lacks: [reopen]);
//! artifact_testkit::fault_trials!(my_backends_fail, async || {
//!     artifact_testkit::faults::Backends::new(my_store().await, my_index())
//! });
//!
//! #[test]
//! fn the_index_answers_as_the_model_does() {
//!     let model = || MemoryIndex::new(RegistryId::from_random([7; 16]));
//!     artifact_testkit::compare::check_same(64, async || {
//!         (Arc::new(model()) as _, Arc::new(my_index()) as _)
//!     });
//! }
//! # fn main() {}
//! ```
//!
//! * Each case is a test of its own, and its name begins with its clause: `cargo test` says
//!   `my_store_tests::bs_3_delete_removes_the_blob ... FAILED`, and the output says in words which
//!   clause is broken: that of the case, or one that every case checks beside its own ([`Broken`]).
//! * A case has its own store or index. A store must be empty after it; the feed of an index must
//!   tell what the index holds.
//! * A store that is durable is tested for it when it can be opened again, with the form `reopen:` of
//!   the macros. That shows no sync that is left out: the form `place:`, which makes a sync of a store
//!   fail, does ([`StorePlace`](store::StorePlace)). Of an index nothing here shows it. What a backend lacks is declared (`lacks:`), reported by each case that was not run
//!   for it, and counted by a test: nothing is passed over in silence.
//! * [`faults`] lets a backend fail as told, at each of its calls, and judges what the engine makes of it.
//! * [`compare`] does the same to two indexes and wants the same answers. Its runs are drawn at
//!   random and shrunk; `PROPTEST_CASES` makes them more.
//!
//! `examples/custom_backend` of the facade is a whole store and a whole index with their tests, written
//! from the clauses.
//!
//! [`seams`] has a clock, chance and threads for tests of what is built on the contracts, and
//! [`files`] does to a directory what disks do.
#![expect(
    clippy::test_attr_in_doctest,
    reason = "the example shows a whole test file"
)]
#![forbid(unsafe_code)]

pub mod compare;
pub mod faults;
pub mod files;
mod harness;
pub mod index;
pub mod seams;
pub mod store;

pub use harness::{
    clause::{Clause, INDEX_CLAUSES, STORE_CLAUSES},
    run::Broken,
};
