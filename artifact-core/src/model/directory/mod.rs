//! Directories of files as artifacts.

pub(crate) mod artifact;
pub(crate) mod entry;
pub(crate) mod listing;
pub(crate) mod path;
