//! The OCI distribution specification, requirement by requirement, against the server over real HTTP.
//!
//! Each test names the section whose MUST or SHOULD it holds the registry to. Sections are those of
//! `spec.md` of the OCI distribution specification 1.1; what its next version adds (the parameters
//! `tag` and `digest-algorithm`) is held to as well.

mod api;
mod attack;
mod auth;
mod blob;
mod bounds;
mod canary;
mod chunk;
mod compare;
mod crowd;
mod documents;
mod doors;
mod hostile;
mod login;
mod manage;
mod manifest;
mod mount;
mod pull;
mod quota;
mod referrers;
mod rights;
mod rotten;
mod server;
mod support;
mod tags;
mod upkeep;
mod worlds;
