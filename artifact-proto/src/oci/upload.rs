//! Uploads: to begin, to go on with, to end, to give up, to ask about; and to mount.
//!
//! Source: OCI distribution specification 1.1, "Pushing blobs".

use artifact_core::{
    Action, BlobInfo, Digest, Error, ErrorKind, OciName, PackageRef, Upload, UploadId,
    UploadOptions, UploadStatus, guard,
};
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_RANGE, LOCATION, RANGE},
};

use super::{
    call::{Call, Failure, about},
    code::{Code, Noun},
    error::Refusal,
    query::{BeginUpload, Mount, finish_digest},
    range::{ChunkRange, upload_range},
    receive::{Received, receive},
    reply::{UPLOAD_ID, blob_path, created, empty, header},
};
use crate::{
    auth::scope::{Actions, Scope},
    body::{Body, RequestBody},
    pool::Transfer,
};

/// Begins an upload; or mounts a blob; or takes one whole.
pub(super) async fn begin(
    call: &Call,
    name: &OciName,
    body: &mut Option<RequestBody>,
) -> Result<Response<Body>, Failure> {
    let asked = BeginUpload::read(&call.query()?)?;
    let package = call.package(name, Action::Create, Noun::Package).await?;
    if let Some(mount) = &asked.mount
        && let Some(blob) = mounted(call, &package, mount).await?
    {
        return Ok(created(&blob_path(name, &blob.digest), &blob.digest));
    }
    let options = UploadOptions::default().hashed(asked.algorithm);
    if let Some(digest) = asked.digest {
        let options = options.sized(call.content_length());
        let upload = call.session.begin_upload(&package, options).await;
        let upload = upload.map_err(about(Noun::Package))?;
        return whole(call, name, upload, digest, body.take()).await;
    }
    let upload = call.session.begin_upload(&package, options).await;
    let upload = upload.map_err(about(Noun::Package))?;
    let status = upload.suspend().await.map_err(about(Noun::Package))?;
    Ok(progress(StatusCode::ACCEPTED, name, status))
}

/// Mounts a blob, if it is to be had. With a token, it is had from packages alone that the token
/// lets its bearer read, or that everybody may read (A15).
async fn mounted(
    call: &Call,
    package: &PackageRef,
    mount: &Mount,
) -> Result<Option<BlobInfo>, Failure> {
    let sources: Vec<OciName> = match (&mount.from, &call.caller.token) {
        (Some(from), None) => vec![from.clone()],
        (Some(from), Some(scopes))
            if scopes.allow(from, Actions::PULL) || !call.shared.door.is_closed() =>
        {
            vec![from.clone()]
        }
        (Some(_), Some(_)) => Vec::new(),
        (None, None) => return mount_from(call, package, mount, None).await,
        (None, Some(scopes)) => scopes.iter().filter_map(readable).cloned().collect(),
    };
    for from in &sources {
        let from = match crate::auth::resolve(&call.session, from).await {
            Ok(Some(from)) => from,
            Ok(None) => continue,
            Err(error) => return Err(Failure::Core(error, Noun::Package)),
        };
        if let Some(blob) = mount_from(call, package, mount, Some(&from)).await? {
            return Ok(Some(blob));
        }
    }
    Ok(None)
}

async fn mount_from(
    call: &Call,
    package: &PackageRef,
    mount: &Mount,
    from: Option<&PackageRef>,
) -> Result<Option<BlobInfo>, Failure> {
    let mounted = call.session.mount(package, &mount.digest, from).await;
    mounted.map_err(about(Noun::Package))
}

fn readable(scope: &Scope) -> Option<&OciName> {
    match scope {
        Scope::Package(name, actions) if actions.has(Actions::PULL) => Some(name),
        _ => None,
    }
}

/// Takes the whole of a blob in one request. Nobody knows the upload's name, so nothing is kept of
/// one that does not end.
async fn whole(
    call: &Call,
    name: &OciName,
    upload: Upload,
    digest: Digest,
    body: Option<RequestBody>,
) -> Result<Response<Body>, Failure> {
    let filling = Filling::new(call, upload, body, call.content_length(), false);
    let blob = run(
        call,
        async move { end(filling.fill().await?, &digest).await },
    )
    .await?;
    Ok(created(&blob_path(name, &blob.digest), &blob.digest))
}

/// Adds a chunk, or all there is, to an upload.
pub(super) async fn go_on(
    call: &Call,
    name: &OciName,
    id: &UploadId,
    body: &mut Option<RequestBody>,
) -> Result<Response<Body>, Failure> {
    let (upload, length) = resumed(call, name, id).await?;
    let filling = Filling::new(call, upload, body.take(), length, true);
    let work = async move {
        filling
            .fill()
            .await?
            .suspend()
            .await
            .map_err(about(Noun::Upload))
    };
    let status = run(call, work).await?;
    Ok(progress(StatusCode::ACCEPTED, name, status))
}

/// Ends an upload, with its last chunk where there is one.
pub(super) async fn finish(
    call: &Call,
    name: &OciName,
    id: &UploadId,
    body: &mut Option<RequestBody>,
) -> Result<Response<Body>, Failure> {
    let digest = finish_digest(&call.query()?)?;
    let (upload, length) = resumed(call, name, id).await?;
    let filling = Filling::new(call, upload, body.take(), length, true);
    let blob = run(
        call,
        async move { end(filling.fill().await?, &digest).await },
    )
    .await?;
    Ok(created(&blob_path(name, &blob.digest), &blob.digest))
}

async fn end(upload: Upload, digest: &Digest) -> Result<BlobInfo, Failure> {
    upload
        .finish(Some(digest))
        .await
        .map_err(about(Noun::Upload))
}

/// An upload, and the body that is to come into it.
struct Filling {
    upload: Upload,
    body: Option<RequestBody>,
    length: Option<u64>,
    transfer: Transfer,
    resumable: bool,
}

impl Filling {
    fn new(
        call: &Call,
        upload: Upload,
        body: Option<RequestBody>,
        length: Option<u64>,
        resumable: bool,
    ) -> Self {
        Self {
            upload,
            body,
            length,
            transfer: call.shared.pool.begin(),
            resumable,
        }
    }

    /// Receives the body, and returns the upload when all of it came.
    async fn fill(self) -> Result<Upload, Failure> {
        let mut upload = self.upload;
        let received = match self.body {
            Some(body) => receive(&mut upload, body, self.length, &self.transfer).await,
            None => Ok(Received::All),
        };
        match received {
            Ok(Received::All) => return Ok(upload),
            // What came is kept, and the true range is there to be asked for.
            Ok(Received::Part) if self.resumable => {
                upload.suspend().await.map_err(about(Noun::Upload))?;
            }
            Ok(Received::Part | Received::TooMuch) => {
                upload.abort().await.map_err(about(Noun::Upload))?;
            }
            Err(error) => return Err(refused(upload, error, self.resumable).await),
        }
        Err(wrong_length().into())
    }
}

/// Tells where an upload stands.
pub(super) async fn status(
    call: &Call,
    name: &OciName,
    id: &UploadId,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Create, Noun::Upload).await?;
    let status = call.session.upload_status(&package, id).await;
    let status = status.map_err(about(Noun::Upload))?;
    Ok(progress(StatusCode::NO_CONTENT, name, status))
}

/// Gives an upload up.
pub(super) async fn cancel(
    call: &Call,
    name: &OciName,
    id: &UploadId,
) -> Result<Response<Body>, Failure> {
    let package = call.package(name, Action::Create, Noun::Upload).await?;
    let cancelled = call.session.cancel_upload(&package, id).await;
    cancelled
        .map(|()| empty(StatusCode::NO_CONTENT))
        .map_err(about(Noun::Upload))
}

/// Resumes an upload where the request says that its chunk belongs, and returns how long that is.
async fn resumed(
    call: &Call,
    name: &OciName,
    id: &UploadId,
) -> Result<(Upload, Option<u64>), Failure> {
    let package = call.package(name, Action::Create, Noun::Upload).await?;
    let announced = call.content_length();
    let chunk = match call.headers().get(CONTENT_RANGE) {
        None => None,
        Some(range) => match range.to_str().ok().and_then(ChunkRange::parse) {
            Some(chunk) => Some(chunk),
            None => return Err(misplaced(call, name, &package, id).await),
        },
    };
    if let (Some(chunk), Some(announced)) = (chunk, announced)
        && guard!(235)
        && chunk.length != announced
    {
        return Err(wrong_length().into());
    }
    let offset = chunk.map(|chunk| chunk.start);
    let length = chunk.map(|chunk| chunk.length).or(announced);
    match call.session.resume_upload(&package, id, offset).await {
        Ok(upload) => Ok((upload, length)),
        Err(error @ Error::Offset { offset, .. }) => {
            Err(stands_at(&error, name, id, offset).into())
        }
        Err(error) => Err(Failure::Core(error, Noun::Upload)),
    }
}

/// Answers to a chunk whose place cannot be read; it tells how places are written and where the upload
/// stands, if the caller may know.
async fn misplaced(call: &Call, name: &OciName, package: &PackageRef, id: &UploadId) -> Failure {
    match call.session.upload_status(package, id).await {
        Ok(status) => {
            let (id, offset) = (status.id, status.offset);
            let mut refusal = stands_at(&Error::Offset { id, offset }, name, &id, offset);
            let form = "the header Content-Range is <first>-<last>, such as 0-1023";
            refusal.message = format!("{form}; {}", refusal.message);
            refusal.into()
        }
        Err(error) => Failure::Core(error, Noun::Upload),
    }
}

fn stands_at(error: &Error, name: &OciName, id: &UploadId, offset: u64) -> Refusal {
    let mut refusal = Refusal::of(error, Noun::Upload);
    locate(&mut refusal.headers, name, id, offset);
    refusal
}

fn wrong_length() -> Refusal {
    let words = "the body is not as long as was announced";
    Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, words)
}

/// Lets go of an upload of which a piece was refused. One that cannot go on is given up, so that the room
/// it took is free; where the same may work later, what was acknowledged of it stays (F33).
async fn refused(upload: Upload, error: Error, resumable: bool) -> Failure {
    let stays = match error.kind() {
        ErrorKind::Busy | ErrorKind::ReadOnly | ErrorKind::Unavailable => resumable,
        // A newer request goes on with it: nothing of it is this one's any more.
        _ => matches!(error, Error::Offset { .. }),
    };
    if stays {
        return Failure::Core(error, Noun::Upload);
    }
    if let Err(aborted) = upload.abort().await {
        tracing::warn!(error = %artifact_core::story(&aborted), "an upload could not be thrown away");
    }
    Failure::Core(error, Noun::Upload)
}

/// Runs what receives a body, to its end.
async fn run<T: Send + 'static>(
    call: &Call,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let spawn = &*call.session.registry().parts().spawn;
    let outcome = call.shared.receiving.run(spawn, work).await;
    outcome.unwrap_or_else(|| Err(Refusal::failed().into()))
}

fn progress(status: StatusCode, name: &OciName, upload: UploadStatus) -> Response<Body> {
    let mut response = empty(status);
    locate(response.headers_mut(), name, &upload.id, upload.offset);
    response
}

fn locate(headers: &mut HeaderMap, name: &OciName, id: &UploadId, offset: u64) {
    headers.insert(LOCATION, header(format!("/v2/{name}/blobs/uploads/{id}")));
    headers.insert(RANGE, header(upload_range(offset)));
    headers.insert(UPLOAD_ID, header(id.to_string()));
}
