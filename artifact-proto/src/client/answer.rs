//! What comes back: answers that are no content, and how a connection fails.

use artifact_core::guard;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{
    Response, Url,
    header::{HeaderMap, LOCATION},
};
use serde::Deserialize;
use tokio::time::timeout;

use super::{error::ClientError, origin::Origin};

/// The longest answer that is read where it is no content, in bytes.
pub(super) const ANSWER_MAX: usize = 64 << 10;

/// Returns the error of an answer that did not come in time.
pub(super) fn silence(origin: &Origin, operation: &str, limit: Duration) -> ClientError {
    ClientError::Timeout {
        origin: origin.to_string(),
        operation: operation.to_owned(),
        seconds: limit.as_secs(),
    }
}

/// Returns the error of a connection; the URL stays out, for a redirect's may hold a signature.
pub(super) fn transport(origin: &Origin, operation: &str, error: reqwest::Error) -> ClientError {
    ClientError::Transport {
        origin: origin.to_string(),
        operation: operation.to_owned(),
        source: error.without_url().into(),
    }
}

/// Returns the URL that an answer leads to.
///
/// # Errors
/// [`ClientError::Protocol`] when there is none, or it leads from TLS to plain text.
pub(super) fn location(
    origin: &Origin,
    base: &Url,
    headers: &HeaderMap,
) -> Result<Url, ClientError> {
    let wrong = |what: &str| ClientError::Protocol {
        origin: origin.to_string(),
        what: what.to_owned(),
    };
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| wrong("it leads on without a Location"))?;
    let url = base
        .join(location)
        .map_err(|_| wrong("its Location is no URL"))?;
    match Origin::of(&url) {
        Some(next) if guard!(390, next.is_tls() || !origin.is_tls()) => Ok(url),
        Some(_) => Err(wrong("it leads from TLS to plain text")),
        None => Err(wrong("its Location is not HTTP")),
    }
}

/// Reads an answer of at most `limit` bytes.
///
/// # Errors
/// [`ClientError::Protocol`] when it is longer; else those of the connection.
pub(super) async fn read_bounded(
    origin: &Origin,
    mut response: Response,
    limit: usize,
    idle: Duration,
) -> Result<Bytes, ClientError> {
    const OPERATION: &str = "send the whole answer";
    let mut body = BytesMut::new();
    loop {
        match timeout(idle, response.chunk()).await {
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Ok(Some(chunk))) if guard!(542, body.len() + chunk.len() <= limit) => {
                body.extend_from_slice(&chunk);
            }
            Ok(Ok(Some(_))) => {
                return Err(ClientError::Protocol {
                    origin: origin.to_string(),
                    what: format!("its answer is longer than {limit} bytes"),
                });
            }
            Ok(Err(error)) => return Err(transport(origin, OPERATION, error)),
            Err(_) => return Err(silence(origin, OPERATION, idle)),
        }
    }
}

/// Returns the error that an answer stands for.
pub(super) async fn answer_error(
    origin: &Origin,
    operation: &str,
    response: Response,
) -> ClientError {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Detail>,
    }
    #[derive(Deserialize)]
    struct Detail {
        code: Option<String>,
        message: Option<String>,
    }
    let status = response.status().as_u16();
    let body = read_bounded(origin, response, ANSWER_MAX, Duration::from_secs(10)).await;
    let errors = body
        .ok()
        .and_then(|body| serde_json::from_slice::<Errors>(&body).ok());
    let first = errors.and_then(|errors| errors.errors.into_iter().next());
    let plain = |text: String| text.chars().filter(|c| !c.is_control()).take(300).collect();
    let (code, message) = first.map_or((None, None), |first| (first.code, first.message));
    ClientError::Answer {
        origin: origin.to_string(),
        operation: operation.to_owned(),
        status,
        code: code.map(plain),
        message: message.map(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A65, I27: what was asked over TLS is not asked again in plain text, where all may read it.
    #[test]
    fn a65_tls_leads_to_no_plain_text() {
        let lead = |from: &str, to: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, to.parse().unwrap());
            let base: Url = format!("{from}/v2/").parse().unwrap();
            location(&from.parse().unwrap(), &base, &headers).map(|url| url.to_string())
        };
        let secret = "https://registry.example";
        for to in [
            "http://registry.example/x",
            "http://other.example/x",
            "ftp://x/",
        ] {
            let refused = lead(secret, to);
            assert!(
                matches!(refused, Err(ClientError::Protocol { .. })),
                "{to}: {refused:?}"
            );
        }
        assert_eq!(lead(secret, "/x").unwrap(), "https://registry.example/x");
        assert_eq!(
            lead(secret, "https://cdn.example/x").unwrap(),
            "https://cdn.example/x"
        );
        assert!(lead("http://127.0.0.1:5000", "http://127.0.0.1:5000/x").is_ok());
    }

    /// I23: no more of an answer is kept than is wanted, whether its length was told or not.
    #[tokio::test]
    async fn i23_an_answer_without_end_is_not_read() {
        let origin = "a.example".parse().unwrap();
        let read = async |length: usize| {
            let body = vec![b'x'; length];
            let response = Response::from(hyper::Response::new(body));
            read_bounded(&origin, response, 1_000, Duration::from_secs(5)).await
        };
        assert_eq!(read(1_000).await.unwrap().len(), 1_000);
        let refused = read(1_001).await;
        assert!(
            matches!(refused, Err(ClientError::Protocol { .. })),
            "{refused:?}"
        );
    }
}
