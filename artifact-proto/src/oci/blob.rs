//! Blobs: to look at, to read, to take out of a package.

use artifact_core::{Action, AsOf, BlobBody, BlobRange, BoxError, Digest, Error, OciName, guard};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::{
    HeaderValue, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, RANGE},
};

use super::{
    call::{Call, Failure, about},
    code::Noun,
    condition::{is_known, range_applies},
    error::Refusal,
    range::ReadRange,
    reply::{describe, empty, header},
};
use crate::{body::Body, pool::Transfer};

/// How many bytes are borrowed for one piece of an answer.
const FRAME: u64 = 256 << 10;

/// Blobs up to this size may lie in a slot that is freed a quarter of an hour after its blob is
/// gone: what is sent of them is read before that.
const SLOT_MAX: u64 = 16 << 20;

/// How long such a blob is read for one answer, in milliseconds.
const SLOT_TIME: u64 = 10 * 60 * 1000;

/// Answers with the size of a blob.
///
/// One whose bytes have rotted is not there for who asks before a push: so it is pushed again, and
/// mended (I22). Who reads it is told that the registry failed.
pub(super) async fn stat(
    call: &Call,
    name: &OciName,
    digest: &Digest,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Read, Noun::Blob).await?;
    let blob = call.session.stat_blob(AsOf::Now, &package, digest).await;
    let blob = match blob {
        Err(error @ Error::Corrupt { .. }) => return Err(rotten(call, &error)),
        blob => blob.map_err(about(Noun::Blob))?,
    };
    if is_known(call.headers(), digest) {
        return Ok(unchanged(digest));
    }
    // A body that is never read: a HEAD has its length and no more.
    let body = Body::stream(blob.size, stream::empty());
    Ok(described(StatusCode::OK, digest, body))
}

/// Answers with a blob, or a range of it.
pub(super) async fn read(
    call: &Call,
    name: &OciName,
    digest: &Digest,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Read, Noun::Blob).await?;
    if is_known(call.headers(), digest) {
        let blob = call.session.stat_blob(AsOf::Now, &package, digest).await;
        return blob.map(|_| unchanged(digest)).map_err(about(Noun::Blob));
    }
    let range = asked(call, digest);
    let blob = call
        .session
        .read_blob(AsOf::Now, &package, digest, range)
        .await;
    let blob = blob.map_err(about(Noun::Blob))?;
    let part = range != BlobRange::All;
    let (offset, length, size) = (blob.offset(), blob.length(), blob.size());
    let transfer = call.shared.pool.begin();
    let body = Body::stream(length, lent(call, blob, transfer));
    if !part {
        return Ok(described(StatusCode::OK, digest, body));
    }
    let mut response = described(StatusCode::PARTIAL_CONTENT, digest, body);
    let last = offset + length.saturating_sub(1);
    let range = header(format!("bytes {offset}-{last}/{size}"));
    response.headers_mut().insert(CONTENT_RANGE, range);
    Ok(response)
}

/// Takes a blob out of a package.
pub(super) async fn delete(
    call: &Call,
    name: &OciName,
    digest: &Digest,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Delete, Noun::Blob).await?;
    let deleted = call.session.delete_blob(&package, digest).await;
    deleted
        .map(|()| empty(StatusCode::ACCEPTED))
        .map_err(about(Noun::Blob))
}

fn rotten(call: &Call, error: &Error) -> Failure {
    tracing::error!(request = %call.arrival.id, %error, "a blob is answered as missing");
    let (code, words) = Noun::Blob.unknown();
    Refusal::new(StatusCode::NOT_FOUND, code, words).into()
}

fn asked(call: &Call, digest: &Digest) -> BlobRange {
    let mut lines = call.headers().get_all(RANGE).iter();
    let text = match (
        lines.next().and_then(|line| line.to_str().ok()),
        lines.next(),
    ) {
        (Some(text), None) if range_applies(call.headers(), digest) => text,
        _ => return BlobRange::All,
    };
    match ReadRange::parse(text) {
        ReadRange::All => BlobRange::All,
        ReadRange::Bounded(first, last) => BlobRange::Bounded(first, last),
        ReadRange::From(first) => BlobRange::From(first),
        ReadRange::Last(count) => BlobRange::Last(count),
    }
}

fn described(status: StatusCode, digest: &Digest, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    describe(headers, digest, None);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    response
}

fn unchanged(digest: &Digest) -> Response<Body> {
    let mut response = empty(StatusCode::NOT_MODIFIED);
    describe(response.headers_mut(), digest, None);
    response
}

/// Returns the bytes of a blob, each piece in memory that is borrowed before it is read.
fn lent(
    call: &Call,
    blob: BlobBody,
    transfer: Transfer,
) -> impl Stream<Item = Result<Bytes, BoxError>> + use<> {
    let clock = std::sync::Arc::clone(&call.session.registry().parts().clock);
    let until = guard!(530, blob.size() <= SLOT_MAX, else false)
        .then(|| clock.boot().millis.saturating_add(SLOT_TIME));
    let left = blob.length();
    stream::try_unfold((blob, transfer, left), move |(mut blob, transfer, left)| {
        let late = until.is_some_and(|until| clock.boot().millis > until);
        async move {
            if late {
                return Err(BoxError::from(
                    "the client took too long to read a small blob",
                ));
            }
            let want = usize::try_from(left.min(FRAME)).unwrap_or(usize::MAX);
            let loan = transfer.borrow(want).await;
            let Some(chunk) = blob.next().await else {
                return Ok(None);
            };
            let chunk = chunk?;
            let left = left.saturating_sub(chunk.len() as u64);
            Ok(Some((loan.cover(chunk), (blob, transfer, left))))
        }
    })
}
