//! Packages at other registries, as places.

use artifact_core::{BoxError, Condition, Descriptor, Digest, Manifest, OciName, Tag};
use artifact_proto::client::{BlobSource, ClientError, Pushed, RemoteCondition, RemotePackage};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};

use super::{
    bytes::{Chunks, Content, Delivery},
    error::TransferError,
};

pub(crate) async fn read(
    package: &RemotePackage,
    digest: &Digest,
    size: Option<u64>,
) -> Result<Chunks, ClientError> {
    let download = package.blob(digest, size).await?;
    Ok(download.map(|chunk| chunk.map_err(Into::into)).boxed())
}

pub(crate) async fn push(
    package: &RemotePackage,
    content: &dyn Content,
    from: Option<&RemotePackage>,
) -> Result<Delivery, ClientError> {
    let from: Option<&OciName> = from
        .filter(|from| from.origin() == package.origin())
        .map(RemotePackage::name);
    let (digest, size) = (content.digest(), content.size());
    let pushed = package
        .push_blob(&digest, size, &Source(content), from)
        .await?;
    Ok(match pushed {
        Pushed::Present => Delivery::Present,
        Pushed::Mounted => Delivery::Mounted,
        _ => Delivery::Sent,
    })
}

pub(crate) async fn put_manifest(
    package: &RemotePackage,
    manifest: &Manifest,
    tag: Option<&Tag>,
    condition: &Condition,
) -> Result<(), TransferError> {
    let condition = match condition {
        Condition::Any => RemoteCondition::Any,
        Condition::Absent => RemoteCondition::Absent,
        Condition::Digests(digests) if digests.len() == 1 => digests
            .first()
            .copied()
            .map_or(RemoteCondition::Any, RemoteCondition::At),
        _ => {
            let what = "at another registry a tag is moved where it is absent, where it points at \
                        one digest, or in any case"
                .to_owned();
            return Err(TransferError::Unsupported { what });
        }
    };
    Ok(package.put_manifest(manifest, tag, &condition).await?)
}

pub(crate) async fn referrers(
    package: &RemotePackage,
    subject: &Digest,
) -> Result<Vec<Descriptor>, ClientError> {
    package.referrers(subject).await
}

/// Content as the client of other registries takes it.
struct Source<'a>(&'a dyn Content);

impl BlobSource for Source<'_> {
    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Bytes, BoxError>>, BoxError>> {
        self.0.open(offset).boxed()
    }
}
