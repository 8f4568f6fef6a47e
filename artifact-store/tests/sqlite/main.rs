//! The durable index, beside what every index must keep: against the model, over crashes of its
//! handle, and in what only a directory's keeper asks of it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is not there fails the test"
)]

mod compare;
mod durable;
mod goods;
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../support/hooked_vfs.rs"]
mod hooked_vfs;
mod keeper;
mod model;
mod refuse;
