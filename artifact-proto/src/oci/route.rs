//! Routes: what a request's method and path ask for. Pure, and total: any text has an answer.

use artifact_core::{
    Digest, DigestError, ManifestRef, ManifestRefError, NameError, OciName, UploadId,
};
use http::Method;

use super::endpoint::{Endpoint, ROUTES, Shape};

/// What a request asks for, in names that are well formed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Route {
    /// [`Endpoint::Base`]
    Base,
    /// [`Endpoint::BeginUpload`]
    BeginUpload(OciName),
    /// [`Endpoint::CancelUpload`]
    CancelUpload(OciName, UploadId),
    /// [`Endpoint::Catalog`]
    Catalog,
    /// [`Endpoint::ContinueUpload`]
    ContinueUpload(OciName, UploadId),
    /// [`Endpoint::DeleteBlob`]
    DeleteBlob(OciName, Digest),
    /// [`Endpoint::DeleteManifest`]
    DeleteManifest(OciName, ManifestRef),
    /// [`Endpoint::FinishUpload`]
    FinishUpload(OciName, UploadId),
    /// [`Endpoint::PutManifest`]
    PutManifest(OciName, ManifestRef),
    /// [`Endpoint::ReadBlob`]
    ReadBlob(OciName, Digest),
    /// [`Endpoint::ReadManifest`]
    ReadManifest(OciName, ManifestRef),
    /// [`Endpoint::Referrers`]
    Referrers(OciName, Digest),
    /// [`Endpoint::StatBlob`]
    StatBlob(OciName, Digest),
    /// [`Endpoint::Tags`]
    Tags(OciName),
    /// [`Endpoint::UploadStatus`]
    UploadStatus(OciName, UploadId),
}

impl Route {
    /// Returns the endpoint.
    pub const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Base => Endpoint::Base,
            Self::BeginUpload(_) => Endpoint::BeginUpload,
            Self::CancelUpload(..) => Endpoint::CancelUpload,
            Self::Catalog => Endpoint::Catalog,
            Self::ContinueUpload(..) => Endpoint::ContinueUpload,
            Self::DeleteBlob(..) => Endpoint::DeleteBlob,
            Self::DeleteManifest(..) => Endpoint::DeleteManifest,
            Self::FinishUpload(..) => Endpoint::FinishUpload,
            Self::PutManifest(..) => Endpoint::PutManifest,
            Self::ReadBlob(..) => Endpoint::ReadBlob,
            Self::ReadManifest(..) => Endpoint::ReadManifest,
            Self::Referrers(..) => Endpoint::Referrers,
            Self::StatBlob(..) => Endpoint::StatBlob,
            Self::Tags(_) => Endpoint::Tags,
            Self::UploadStatus(..) => Endpoint::UploadStatus,
        }
    }

    /// Returns the name that it asks about, if it asks about one.
    pub const fn name(&self) -> Option<&OciName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::BeginUpload(name)
            | Self::CancelUpload(name, _)
            | Self::ContinueUpload(name, _)
            | Self::DeleteBlob(name, _)
            | Self::DeleteManifest(name, _)
            | Self::FinishUpload(name, _)
            | Self::PutManifest(name, _)
            | Self::ReadBlob(name, _)
            | Self::ReadManifest(name, _)
            | Self::Referrers(name, _)
            | Self::StatBlob(name, _)
            | Self::Tags(name)
            | Self::UploadStatus(name, _) => Some(name),
        }
    }
}

/// Why a request asks for nothing that there is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A digest is malformed.
    #[error("the path's digest cannot be meant")]
    Digest(#[source] DigestError),
    /// The path is not percent-encoded UTF-8 without control characters.
    #[error("the path is not percent-encoded UTF-8 text")]
    Encoding,
    /// The path takes other methods.
    #[error("this path takes other methods")]
    Method {
        /// Those that it takes.
        allow: Vec<Method>,
    },
    /// The name is malformed.
    #[error("the path's name cannot be meant")]
    Name(#[source] NameError),
    /// There is no such path.
    #[error("there is nothing at this path")]
    NotFound,
    /// A tag is malformed.
    #[error("the path's tag cannot be meant")]
    Tag(#[source] NameError),
    /// No upload has such an id.
    #[error("there is no such upload")]
    Upload,
}

/// The parts of a path that has a known form.
#[derive(Debug)]
struct Parts<'a> {
    shape: Shape,
    name: &'a str,
    rest: &'a str,
}

/// Returns what a method and a path, percent-encoded as it came, ask for.
///
/// The path is decoded once, before anything else looks at it, so that each spelling of it has one
/// meaning (A8, A47).
///
/// # Errors
/// [`RouteError`], for everything that is not in [`ROUTES`].
pub fn parse(method: &Method, path: &str) -> Result<Route, RouteError> {
    let path = decode(path)?;
    let parts = split(&path).ok_or(RouteError::NotFound)?;
    let of_shape = || ROUTES.iter().filter(|route| route.shape == parts.shape);
    let Some(route) = of_shape().find(|route| route.method == *method) else {
        let allow = of_shape().map(|route| route.method.clone()).collect();
        return Err(RouteError::Method { allow });
    };
    typed(route.endpoint, &parts)
}

fn typed(endpoint: Endpoint, parts: &Parts<'_>) -> Result<Route, RouteError> {
    let name = || parts.name.parse().map_err(RouteError::Name);
    let digest = || parts.rest.parse().map_err(RouteError::Digest);
    let upload = || parts.rest.parse().map_err(|_| RouteError::Upload);
    Ok(match endpoint {
        Endpoint::Base => Route::Base,
        Endpoint::BeginUpload => Route::BeginUpload(name()?),
        Endpoint::CancelUpload => Route::CancelUpload(name()?, upload()?),
        Endpoint::Catalog => Route::Catalog,
        Endpoint::ContinueUpload => Route::ContinueUpload(name()?, upload()?),
        Endpoint::DeleteBlob => Route::DeleteBlob(name()?, digest()?),
        Endpoint::DeleteManifest => Route::DeleteManifest(name()?, reference(parts.rest)?),
        Endpoint::FinishUpload => Route::FinishUpload(name()?, upload()?),
        Endpoint::PutManifest => Route::PutManifest(name()?, reference(parts.rest)?),
        Endpoint::ReadBlob => Route::ReadBlob(name()?, digest()?),
        Endpoint::ReadManifest => Route::ReadManifest(name()?, reference(parts.rest)?),
        Endpoint::Referrers => Route::Referrers(name()?, digest()?),
        Endpoint::StatBlob => Route::StatBlob(name()?, digest()?),
        Endpoint::Tags => Route::Tags(name()?),
        Endpoint::UploadStatus => Route::UploadStatus(name()?, upload()?),
    })
}

fn reference(text: &str) -> Result<ManifestRef, RouteError> {
    text.parse().map_err(|error| match error {
        ManifestRefError::Digest { source, .. } => RouteError::Digest(source),
        ManifestRefError::Tag { source, .. } => RouteError::Tag(source),
    })
}

/// Splits a decoded path from its end, for names hold slashes, and may hold the protocol's own
/// words as components.
fn split(path: &str) -> Option<Parts<'_>> {
    if path == "/v2" {
        return Some(parts(Shape::Base, "", ""));
    }
    let path = path.strip_prefix("/v2/")?;
    match path {
        "" => return Some(parts(Shape::Base, "", "")),
        "_catalog" => return Some(parts(Shape::Catalog, "", "")),
        _ => {}
    }
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some(parts(Shape::Tags, name, ""));
    }
    if let Some(name) = path.strip_suffix("/blobs/uploads") {
        return Some(parts(Shape::Uploads, name, ""));
    }
    let (before, last) = path.rsplit_once('/')?;
    if let Some(name) = before.strip_suffix("/blobs/uploads") {
        let shape = if last.is_empty() {
            Shape::Uploads
        } else {
            Shape::Upload
        };
        return Some(parts(shape, name, last));
    }
    let (name, noun) = before.rsplit_once('/')?;
    let shape = match noun {
        "blobs" => Shape::Blob,
        "manifests" => Shape::Manifest,
        "referrers" => Shape::Referrers,
        _ => return None,
    };
    Some(parts(shape, name, last))
}

const fn parts<'a>(shape: Shape, name: &'a str, rest: &'a str) -> Parts<'a> {
    Parts { shape, name, rest }
}

/// Decodes a percent-encoded text, once and strictly: no half escape, no control character.
pub(crate) fn decode(text: &str) -> Result<String, RouteError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let high = rest.next().and_then(hex_digit);
            let low = rest.next().and_then(hex_digit);
            high.zip(low)
                .map(|(high, low)| high << 4 | low)
                .ok_or(RouteError::Encoding)?
        } else {
            byte
        };
        bytes.push(byte);
    }
    let text = String::from_utf8(bytes).map_err(|_| RouteError::Encoding)?;
    if text.chars().any(char::is_control) {
        return Err(RouteError::Encoding);
    }
    Ok(text)
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ID: &str = "00112233445566778899aabbccddeeff";

    fn get(path: &str) -> Result<Route, RouteError> {
        parse(&Method::GET, path)
    }

    fn name(text: &str) -> OciName {
        text.parse().unwrap()
    }

    #[test]
    fn every_endpoint_has_a_route_and_every_route_parses_to_its_endpoint() {
        for endpoint in Endpoint::ALL {
            assert!(
                ROUTES.iter().any(|row| row.endpoint == *endpoint),
                "{endpoint:?}"
            );
        }
        for row in ROUTES {
            let path = row
                .shape
                .pattern()
                .replace("<name>", "a/b")
                .replace("<digest>", DIGEST)
                .replace("<reference>", "v1")
                .replace("<id>", ID);
            let route = parse(&row.method, &path).unwrap();
            assert_eq!(route.endpoint(), row.endpoint, "{} {path}", row.method);
        }
    }

    /// A9: what is not declared is not answered.
    #[test]
    fn a9_an_undeclared_method_is_refused_with_those_declared() {
        let methods = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
        ];
        for shape in ROUTES.iter().map(|row| row.shape) {
            let path = shape
                .pattern()
                .replace("<name>", "a")
                .replace("<digest>", DIGEST)
                .replace("<reference>", DIGEST)
                .replace("<id>", ID);
            for method in &methods {
                let declared = ROUTES
                    .iter()
                    .any(|row| row.shape == shape && row.method == *method);
                match parse(method, &path) {
                    Ok(_) => assert!(declared, "{method} {path}"),
                    Err(RouteError::Method { allow }) => {
                        assert!(!declared && !allow.contains(method) && !allow.is_empty());
                    }
                    Err(error) => panic!("{method} {path}: {error}"),
                }
            }
        }
    }

    #[test]
    fn names_may_hold_the_words_of_the_protocol() {
        assert_eq!(get("/v2/a/tags/list").unwrap(), Route::Tags(name("a")));
        assert_eq!(
            get("/v2/a/tags/list/tags/list").unwrap(),
            Route::Tags(name("a/tags/list"))
        );
        let tag = |text: &str| ManifestRef::Tag(text.parse().unwrap());
        assert_eq!(
            get("/v2/x/blobs/uploads/manifests/list").unwrap(),
            Route::ReadManifest(name("x/blobs/uploads"), tag("list"))
        );
        assert_eq!(
            get(&format!("/v2/blobs/blobs/{DIGEST}")).unwrap(),
            Route::ReadBlob(name("blobs"), DIGEST.parse().unwrap())
        );
        assert_eq!(
            get(&format!("/v2/x/blobs/uploads/blobs/{DIGEST}")).unwrap(),
            Route::ReadBlob(name("x/blobs/uploads"), DIGEST.parse().unwrap())
        );
        assert_eq!(
            get("/v2/manifests/manifests/manifests").unwrap(),
            Route::ReadManifest(name("manifests"), tag("manifests"))
        );
    }

    #[test]
    fn the_base_and_uploads_may_lack_their_last_slash() {
        assert_eq!(get("/v2").unwrap(), Route::Base);
        assert_eq!(get("/v2/").unwrap(), Route::Base);
        for path in ["/v2/a/blobs/uploads", "/v2/a/blobs/uploads/"] {
            assert_eq!(
                parse(&Method::POST, path).unwrap(),
                Route::BeginUpload(name("a"))
            );
        }
    }

    /// A8: each spelling of a path has one meaning.
    #[test]
    fn a8_the_path_is_decoded_before_it_is_read() {
        let plain = get("/v2/priv/app/tags/list").unwrap();
        for path in [
            "/v2/%70riv/app/tags/list",
            "/v2/priv%2Fapp/tags/list",
            "/v2/priv/app/t%61gs/list",
        ] {
            assert_eq!(get(path).unwrap(), plain, "{path}");
        }
        let encoded = DIGEST.replace(':', "%3A");
        assert_eq!(
            get(&format!("/v2/a/blobs/{encoded}")),
            get(&format!("/v2/a/blobs/{DIGEST}"))
        );
    }

    /// A47, A51: no traversal, no second decoding, no control character.
    #[test]
    fn a47_paths_that_try_to_leave_are_refused() {
        for path in [
            "/%2F%2F..%2F..%2Fetc/passwd",
            "/v2/%2F%2F..%2F..%2Fetc/passwd",
            "/v2/../etc/tags/list",
            "/v2/a/..;/b/tags/list",
            "/v2/a/%252e%252e/tags/list",
            "/v2/a%5cb/tags/list",
            "/v2//a/tags/list",
            "/v2/a//tags/list",
            "/v2/a/%c0%ae/tags/list",
            "/v2/a/%/tags/list",
            "/v2/a/%2/tags/list",
            "/v2/a/%zz/tags/list",
            "/v2/a%0d%0aX:y/tags/list",
            "/v2/a%00/tags/list",
            "/v2/a/manifests/..",
            "/v2/a/manifests/%2e%2e%2f",
            "/v2/a/blobs/sha256:..%2f..%2fx",
            "/v2/A/tags/list",
            "",
            "*",
            "/v1/",
            "/v2x/",
            "/v2/_catalog/",
            "/v2/a",
            "/v2/tags/list",
        ] {
            assert!(get(path).is_err(), "{path}");
        }
    }

    /// A29: an upload id that is none is not there, and no path is formed of it.
    #[test]
    fn a29_an_id_that_is_none_is_not_there() {
        for id in [
            "..%2f..%2fx",
            "%00",
            "x",
            &ID[1..],
            &ID.to_uppercase(),
            "%2e%2e",
        ] {
            let error = get(&format!("/v2/a/blobs/uploads/{id}")).unwrap_err();
            assert!(
                matches!(
                    error,
                    RouteError::Upload | RouteError::Encoding | RouteError::NotFound
                ),
                "{id}: {error:?}"
            );
        }
    }

    /// A32: a digest is right to the letter, or it is none.
    #[test]
    fn a32_digests_that_are_none_are_refused() {
        for digest in [
            DIGEST.to_uppercase(),
            DIGEST.replace("sha256", "SHA256"),
            DIGEST.replace("sha256", "md5"),
            DIGEST[..70].to_owned(),
            "sha256:baddigeststring".to_owned(),
        ] {
            for noun in ["blobs", "manifests", "referrers"] {
                let error = get(&format!("/v2/a/{noun}/{digest}")).unwrap_err();
                assert!(
                    matches!(error, RouteError::Digest(_)),
                    "{digest}: {error:?}"
                );
            }
        }
    }

    /// Any text has an answer; none makes it panic.
    #[test]
    fn no_text_is_too_strange() {
        let pieces = [
            "/",
            "v2",
            "%",
            "%2f",
            "a",
            "blobs",
            "uploads",
            "manifests",
            ":",
            "é",
            "tags",
            "list",
        ];
        let mut state = 1_u32;
        for _ in 0..20_000 {
            let mut path = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                path.push_str(pieces[(state >> 16) as usize % pieces.len()]);
            }
            for row in ROUTES {
                let _outcome = parse(&row.method, &path);
            }
        }
    }
}
