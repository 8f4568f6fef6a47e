//! Two indexes side by side: the same changes, and the same answers.
//!
//! The model is `MemoryIndex` of artifact-store; what is compared with it is the index of an author.

mod chance;
mod op;
mod run;
mod world;

pub use op::Op;
pub use run::{check_same, compare_indexes};
