//! Change sets: expectations, changes, rooms. A file for each kind of change.

mod adopt;
mod blob;
mod collect;
mod document;
mod expect;
pub(super) mod lease;
mod link;
mod manifest;
pub(super) mod room;
pub(super) mod set;
mod tag;
