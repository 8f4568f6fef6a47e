//! Blobs on their way to a registry.
//!
//! Source: OCI distribution specification 1.1, "Pushing blobs".

use std::{sync::Arc, time::Duration};

use artifact_core::{BoxError, Digest, OciName};
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use reqwest::{
    Method, Response, StatusCode, Url,
    header::{
        CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE,
    },
};
use tokio::time::sleep;

use super::{
    activity::{Activity, SizedBody},
    answer::{answer_error, location},
    error::ClientError,
    exchange::{Ask, Content, Exchange, MakeBody, Purpose},
};

/// The smallest part that a registry takes.
///
/// Source: OCI distribution specification 1.1, "Pushing a blob in chunks".
const CHUNK_MIN: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// The bytes of a blob, which can be read more than once: a broken transfer is gone on with.
pub trait BlobSource: Send + Sync {
    /// Returns the bytes from `offset` on.
    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Bytes, BoxError>>, BoxError>>;
}

/// How a blob came to be at a registry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Pushed {
    /// Its bytes were sent.
    Sent,
    /// The registry took it from another of its packages.
    Mounted,
    /// It was there.
    Present,
}

/// A blob to be pushed.
pub(super) struct Push<'a> {
    pub(super) exchange: Arc<Exchange>,
    pub(super) purpose: &'a Purpose,
    /// Where uploads begin.
    pub(super) uploads: Url,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) source: &'a dyn BlobSource,
}

/// An upload that a registry has begun.
#[derive(Debug)]
struct Upload {
    url: Url,
    offset: u64,
    chunk: u64,
    /// Whether the registry takes parts; one that does not gets the whole at once.
    parts: bool,
}

/// A part of the source as the body of a request.
struct Part<'a> {
    source: &'a dyn BlobSource,
    origin: String,
    offset: u64,
    length: u64,
}

impl MakeBody for Part<'_> {
    fn make(&self, activity: Activity) -> BoxFuture<'_, Result<SizedBody, ClientError>> {
        async move {
            let chunks =
                self.source
                    .open(self.offset)
                    .await
                    .map_err(|source| ClientError::Source {
                        origin: self.origin.clone(),
                        source,
                    })?;
            Ok(SizedBody::new(chunks, self.length, activity))
        }
        .boxed()
    }
}

impl Push<'_> {
    /// Pushes the blob, by a mount from another package where that is possible.
    pub(super) async fn run(&self, from: Option<&OciName>) -> Result<Pushed, ClientError> {
        let Some(mut upload) = self.begin(from).await? else {
            return Ok(Pushed::Mounted);
        };
        let mut failures = 0;
        loop {
            let before = upload.offset;
            let error = match self.step(&mut upload).await {
                Ok(true) => return Ok(Pushed::Sent),
                Ok(false) => {
                    failures = 0;
                    continue;
                }
                Err(error) => error,
            };
            if upload.parts && upload.offset == 0 && refuses_parts(&error) {
                upload = self.begin_again().await?;
                upload.parts = false;
                continue;
            }
            let again = error.is_transient() || is_out_of_step(&error);
            if !again || failures >= self.exchange.options().retries {
                return Err(error);
            }
            sleep(Duration::from_millis(200 << failures.min(6))).await;
            failures += 1;
            upload = self.recover(upload, before).await?;
        }
    }

    async fn begin(&self, from: Option<&OciName>) -> Result<Option<Upload>, ClientError> {
        let mut url = self.uploads.clone();
        if let Some(from) = from {
            let digest = self.digest.to_string();
            url.query_pairs_mut()
                .append_pair("mount", &digest)
                .append_pair("from", from.as_str());
        }
        let response = self
            .send(Method::POST, url.clone(), HeaderMap::new(), Content::None)
            .await?;
        match response.status() {
            StatusCode::CREATED if from.is_some() => Ok(None),
            StatusCode::ACCEPTED => {
                let url = location(&self.purpose.origin, &url, response.headers())?;
                let smallest = response.headers().get(CHUNK_MIN);
                let smallest = smallest.and_then(|value| value.to_str().ok()?.parse().ok());
                let chunk = self
                    .exchange
                    .options()
                    .chunk_size
                    .max(smallest.unwrap_or(1))
                    .max(1);
                Ok(Some(Upload {
                    url,
                    offset: 0,
                    chunk,
                    parts: self.size > chunk,
                }))
            }
            _ => Err(self.error(response).await),
        }
    }

    async fn begin_again(&self) -> Result<Upload, ClientError> {
        self.begin(None)
            .await?
            .ok_or_else(|| ClientError::Protocol {
                origin: self.purpose.origin.to_string(),
                what: "it mounts a blob when not asked to".to_owned(),
            })
    }

    /// Sends the next part, or the rest with the digest; says whether the blob is complete.
    async fn step(&self, upload: &mut Upload) -> Result<bool, ClientError> {
        let left = self.size - upload.offset;
        let last = !upload.parts || left == 0;
        let length = if last { left } else { left.min(upload.chunk) };
        let headers = part_headers(upload.offset, length);
        let part = Part {
            source: self.source,
            origin: self.purpose.origin.to_string(),
            offset: upload.offset,
            length,
        };
        let body = if length == 0 {
            Content::None
        } else {
            Content::Stream(&part)
        };
        let mut url = upload.url.clone();
        if last {
            url.query_pairs_mut()
                .append_pair("digest", &self.digest.to_string());
            let response = self.send(Method::PUT, url, headers, body).await?;
            return match response.status() {
                StatusCode::CREATED => Ok(true),
                _ => Err(self.error(response).await),
            };
        }
        let response = self.send(Method::PATCH, url.clone(), headers, body).await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.error(response).await);
        }
        upload.url = location(&self.purpose.origin, &url, response.headers())?;
        upload.offset = received(&response).unwrap_or(upload.offset + length);
        self.check(upload)?;
        Ok(false)
    }

    /// Asks how far the registry is, and goes on there; or begins anew when it has forgotten.
    async fn recover(&self, upload: Upload, before: u64) -> Result<Upload, ClientError> {
        let url = upload.url.clone();
        let response = self
            .send(Method::GET, url.clone(), HeaderMap::new(), Content::None)
            .await?;
        if response.status() != StatusCode::NO_CONTENT {
            return self.begin_again().await;
        }
        // Some registries keep the address that they gave first.
        let next = location(&self.purpose.origin, &url, response.headers()).unwrap_or(url);
        let offset = match received(&response) {
            // `0-0` is what registries say of no byte, too: it is one only if it can be.
            Some(1) if before == 0 => 0,
            offset => offset.unwrap_or(0),
        };
        // From here on in parts: what the registry has is not sent again.
        let upload = Upload {
            url: next,
            offset,
            parts: true,
            ..upload
        };
        self.check(&upload)?;
        Ok(upload)
    }

    fn check(&self, upload: &Upload) -> Result<(), ClientError> {
        if upload.offset <= self.size {
            return Ok(());
        }
        Err(ClientError::Protocol {
            origin: self.purpose.origin.to_string(),
            what: format!(
                "it has {} bytes of the {} of {}",
                upload.offset, self.size, self.digest
            ),
        })
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Content<'_>,
    ) -> Result<Response, ClientError> {
        let operation = self.operation();
        let purpose = self.purpose;
        let ask = Ask {
            purpose,
            operation: &operation,
            method,
            url,
            headers,
            body,
        };
        self.exchange.send(&ask).await
    }

    fn operation(&self) -> String {
        format!("take {}", self.digest)
    }

    async fn error(&self, response: Response) -> ClientError {
        answer_error(&self.purpose.origin, &self.operation(), response).await
    }
}

fn part_headers(offset: u64, length: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if length > 0
        && let Ok(range) = HeaderValue::from_str(&format!("{offset}-{}", offset + length - 1))
    {
        headers.insert(CONTENT_RANGE, range);
    }
    headers
}

/// Returns how many bytes the registry says that it has.
fn received(response: &Response) -> Option<u64> {
    let range = response.headers().get(RANGE)?.to_str().ok()?;
    let (first, last) = range.trim_start_matches("bytes=").split_once('-')?;
    (first == "0").then(|| last.parse::<u64>().ok()?.checked_add(1))?
}

/// Says whether a registry refuses a part as such, and may take the whole.
fn refuses_parts(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Answer {
            status: 400 | 404 | 405 | 411 | 413 | 501,
            ..
        }
    )
}

/// Says whether the registry has other bytes than was thought.
fn is_out_of_step(error: &ClientError) -> bool {
    matches!(error, ClientError::Answer { status: 416, .. })
}
