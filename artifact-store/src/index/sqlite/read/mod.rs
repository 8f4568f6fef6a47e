//! Reads: each inside one transaction that ends with it.
//!
//! A list of what is there now is one range of an index. A list of what was there at a revision is
//! that, without what came later, and beside it the past, stepped through key by key.

pub(super) mod as_of;
pub(super) mod blobs;
pub(super) mod counts;
pub(super) mod documents;
pub(super) mod feed;
pub(super) mod manifests;
pub(super) mod packages;
#[cfg(test)]
mod plans;
pub(super) mod search;
mod spans;
pub(super) mod tags;
pub(super) mod uploads;
