//! The client of other registries, as the arguments and the environment say.

use std::{fs, sync::Arc};

use artifact::ErrorKind;
use artifact_proto::client::{ClientOptions, OciClient, SystemCredentials};

use crate::{
    context::Common,
    failure::{At as _, Failure},
};

/// Returns the client of other registries.
pub(crate) fn client(common: &Common) -> Result<OciClient, Failure> {
    let mut options = ClientOptions::default();
    options.credentials = Arc::new(SystemCredentials::from_environment()?);
    for realm in &common.trust_realm {
        options
            .trusted_realms
            .push(realm.parse().at("--trust-realm")?);
    }
    if let Some(path) = &common.ca_file {
        let pem = fs::read(path).map_err(|error| {
            Failure::new(ErrorKind::Io, "the file cannot be read")
                .at(path.display())
                .because(error.to_string())
                .remedy("name a PEM file that can be read")
        })?;
        options.certificates.push(pem);
    }
    match &common.ca_file {
        // All else of it was read before.
        Some(path) => OciClient::new(options).map_err(|error| {
            Failure::from(error)
                .at(path.display())
                .remedy("name a PEM file of certificates")
        }),
        None => OciClient::new(options).at("the client of other registries"),
    }
}
