//! What every test has before it: a server of its own, a sandbox, and a plain HTTP client that
//! checks what is really in the registry.

use std::process::Command;
use std::time::Duration;

use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Certificate, Method, StatusCode};
use serde_json::Value;

use crate::image::{blobs_of, digest_of, referenced};
use crate::mode::Mode;
use crate::process;
use crate::sandbox::Sandbox;
use crate::server::Server;

const MANIFEST_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// A server and a sandbox, in that order, for the server's directory stands in the sandbox.
#[derive(Debug)]
pub(crate) struct Workbench {
    pub(crate) server: Server,
    pub(crate) sandbox: Sandbox,
    http: Client,
}

impl Workbench {
    pub(crate) fn new(mode: Mode) -> Self {
        let sandbox = Sandbox::create();
        let server = Server::start(mode, &sandbox);
        let mut http = Client::builder()
            // A connection that the server closes meanwhile is no matter of these tests.
            .pool_max_idle_per_host(0)
            .no_proxy()
            .timeout(Duration::from_secs(60));
        if let Some(certificate) = server.certificate() {
            let pem = std::fs::read(&certificate.authority).unwrap();
            http = http.tls_certs_only([Certificate::from_pem(&pem).unwrap()]);
        }
        Self {
            http: http.build().unwrap(),
            sandbox,
            server,
        }
    }

    /// Returns `host:port/package:tag`.
    pub(crate) fn image(&self, package: &str, tag: &str) -> String {
        format!("{}/{package}:{tag}", self.server.host())
    }

    /// Logs the user in with a client's own `login`, where the mode has users.
    ///
    /// `login` gets `--username`, `--password-stdin` and the host added.
    pub(crate) fn log_in(&self, login: &mut Command) {
        if let Some((name, password)) = self.server.user() {
            login
                .args(["--username", name, "--password-stdin"])
                .arg(self.server.host());
            process::feed(login, password.as_bytes());
        }
    }

    /// Returns a request with the user's credentials. `path` begins with a slash.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.server.url()));
        match self.server.user() {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }

    /// Asks for a manifest by tag or digest, naming each type in a header line of its own.
    pub(crate) fn get_manifest(&self, package: &str, reference: &str) -> Response {
        let path = format!("/v2/{package}/manifests/{reference}");
        let request = self.request(Method::GET, &path);
        MANIFEST_TYPES
            .iter()
            .fold(request, |r, t| r.header("accept", *t))
            .send()
            .unwrap()
    }

    /// Fetches an artifact with all that it names, checks every digest, and returns the digest
    /// and the bytes of its manifest.
    pub(crate) fn check(&self, package: &str, reference: &str) -> (String, Vec<u8>) {
        let answer = self.get_manifest(package, reference);
        assert_eq!(answer.status(), StatusCode::OK, "{package}:{reference}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (claimed, media_type) = (header("docker-content-digest"), header("content-type"));
        let bytes = answer.bytes().unwrap().to_vec();
        assert_eq!(digest_of(&bytes), claimed, "{package}:{reference}");
        let manifest: Value = serde_json::from_slice(&bytes).expect("a manifest is JSON");
        if let Some(declared) = manifest.get("mediaType") {
            assert_eq!(declared, &media_type, "{package}:{reference}");
        }
        for child in referenced(&manifest, "manifests") {
            assert_eq!(self.check(package, &child).0, child);
        }
        for blob in blobs_of(&manifest) {
            self.check_blob(package, &blob);
        }
        (claimed, bytes)
    }

    /// Fetches a blob, checks its digest, and returns its bytes.
    pub(crate) fn check_blob(&self, package: &str, digest: &str) -> Vec<u8> {
        let path = format!("/v2/{package}/blobs/{digest}");
        let answer = self.request(Method::GET, &path).send().unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let bytes = answer.bytes().unwrap().to_vec();
        assert_eq!(digest_of(&bytes), digest, "{path}");
        bytes
    }

    /// Returns the tags of a package, in the server's order.
    pub(crate) fn tags(&self, package: &str) -> Vec<String> {
        let path = format!("/v2/{package}/tags/list");
        let answer = self.request(Method::GET, &path).send().unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let list: Value = answer.json().unwrap();
        let tags = list["tags"].as_array().expect("a list of tags");
        tags.iter()
            .map(|tag| tag.as_str().expect("a tag is a string").to_owned())
            .collect()
    }

    /// Ends the server in order and checks what it leaves behind.
    pub(crate) fn finish(self) {
        self.server.stop(&self.sandbox);
    }
}
