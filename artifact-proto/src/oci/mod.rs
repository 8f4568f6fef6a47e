//! The OCI distribution protocol, version 1.1.

pub mod model;
#[cfg(feature = "server")]
pub mod query;
#[cfg(feature = "server")]
pub mod range;
#[cfg(feature = "server")]
pub mod route;
