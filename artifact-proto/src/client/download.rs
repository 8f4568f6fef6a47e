//! Blobs on their way here.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use artifact_core::{Digest, Hasher, guard};
use bytes::Bytes;
use futures::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE},
};
use tokio::time::{sleep, timeout};

use super::{
    answer::{answer_error, silence, transport},
    error::ClientError,
    exchange::{Ask, Content, Exchange, Purpose},
};

/// The bytes of a blob as they arrive.
///
/// A broken connection is taken up again where it broke. The stream ends with an error, and never as a
/// success, when the bytes do not hash to the digest that was asked for (I3).
pub struct BlobDownload {
    size: Option<u64>,
    chunks: BoxStream<'static, Result<Bytes, ClientError>>,
}

impl BlobDownload {
    /// Returns the number of bytes, where the registry told it.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }
}

impl Stream for BlobDownload {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_next_unpin(context)
    }
}

impl fmt::Debug for BlobDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobDownload")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A blob at a registry.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) exchange: Arc<Exchange>,
    pub(super) purpose: Purpose,
    pub(super) url: reqwest::Url,
    pub(super) digest: Digest,
}

struct Transfer {
    source: Source,
    response: Option<Response>,
    size: Option<u64>,
    offset: u64,
    hasher: Option<Hasher>,
    failures: u32,
}

/// Begins to fetch a blob.
///
/// # Errors
/// [`ClientError::NotFound`] when it is not there; else those of the exchange.
pub(super) async fn download(
    source: Source,
    expected: Option<u64>,
) -> Result<BlobDownload, ClientError> {
    let response = source.open(0).await?;
    let told = response.content_length();
    if let (Some(told), Some(expected)) = (told, expected)
        && guard!(241)
        && told != expected
    {
        return Err(source.protocol(format!(
            "it has {told} bytes for {}, and {expected} were announced",
            source.digest
        )));
    }
    let size = expected.or(told);
    let hasher = Some(Hasher::new(source.digest.algorithm()));
    let transfer = Transfer {
        source,
        response: Some(response),
        size,
        offset: 0,
        hasher,
        failures: 0,
    };
    let chunks = stream::try_unfold(transfer, Transfer::next).boxed();
    Ok(BlobDownload { size, chunks })
}

impl Source {
    fn operation(&self) -> String {
        format!("give {}", self.digest)
    }

    fn protocol(&self, what: String) -> ClientError {
        ClientError::Protocol {
            origin: self.purpose.origin.to_string(),
            what,
        }
    }

    /// Asks for the bytes from `offset` on.
    async fn open(&self, offset: u64) -> Result<Response, ClientError> {
        let mut headers = HeaderMap::new();
        // The bytes must arrive as they are: their digest is of them.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if offset > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={offset}-"))
        {
            headers.insert(RANGE, range);
        }
        let operation = self.operation();
        let response = self
            .exchange
            .send(&Ask {
                purpose: &self.purpose,
                operation: &operation,
                method: Method::GET,
                url: self.url.clone(),
                headers,
                body: Content::None,
            })
            .await?;
        match response.status() {
            StatusCode::OK if offset == 0 => Ok(response),
            StatusCode::PARTIAL_CONTENT if guard!(244, begins_at(&response, offset)) => {
                Ok(response)
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::OK => Err(self.protocol(format!(
                "it does not go on from byte {offset} when asked to"
            ))),
            StatusCode::NOT_FOUND => Err(ClientError::NotFound {
                origin: self.purpose.origin.to_string(),
                what: self.digest.to_string(),
            }),
            _ => Err(answer_error(&self.purpose.origin, &operation, response).await),
        }
    }
}

/// Says whether an answer's range is the one that was asked for.
///
/// Source: RFC 9110, section 14.4.
fn begins_at(response: &Response, offset: u64) -> bool {
    let range = response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|value| value.to_str().ok());
    let first = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-'));
    first.is_some_and(|(first, _)| first.trim().parse() == Ok(offset))
}

impl Transfer {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ClientError> {
        loop {
            match self.read().await {
                Ok(Some(chunk)) if chunk.is_empty() => {}
                Ok(Some(chunk)) => {
                    self.take(&chunk)?;
                    return Ok(Some((chunk, self)));
                }
                Ok(None) if self.is_short() => {
                    let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    let error = ClientError::Transport {
                        origin: self.source.purpose.origin.to_string(),
                        operation: self.source.operation(),
                        source: source.into(),
                    };
                    self.reopen(error).await?;
                }
                Ok(None) => return self.finish().map(|()| None),
                Err(error) => self.reopen(error).await?,
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, ClientError> {
        let idle = self.source.exchange.options().idle_timeout;
        let origin = &self.source.purpose.origin;
        let Some(response) = &mut self.response else {
            return Ok(None);
        };
        match timeout(guard!(546, idle, else Duration::MAX), response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(transport(origin, &self.source.operation(), error)),
            Err(_) => Err(silence(origin, &self.source.operation(), idle)),
        }
    }

    fn take(&mut self, chunk: &Bytes) -> Result<(), ClientError> {
        self.offset += chunk.len() as u64;
        self.failures = 0;
        if let Some(size) = self.size
            && guard!(242)
            && self.offset > size
        {
            return Err(self.source.protocol(format!(
                "it sends more than the {size} bytes of {}",
                self.source.digest
            )));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        Ok(())
    }

    fn is_short(&self) -> bool {
        guard!(243) && self.size.is_some_and(|size| self.offset < size)
    }

    /// Goes on where the connection broke, or gives up.
    async fn reopen(&mut self, error: ClientError) -> Result<(), ClientError> {
        self.response = None;
        if !error.is_transient() || self.failures >= self.source.exchange.options().retries {
            return Err(error);
        }
        sleep(Duration::from_millis(200 << self.failures.min(6))).await;
        self.failures += 1;
        self.response = Some(self.source.open(self.offset).await?);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ClientError> {
        let expected = self.source.digest;
        match self.hasher.take().map(|hasher| hasher.finish().digest()) {
            Some(actual) if guard!(240) && actual != expected => Err(ClientError::DigestMismatch {
                origin: self.source.purpose.origin.to_string(),
                expected,
                actual,
            }),
            _ => Ok(()),
        }
    }
}
