//! Manifests at other registries.

use artifact_core::{
    Algorithm, Descriptor, Digest, MANIFEST_MAX, Manifest, ManifestRef, MediaType, Tag, guard,
};
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};

use super::{
    answer::read_bounded,
    error::ClientError,
    exchange::{Ask, Content},
    page::{PAGE_MAX, next_page},
    referrers::{add_to_fallback, fallback_tag, parse_index},
    remote::{RemotePackage, length},
};

/// The digest of what an answer holds.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The subject of a pushed manifest, where the registry keeps referrers.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// What a client can read as a manifest.
const MANIFEST_TYPES: [&str; 4] = [
    MediaType::OCI_MANIFEST,
    MediaType::OCI_INDEX,
    MediaType::DOCKER_MANIFEST,
    MediaType::DOCKER_LIST,
];

/// What must hold of a tag for it to be moved.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum RemoteCondition {
    /// Nothing: the last writer wins.
    #[default]
    Any,
    /// There is no such tag.
    Absent,
    /// It points at this.
    At(Digest),
}

impl RemotePackage {
    /// Fetches a manifest.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when it is not there, [`ClientError::DigestMismatch`] when the bytes
    /// are not those of the digest, [`ClientError::Manifest`] when they are no manifest.
    pub async fn manifest(&self, reference: &ManifestRef) -> Result<Manifest, ClientError> {
        let operation = format!("give the manifest {reference}");
        let found = self.look(Method::GET, &operation, reference).await?;
        let (response, expected) = found.ok_or_else(|| self.not_found(reference))?;
        let media_type = self.media_type(&response)?;
        let idle = self.exchange.options().idle_timeout;
        let bytes = read_bounded(&self.origin, response, MANIFEST_MAX, idle).await?;
        let algorithm = expected.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let manifest =
            Manifest::parse(bytes, media_type.as_ref(), algorithm).map_err(|source| {
                ClientError::Manifest {
                    origin: self.origin.to_string(),
                    source,
                }
            })?;
        match expected {
            Some(expected) if guard!(245) && manifest.digest() != expected => {
                Err(ClientError::DigestMismatch {
                    origin: self.origin.to_string(),
                    expected,
                    actual: manifest.digest(),
                })
            }
            _ => Ok(manifest),
        }
    }

    fn told_digest(&self, response: &Response) -> Result<Option<Digest>, ClientError> {
        let Some(told) = response.headers().get(CONTENT_DIGEST) else {
            return Ok(None);
        };
        let told = told.to_str().ok().and_then(|told| told.parse().ok());
        told.map(Some)
            .ok_or_else(|| self.protocol("its Docker-Content-Digest is no digest"))
    }

    fn media_type(&self, response: &Response) -> Result<Option<MediaType>, ClientError> {
        let Some(value) = response.headers().get(CONTENT_TYPE) else {
            return Ok(None);
        };
        let bare = value
            .to_str()
            .ok()
            .and_then(|value| value.split(';').next());
        let parsed = bare.and_then(|bare| bare.trim().parse().ok());
        parsed
            .map(Some)
            .ok_or_else(|| self.protocol("its Content-Type is no media type"))
    }

    /// Asks for a manifest; `None` when it is not there. The digest that it must have is the one asked
    /// for, or what the registry tells of a tag.
    async fn look(
        &self,
        method: Method,
        operation: &str,
        reference: &ManifestRef,
    ) -> Result<Option<(Response, Option<Digest>)>, ClientError> {
        let rest = format!("manifests/{reference}");
        let response = self
            .ask("pull", method, operation, &rest, accept(), Content::None)
            .await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.error(operation, response).await),
        }
        let digest = match reference {
            ManifestRef::Digest(digest) => Some(*digest),
            ManifestRef::Tag(_) => self.told_digest(&response)?,
        };
        Ok(Some((response, digest)))
    }

    /// Returns what a manifest is without its bytes, or `None` when it is not there.
    ///
    /// # Errors
    /// Those of [`Self::manifest`].
    pub async fn stat_manifest(
        &self,
        reference: &ManifestRef,
    ) -> Result<Option<Descriptor>, ClientError> {
        let operation = format!("find the manifest {reference}");
        let found = self.look(Method::HEAD, &operation, reference).await?;
        let Some((response, digest)) = found else {
            return Ok(None);
        };
        if let (Some(digest), Some(media_type), Some(size)) =
            (digest, self.media_type(&response)?, length(&response))
        {
            return Ok(Some(Descriptor::new(media_type, digest, size)));
        }
        // A registry that does not say in short what it has must say it in full.
        let manifest = self.manifest(reference).await?;
        let media_type = manifest.media_type().clone();
        Ok(Some(Descriptor::new(
            media_type,
            manifest.digest(),
            manifest.size(),
        )))
    }

    /// Pushes a manifest, under a tag or by its digest alone; all that it names must be there.
    ///
    /// Where it has a subject and the registry keeps no referrers, the tag by which clients of such
    /// registries find them is written, too.
    ///
    /// # Errors
    /// [`ClientError::Answer`] when the registry refuses; else those of the exchange.
    pub async fn put_manifest(
        &self,
        manifest: &Manifest,
        tag: Option<&Tag>,
        condition: &RemoteCondition,
    ) -> Result<(), ClientError> {
        let response = self.put(manifest, tag, condition).await?;
        let told = self.told_digest(&response)?;
        if let Some(told) = told.filter(|told| told.algorithm() == manifest.digest().algorithm())
            && guard!(246)
            && told != manifest.digest()
        {
            return Err(self.protocol(format!("it took {} as {told}", manifest.digest())));
        }
        match manifest.subject() {
            Some(subject) if response.headers().get(SUBJECT).is_none() => {
                self.add_fallback(&subject.digest, manifest).await
            }
            _ => Ok(()),
        }
    }

    async fn put(
        &self,
        manifest: &Manifest,
        tag: Option<&Tag>,
        condition: &RemoteCondition,
    ) -> Result<Response, ClientError> {
        let mut headers = HeaderMap::new();
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| self.protocol("a header cannot be sent"))
        };
        headers.insert(CONTENT_TYPE, value(manifest.media_type().as_str())?);
        match condition {
            RemoteCondition::Any => {}
            RemoteCondition::Absent => {
                headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            RemoteCondition::At(digest) => {
                headers.insert(IF_MATCH, value(&format!("\"{digest}\""))?);
            }
        }
        let digest = manifest.digest().to_string();
        let operation = format!("take the manifest {digest}");
        let rest = format!("manifests/{}", tag.map_or(digest.as_str(), Tag::as_str));
        let body = Content::Bytes(manifest.bytes().clone());
        let response = self
            .ask("pull,push", Method::PUT, &operation, &rest, headers, body)
            .await?;
        match response.status() {
            StatusCode::CREATED | StatusCode::OK => Ok(response),
            _ => Err(self.error(&operation, response).await),
        }
    }

    async fn add_fallback(&self, subject: &Digest, manifest: &Manifest) -> Result<(), ClientError> {
        let tag = fallback_tag(subject);
        let before = match self.manifest(&tag.clone().into()).await {
            Ok(index) => Some(index),
            Err(ClientError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let index =
            add_to_fallback(before.as_ref(), manifest).map_err(|source| ClientError::Manifest {
                origin: self.origin.to_string(),
                source,
            })?;
        match index {
            Some(index) => self
                .put(&index, Some(&tag), &RemoteCondition::Any)
                .await
                .map(|_answer| ()),
            None => Ok(()),
        }
    }

    /// Returns what refers to a manifest; from the tag that stands for the list where the registry
    /// keeps none.
    ///
    /// # Errors
    /// Those of the exchange; [`ClientError::Protocol`] when what came is no index.
    pub async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, ClientError> {
        let operation = format!("list what refers to {subject}");
        let mut url = self.url(&format!("referrers/{subject}"))?;
        let mut found = Vec::new();
        loop {
            let (method, headers, body) = (Method::GET, HeaderMap::new(), Content::None);
            let purpose = &self.purpose("pull");
            let here = url.clone();
            let ask = Ask {
                purpose,
                operation: &operation,
                method,
                url,
                headers,
                body,
            };
            let response = self.exchange.send(&ask).await?;
            match response.status() {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if found.is_empty() => {
                    return match self.manifest(&fallback_tag(subject).into()).await {
                        Ok(index) => Ok(parse_index(&index)),
                        Err(ClientError::NotFound { .. }) => Ok(Vec::new()),
                        Err(error) => Err(error),
                    };
                }
                _ => return Err(self.error(&operation, response).await),
            }
            let next = next_page(&self.origin, &here, response.headers())?;
            let idle = self.exchange.options().idle_timeout;
            let body = read_bounded(&self.origin, response, PAGE_MAX, idle).await?;
            let index = Manifest::parse(body, None, Algorithm::Sha256);
            let index = index.map_err(|_| self.protocol("its list of referrers is no index"))?;
            found.extend(parse_index(&index));
            match next {
                Some(next) => url = next,
                None => return Ok(found),
            }
        }
    }
}

fn accept() -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&MANIFEST_TYPES.join(", ")) {
        headers.insert(ACCEPT, value);
    }
    headers
}
