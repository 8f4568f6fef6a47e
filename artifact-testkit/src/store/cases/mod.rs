//! The cases, each named after its clause.
#![expect(
    clippy::missing_panics_doc,
    reason = "to panic is how a case says that the clause is broken"
)]

mod cancel;
mod delete;
mod durable;
mod keys;
mod local;
mod publish;
mod range;
mod resume;
mod writers;

pub use cancel::*;
pub use delete::*;
pub use durable::*;
pub use keys::*;
pub use local::*;
pub use publish::*;
pub use range::*;
pub use resume::*;
pub use writers::*;
