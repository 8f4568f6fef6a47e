//! The model: what the registry speaks of.

pub(crate) mod base64_bytes;
pub(crate) mod coordinate;
pub(crate) mod descriptor;
pub(crate) mod digest;
pub(crate) mod directory;
pub(crate) mod document;
pub(crate) mod error_kind;
pub(crate) mod hasher;
pub(crate) mod id;
pub(crate) mod json;
pub(crate) mod manifest;
pub(crate) mod media_type;
pub(crate) mod name;
pub(crate) mod spelling;
pub(crate) mod time;
