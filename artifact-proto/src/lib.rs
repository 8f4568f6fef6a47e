//! Client protocols of artifact.
//!
//! * `client` (feature `client`): a client of other registries.
//! * `oci`: the OCI distribution protocol, version 1.1.
//! * `auth` (feature `server`): who asks: Basic, and the token flow of Docker.
//! * `server` (feature `server`): an HTTP server for the protocols, with limits.
//!
//! A protocol is a view: its handlers turn a request into one or two calls of a
//! [`Session`](artifact_core), and keep nothing of their own.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod arrival;
#[cfg(feature = "server")]
pub mod auth;
#[cfg(feature = "server")]
pub mod body;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod headers;
#[cfg(feature = "server")]
mod memory;
#[cfg(feature = "server")]
pub mod metrics;
pub mod oci;
#[cfg(feature = "server")]
pub mod pool;
#[cfg(feature = "server")]
pub mod server;
