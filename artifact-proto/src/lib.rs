//! Client protocols of artifact.
//!
//! * `oci`: the OCI distribution protocol, version 1.1.
//! * `auth` (feature `server`): who asks: Basic, and the token flow of Docker.
//! * `server` (feature `server`): an HTTP server for the protocols, with limits.
//!
//! A protocol is a view: its handlers turn a request into one or two calls of a
//! [`Session`](artifact_core), and keep nothing of their own.
#![forbid(unsafe_code)]

pub mod oci;
