//! The OCI distribution protocol, version 1.1.

#[cfg(feature = "server")]
mod blob;
#[cfg(feature = "server")]
mod call;
#[cfg(feature = "server")]
mod catalog;
#[cfg(feature = "server")]
pub mod code;
#[cfg(feature = "server")]
mod condition;
#[cfg(feature = "server")]
pub mod endpoint;
#[cfg(feature = "server")]
pub mod error;
#[cfg(all(feature = "fuzzing", feature = "server"))]
pub mod fuzzing;
#[cfg(feature = "server")]
mod manifest;
pub mod model;
#[cfg(feature = "server")]
pub mod query;
#[cfg(feature = "server")]
pub mod range;
#[cfg(feature = "server")]
mod receive;
#[cfg(feature = "server")]
mod referrers;
#[cfg(feature = "server")]
mod reply;
#[cfg(feature = "server")]
pub mod route;
#[cfg(feature = "server")]
mod service;
#[cfg(feature = "server")]
mod tag;
#[cfg(feature = "server")]
mod upload;

#[cfg(feature = "server")]
pub use service::OciService;
