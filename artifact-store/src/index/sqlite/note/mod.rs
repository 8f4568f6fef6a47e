//! Bookkeeping. A file for each kind.

mod blob;
mod claim;
mod lease;
pub(super) mod one;
pub(super) mod prune;
mod trash;
mod upload;
