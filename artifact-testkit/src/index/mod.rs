//! The conformance suite of indexes.

pub mod cases;
pub(crate) mod dump;
pub(crate) mod fold;
pub(crate) mod goods;
mod kit;
mod macros;
mod place;
mod run;

pub use kit::IndexKit;
pub use place::{IndexPlace, once, reopening};
pub use run::{CASES, run_case, run_lacks};
