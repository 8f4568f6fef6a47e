//! Bodies: what answers carry, and how requests' are received.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use artifact_core::{BoxError, guard};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream::BoxStream};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};

/// The body of a request, whatever transport it came by.
pub type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

/// Returns a request's body without the type of its transport.
pub fn boxed<B>(body: B) -> RequestBody
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// The body of an answer: bytes at hand, or a stream of a known length.
///
/// A stream that ends early or fails makes the transfer fail visibly: the connection is cut (I3).
pub struct Body(Kind);

enum Kind {
    Full(Option<Bytes>),
    Stream {
        left: u64,
        bytes: BoxStream<'static, Result<Bytes, BoxError>>,
    },
}

impl Body {
    /// Returns a body without bytes.
    pub const fn empty() -> Self {
        Self(Kind::Full(None))
    }

    /// Returns the body of a stream that gives `length` bytes.
    pub fn stream(
        length: u64,
        bytes: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
    ) -> Self {
        Self(Kind::Stream {
            left: length,
            bytes: bytes.boxed(),
        })
    }

    /// Returns how many bytes are still to come.
    pub fn remaining(&self) -> u64 {
        match &self.0 {
            Kind::Full(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Kind::Stream { left, .. } => *left,
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let (left, bytes) = match &mut self.0 {
            Kind::Full(bytes) => {
                return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes))));
            }
            Kind::Stream { left, bytes } => (left, bytes),
        };
        let chunk = match std::task::ready!(bytes.poll_next_unpin(context)) {
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            None if guard!(225, *left == 0) => return Poll::Ready(None),
            None => return Poll::Ready(Some(Err(LengthError { left: *left }.into()))),
        };
        let rest = left.checked_sub(chunk.len() as u64);
        match guard!(226, rest, else Some(rest.unwrap_or(0))) {
            Some(rest) => {
                *left = rest;
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            None => Poll::Ready(Some(Err(LengthError { left: *left }.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        // A stream is asked once more after its last byte: it may still have an error to tell.
        matches!(&self.0, Kind::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

/// A stream gave another number of bytes than was announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the body ended, or went on, with {left} bytes left of what was announced")]
struct LengthError {
    left: u64,
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    async fn collect(body: Body) -> Result<Bytes, BoxError> {
        body.collect()
            .await
            .map(http_body_util::Collected::to_bytes)
    }

    async fn streamed(length: u64, chunks: &[&'static str]) -> Result<Bytes, BoxError> {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        collect(Body::stream(length, stream::iter(chunks))).await
    }

    #[tokio::test]
    async fn a_body_tells_its_length() {
        assert_eq!(Body::empty().remaining(), 0);
        assert_eq!(
            http_body::Body::size_hint(&Body::from(Bytes::from("abc"))).exact(),
            Some(3)
        );
        assert_eq!(
            collect(Body::from(Bytes::from("abc"))).await.unwrap(),
            "abc"
        );
        assert_eq!(streamed(3, &["a", "bc"]).await.unwrap(), "abc");
        assert_eq!(streamed(0, &[]).await.unwrap(), "");
    }

    /// I3: fewer or more bytes than announced are never a success.
    #[tokio::test]
    async fn i3_a_wrong_length_fails() {
        assert!(streamed(4, &["abc"]).await.is_err());
        assert!(streamed(2, &["abc"]).await.is_err());
    }
}
