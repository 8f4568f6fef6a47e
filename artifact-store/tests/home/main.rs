//! A registry's directory, in one process and in several.
//!
//! Several processes are real ones: this program starts itself again, with a role (see `child`).
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what is not there fails the test, and children speak through their output"
)]

mod basics;
mod child;
mod copies;
mod crashes;
mod doctor;
mod faults;
mod full;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/hooked_vfs.rs"]
mod hooked_vfs;
#[path = "../support/ledger.rs"]
mod ledger;
mod processes;
mod promises;
mod purge;
mod read_only;
mod rebuild;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/shim.rs"]
mod shim;
mod snapshot;
mod stops;
mod strangers;
mod support;
mod tasks;
