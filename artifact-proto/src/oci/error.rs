//! Refusals: what the protocol answers when something cannot be done.

use artifact_core::{Error, ErrorKind, What, story};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::{Value, json};

use super::{
    code::{Code, Noun},
    model::{ErrorBody, ErrorEntry},
    query::QueryError,
    route::RouteError,
};
use crate::body::Body;

/// An answer that says no.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong, for programs.
    pub code: Code,
    /// What is wrong, and what would be right, for people.
    pub message: String,
    /// More of it for programs.
    pub detail: Option<Value>,
    /// Headers beside those of the body.
    pub headers: HeaderMap,
}

impl Refusal {
    /// Returns the refusal with this status, code and text.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            detail: None,
            headers: HeaderMap::new(),
        }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets the detail.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Returns what a failed call is answered with.
    ///
    /// What must not be told apart is answered with fixed words: what is not there, and a failure
    /// of the registry's own, of which the log has the story.
    pub fn of(error: &Error, noun: Noun) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::missing(error, noun),
            ErrorKind::Unauthenticated => Self::unauthorized(),
            ErrorKind::InvalidArgument => {
                Self::new(StatusCode::BAD_REQUEST, noun.invalid(), story(error))
            }
            ErrorKind::DigestMismatch => {
                Self::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, story(error))
            }
            ErrorKind::Denied | ErrorKind::Quota => {
                Self::new(StatusCode::FORBIDDEN, Code::Denied, story(error))
            }
            ErrorKind::Untrusted => Self::new(StatusCode::FORBIDDEN, Code::Denied, story(error)),
            ErrorKind::AlreadyExists => Self::new(StatusCode::CONFLICT, Code::Denied, story(error)),
            ErrorKind::Conflict => {
                Self::new(StatusCode::PRECONDITION_FAILED, Code::Denied, story(error))
            }
            ErrorKind::TooLarge => {
                let code = if noun == Noun::Publication {
                    Code::ManifestInvalid
                } else {
                    Code::SizeInvalid
                };
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, story(error))
            }
            ErrorKind::Range => Self::range(error),
            ErrorKind::Unsupported => Self::unsupported(error),
            ErrorKind::HistoryForgotten | ErrorKind::Purged => {
                let (code, _) = noun.unknown();
                Self::new(StatusCode::NOT_FOUND, code, story(error))
            }
            ErrorKind::NoSpace => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                Code::Unavailable,
                "no space is left for it",
            ),
            ErrorKind::ReadOnly => {
                let words = "the registry is read-only now: reads go on";
                Self::later(StatusCode::SERVICE_UNAVAILABLE, words, 30)
            }
            ErrorKind::Busy | ErrorKind::InUse => Self::later(
                StatusCode::SERVICE_UNAVAILABLE,
                "the registry is busy: try again",
                1,
            ),
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Cancelled => Self::later(
                StatusCode::SERVICE_UNAVAILABLE,
                "it does not work now: try again",
                5,
            ),
            // Of the registry's own: corrupt bytes, a failed backend, a mistake. And what a later
            // version may add.
            _ => Self::failed(),
        }
    }

    /// Returns the refusal for one who did not say who it is, or not rightly: always the same.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            Code::Unauthorized,
            "say who you are",
        )
    }

    /// Returns the refusal for a failure of the registry's own.
    pub fn failed() -> Self {
        let words = "the registry failed: its log has the reason, under the id of this request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, words)
    }

    /// Returns the refusal for what may work after so many seconds.
    pub fn later(status: StatusCode, words: &str, seconds: u16) -> Self {
        Self::new(status, Code::Unavailable, words).header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Says whether it is for a failure of the registry's own.
    pub fn is_failure(&self) -> bool {
        self.status.is_server_error()
    }

    fn missing(error: &Error, noun: Noun) -> Self {
        let named = match (noun, error) {
            (_, Error::BlobUnknown { digest }) => Some(digest.to_string()),
            // A manifest that an index names is missing like a blob that an image names.
            (
                Noun::Publication,
                Error::NotFound {
                    what: What::Manifest | What::Blob,
                    name,
                },
            ) => Some(name.clone()),
            _ => None,
        };
        if let Some(digest) = named {
            let words = format!(
                "the manifest names {digest}, which the package does not have: push it first"
            );
            return Self::new(StatusCode::BAD_REQUEST, Code::ManifestBlobUnknown, words)
                .detail(json!({ "digest": digest }));
        }
        let (code, words) = noun.unknown();
        Self::new(StatusCode::NOT_FOUND, code, words)
    }

    fn range(error: &Error) -> Self {
        let refusal = Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            story(error),
        );
        match error {
            Error::Range { size } | Error::RangeReversed { size, .. } => {
                match HeaderValue::try_from(format!("bytes */{size}")) {
                    Ok(value) => Self {
                        code: Code::Unsupported,
                        ..refusal
                    }
                    .header(CONTENT_RANGE, value),
                    Err(_) => refusal,
                }
            }
            _ => refusal,
        }
    }

    fn unsupported(error: &Error) -> Self {
        let refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unsupported,
            story(error),
        )
        .header(ALLOW, HeaderValue::from_static("GET, HEAD"));
        match error {
            Error::Named { digest, by } => {
                refusal.detail(json!({ "digest": digest.to_string(), "manifest": by.to_string() }))
            }
            _ => refusal,
        }
    }

    /// Returns the answer.
    pub fn into_response(self) -> Response<Body> {
        let entry = ErrorEntry {
            code: self.code.as_str().to_owned(),
            message: self.message,
            detail: self.detail,
        };
        let body = ErrorBody {
            errors: vec![entry],
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(Bytes::from(body)));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<&RouteError> for Refusal {
    fn from(error: &RouteError) -> Self {
        let bad = StatusCode::BAD_REQUEST;
        match error {
            RouteError::Digest(_) => Self::new(bad, Code::DigestInvalid, story(error)),
            RouteError::Encoding | RouteError::Name(_) => {
                Self::new(bad, Code::NameInvalid, story(error))
            }
            RouteError::Tag(_) => Self::new(bad, Code::ManifestInvalid, story(error)),
            RouteError::NotFound => {
                Self::new(StatusCode::NOT_FOUND, Code::NameUnknown, story(error))
            }
            RouteError::Upload => {
                let (code, words) = Noun::Upload.unknown();
                Self::new(StatusCode::NOT_FOUND, code, words)
            }
            RouteError::Method { allow } => {
                let names: Vec<&str> = allow.iter().map(http::Method::as_str).collect();
                let refusal = Self::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    Code::Unsupported,
                    story(error),
                );
                match HeaderValue::try_from(names.join(", ")) {
                    Ok(allow) => refusal.header(ALLOW, allow),
                    Err(_) => refusal,
                }
            }
        }
    }
}

impl From<&QueryError> for Refusal {
    fn from(error: &QueryError) -> Self {
        let (status, code) = match error {
            QueryError::Digest { .. } | QueryError::Missing { name: "digest" } => {
                (StatusCode::BAD_REQUEST, Code::DigestInvalid)
            }
            QueryError::TooMany { .. } => (StatusCode::URI_TOO_LONG, Code::Unsupported),
            QueryError::Tag(_) => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
            QueryError::Encoding
            | QueryError::Missing { .. }
            | QueryError::Number
            | QueryError::Twice { .. } => (StatusCode::BAD_REQUEST, Code::Unsupported),
        };
        Self::new(status, code, story(error))
    }
}

#[cfg(test)]
mod tests {
    use artifact_core::{Digest, IndexError, Manifest, StoreError, Usage};

    use super::*;

    fn digest() -> Digest {
        Digest::Sha256([7; 32])
    }

    #[track_caller]
    fn check(error: &Error, noun: Noun, status: u16, code: &str) {
        let refusal = Refusal::of(error, noun);
        let told = (refusal.status.as_u16(), refusal.code.as_str());
        assert_eq!(told, (status, code), "{error:?} of {noun:?}");
    }

    fn backend() -> artifact_core::BoxError {
        std::io::Error::other("canary").into()
    }

    #[test]
    fn what_is_missing_has_the_code_of_its_noun() {
        for (what, noun, status, code) in [
            (What::Blob, Noun::Blob, 404, "BLOB_UNKNOWN"),
            (What::Tag, Noun::Manifest, 404, "MANIFEST_UNKNOWN"),
            (What::Package, Noun::Package, 404, "NAME_UNKNOWN"),
            (What::Package, Noun::Publication, 404, "NAME_UNKNOWN"),
            (
                What::Manifest,
                Noun::Publication,
                400,
                "MANIFEST_BLOB_UNKNOWN",
            ),
            (What::Upload, Noun::Upload, 404, "BLOB_UPLOAD_UNKNOWN"),
        ] {
            check(&Error::not_found(what, 1), noun, status, code);
        }
        let digest = digest();
        check(
            &Error::BlobUnknown { digest },
            Noun::Publication,
            400,
            "MANIFEST_BLOB_UNKNOWN",
        );
        check(&Error::Purged { digest }, Noun::Blob, 404, "BLOB_UNKNOWN");
    }

    #[test]
    fn a_clients_mistake_is_its_own() {
        let (expected, what) = (digest(), || "x".to_owned());
        let actual = expected;
        check(&Error::Unauthenticated, Noun::Blob, 401, "UNAUTHORIZED");
        check(
            &Error::invalid("x"),
            Noun::Publication,
            400,
            "MANIFEST_INVALID",
        );
        check(
            &Error::DigestMismatch { expected, actual },
            Noun::Upload,
            400,
            "DIGEST_INVALID",
        );
        let size = Error::Size {
            digest: expected,
            said: 1,
            actual: 2,
        };
        check(&size, Noun::Publication, 400, "MANIFEST_INVALID");
        check(
            &Error::Denied { reason: what() },
            Noun::Upload,
            403,
            "DENIED",
        );
        let (scope, usage) = (artifact_core::Scope::all(), Usage::new(5, 3));
        check(
            &Error::Quota {
                scope,
                usage,
                limit: 7,
            },
            Noun::Upload,
            403,
            "DENIED",
        );
        check(
            &Error::Precondition { what: what() },
            Noun::Publication,
            412,
            "DENIED",
        );
        let large = Error::TooLarge {
            what: "x",
            size: 2,
            limit: 1,
        };
        check(&large, Noun::Publication, 413, "MANIFEST_INVALID");
        check(&large, Noun::Upload, 413, "SIZE_INVALID");
        check(&Error::Range { size: 3 }, Noun::Blob, 416, "UNSUPPORTED");
        let named = Error::Named {
            digest: expected,
            by: actual,
        };
        check(&named, Noun::Blob, 405, "UNSUPPORTED");
        check(
            &Error::Unsupported { what: what() },
            Noun::Manifest,
            405,
            "UNSUPPORTED",
        );
    }

    #[test]
    fn the_registrys_own_failures_are_5xx() {
        let (at, operation) = ("x", "y");
        check(
            &Error::ReadOnly { reason: "x".into() },
            Noun::Upload,
            503,
            "UNAVAILABLE",
        );
        check(
            &Error::Index(IndexError::Busy),
            Noun::Upload,
            503,
            "UNAVAILABLE",
        );
        let full = IndexError::NoSpace {
            backend: at,
            operation,
            source: backend(),
        };
        check(&Error::Index(full), Noun::Upload, 507, "UNAVAILABLE");
        let away = StoreError::Unavailable {
            backend: at,
            operation,
            source: backend(),
        };
        check(&Error::Store(away), Noun::Blob, 503, "UNAVAILABLE");
        let broken = StoreError::Backend {
            backend: at,
            operation,
            source: backend(),
        };
        check(&Error::Store(broken), Noun::Blob, 500, "UNKNOWN");
        check(
            &Error::Corrupt { digest: digest() },
            Noun::Blob,
            500,
            "UNKNOWN",
        );
    }

    /// A55, I27: what went wrong inside is for the log.
    #[test]
    fn a55_the_inside_is_not_told() {
        let source = std::io::Error::other("canary").into();
        let error = Error::Store(StoreError::Backend {
            backend: "canary",
            operation: "canary",
            source,
        });
        let response = format!("{:?}", Refusal::of(&error, Noun::Blob));
        assert!(!response.contains("canary"), "{response}");
        let read_only = Error::ReadOnly {
            reason: "canary".into(),
        };
        assert!(
            !Refusal::of(&read_only, Noun::Upload)
                .message
                .contains("canary")
        );
    }

    /// I11: what is not there, and what is not to be seen, have the same words.
    #[test]
    fn i11_the_missing_are_told_alike() {
        let one = Refusal::of(&Error::not_found(What::Blob, "a"), Noun::Blob);
        let other = Refusal::of(&Error::not_found(What::Package, "b"), Noun::Blob);
        assert_eq!(one.message, other.message);
        assert_eq!(one.code, other.code);
    }

    #[test]
    fn a_clients_mistake_is_told_with_its_cause() {
        let text = Bytes::from_static(b"{\"schemaVersion\":2,}");
        let error = Manifest::parse(text, None, artifact_core::Algorithm::Sha256).unwrap_err();
        let refusal = Refusal::of(&Error::from(error), Noun::Publication);
        assert_eq!(refusal.status, 400);
        assert!(refusal.message.contains("line 1"), "{}", refusal.message);
    }

    #[test]
    fn ranges_and_methods_say_what_would_do() {
        let refusal = Refusal::of(&Error::Range { size: 3 }, Noun::Blob);
        assert_eq!(refusal.headers[CONTENT_RANGE], "bytes */3");
        let (first, last, size) = (2, 1, 3);
        let refusal = Refusal::of(&Error::RangeReversed { first, last, size }, Noun::Blob);
        assert_eq!(refusal.headers[CONTENT_RANGE], "bytes */3");
        let error = super::super::route::parse(&http::Method::POST, "/v2/").unwrap_err();
        assert_eq!(Refusal::from(&error).headers[ALLOW], "GET, HEAD");
        let later = Refusal::of(&Error::Index(IndexError::Busy), Noun::Upload);
        assert!(later.headers.contains_key(RETRY_AFTER));
    }

    #[test]
    fn codes_have_the_letters_that_the_specification_allows() {
        for code in [
            Code::BlobUnknown,
            Code::TooManyRequests,
            Code::ManifestBlobUnknown,
        ] {
            assert!(
                code.as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            );
        }
    }
}
