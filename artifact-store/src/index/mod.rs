//! Indexes.

pub(crate) mod memory;
pub(crate) mod sqlite;
