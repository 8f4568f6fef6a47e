//! MI-8: what was does not change.

use artifact_core::{
    Algorithm, AsOf, Bookkeeping, Change, Hasher, IndexError, Location, PackageRef, Query,
    Revision, Scope,
};

use crate::index::{
    goods::{
        Parts, all, digest, link, package, package_of, put_inline, put_manifest, put_tag,
        repository, repository_document, scope, tag,
    },
    kit::IndexKit,
};

/// Makes some history: tags that move, manifests that come and go, documents.
async fn make_history(kit: &IndexKit) {
    let (a, x) = (package("a"), package_of("team", "x"));
    let first = kit.publish(&a, "v1", &[1, 2]).await;
    kit.make([Change::PutDocument(
        repository_document("team"),
        "1".to_owned(),
    )])
    .await;
    kit.publish(&x, "latest", &[1, 3]).await;
    let second = kit.publish(&a, "latest", &[2, 3]).await;
    kit.make([put_tag(&a, "v1", &second)]).await;
    kit.make([Change::DeleteManifest(a.clone(), first.digest())])
        .await;
    kit.make([Change::PutDocument(
        repository_document("team"),
        "2".to_owned(),
    )])
    .await;
    kit.make([Change::DeleteTag(a.clone(), tag("latest"))])
        .await;
    kit.make([
        put_tag(&a, "latest", &second),
        Change::DeleteDocument(repository_document("team")),
    ])
    .await;
    kit.make([Change::DeleteManifest(a.clone(), second.digest())])
        .await;
}

/// MI-8: reads of each revision answer the same, whatever is done after it.
pub async fn mi_8_a_past_read_does_not_change(kit: &mut IndexKit) {
    let mut dumps = vec![(Revision::ZERO, kit.dump_at(Revision::ZERO).await)];
    let a = package("a");
    for number in 1..5 {
        kit.publish(&a, "latest", &[number, number + 1]).await;
        dumps.push((kit.head().await, kit.dump_at(kit.head().await).await));
        kit.make([link(&package("b"), number)]).await;
        dumps.push((kit.head().await, kit.dump_at(kit.head().await).await));
    }
    make_history(kit).await;
    kit.note(Bookkeeping::Prune(repository("default"), 1_000))
        .await;
    for (revision, dump) in dumps {
        let again = kit.dump_at(revision).await;
        again.check_equal(&dump, &format!("revision {revision} changed"));
    }
}

/// MI-8: below the horizon of its repository a read is refused, at it and above it is not, and
/// pruning changes neither.
pub async fn mi_8_below_the_horizon_it_is_forgotten(kit: &mut IndexKit) {
    make_history(kit).await;
    let horizon = Revision::new(5);
    let kept = kit.dump_at(horizon).await;
    kit.make([Change::Forget(repository("default"), horizon)])
        .await;
    for _ in 0..2 {
        check_forgotten(kit, Revision::new(4), horizon).await;
        kit.dump_at(horizon)
            .await
            .check_equal(&kept, "what is kept changed");
        let moved = kit.index().horizon(&repository("default")).await;
        assert_eq!(moved.expect("horizon answers").revision, horizon);
        while kit.note(Bookkeeping::Prune(repository("default"), 1)).await > 0 {}
    }
    // Backward changes nothing, and another repository has its own.
    let same = kit
        .make([Change::Forget(repository("default"), Revision::new(2))])
        .await;
    assert!(same.events.is_empty(), "a horizon does not go back");
    let x = package_of("team", "x");
    let tags = kit
        .index()
        .tags(AsOf::Revision(Revision::new(3)), &x, all())
        .await;
    assert_eq!(tags.expect("another repository").len(), 1);
}

async fn check_forgotten(kit: &IndexKit, revision: Revision, horizon: Revision) {
    let (index, a, at) = (kit.index(), package("a"), AsOf::Revision(revision));
    let mut refused: Vec<(&str, Option<IndexError>)> = Vec::new();
    refused.push(("tag", index.tag(at, &a, &tag("v1")).await.err()));
    refused.push(("tags", index.tags(at, &a, all()).await.err()));
    refused.push(("manifest", index.manifest(at, &a, &digest(1)).await.err()));
    refused.push(("manifests", index.manifests(at, &a, all()).await.err()));
    refused.push(("blob", index.blob(at, &a, &digest(1)).await.err()));
    refused.push((
        "referrers",
        index.referrers(at, &a, &digest(1), None, all()).await.err(),
    ));
    refused.push((
        "packages",
        index.packages(at, &Scope::all(), all()).await.err(),
    ));
    refused.push((
        "packages",
        index.packages(at, &scope("default"), all()).await.err(),
    ));
    refused.push((
        "search",
        index.search(at, &Query::default(), all()).await.err(),
    ));
    for (read, error) in refused {
        let told = match error {
            Some(IndexError::HistoryForgotten { oldest }) => Some(oldest),
            _ => None,
        };
        assert_eq!(told, Some(horizon), "{read} below the horizon");
    }
    let packages = index.packages(at, &scope("team"), all()).await;
    assert!(
        packages.is_ok(),
        "a scope without the repository: {packages:?}"
    );
}

/// MI-8: a revision that is not made yet cannot be read.
pub async fn mi_8_above_the_newest_it_is_not_made_yet(kit: &mut IndexKit) {
    make_history(kit).await;
    let newest = kit.head().await;
    let (index, a, asked) = (kit.index(), package("a"), newest.next());
    let at = AsOf::Revision(asked);
    let key = repository_document("team");
    let kind = artifact_core::DocumentKind::Repository;
    let mut refused: Vec<(&str, Option<IndexError>)> = Vec::new();
    refused.push(("document", index.document(at, &key).await.err()));
    refused.push(("documents", index.documents(at, kind, all()).await.err()));
    refused.push(("tag", index.tag(at, &a, &tag("v1")).await.err()));
    refused.push(("tags", index.tags(at, &a, all()).await.err()));
    refused.push(("manifest", index.manifest(at, &a, &digest(1)).await.err()));
    refused.push(("manifests", index.manifests(at, &a, all()).await.err()));
    refused.push(("blob", index.blob(at, &a, &digest(1)).await.err()));
    refused.push((
        "referrers",
        index.referrers(at, &a, &digest(1), None, all()).await.err(),
    ));
    refused.push((
        "packages",
        index.packages(at, &Scope::all(), all()).await.err(),
    ));
    refused.push((
        "search",
        index.search(at, &Query::default(), all()).await.err(),
    ));
    for (read, error) in refused {
        let told = match error {
            Some(IndexError::FutureRevision { asked, newest }) => Some((asked, newest)),
            _ => None,
        };
        assert_eq!(
            told,
            Some((asked, newest)),
            "{read} above the newest revision"
        );
    }
    assert!(
        index.tags(AsOf::Revision(newest), &a, all()).await.is_ok(),
        "the newest is made"
    );
}

/// MI-8: content that was purged says so where it was, until it is stored again.
pub async fn mi_8_purged_content_says_so(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    let was = kit.head().await;
    kit.make([Change::DeleteManifest(a.clone(), image.digest())])
        .await;
    let before = kit.index().manifests(AsOf::Revision(was), &a, all()).await;
    let purged = kit
        .make([Change::Purge(image.digest()), Change::Purge(digest(2))])
        .await;
    assert_eq!(purged.events.len(), 2, "{:?}", purged.events);
    check_purged(kit, &a, was, true).await;
    assert_eq!(
        before.expect("a list").len(),
        1,
        "the manifest that was there"
    );
    check_unlisted(kit, &a, was).await;
    let row = kit
        .index()
        .blob_row(&digest(2))
        .await
        .expect("blob_row answers");
    assert_eq!(row, None, "a blob that was purged has no row");
    let again = kit
        .make([Change::Purge(digest(2)), Change::Purge(digest(7))])
        .await;
    assert!(
        again.events.is_empty(),
        "there is nothing to purge: {:?}",
        again.events
    );
    // The bytes of the manifest as a blob do not bring back the manifest.
    kit.make([Change::PutBlob {
        blob: Hasher::hash(Algorithm::Sha256, image.bytes()),
        location: Location::Inline(image.bytes().clone()),
        stamp: None,
        upload: None,
    }])
    .await;
    check_purged(kit, &a, was, true).await;
    check_unlisted(kit, &a, was).await;
    kit.publish(&a, "v1", &[1, 2]).await;
    check_purged(kit, &a, was, false).await;
}

/// Lists leave out what was purged, but not the package that had it.
async fn check_unlisted(kit: &IndexKit, package: &PackageRef, was: Revision) {
    let at = AsOf::Revision(was);
    let listed = kit.index().manifests(at, package, all()).await;
    assert_eq!(listed.expect("a list"), [], "a list of manifests");
    let search = kit.index().search(at, &Query::default(), all()).await;
    assert_eq!(search.expect("search answers"), [], "a search");
    let packages = kit.index().packages(at, &Scope::all(), all()).await;
    assert_eq!(
        packages.expect("packages answers"),
        std::slice::from_ref(package),
        "the package had a manifest, whatever became of its bytes"
    );
}

async fn check_purged(kit: &IndexKit, package: &PackageRef, was: Revision, purged: bool) {
    let at = AsOf::Revision(was);
    let image = Parts::of(&[1, 2]).image();
    let is_purged = |error: Option<IndexError>| matches!(error, Some(IndexError::Purged { .. }));
    let manifest = kit.index().manifest(at, package, &image.digest()).await;
    assert_eq!(is_purged(manifest.err()), purged, "the manifest");
    let blob = kit.index().blob(at, package, &digest(2)).await;
    assert_eq!(is_purged(blob.err()), purged, "the blob");
    let other = kit
        .index()
        .blob(at, package, &digest(1))
        .await
        .expect("blob answers");
    assert!(other.is_some(), "a blob that was not purged is there");
    let record = kit
        .index()
        .tag(at, package, &tag("v1"))
        .await
        .expect("tag answers");
    assert!(record.is_some(), "the tag was there");
}

/// MI-8: of the past a package has the blobs that its manifests of then named, without leases.
pub async fn mi_8_a_past_blob_is_one_that_a_manifest_named(kit: &mut IndexKit) {
    let a = package("a");
    kit.make([put_inline(1), put_inline(2), link(&a, 1), link(&a, 2)])
        .await;
    let image = Parts::of(&[1]).image();
    kit.make([put_manifest(&a, &image)]).await;
    let lease = crate::index::goods::lease_until(1_000);
    kit.make([Change::Link(a.clone(), digest(1), Some(lease.clone()))])
        .await;
    let newest = kit.head().await;
    for (revision, named) in [(1, false), (2, true)] {
        let at = AsOf::Revision(Revision::new(revision));
        let blob = kit
            .index()
            .blob(at, &a, &digest(1))
            .await
            .expect("blob answers");
        assert_eq!(blob.is_some(), named, "blob 1 at revision {revision}");
        if let Some(blob) = blob {
            assert_eq!((blob.named_by, blob.lease), (Some(image.digest()), None));
        }
    }
    let at = AsOf::Revision(newest);
    let blob = kit
        .index()
        .blob(at, &a, &digest(2))
        .await
        .expect("blob answers");
    assert_eq!(blob, None, "a link alone is no history");
    let blob = kit
        .index()
        .blob(AsOf::Now, &a, &digest(1))
        .await
        .expect("blob answers");
    let blob = blob.expect("a blob that is linked");
    assert_eq!(
        (blob.named_by, blob.lease),
        (Some(image.digest()), Some(lease)),
        "now"
    );
}

/// MI-8: documents are readable as of each revision, whatever is forgotten.
pub async fn mi_8_documents_outlive_the_horizon(kit: &mut IndexKit) {
    make_history(kit).await;
    let head = kit.head().await;
    for name in ["default", "team"] {
        kit.make([Change::Forget(repository(name), head)]).await;
        while kit.note(Bookkeeping::Prune(repository(name), 2)).await > 0 {}
    }
    let key = repository_document("team");
    for (revision, body) in [
        (1, None),
        (2, Some("1")),
        (6, Some("1")),
        (7, Some("2")),
        (9, None),
    ] {
        let at = AsOf::Revision(Revision::new(revision));
        let record = kit
            .index()
            .document(at, &key)
            .await
            .expect("document answers");
        let said = record.and_then(|record| record.body);
        assert_eq!(said.as_deref(), body, "the document at revision {revision}");
    }
}
