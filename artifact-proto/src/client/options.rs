//! How the outgoing client behaves.

use std::{sync::Arc, time::Duration};

use super::{
    credential::{Credentials, FixedCredentials},
    origin::Origin,
};

/// How an [`OciClient`](super::OciClient) behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Who knows the credentials for registries.
    pub credentials: Arc<dyn Credentials>,
    /// Token services that get the credentials of registries that are elsewhere. One at the
    /// registry's own origin gets them without being named here.
    pub trusted_realms: Vec<Origin>,
    /// Certificates, in PEM, that are trusted beside those of this machine.
    pub certificates: Vec<Vec<u8>>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long nothing may move.
    pub idle_timeout: Duration,
    /// How often a call is made again, or a transfer gone on with, that failed and may succeed.
    pub retries: u32,
    /// A blob of more bytes is sent in parts of so many, so that a broken one is gone on with.
    pub chunk_size: u64,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            credentials: Arc::new(FixedCredentials::none()),
            trusted_realms: Vec::new(),
            certificates: Vec::new(),
            connect_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(60),
            retries: 4,
            chunk_size: 64 << 20,
        }
    }
}
