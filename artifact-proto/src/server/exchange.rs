//! Exchanges: one request and its answer, as the server sees them: identified, measured, logged.

use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use artifact_core::{BoxError, guard};
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Method, Request, Response, StatusCode, Version, header::USER_AGENT};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower_service::Service;

use super::{
    app::App,
    watch::{Answering, Meter, Watch},
};
use crate::{
    arrival::Arrival,
    body::Body,
    headers::{Handled, seal},
    metrics::{Metrics, RequestSummary},
    oci::error::Refusal,
};

/// How much of what a client wrote stands in one field of a log.
const FIELD_MAX: usize = 512;

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Exchanges {
    pub(super) app: App,
    pub(super) watch: Arc<Watch>,
    pub(super) address: SocketAddr,
    pub(super) secure: bool,
}

impl hyper::service::Service<Request<Incoming>> for Exchanges {
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Tracked>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = Exchange::begin(self, &request);
        let app = self.app.clone();
        Box::pin(async move { Ok(exchange.answer(app, request).await) })
    }
}

/// One exchange; when it is dropped, it is over, however it ended.
#[derive(Debug)]
struct Exchange {
    arrival: Arrival,
    metrics: Arc<Metrics>,
    request_meter: Arc<Meter>,
    response_meter: Arc<Meter>,
    received: Arc<AtomicU64>,
    sent: u64,
    announced: u64,
    status: Option<StatusCode>,
    handled: Option<Handled>,
    method: Method,
    path: String,
    agent: String,
    began: Instant,
    _answering: Answering,
}

impl Exchange {
    fn begin(exchanges: &Exchanges, request: &Request<Incoming>) -> Self {
        let (watch, rng) = (&exchanges.watch, &exchanges.app.registry().parts().rng);
        let alone = request.version() <= Version::HTTP_11;
        let metrics = Arc::clone(exchanges.app.metrics());
        metrics.request_began();
        let agent = request
            .headers()
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        Self {
            arrival: Arrival::new(&**rng, Some(exchanges.address), exchanges.secure),
            metrics,
            request_meter: watch.meter(false),
            response_meter: watch.meter(alone),
            received: Arc::default(),
            sent: 0,
            announced: 0,
            status: None,
            handled: None,
            method: request.method().clone(),
            path: cut(request.uri().path()),
            agent: cut(agent.unwrap_or_default()),
            began: Instant::now(),
            _answering: watch.request(),
        }
    }

    async fn answer(mut self, mut app: App, mut request: Request<Incoming>) -> Response<Tracked> {
        request.extensions_mut().insert(self.arrival.clone());
        let (meter, received) = (Arc::clone(&self.request_meter), Arc::clone(&self.received));
        let request = request.map(|body| Paced {
            body,
            meter,
            received,
        });
        let answered = AssertUnwindSafe(app.call(request)).catch_unwind().await;
        let mut response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_panic) => {
                tracing::error!(request = %self.arrival.id, "a handler panicked");
                let mut response = Refusal::failed().into_response();
                seal(response.headers_mut(), &self.arrival);
                response
            }
        };
        self.status = Some(response.status());
        self.handled = response.extensions_mut().remove();
        self.announced = response.body().remaining();
        response.map(|body| Tracked {
            body,
            exchange: self,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let duration = self.began.elapsed();
        let endpoint = self
            .handled
            .as_ref()
            .map_or("none", |handled| handled.endpoint);
        // A client that went away before there was an answer has no status: 499 is what it is called.
        let gone = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
        let status = self.status.unwrap_or(gone);
        let received = self.received.load(Ordering::Relaxed);
        self.metrics.request_ended(&RequestSummary {
            endpoint,
            method: &self.method,
            status,
            duration,
            received,
            sent: self.sent,
        });
        self.log(endpoint, status, received, duration);
    }
}

impl Exchange {
    /// Writes the line of the access log. What a client wrote is escaped; a query, which may hold a
    /// secret, is not in it (A55, I27).
    fn log(&self, endpoint: &str, status: StatusCode, received: u64, duration: Duration) {
        let principal = self
            .handled
            .as_ref()
            .and_then(|handled| handled.principal.as_ref());
        let whole = self.method == Method::HEAD || self.sent == self.announced;
        tracing::info!(
            target: "artifact::access",
            request = %self.arrival.id,
            address = self.arrival.address.map(tracing::field::display),
            principal = principal.map(tracing::field::display),
            method = self.method.as_str(),
            path = self.path.as_str(),
            endpoint,
            status = status.as_u16(),
            received,
            sent = self.sent,
            whole,
            milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            agent = self.agent.as_str(),
            "request",
        );
    }
}

/// Returns what of a text that a client wrote stands in a log: its beginning, with every character
/// escaped that could turn the text around, or hide what stands beside it (A55). A path that is well
/// formed has none such.
fn cut(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(FIELD_MAX));
    for c in text.chars() {
        if guard!(528) && kept.len() >= FIELD_MAX {
            break;
        }
        if matches!(c, ' '..='~') {
            kept.push(c);
        } else {
            kept.extend(c.escape_unicode());
        }
    }
    kept
}

/// The body of a request, with the time for which its client is waited for.
#[derive(Debug)]
struct Paced {
    body: Incoming,
    meter: Arc<Meter>,
    received: Arc<AtomicU64>,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            self.meter.wait();
            return Poll::Pending;
        };
        self.meter.go_on();
        if let Some(Ok(frame)) = &frame {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.meter.count(bytes);
            self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.meter.go_on();
    }
}

/// The body of an answer, with the exchange that it ends.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    exchange: Exchange,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.exchange.response_meter.go_on();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.exchange.sent += bytes as u64;
                this.exchange.response_meter.count(bytes);
                // Until it is asked for more, the client takes this.
                this.exchange.response_meter.wait();
            }
            Some(Err(error)) => {
                let id = &this.exchange.arrival.id;
                tracing::error!(request = %id, error = %artifact_core::story(&**error), "an answer broke off");
            }
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A55, I23: what a client wrote stands in the log escaped, and no more of it than its beginning.
    #[test]
    fn a55_what_a_client_wrote_is_cut_and_escaped() {
        assert_eq!(cut("curl/8 (x)"), "curl/8 (x)");
        assert_eq!(cut("a\nb\u{202e}"), "a\\u{a}b\\u{202e}");
        assert_eq!(cut(&"x".repeat(FIELD_MAX + 1)).len(), FIELD_MAX);
        assert!(cut(&"\n".repeat(FIELD_MAX)).len() < FIELD_MAX + 10);
    }
}
