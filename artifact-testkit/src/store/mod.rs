//! The conformance suite of blob stores.

pub mod cases;
mod kit;
mod macros;
mod place;
mod run;

pub use kit::StoreKit;
pub use place::{StorePlace, once, reopening};
pub use run::{CASES, run_case, run_lacks};
