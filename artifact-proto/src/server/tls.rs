//! TLS: the server's side, with the one provider of cryptography named and nothing installed for the
//! whole process.

use std::sync::Arc;

use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// Returns the settings of a listener from a chain of certificates and its key, both in PEM.
///
/// It speaks TLS 1.3 and 1.2, and offers HTTP/2 and HTTP/1.1.
///
/// # Errors
/// [`TlsError`] when one of them cannot be read, or they do not belong together.
pub fn tls_config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.map_err(|error| TlsError::Certificates(error.into()))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.into()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Pair(error.into()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Pair(error.into()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Why there can be no TLS with what was given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificates cannot be read.
    #[error(
        "the certificates cannot be read: they are to be a chain in PEM, the server's own first"
    )]
    Certificates(#[source] artifact_core::BoxError),
    /// The key cannot be read.
    #[error("the private key cannot be read: it is to be one in PEM, without a passphrase")]
    Key(#[source] artifact_core::BoxError),
    /// There is no certificate.
    #[error("there is no certificate in the file of certificates")]
    NoCertificate,
    /// They do not belong together.
    #[error("the certificate and the private key cannot be used together")]
    Pair(#[source] artifact_core::BoxError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(tls_config(b"", b""), Err(TlsError::NoCertificate)));
        let broken = b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            tls_config(broken, b""),
            Err(TlsError::Certificates(_))
        ));
        let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(tls_config(empty, b""), Err(TlsError::Key(_))));
    }
}
