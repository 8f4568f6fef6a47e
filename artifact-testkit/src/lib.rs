//! Conformance suites for backends of artifact.
#![forbid(unsafe_code)]

pub mod compare;
mod harness;
pub mod index;
pub mod seams;
pub mod store;

pub use harness::clause::{Clause, INDEX_CLAUSES, STORE_CLAUSES};
