//! What the file system store promises beyond its contract: where things are, what one sync serves,
//! what survives whom, and how it fails.

#![expect(
    clippy::unwrap_used,
    reason = "what is not as it should be ends the test; in helpers the linter does not know it"
)]

#[path = "../support/hooked_vfs.rs"]
mod hooked_vfs;

mod faults;
mod files;
mod kit;
mod local;
mod meanwhile;
mod processes;
mod segments;
mod slots;
