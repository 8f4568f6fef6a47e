//! Manifests: to publish, to read, to delete.
//!
//! Source: OCI distribution specification 1.1, "Pulling manifests", "Pushing Manifests" and "Content
//! Management".

use std::time::Duration;

use artifact_core::{
    Action, Algorithm, AsOf, Coordinate, Error, FoundManifest, MANIFEST_MAX, Manifest, ManifestRef,
    MediaType, OciName, PutManifest, SpawnExt as _, Tag, guard, story,
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use http_body_util::BodyExt as _;

use super::{
    call::{Call, Failure, about},
    code::{Code, Noun},
    condition::{ConditionError, has_condition, is_known, on_change},
    error::Refusal,
    query,
    reply::{SUBJECT, TAG, created, describe, empty, header, manifest_path},
};
use crate::body::{Body, RequestBody};

/// How long the body of a manifest may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Manifests above this size are parsed beside the requests, not among them.
const LARGE: usize = 128 << 10;

/// Answers with a manifest, to the byte as it was pushed, whatever types the client asks for.
pub(super) async fn read(
    call: &Call,
    name: &OciName,
    reference: &ManifestRef,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Read, Noun::Manifest).await?;
    let (found, bytes) = load(call, &package.at(reference.clone())).await?;
    let digest = found.record.digest;
    let known = is_known(call.headers(), &digest);
    let mut response = if known {
        empty(StatusCode::NOT_MODIFIED)
    } else {
        Response::new(Body::from(bytes))
    };
    let headers = response.headers_mut();
    describe(headers, &digest, found.tag.map(|tag| tag.generation));
    let media_type = &found.record.media_type;
    headers.insert(CONTENT_TYPE, header(media_type.as_str()));
    if !media_type.is_image() && !media_type.is_index() {
        // Whoever pushes chooses the type, and browsers show some that begin with `application/`: what
        // is no document of the protocol is saved and not shown (A53).
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    Ok(response)
}

/// Loads a manifest within the memory for documents: most are small, and a large one is read again
/// when there is room for it.
async fn load(call: &Call, coordinate: &Coordinate) -> Result<(FoundManifest, Bytes), Failure> {
    const SMALL: usize = 64 << 10;
    let mut reserved = call.reserve(SMALL).await?;
    loop {
        let found = call.session.get_manifest(AsOf::Now, coordinate).await;
        let mut found = found.map_err(about(Noun::Manifest))?;
        let size = found.record.bytes.len();
        if reserved.fits(size) {
            let bytes = std::mem::take(&mut found.record.bytes);
            return Ok((found, reserved.cover(bytes)));
        }
        drop((found, reserved));
        reserved = call.reserve(size).await?;
    }
}

/// Publishes a manifest.
pub(super) async fn put(
    call: &Call,
    name: &OciName,
    reference: &ManifestRef,
    body: &mut Option<RequestBody>,
) -> Result<Response<Body>, Failure> {
    let asked = query::tags(&call.query()?)?;
    let options = options(call, reference, &asked)?;
    let media_type = content_type(call)?;
    let package = call
        .package(name, Action::Create, Noun::Publication)
        .await?;
    // Whoever may not publish is told so before a body is waited for, or has memory.
    let allowed = call.session.check(Action::Create, &package).await;
    allowed.map_err(about(Noun::Publication))?;
    let manifest = receive(call, reference, media_type, body.take()).await?;
    let published = call
        .session
        .put_manifest(&package, &manifest, &options)
        .await;
    let published = published.map_err(about(Noun::Publication))?;
    let mut response = created(&manifest_path(name, &published.digest), &published.digest);
    let headers = response.headers_mut();
    if let Some(subject) = &published.subject {
        headers.insert(SUBJECT, header(subject.to_string()));
    }
    for tag in &asked {
        headers.append(TAG, header(tag.as_str()));
    }
    if let [(_, generation)] = published.tags.as_slice() {
        describe(headers, &published.digest, Some(*generation));
    }
    Ok(response)
}

/// Deletes a tag; or a manifest, with all tags that point at it.
pub(super) async fn delete(
    call: &Call,
    name: &OciName,
    reference: &ManifestRef,
) -> Result<Response<Body>, Failure> {
    if matches!(reference, ManifestRef::Digest(_)) && has_condition(call.headers()) {
        return Err(not_of_a_tag());
    }
    let condition = on_change(call.headers()).map_err(unmeant)?;
    let package = call.package(name, Action::Delete, Noun::Manifest).await?;
    let deleted = match reference {
        ManifestRef::Tag(tag) => call.session.delete_tag(&package, tag, &condition).await,
        ManifestRef::Digest(digest) => call.session.delete_manifest(&package, digest).await,
    };
    deleted
        .map(|_| empty(StatusCode::ACCEPTED))
        .map_err(about(Noun::Manifest))
}

fn options(call: &Call, reference: &ManifestRef, asked: &[Tag]) -> Result<PutManifest, Failure> {
    let tags = match reference {
        ManifestRef::Digest(_) => asked.to_vec(),
        ManifestRef::Tag(tag) if asked.is_empty() => vec![tag.clone()],
        ManifestRef::Tag(_) => {
            let words = "the parameter tag goes with a push by digest";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, words).into());
        }
    };
    if tags.is_empty() && has_condition(call.headers()) {
        return Err(not_of_a_tag());
    }
    let condition = on_change(call.headers()).map_err(unmeant)?;
    Ok(PutManifest::tagged(tags).on(condition))
}

fn unmeant(error: ConditionError) -> Failure {
    Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, story(&error)).into()
}

fn not_of_a_tag() -> Failure {
    let words = "conditions are on tags: content with a digest never changes";
    Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, words).into()
}

/// Returns the type that was sent beside the manifest, without its parameters.
fn content_type(call: &Call) -> Result<Option<MediaType>, Failure> {
    let mut lines = call.headers().get_all(CONTENT_TYPE).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let text = line.map(|line| line.split_once(';').map_or(line, |(kind, _)| kind).trim());
    let parsed = text.and_then(|text| text.parse::<MediaType>().ok());
    parsed.map(Some).ok_or_else(|| {
        let words = "the header Content-Type is one media type";
        Refusal::new(StatusCode::BAD_REQUEST, Code::ManifestInvalid, words).into()
    })
}

/// Receives a manifest whole, and parses it.
async fn receive(
    call: &Call,
    reference: &ManifestRef,
    media_type: Option<MediaType>,
    body: Option<RequestBody>,
) -> Result<Manifest, Failure> {
    let announced = call.content_length();
    if guard!(505) && announced.is_some_and(|length| length > MANIFEST_MAX as u64) {
        return Err(too_large());
    }
    let length = announced.and_then(|length| usize::try_from(length).ok());
    let _reserved = call.reserve(length.unwrap_or(MANIFEST_MAX)).await?;
    let patience = guard!(510, PATIENCE, else Duration::MAX);
    let bytes = tokio::time::timeout(patience, collect(body, announced)).await;
    let bytes = bytes.unwrap_or_else(|_| Err(cut_short()))?;
    let algorithm = match reference {
        ManifestRef::Digest(digest) => digest.algorithm(),
        ManifestRef::Tag(_) => Algorithm::Sha256,
    };
    let manifest = parse(call, bytes, media_type, algorithm).await?;
    match reference {
        ManifestRef::Digest(expected) if guard!(224) && manifest.digest() != *expected => {
            let (expected, actual) = (*expected, manifest.digest());
            Err(Failure::Core(
                Error::DigestMismatch { expected, actual },
                Noun::Publication,
            ))
        }
        _ => Ok(manifest),
    }
}

async fn parse(
    call: &Call,
    bytes: Bytes,
    media_type: Option<MediaType>,
    algorithm: Algorithm,
) -> Result<Manifest, Failure> {
    let large = bytes.len() > LARGE;
    let parse = move || Manifest::parse(bytes, media_type.as_ref(), algorithm);
    let parsed = if large {
        let spawn = &call.session.registry().parts().spawn;
        spawn
            .run_blocking(parse)
            .await
            .map_err(|_| Refusal::failed())?
    } else {
        parse()
    };
    parsed.map_err(|error| Failure::Core(error.into(), Noun::Publication))
}

async fn collect(body: Option<RequestBody>, announced: Option<u64>) -> Result<Bytes, Failure> {
    let mut bytes = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| cut_short())?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if guard!(506) && bytes.len() + data.len() > MANIFEST_MAX {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
    if guard!(236) && announced.is_some_and(|length| length != bytes.len() as u64) {
        return Err(cut_short());
    }
    Ok(bytes.freeze())
}

fn cut_short() -> Failure {
    let words = "the manifest did not come whole, or in time";
    Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, words).into()
}

fn too_large() -> Failure {
    let words = format!("a manifest has at most {MANIFEST_MAX} bytes");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::ManifestInvalid, words).into()
}
