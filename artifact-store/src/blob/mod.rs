//! Blob stores.

pub(crate) mod fs;
pub(crate) mod memory;
