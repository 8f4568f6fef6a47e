//! The service: each request to its handler, each failure to its answer.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use artifact_core::{
    Action, BoxError, Error, ErrorKind, OciName, Principal, Target, What, guard, story,
};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, EXPECT, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body_util::BodyExt as _;
use serde_json::json;
use tower_service::Service;

use super::{
    blob,
    call::{Call, Failure, Shared, about},
    catalog,
    code::{Code, Noun},
    endpoint::{Endpoint, Need},
    error::Refusal,
    manifest,
    receive::Receiving,
    referrers, reply,
    route::{self, Route},
    tag, upload,
};
use crate::{
    arrival::{Arrival, origin},
    auth::{self, Door, NotAdmitted, scope::Scope},
    body::{Body, RequestBody, boxed},
    headers::{Handled, seal},
    memory::DocumentMemory,
    pool::TransferPool,
};

/// Says which protocol this is, to clients that ask for it.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Answers the OCI distribution protocol for a registry, over any HTTP transport.
///
/// A transport says how a request came by an [`Arrival`] among its extensions; without one the
/// request came in plain, from nowhere. Each answer carries a [`Handled`] among its own.
#[derive(Clone, Debug)]
pub struct OciService {
    shared: Arc<Shared>,
}

impl OciService {
    /// Returns the service of the registry behind a door; its transfers take their memory from
    /// `pool`.
    pub fn new(door: Arc<Door>, pool: TransferPool) -> Self {
        let shared = Shared {
            door,
            pool,
            memory: DocumentMemory::new(),
            receiving: Receiving::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Waits until no body is being received, also of requests whose client is gone.
    pub async fn settled(&self) {
        self.shared.receiving.settled().await;
    }

    async fn answer(self, parts: Parts, body: RequestBody) -> Response<Body> {
        let rng = &*self.shared.door.registry().parts().rng;
        let arrival = parts.extensions.get::<Arrival>().cloned();
        let arrival = arrival.unwrap_or_else(|| Arrival::new(rng, None, false));
        let parsed = route::parse(&parts.method, parts.uri.path());
        let endpoint = parsed
            .as_ref()
            .map_or("oci_none", |route| route.endpoint().name());
        let waits_to_be_asked = parts.headers.contains_key(EXPECT);
        let mut body = Some(body);
        let (mut response, principal) = match parsed {
            Ok(route) => {
                self.admitted(&route, parts, arrival.clone(), &mut body)
                    .await
            }
            Err(error) => (Refusal::from(&error).into_response(), None),
        };
        if let Some(body) = body.filter(|_| !waits_to_be_asked) {
            drain(body).await;
        }
        response
            .extensions_mut()
            .insert(Handled::new(endpoint, principal));
        let headers = response.headers_mut();
        headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        seal(headers, &arrival);
        response
    }

    /// Answers one who is let in, and refuses who is not.
    async fn admitted(
        &self,
        route: &Route,
        parts: Parts,
        arrival: Arrival,
        body: &mut Option<RequestBody>,
    ) -> (Response<Body>, Option<Principal>) {
        let door = &self.shared.door;
        let caller = match door.admit(&parts.headers).await {
            Ok(caller) => caller,
            Err(refused) => {
                return (
                    self.not_admitted(route, &parts, &arrival, &refused).await,
                    None,
                );
            }
        };
        let context = arrival.context(&parts.headers);
        let session = door.session(caller.principal.clone(), context);
        let call = Call {
            shared: Arc::clone(&self.shared),
            session,
            caller,
            arrival,
            parts,
        };
        let outcome = match in_scope(&call, route).await {
            Ok(()) => dispatch(&call, route, body).await,
            Err(failure) => Err(failure),
        };
        let response = match outcome {
            Ok(response) => response,
            Err(failure) => refused(&call, route, failure).await,
        };
        let head = call.parts.method == Method::HEAD;
        let response = if head {
            headers_alone(response)
        } else {
            response
        };
        (response, Some(call.caller.principal))
    }

    async fn not_admitted(
        &self,
        route: &Route,
        parts: &Parts,
        arrival: &Arrival,
        refused: &NotAdmitted,
    ) -> Response<Body> {
        let (bearer, word) = match refused {
            NotAdmitted::Crowded => return auth::crowded().into_response(),
            NotAdmitted::Failed(error) => {
                return logged(Refusal::of(error, Noun::Catalog), error, arrival).into_response();
            }
            NotAdmitted::Token(_) => (true, Some("invalid_token")),
            NotAdmitted::Unknown => (false, None),
        };
        let challenge = Challenge {
            parts,
            arrival,
            bearer,
            word,
        };
        challenge
            .answer(&self.shared.door, route, Refusal::unauthorized())
            .await
    }
}

impl<B> Service<Request<B>> for OciService
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
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(parts, boxed(body)).await) })
    }
}

/// Returns the work of a route, in memory of its own: else each request would take what the largest of them takes.
fn dispatch<'a>(
    call: &'a Call,
    route: &'a Route,
    body: &'a mut Option<RequestBody>,
) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Failure>> + Send + 'a>> {
    match route {
        Route::Base => Box::pin(base(call)),
        Route::BeginUpload(name) => Box::pin(upload::begin(call, name, body)),
        Route::CancelUpload(name, id) => Box::pin(upload::cancel(call, name, id)),
        Route::Catalog => Box::pin(catalog::list(call)),
        Route::ContinueUpload(name, id) => Box::pin(upload::go_on(call, name, id, body)),
        Route::DeleteBlob(name, digest) => Box::pin(blob::delete(call, name, digest)),
        Route::DeleteManifest(name, reference) => Box::pin(manifest::delete(call, name, reference)),
        Route::FinishUpload(name, id) => Box::pin(upload::finish(call, name, id, body)),
        Route::PutManifest(name, reference) => Box::pin(manifest::put(call, name, reference, body)),
        Route::ReadBlob(name, digest) => Box::pin(blob::read(call, name, digest)),
        Route::ReadManifest(name, reference) => Box::pin(manifest::read(call, name, reference)),
        Route::Referrers(name, digest) => Box::pin(referrers::list(call, name, digest)),
        Route::StatBlob(name, digest) => Box::pin(blob::stat(call, name, digest)),
        Route::Tags(name) => Box::pin(tag::list(call, name)),
        Route::UploadStatus(name, id) => Box::pin(upload::status(call, name, id)),
    }
}

/// Says that this is a registry; where tokens are used, to those alone who have one or say who they
/// are, for a client that is answered here never says it.
async fn base(call: &Call) -> Result<Response<Body>, Failure> {
    let door = &call.shared.door;
    let anonymous = matches!(call.session.principal(), Principal::Anonymous(_));
    let nameless = anonymous && call.caller.token.is_none();
    if guard!(601)
        && nameless
        && (door.is_closed() || door.uses_tokens().await.map_err(about(Noun::Catalog))?)
    {
        return Err(Failure::Core(Error::Unauthenticated, Noun::Catalog));
    }
    Ok(reply::json("application/json", &json!({})))
}

/// Returns the answer to a `HEAD`: the length of the body, and none of it.
///
/// HTTP/1 would leave the body out by itself; HTTP/2 sends what it is given, and a body that is
/// shorter than its length cuts the stream.
fn headers_alone(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let bodiless = matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if !bodiless {
        parts
            .headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| body.remaining().into());
    }
    Response::from_parts(parts, Body::empty())
}

/// Refuses what the caller's token does not allow, before the registry is asked for anything.
///
/// Who could have the scope is told which; who could not is answered as without a token.
async fn in_scope(call: &Call, route: &Route) -> Result<(), Failure> {
    let (need, name) = (route.endpoint().need(), route.name());
    let Some(token) = &call.caller.token else {
        return Ok(());
    };
    if guard!(399, token.meet(need, name)) {
        return Ok(());
    }
    let noun = noun(route.endpoint());
    if let (Principal::User(_), Some(name)) = (call.session.principal(), name)
        && guard!(602)
        && !may_read(call, name, noun).await?
    {
        return Err(Failure::Core(Error::not_found(What::Package, name), noun));
    }
    Err(Failure::Scope)
}

async fn may_read(call: &Call, name: &OciName, noun: Noun) -> Result<bool, Failure> {
    let session = &call.session;
    let package = auth::resolve(session, name).await.map_err(about(noun))?;
    let may = match (&package, name.as_str().parse()) {
        (Some(package), _) => {
            session
                .may(Action::Read, Target::Package(package, None))
                .await
        }
        (None, Ok(repository)) => {
            session
                .may(Action::Read, Target::Repository(&repository))
                .await
        }
        (None, Err(_)) => Ok(false),
    };
    may.map_err(about(noun))
}

/// Returns what an endpoint is about.
const fn noun(endpoint: Endpoint) -> Noun {
    match endpoint {
        Endpoint::Base | Endpoint::Catalog => Noun::Catalog,
        Endpoint::DeleteBlob | Endpoint::ReadBlob | Endpoint::StatBlob => Noun::Blob,
        Endpoint::DeleteManifest | Endpoint::ReadManifest => Noun::Manifest,
        Endpoint::BeginUpload | Endpoint::Referrers | Endpoint::Tags => Noun::Package,
        Endpoint::PutManifest => Noun::Publication,
        Endpoint::CancelUpload
        | Endpoint::ContinueUpload
        | Endpoint::FinishUpload
        | Endpoint::UploadStatus => Noun::Upload,
    }
}

/// Returns the answer to a call that failed.
async fn refused(call: &Call, route: &Route, failure: Failure) -> Response<Body> {
    let bearer = call.caller.token.is_some();
    let insufficient = Challenge {
        parts: &call.parts,
        arrival: &call.arrival,
        bearer,
        word: bearer.then_some("insufficient_scope"),
    };
    let (refusal, kind) = match failure {
        Failure::Refused(refusal) => return refusal.into_response(),
        Failure::Scope => {
            return insufficient
                .answer(&call.shared.door, route, Refusal::unauthorized())
                .await;
        }
        Failure::Core(error, noun) => {
            if let Some(forbidden) = forbidden_to_all(call, route, &error).await {
                return forbidden.into_response();
            }
            let refusal = Refusal::of(&error, noun);
            (logged(refusal, &error, &call.arrival), error.kind())
        }
    };
    let write = !matches!(
        route.endpoint().need(),
        Need::Pull | Need::Catalog | Need::Nothing
    );
    let scoped = bearer && write && kind == ErrorKind::Denied;
    if scoped || kind == ErrorKind::Unauthenticated {
        return insufficient.answer(&call.shared.door, route, refusal).await;
    }
    refusal.into_response()
}

/// Returns the refusal of what the caller may do, but the stage of the repository forbids to all: no
/// login helps there. That deletion is disabled has a status of its own.
///
/// Source: OCI distribution specification 1.1, "Content Management".
async fn forbidden_to_all(call: &Call, route: &Route, error: &Error) -> Option<Refusal> {
    if !matches!(error.kind(), ErrorKind::Denied | ErrorKind::Unauthenticated) {
        return None;
    }
    let action = match route.endpoint().need() {
        Need::Delete => Action::Delete,
        Need::Push => Action::Overwrite,
        Need::Catalog | Need::Nothing | Need::Pull => return None,
    };
    let package = auth::resolve(&call.session, route.name()?).await.ok()??;
    let may = call
        .session
        .may(action, Target::Package(&package, None))
        .await;
    if guard!(603) && !may.unwrap_or(false) {
        return None;
    }
    Some(if action == Action::Delete {
        let words = "the settings of the repository forbid everybody to delete";
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, words)
            .header(ALLOW, HeaderValue::from_static("GET, HEAD, PUT"))
    } else {
        let words = "the settings of the repository forbid everybody to move a tag that is there: push another tag";
        Refusal::new(StatusCode::FORBIDDEN, Code::Denied, words)
    })
}

/// What a caller is told who may come again with other credentials.
struct Challenge<'a> {
    parts: &'a Parts,
    arrival: &'a Arrival,
    bearer: bool,
    word: Option<&'static str>,
}

impl Challenge<'_> {
    async fn answer(&self, door: &Door, route: &Route, mut refusal: Refusal) -> Response<Body> {
        let (parts, arrival) = (self.parts, self.arrival);
        let scope = Scope::of(route.endpoint().need(), route.name());
        let origin = origin(&parts.uri, &parts.headers, arrival.secure);
        let challenge = door
            .challenge(origin.as_deref(), self.bearer, scope.as_ref(), self.word)
            .await;
        match challenge {
            Ok(challenge) => {
                refusal.status = StatusCode::UNAUTHORIZED;
                refusal.header(WWW_AUTHENTICATE, challenge).into_response()
            }
            Err(error) => {
                logged(Refusal::of(&error, Noun::Catalog), &error, arrival).into_response()
            }
        }
    }
}

/// Puts a failure of the registry's own into the log, under the id of the request.
fn logged(refusal: Refusal, error: &Error, arrival: &Arrival) -> Refusal {
    if refusal.is_failure() {
        tracing::error!(request = %arrival.id, error = %story(error), "a request failed");
    }
    refusal
}

/// Reads what is left of a short body, so that a client that is still sending sees the answer and not
/// a connection that breaks. One that waits to be asked for the body is not asked.
async fn drain(mut body: RequestBody) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);
    const ENOUGH: usize = 1 << 20;
    if http_body::Body::is_end_stream(&body) {
        return;
    }
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if guard!(570) && read > ENOUGH {
                return;
            }
        }
    };
    let patience = guard!(571, PATIENCE, else std::time::Duration::MAX);
    let _elapsed = tokio::time::timeout(patience, read).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::StreamExt as _;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::body;

    /// I23: of a body that nobody wants a little is read, so that its client hears the answer; not all that it
    /// sends, and not for as long as it likes.
    #[tokio::test(start_paused = true)]
    async fn i23_the_rest_of_a_body_is_not_read_without_end() {
        const PIECE: usize = 64 << 10;
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let pieces = futures::stream::iter(0..1_000).map(move |_| {
            counted.fetch_add(PIECE, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; PIECE])))
        });
        drain(body::boxed(StreamBody::new(pieces))).await;
        let read = read.load(Ordering::SeqCst);
        assert!((PIECE..=2 << 20).contains(&read), "{read}");
        let silent = futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
        let drained = drain(body::boxed(StreamBody::new(silent)));
        let second = std::time::Duration::from_secs(1);
        let ended = tokio::time::timeout(second, drained).await;
        ended.expect("a client that says nothing is not waited for");
    }
}
