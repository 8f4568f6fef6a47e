//! The application: what is answered at which path, beside the protocols' own routes.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use artifact_core::{BoxError, Error, Mode, Principal, Registry, RequestContext, guard, story};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
    request::Parts,
};
use serde_json::json;
use tower_service::Service;

use crate::{
    arrival::Arrival,
    auth::{Door, DoorOptions, TOKEN_PATH, TokenKey, answer_token},
    body::{Body, RequestBody, boxed},
    headers::{Handled, seal},
    metrics::Metrics,
    oci::{OciService, code::Code, error::Refusal},
    pool::TransferPool,
};

/// What the server answers beside its protocols. None of it needs a login, and none of it shows a
/// name (I27).
pub const SERVER_ROUTES: &[ServerRoute] = &[
    ServerRoute::new("/healthz", &[Method::GET, Method::HEAD], "health"),
    ServerRoute::new("/metrics", &[Method::GET, Method::HEAD], "metrics"),
    ServerRoute::new("/readyz", &[Method::GET, Method::HEAD], "ready"),
    ServerRoute::new(
        TOKEN_PATH,
        &[Method::GET, Method::HEAD, Method::POST],
        "token",
    ),
];

/// One line of [`SERVER_ROUTES`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerRoute {
    /// The path.
    pub path: &'static str,
    /// The methods that it takes.
    pub methods: &'static [Method],
    /// What metrics and logs call it.
    pub endpoint: &'static str,
}

impl ServerRoute {
    const fn new(path: &'static str, methods: &'static [Method], endpoint: &'static str) -> Self {
        Self {
            path,
            methods,
            endpoint,
        }
    }
}

/// Everything that a registry is served by: its protocols, tokens, health and metrics.
#[derive(Clone, Debug)]
pub struct App {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    door: Arc<Door>,
    oci: OciService,
    pool: TransferPool,
    metrics: Arc<Metrics>,
    stopping: AtomicBool,
}

impl App {
    /// Returns what serves a registry. To have accesses counted, give the registry an
    /// [`AccessMetrics`](crate::metrics::AccessMetrics) of the same metrics among its observers.
    pub fn new(
        registry: Registry,
        options: DoorOptions,
        key: TokenKey,
        metrics: Arc<Metrics>,
    ) -> Self {
        let pool = TransferPool::default();
        let door = Arc::new(Door::new(registry, options, key, Arc::clone(&metrics)));
        let oci = OciService::new(Arc::clone(&door), pool.clone());
        let inner = Inner {
            door,
            oci,
            pool,
            metrics,
            stopping: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the registry that is served.
    pub fn registry(&self) -> &Registry {
        self.inner.door.registry()
    }

    /// Returns where everything is counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// Says that the server is about to stop: it is not ready any more.
    pub fn stop(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    /// Waits until no body is being received.
    pub async fn settled(&self) {
        self.inner.oci.settled().await;
    }

    async fn answer(self, parts: Parts, body: RequestBody) -> Response<Body> {
        if guard!(610) && is_read(&parts.method) && !http_body::Body::is_end_stream(&body) {
            return close(refused_body());
        }
        let path = parts.uri.path();
        if path == "/v2" || path.starts_with("/v2/") {
            let mut oci = self.inner.oci.clone();
            let answered = oci.call(Request::from_parts(parts, body)).await;
            return answered.unwrap_or_else(|never| match never {});
        }
        let route = SERVER_ROUTES.iter().find(|route| route.path == path);
        let rng = &*self.registry().parts().rng;
        let arrival = parts.extensions.get::<Arrival>().cloned();
        let arrival = arrival.unwrap_or_else(|| Arrival::new(rng, None, false));
        let mut response = match route {
            Some(route) if !route.methods.contains(&parts.method) => other_methods(route),
            Some(route) => self.own(route, &parts, body, &arrival).await,
            None => missing(),
        };
        let endpoint = route.map_or("none", |route| route.endpoint);
        response
            .extensions_mut()
            .insert(Handled::new(endpoint, None));
        seal(response.headers_mut(), &arrival);
        response
    }

    async fn own(
        &self,
        route: &ServerRoute,
        parts: &Parts,
        body: RequestBody,
        arrival: &Arrival,
    ) -> Response<Body> {
        match route.endpoint {
            "health" => text(
                StatusCode::OK,
                "text/plain; charset=utf-8",
                String::from("ok\n"),
            ),
            "ready" => self.ready(arrival).await,
            "metrics" => self.scraped().await,
            "token" => answer_token(&self.inner.door, arrival, parts, body).await,
            _ => missing(),
        }
    }

    /// Says whether requests should come here: not when the registry cannot be read, or the server is
    /// about to stop. That it takes no writes is said, and reads go on.
    async fn ready(&self, arrival: &Arrival) -> Response<Body> {
        let (status, word) = match self.mode().await {
            _ if self.inner.stopping.load(Ordering::Relaxed) => {
                (StatusCode::SERVICE_UNAVAILABLE, "stopping")
            }
            Ok(Mode::ReadOnly(_)) => (StatusCode::OK, "read-only"),
            Ok(_) => (StatusCode::OK, "ready"),
            Err(error) => {
                tracing::error!(request = %arrival.id, error = %story(&error), "not ready");
                (StatusCode::SERVICE_UNAVAILABLE, "failed")
            }
        };
        let body = format!("{}\n", json!({ "status": word }));
        text(status, "application/json", body)
    }

    async fn scraped(&self) -> Response<Body> {
        let read_only = matches!(self.mode().await, Ok(Mode::ReadOnly(_)));
        let metrics = self.inner.metrics.expose(&self.inner.pool, read_only);
        text(
            StatusCode::OK,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            metrics,
        )
    }

    async fn mode(&self) -> Result<Mode, Error> {
        let session = self
            .registry()
            .session(Principal::System, RequestContext::default());
        session.mode(artifact_core::AsOf::Now).await
    }
}

impl<B> Service<Request<B>> for App
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let app = self.clone();
        Box::pin(async move { Ok(app.answer(parts, boxed(body)).await) })
    }
}

const fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A body on a request that has none by its method is no accident (A50).
fn refused_body() -> Response<Body> {
    let words = "a request of this method has no body";
    Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, words).into_response()
}

fn close(mut response: Response<Body>) -> Response<Body> {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn missing() -> Response<Body> {
    let words = "there is nothing at this path: the registry is at /v2/";
    Refusal::new(StatusCode::NOT_FOUND, Code::NameUnknown, words).into_response()
}

fn other_methods(route: &ServerRoute) -> Response<Body> {
    let names: Vec<&str> = route.methods.iter().map(Method::as_str).collect();
    let words = "this path takes other methods";
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, words);
    match HeaderValue::try_from(names.join(", ")) {
        Ok(allow) => refusal.header(ALLOW, allow).into_response(),
        Err(_) => refusal.into_response(),
    }
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
