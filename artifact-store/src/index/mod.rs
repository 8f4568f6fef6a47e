//! Indexes.

pub(crate) mod memory;
