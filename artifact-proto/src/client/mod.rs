//! The outgoing side: a client of other registries, by the OCI distribution protocol.
//!
//! It needs a tokio runtime. Bodies are streamed and never held; credentials go to the origin that
//! they are for and to no other (A65); what arrives is taken for complete only when it hashes to the
//! digest that was asked for (I3).

mod activity;
mod answer;
mod auth_file;
mod challenge;
mod credential;
mod download;
mod error;
mod exchange;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod helper;
mod manifests;
mod options;
mod origin;
mod page;
mod referrers;
mod remote;
mod system_credentials;
mod token;
mod upload;

pub use credential::{Credential, Credentials, FixedCredentials, Secret};
pub use download::BlobDownload;
pub use error::ClientError;
pub use manifests::RemoteCondition;
pub use options::ClientOptions;
pub use origin::{Origin, Transport};
pub use remote::{OciClient, RemotePackage};
pub use system_credentials::SystemCredentials;
pub use upload::{BlobSource, Pushed};
