//! The tables, each with the few ways in which it is read and written inside a transaction.
//!
//! Nothing here judges: what may be done is decided in `apply` and `note`, and what was done before
//! is done again by `replay`, through the same functions.

pub(super) mod adoption;
pub(super) mod blobs;
pub(super) mod documents;
pub(super) mod leases;
pub(super) mod links;
pub(super) mod manifests;
pub(super) mod packages;
pub(super) mod revisions;
pub(super) mod tags;
pub(super) mod trash;
pub(super) mod tx;
pub(super) mod uploads;
pub(super) mod usage;
