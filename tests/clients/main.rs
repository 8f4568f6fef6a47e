//! The clients that people have, against the program `artifact`: over plain HTTP and TLS, anonymous
//! and with a user.
//!
//! A client that is missing fails its tests; `scripts/install-clients` brings them.

mod buildah;
mod certificate;
mod docker;
mod engine;
mod image;
mod mode;
mod oci_client;
mod oras;
mod process;
mod proxies;
mod sandbox;
mod server;
mod skopeo;
mod uploads;
mod workbench;
