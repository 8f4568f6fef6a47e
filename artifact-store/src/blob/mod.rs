//! Blob stores.

pub(crate) mod memory;
