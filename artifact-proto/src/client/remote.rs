//! Packages at other registries.

use std::sync::Arc;

use artifact_core::{Digest, ManifestRef, OciName, Tag};
use futures::Stream;
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, HeaderMap},
};
use serde::Deserialize;

use super::{
    answer::answer_error,
    download::{BlobDownload, Source, download},
    error::ClientError,
    exchange::{Ask, Content, Exchange, Purpose},
    options::ClientOptions,
    origin::Origin,
    page::{PAGE, list},
    upload::{BlobSource, Push, Pushed},
};

/// Speaks to other registries by the OCI distribution protocol, version 1.1.
///
/// To clone it costs little; clones share connections and tokens. It needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct OciClient {
    exchange: Arc<Exchange>,
}

impl OciClient {
    /// Returns a client with these options.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] when a certificate among them cannot be read.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self {
            exchange: Arc::new(Exchange::new(options)?),
        })
    }

    /// Returns a package at a registry; nothing is asked yet.
    pub fn package(&self, origin: Origin, name: OciName) -> RemotePackage {
        RemotePackage {
            exchange: Arc::clone(&self.exchange),
            origin,
            name,
        }
    }

    /// Asks whether a registry is there, speaks the protocol, and takes the caller.
    ///
    /// # Errors
    /// [`ClientError`] when it does not.
    pub async fn ping(&self, origin: &Origin) -> Result<(), ClientError> {
        let purpose = Purpose {
            origin: origin.clone(),
            name: None,
            scopes: Vec::new(),
        };
        let response = self
            .get(&purpose, "say whether it is a registry", "/v2/")
            .await?;
        match response.status() {
            StatusCode::OK => Ok(()),
            _ => Err(answer_error(origin, "say whether it is a registry", response).await),
        }
    }

    /// Returns the names of the packages that a registry lists, in its order.
    pub fn catalog(
        &self,
        origin: &Origin,
    ) -> impl Stream<Item = Result<OciName, ClientError>> + Send + 'static {
        #[derive(Deserialize)]
        struct Catalog {
            repositories: Option<Vec<OciName>>,
        }
        let scopes = vec!["registry:catalog:*".to_owned()];
        let purpose = Purpose {
            origin: origin.clone(),
            name: None,
            scopes,
        };
        let first = url_at(origin, &format!("/v2/_catalog?n={PAGE}"));
        list(Arc::clone(&self.exchange), purpose, first, |body| {
            let catalog: Catalog = serde_json::from_slice(body)?;
            Ok(catalog.repositories.unwrap_or_default())
        })
    }

    async fn get(
        &self,
        purpose: &Purpose,
        operation: &str,
        path: &str,
    ) -> Result<Response, ClientError> {
        let url = url_at(&purpose.origin, path)?;
        let (method, headers, body) = (Method::GET, HeaderMap::new(), Content::None);
        self.exchange
            .send(&Ask {
                purpose,
                operation,
                method,
                url,
                headers,
                body,
            })
            .await
    }
}

/// A package at another registry: what that registry calls a repository.
#[derive(Clone, Debug)]
pub struct RemotePackage {
    pub(super) exchange: Arc<Exchange>,
    pub(super) origin: Origin,
    name: OciName,
}

impl std::fmt::Display for RemotePackage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.origin.authority(), self.name)
    }
}

impl RemotePackage {
    /// Returns where the registry is.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the package's name at the registry.
    pub const fn name(&self) -> &OciName {
        &self.name
    }

    pub(super) fn purpose(&self, actions: &str) -> Purpose {
        let scopes = vec![format!("repository:{}:{actions}", self.name)];
        Purpose {
            origin: self.origin.clone(),
            name: Some(self.name.clone()),
            scopes,
        }
    }

    pub(super) fn url(&self, rest: &str) -> Result<Url, ClientError> {
        url_at(&self.origin, &format!("/v2/{}/{rest}", self.name))
    }

    pub(super) fn not_found(&self, what: impl std::fmt::Display) -> ClientError {
        ClientError::NotFound {
            origin: self.origin.to_string(),
            what: format!("{what} of {}", self.name),
        }
    }

    pub(super) fn protocol(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol {
            origin: self.origin.to_string(),
            what: what.into(),
        }
    }

    pub(super) async fn ask(
        &self,
        actions: &str,
        method: Method,
        operation: &str,
        rest: &str,
        headers: HeaderMap,
        body: Content<'_>,
    ) -> Result<Response, ClientError> {
        let purpose = &self.purpose(actions);
        let url = self.url(rest)?;
        self.exchange
            .send(&Ask {
                purpose,
                operation,
                method,
                url,
                headers,
                body,
            })
            .await
    }

    pub(super) async fn error(&self, operation: &str, response: Response) -> ClientError {
        answer_error(&self.origin, operation, response).await
    }

    /// Says whether a blob is there.
    ///
    /// # Errors
    /// Those of the exchange.
    pub async fn has_blob(&self, digest: &Digest) -> Result<bool, ClientError> {
        Ok(self.head_blob("pull", digest).await?.is_some())
    }

    /// Returns the length of a blob in bytes, or `None` when it is not there.
    ///
    /// # Errors
    /// Those of the exchange; [`ClientError::Protocol`] when the registry does not tell the length.
    pub async fn stat_blob(&self, digest: &Digest) -> Result<Option<u64>, ClientError> {
        let Some(response) = self.head_blob("pull", digest).await? else {
            return Ok(None);
        };
        if let Some(size) = length(&response) {
            return Ok(Some(size));
        }
        // HTTP servers leave a length of 0 out of an answer that has no body in any case.
        match self.blob(digest, None).await?.size() {
            Some(size) => Ok(Some(size)),
            None => Err(self.protocol(format!("it does not tell the length of {digest}"))),
        }
    }

    async fn head_blob(
        &self,
        actions: &str,
        digest: &Digest,
    ) -> Result<Option<Response>, ClientError> {
        let operation = format!("find {digest}");
        let rest = format!("blobs/{digest}");
        let headers = HeaderMap::new();
        let response = self
            .ask(
                actions,
                Method::HEAD,
                &operation,
                &rest,
                headers,
                Content::None,
            )
            .await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.error(&operation, response).await),
        }
    }

    /// Begins to fetch a blob, whose length is `size` where that is known.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when it is not there; else those of the exchange.
    pub async fn blob(
        &self,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<BlobDownload, ClientError> {
        let source = Source {
            exchange: Arc::clone(&self.exchange),
            purpose: self.purpose("pull"),
            url: self.url(&format!("blobs/{digest}"))?,
            digest: *digest,
        };
        download(source, size).await
    }

    /// Pushes a blob, unless it is there; by a mount from another package of the registry where
    /// `from` has it.
    ///
    /// A transfer that breaks is gone on with from where the registry is.
    ///
    /// # Errors
    /// [`ClientError::Source`] when the source fails or has not `size` bytes,
    /// [`ClientError::Answer`] when the registry refuses; else those of the exchange.
    pub async fn push_blob(
        &self,
        digest: &Digest,
        size: u64,
        source: &dyn BlobSource,
        from: Option<&OciName>,
    ) -> Result<Pushed, ClientError> {
        if self.head_blob("pull,push", digest).await?.is_some() {
            return Ok(Pushed::Present);
        }
        let mut purpose = self.purpose("pull,push");
        if let Some(from) = from {
            purpose.scopes.push(format!("repository:{from}:pull"));
            purpose.scopes.sort();
        }
        let push = Push {
            exchange: Arc::clone(&self.exchange),
            purpose: &purpose,
            uploads: self.url("blobs/uploads/")?,
            digest: *digest,
            size,
            source,
        };
        push.run(from).await
    }

    /// Returns the tags of the package, in the registry's order.
    pub fn tags(&self) -> impl Stream<Item = Result<Tag, ClientError>> + Send + 'static {
        #[derive(Deserialize)]
        struct Tags {
            tags: Option<Vec<Tag>>,
        }
        let first = self.url(&format!("tags/list?n={PAGE}"));
        list(
            Arc::clone(&self.exchange),
            self.purpose("pull"),
            first,
            |body| {
                let tags: Tags = serde_json::from_slice(body)?;
                Ok(tags.tags.unwrap_or_default())
            },
        )
    }

    /// Deletes a manifest, or a tag alone where the registry knows how.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when it is not there, [`ClientError::Answer`] when the registry
    /// refuses; else those of the exchange.
    pub async fn delete_manifest(&self, reference: &ManifestRef) -> Result<(), ClientError> {
        self.delete(&format!("manifests/{reference}"), &reference.to_string())
            .await
    }

    /// Takes a blob out of the package.
    ///
    /// # Errors
    /// Those of [`Self::delete_manifest`].
    pub async fn delete_blob(&self, digest: &Digest) -> Result<(), ClientError> {
        self.delete(&format!("blobs/{digest}"), &digest.to_string())
            .await
    }

    async fn delete(&self, rest: &str, what: &str) -> Result<(), ClientError> {
        let operation = format!("delete {what}");
        let headers = HeaderMap::new();
        let response = self
            .ask(
                "delete,pull",
                Method::DELETE,
                &operation,
                rest,
                headers,
                Content::None,
            )
            .await?;
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            StatusCode::NOT_FOUND => Err(self.not_found(what)),
            _ => Err(self.error(&operation, response).await),
        }
    }
}

fn url_at(origin: &Origin, path: &str) -> Result<Url, ClientError> {
    let url = format!("{origin}{path}").parse();
    url.map_err(|_| ClientError::Invalid {
        what: format!("{origin} is no address"),
    })
}

/// Returns the length that an answer tells, also one without a body.
pub(super) fn length(response: &Response) -> Option<u64> {
    response
        .headers()
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
