//! The engine, through the facade: what it promises, over each kind of storage.
#![expect(
    clippy::duplicate_mod,
    reason = "the suite is compiled once for each kind of storage"
)]

mod disk;
mod hooked;
mod interrupted;
mod manners;
mod meanwhile;
mod memory;
mod pipeline;
mod rot;
mod support;
