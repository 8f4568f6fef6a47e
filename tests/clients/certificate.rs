//! An authority of a test, and the certificate that it gave the test's server.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The files of a server's certificate and key, and of the authority that clients must trust.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// A directory with the file `ca.crt`, which skopeo and buildah take as a whole.
    pub(crate) authority_directory: PathBuf,
    pub(crate) authority: PathBuf,
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate for this machine below `directory`.
    pub(crate) fn create(directory: &Path) -> Self {
        let authority_directory = directory.join("authority");
        fs::create_dir_all(&authority_directory).unwrap();
        let files = Self {
            authority: authority_directory.join("ca.crt"),
            authority_directory,
            chain: directory.join("server.crt"),
            key: directory.join("server.key"),
        };

        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority
            .distinguished_name
            .push(DnType::CommonName, "authority of a test");
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().unwrap();
        let names = [
            "0.0.0.0".to_owned(),
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
        ];
        let server = CertificateParams::new(names).unwrap();
        let chain = server.signed_by(&key, &issuer).unwrap().pem();

        fs::write(&files.authority, authority_pem).unwrap();
        fs::write(&files.chain, chain).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}
