//! Blobs and manifests that come and go, over connections that break.

use std::time::Duration;

use artifact_core::{Algorithm, BoxError, Digest, ErrorKind, Manifest};
use artifact_proto::client::{BlobSource, ClientError, Pushed, RemoteCondition, RemotePackage};
use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};

use crate::registry::{NAME, Registry, digest, name, options, within_reason};

/// Bytes in memory as a source; a test's blobs are small.
struct Memory(Bytes);

impl BlobSource for Memory {
    fn open(
        &self,
        offset: u64,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Result<Bytes, BoxError>>, BoxError>> {
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        let chunks: Vec<_> = rest
            .chunks(7)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        async { Ok(stream::iter(chunks).boxed()) }.boxed()
    }
}

fn data(length: usize) -> Bytes {
    (0..length)
        .map(|n| u8::try_from(n * 31 % 251).unwrap())
        .collect()
}

async fn fetch(
    package: &RemotePackage,
    digest: &Digest,
    size: Option<u64>,
) -> Result<Vec<u8>, ClientError> {
    let chunks = package.blob(digest, size).await?;
    chunks
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

#[tokio::test]
async fn a_download_that_breaks_goes_on() {
    let registry = Registry::start().await;
    let bytes = data(100_000);
    let digest = registry.hold(&bytes);
    registry.tell(|script| script.cut_downloads = vec![30_000, 1, 10_000]);
    let package = registry.package(options());
    assert_eq!(
        fetch(&package, &digest, Some(100_000)).await.unwrap(),
        bytes
    );
    let ranges: Vec<_> = registry
        .seen()
        .iter()
        .map(|seen| seen.range.clone())
        .collect();
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[0], None);
    assert!(ranges[1..].iter().all(Option::is_some), "{ranges:?}");
}

#[tokio::test]
async fn a_download_that_only_breaks_is_given_up() {
    let registry = Registry::start().await;
    let digest = registry.hold(&data(1000));
    registry.tell(|script| script.cut_downloads = vec![0; 50]);
    let mut options = options();
    options.retries = 2;
    let error = fetch(&registry.package(options), &digest, None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(registry.seen().len(), 3);
}

/// I3: wrong bytes never end as a success, however they are wrong.
#[tokio::test]
async fn i3_wrong_bytes_are_an_error() {
    let registry = Registry::start().await;
    let wanted = digest(b"wanted");
    registry.tell(|script| {
        script.blobs.insert(wanted, Bytes::from_static(b"other!"));
    });
    let package = registry.package(options());
    let error = fetch(&package, &wanted, Some(6)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    let error = fetch(&package, &wanted, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    let error = fetch(&package, &wanted, Some(5)).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
    let error = fetch(&package, &digest(b"absent"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// I3: another length than was announced is told before anything is taken, where the registry tells one; and
/// where it does not, no byte is taken behind the announced end.
#[tokio::test]
async fn i3_another_length_than_was_announced_is_an_error() {
    let registry = Registry::start().await;
    let digest = registry.hold(&data(1000));
    let package = registry.package(options());
    for announced in [999, 1001] {
        let begun = package.blob(&digest, Some(announced)).await;
        assert!(
            matches!(begun, Err(ClientError::Protocol { .. })),
            "{announced}: {begun:?}"
        );
    }
    registry.tell(|script| script.untold = true);
    let whole = fetch(&package, &digest, Some(1000)).await.unwrap();
    assert_eq!(whole, data(1000));
    let longer = fetch(&package, &digest, Some(999)).await;
    assert!(
        matches!(longer, Err(ClientError::Protocol { .. })),
        "{longer:?}"
    );
}

/// A download that ends early without a word is taken up again, as one that breaks is.
#[tokio::test]
async fn a_download_that_is_cut_off_as_if_whole_goes_on() {
    let registry = Registry::start().await;
    let bytes = data(1000);
    let digest = registry.hold(&bytes);
    registry.tell(|script| {
        script.untold = true;
        script.short_downloads = vec![300, 1, 200];
    });
    let package = registry.package(options());
    assert_eq!(fetch(&package, &digest, Some(1000)).await.unwrap(), bytes);
    assert_eq!(registry.seen().len(), 4);
}

/// I3: what does not go on where the download broke is not put behind it.
#[tokio::test]
async fn i3_a_download_goes_on_where_it_was_cut() {
    let registry = Registry::start().await;
    let digest = registry.hold(&data(1000));
    registry.tell(|script| {
        script.cut_downloads = vec![300];
        script.early = 1;
    });
    let error = fetch(&registry.package(options()), &digest, Some(1000)).await;
    assert!(
        matches!(error, Err(ClientError::Protocol { .. })),
        "{error:?}"
    );
}

/// I23: a registry that falls silent in the middle of a blob is not waited for without end.
#[tokio::test]
async fn i23_a_registry_that_falls_silent_is_given_up() {
    let registry = Registry::start().await;
    let digest = registry.hold(&data(1000));
    registry.tell(|script| script.silent_downloads = vec![300]);
    let mut options = options();
    (options.retries, options.idle_timeout) = (0, Duration::from_millis(200));
    let package = registry.package(options);
    let error = within_reason(fetch(&package, &digest, Some(1000))).await;
    assert!(
        matches!(error, Err(ClientError::Timeout { .. })),
        "{error:?}"
    );
}

/// I23: a registry that leads on and on is not followed without end.
#[tokio::test]
async fn i23_redirects_end() {
    let registry = Registry::start().await;
    let digest = registry.hold(&data(10));
    registry.tell(|script| {
        script.redirect = Some(format!("/v2/{NAME}/blobs/{digest}"));
        script.redirects_left = Some(5);
    });
    let package = registry.package(options());
    fetch(&package, &digest, None).await.unwrap();
    registry.tell(|script| script.redirects_left = Some(6));
    let error = fetch(&package, &digest, None).await;
    assert!(
        matches!(error, Err(ClientError::Protocol { .. })),
        "{error:?}"
    );
}

/// I3: a registry that says it took another manifest than was sent did not take it.
#[tokio::test]
async fn i3_a_manifest_is_taken_as_what_was_sent() {
    let registry = Registry::start().await;
    let package = registry.package(options());
    registry.tell(|script| script.taken_as = Some(digest(b"another")));
    let sent = manifest("");
    let error = package
        .put_manifest(&sent, None, &RemoteCondition::Any)
        .await;
    assert!(
        matches!(error, Err(ClientError::Protocol { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_blob_is_pushed_whole_or_in_parts() {
    for (length, parts) in [(0, 0), (1, 0), (1000, 0), (1001, 2), (3500, 4)] {
        let registry = Registry::start().await;
        let bytes = data(length);
        let digest = digest(&bytes);
        let mut options = options();
        options.chunk_size = 1000;
        let package = registry.package(options);
        let size = length as u64;
        let pushed = package
            .push_blob(&digest, size, &Memory(bytes.clone()), None)
            .await
            .unwrap();
        assert_eq!(pushed, Pushed::Sent);
        registry.tell(|script| assert_eq!(script.blobs[&digest], bytes));
        let patches = registry
            .seen()
            .iter()
            .filter(|seen| seen.method == "PATCH")
            .count();
        assert_eq!(patches, parts, "{length}");
        let again = package
            .push_blob(&digest, size, &Memory(bytes), None)
            .await
            .unwrap();
        assert_eq!(again, Pushed::Present);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_goes_on() {
    let registry = Registry::start().await;
    let bytes = data(5000);
    let digest = digest(&bytes);
    registry.tell(|script| script.cut_uploads = vec![300, 999, 700, 400]);
    let mut options = options();
    options.chunk_size = 1000;
    let package = registry.package(options);
    package
        .push_blob(&digest, 5000, &Memory(bytes.clone()), None)
        .await
        .unwrap();
    registry.tell(|script| assert_eq!(script.blobs[&digest], bytes));
    let seen = registry.seen();
    let starts = seen.iter().filter(|seen| seen.method == "POST").count();
    assert_eq!(starts, 1, "what the registry had was not sent again");
    let sent: usize = seen.iter().map(|seen| seen.body).sum();
    assert_eq!(sent, 5000);
}

#[tokio::test]
async fn a_whole_upload_that_breaks_goes_on_in_parts() {
    let registry = Registry::start().await;
    let bytes = data(5000);
    let digest = digest(&bytes);
    registry.tell(|script| script.cut_uploads = vec![3000]);
    let package = registry.package(options());
    package
        .push_blob(&digest, 5000, &Memory(bytes.clone()), None)
        .await
        .unwrap();
    registry.tell(|script| assert_eq!(script.blobs[&digest], bytes));
    let sent: usize = registry.seen().iter().map(|seen| seen.body).sum();
    assert_eq!(sent, 5000);
}

#[tokio::test]
async fn a_registry_that_takes_no_parts_gets_the_whole() {
    let registry = Registry::start().await;
    let bytes = data(5000);
    let digest = digest(&bytes);
    registry.tell(|script| script.refuse_parts = true);
    let mut options = options();
    options.chunk_size = 1000;
    let package = registry.package(options);
    package
        .push_blob(&digest, 5000, &Memory(bytes.clone()), None)
        .await
        .unwrap();
    registry.tell(|script| assert_eq!(script.blobs[&digest], bytes));
}

#[tokio::test]
async fn a_source_that_ends_early_pushes_nothing() {
    let registry = Registry::start().await;
    let bytes = data(5000);
    let package = registry.package(options());
    let error = package
        .push_blob(&digest(&bytes), 5001, &Memory(bytes), None)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Source { .. }), "{error:?}");
    registry.tell(|script| assert!(script.blobs.is_empty()));
}

#[tokio::test]
async fn a_blob_is_mounted_where_the_registry_has_it() {
    let registry = Registry::start().await;
    let bytes = data(10);
    let digest = registry.hold(&bytes);
    // It is in another package: a look into this one finds nothing.
    registry.tell(|script| script.refusals = vec![404]);
    let package = registry.package(options());
    let from = name("library/base");
    let pushed = package
        .push_blob(&digest, 10, &Memory(bytes), Some(&from))
        .await
        .unwrap();
    assert_eq!(pushed, Pushed::Mounted);
    let mount = registry.seen().pop().unwrap().target;
    assert!(mount.ends_with("&from=library%2Fbase"), "{mount}");
}

fn manifest(extra: &str) -> Manifest {
    let config = digest(b"{}");
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{config}","size":2}},"layers":[]{extra}}}"#
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

#[tokio::test]
async fn a_manifest_goes_and_comes_back() {
    let registry = Registry::start().await;
    let package = registry.package(options());
    let sent = manifest("");
    let tag = "v1".parse().unwrap();
    package
        .put_manifest(&sent, Some(&tag), &RemoteCondition::Any)
        .await
        .unwrap();
    let by_tag = package.manifest(&tag.clone().into()).await.unwrap();
    let by_digest = package.manifest(&sent.digest().into()).await.unwrap();
    assert_eq!(by_tag.bytes(), sent.bytes());
    assert_eq!(by_digest.bytes(), sent.bytes());
    let stat = package.stat_manifest(&tag.into()).await.unwrap().unwrap();
    assert_eq!((stat.digest, stat.size), (sent.digest(), sent.size()));
    let absent = "v2".parse::<artifact_core::Tag>().unwrap().into();
    assert!(package.stat_manifest(&absent).await.unwrap().is_none());
    let error = package.manifest(&absent).await.unwrap_err();
    assert!(error.to_string().contains(NAME), "{error}");
}

/// I3: a manifest that is not the one that was asked for is refused.
#[tokio::test]
async fn i3_another_manifest_is_an_error() {
    let registry = Registry::start().await;
    let package = registry.package(options());
    let wanted = manifest("").digest();
    let other = manifest(r#","annotations":{"a":"b"}"#);
    registry.tell(|script| {
        let entry = (
            other.bytes().clone(),
            "application/vnd.oci.image.manifest.v1+json",
        );
        script.manifests.insert(wanted.to_string(), entry);
    });
    let error = package.manifest(&wanted.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
}

#[tokio::test]
async fn what_may_succeed_later_is_asked_again() {
    let registry = Registry::start().await;
    let digest = registry.hold(b"x");
    registry.tell(|script| script.refusals = vec![503, 429, 500]);
    let package = registry.package(options());
    assert_eq!(package.stat_blob(&digest).await.unwrap(), Some(1));
    assert_eq!(registry.seen().len(), 4);
    registry.tell(|script| script.refusals = vec![400]);
    let error = fetch(&package, &digest, None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} refused to give {digest}: 400 X told[31m to",
            registry.origin()
        )
    );
}

#[tokio::test]
async fn a_subject_is_listed_also_where_no_referrers_are_kept() {
    let registry = Registry::start().await;
    let package = registry.package(options());
    let image = manifest("");
    let about = |note: &str| {
        manifest(&format!(
            r#","annotations":{{"note":"{note}"}},"subject":{{"mediaType":"{}","digest":"{}","size":{}}}"#,
            image.media_type(),
            image.digest(),
            image.size()
        ))
    };
    for referrer in [about("one"), about("two"), about("one")] {
        package
            .put_manifest(&referrer, None, &RemoteCondition::Any)
            .await
            .unwrap();
    }
    let found = package.referrers(&image.digest()).await.unwrap();
    let notes: Vec<_> = found
        .iter()
        .map(|found| found.annotations["note"].as_str())
        .collect();
    assert_eq!(notes, ["one", "two"]);
    assert!(
        package
            .referrers(&digest(b"nothing"))
            .await
            .unwrap()
            .is_empty()
    );
}
