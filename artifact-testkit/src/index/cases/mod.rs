//! The cases, each named after its clause.
#![expect(
    clippy::missing_panics_doc,
    reason = "to panic is how a case says that the clause is broken"
)]

mod atomic;
mod bookkeeping;
mod charge;
mod closure;
mod collection;
mod feed;
mod generations;
mod keys;
mod pages;
mod past;
mod refusals;
mod revisions;
mod serial;
mod uploads;

pub use atomic::*;
pub use bookkeeping::*;
pub use charge::*;
pub use closure::*;
pub use collection::*;
pub use feed::*;
pub use generations::*;
pub use keys::*;
pub use pages::*;
pub use past::*;
pub use refusals::*;
pub use revisions::*;
pub use serial::*;
pub use uploads::*;
