//! Where tokens are given out.
//!
//! Source: the Docker registry's documentation, "Token Authentication Specification" and "Oauth2
//! Token Authentication".

use std::time::Duration;

use artifact_core::{Error, guard};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::{
    credentials::Credentials,
    door::{Door, NotAdmitted},
    scope::Scopes,
    token::{TOKEN_LIFE, Token},
};
use crate::{
    arrival::Arrival,
    body::{Body, RequestBody},
    oci::{
        code::{Code, Noun},
        error::Refusal,
        query::Query,
    },
};

/// The path under which tokens are given out.
pub const TOKEN_PATH: &str = "/token";

/// The longest form that is read, in bytes.
const FORM_MAX: usize = 64 << 10;

/// How long a form may take to arrive.
const FORM_TIME: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Answer<'a> {
    token: &'a str,
    access_token: &'a str,
    expires_in: u64,
    issued_at: String,
}

/// Answers a request for a token: a GET with or without Basic, or a form by POST.
pub async fn answer_token(
    door: &Door,
    arrival: &Arrival,
    parts: &Parts,
    body: RequestBody,
) -> Response<Body> {
    let answered = match parts.method {
        Method::GET | Method::HEAD => by_query(door, arrival, parts).await,
        Method::POST => by_form(door, arrival, parts, body).await,
        _ => Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unsupported,
            "tokens are asked for by GET or POST",
        )
        .header(ALLOW, HeaderValue::from_static("GET, HEAD, POST"))),
    };
    let mut response = answered.unwrap_or_else(Refusal::into_response);
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn by_query(
    door: &Door,
    arrival: &Arrival,
    parts: &Parts,
) -> Result<Response<Body>, Refusal> {
    let query = Query::parse(parts.uri.query()).map_err(|error| Refusal::from(&error))?;
    give(
        door,
        arrival,
        &parts.headers,
        &Credentials::of(&parts.headers),
        &query,
    )
    .await
}

async fn by_form(
    door: &Door,
    arrival: &Arrival,
    parts: &Parts,
    body: RequestBody,
) -> Result<Response<Body>, Refusal> {
    let form = read_form(body).await?;
    let form = std::str::from_utf8(&form).map_err(|_| bad_form())?;
    let form = Query::parse(Some(form)).map_err(|error| Refusal::from(&error))?;
    let one = |name| form.one(name).map_err(|error| Refusal::from(&error));
    let named = Credentials::named(
        one("username")?.unwrap_or_default(),
        one("password")?.unwrap_or_default(),
    );
    let credentials = match one("grant_type")? {
        None if named == Credentials::None => Credentials::of(&parts.headers),
        None | Some("password") => named,
        Some(_) => {
            let words = "tokens are given for grant_type=password";
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                Code::Unsupported,
                words,
            ));
        }
    };
    give(door, arrival, &parts.headers, &credentials, &form).await
}

fn bad_form() -> Refusal {
    let words = "the form is not text, too long, or took too long";
    Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, words)
}

async fn read_form(mut body: RequestBody) -> Result<Bytes, Refusal> {
    let read = async {
        let mut form = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| bad_form())?;
            form.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            if guard!(517) && form.len() > FORM_MAX {
                return Err(bad_form());
            }
        }
        Ok(form.freeze())
    };
    tokio::time::timeout(guard!(518, FORM_TIME, else Duration::MAX), read)
        .await
        .map_err(|_| bad_form())?
}

/// Gives a token for what is asked, cut to what may be done. A token is never given for a token
/// (A15).
async fn give(
    door: &Door,
    arrival: &Arrival,
    headers: &HeaderMap,
    credentials: &Credentials,
    query: &Query,
) -> Result<Response<Body>, Refusal> {
    let user = match door.user(credentials).await {
        Ok(None) if guard!(600) && door.is_closed() => return Err(unauthorized()),
        Ok(user) => user,
        Err(NotAdmitted::Crowded) => return Err(crowded()),
        Err(NotAdmitted::Failed(error)) => return Err(failed(&error, arrival)),
        Err(NotAdmitted::Token(_) | NotAdmitted::Unknown) => return Err(unauthorized()),
    };
    let asked = Scopes::parse(query.all("scope"));
    let context = arrival.context(headers);
    let token = door
        .grant(user, &asked, context)
        .await
        .map_err(|error| failed(&error, arrival))?;
    Ok(written(door, &token))
}

fn written(door: &Door, token: &Token) -> Response<Body> {
    let text = door.seal(token);
    let answer = Answer {
        token: &text,
        access_token: &text,
        expires_in: TOKEN_LIFE.as_secs(),
        issued_at: token.issued_at.to_string(),
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = Response::new(Body::from(Bytes::from(body)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn unauthorized() -> Refusal {
    let basic = HeaderValue::from_static("Basic realm=\"artifact\", charset=\"UTF-8\"");
    Refusal::unauthorized().header(WWW_AUTHENTICATE, basic)
}

/// Returns the answer to one who must wait until others' passwords are checked.
pub(crate) fn crowded() -> Refusal {
    let words = "too many passwords are being checked: try again";
    Refusal {
        code: Code::TooManyRequests,
        ..Refusal::later(StatusCode::TOO_MANY_REQUESTS, words, 1)
    }
}

fn failed(error: &Error, arrival: &Arrival) -> Refusal {
    let refusal = Refusal::of(error, Noun::Catalog);
    if refusal.is_failure() {
        let story = artifact_core::story(error);
        tracing::error!(request = %arrival.id, error = %story, "a token could not be given");
    }
    refusal
}
