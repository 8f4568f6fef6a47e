//! MI-3 and MI-4: nothing points at what is not there.

use std::sync::Arc;

use artifact_core::{AsOf, Change, Conflict, ManifestIndex, PackageRef};

use crate::index::{
    goods::{Parts, all, digest, link, package, put_inline, put_manifest, put_tag, tag},
    kit::{IndexKit, conflict},
};

/// MI-3: a tag is put only on a manifest of its own package.
pub async fn mi_3_a_tag_needs_its_manifest(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    let image = kit.publish(&a, "v1", &[1]).await;
    for digest in [image.digest(), digest(1), digest(7)] {
        let set = kit.set_of([Change::PutTag(b.clone(), tag("v1"), digest)]);
        let package = b.clone();
        assert_eq!(
            kit.refuse(set).await,
            Conflict::ManifestUnknown { package, digest }
        );
    }
}

/// MI-3: a manifest that is deleted takes its tags along, and no others.
pub async fn mi_3_a_manifest_takes_its_tags_along(kit: &mut IndexKit) {
    let a = package("a");
    let gone = kit.publish(&a, "v1", &[1]).await;
    kit.make([put_tag(&a, "v2", &gone), put_tag(&a, "latest", &gone)])
        .await;
    let kept = kit.publish(&a, "latest", &[2]).await;
    kit.make([Change::DeleteManifest(a.clone(), gone.digest())])
        .await;
    let tags = kit
        .index()
        .tags(AsOf::Now, &a, all())
        .await
        .expect("tags answers");
    let tags: Vec<_> = tags.iter().map(|t| (t.tag.as_str(), t.digest)).collect();
    assert_eq!(
        tags,
        [("latest", kept.digest())],
        "the tags of what was kept"
    );
}

/// MI-3: who tags and who deletes at the same time leave no tag without its manifest.
pub async fn mi_3_a_race_leaves_no_dangling_tag(kit: &mut IndexKit) {
    let a = package("a");
    for round in 0..8 {
        let image = kit.publish(&a, "v1", &[round]).await;
        let tagging = kit.set_of([put_tag(&a, "latest", &image)]);
        let deleting = kit.set_of([Change::DeleteManifest(a.clone(), image.digest())]);
        let sets = [tagging, deleting].map(|set| {
            let index = Arc::clone(kit.index());
            tokio::spawn(async move { index.apply(set).await })
        });
        let [tagged, deleted] = sets;
        let tagged = tagged.await.expect("a task ends");
        deleted
            .await
            .expect("a task ends")
            .expect("the manifest is deleted");
        if let Err(error) = tagged {
            assert!(matches!(
                conflict::<()>(Err(error)),
                Conflict::ManifestUnknown { .. }
            ));
        }
        check_closure(&**kit.index(), &a).await;
    }
}

/// Checks that tags have their manifests, and manifests what they name.
async fn check_closure(index: &dyn ManifestIndex, package: &PackageRef) {
    for record in index
        .tags(AsOf::Now, package, all())
        .await
        .expect("tags answers")
    {
        let manifest = index.manifest(AsOf::Now, package, &record.digest).await;
        let manifest = manifest.expect("manifest answers");
        assert!(manifest.is_some(), "{} points at nothing", record.tag);
    }
    for summary in index
        .manifests(AsOf::Now, package, all())
        .await
        .expect("manifests answers")
    {
        let digest = summary.descriptor.digest;
        let record = index.manifest(AsOf::Now, package, &digest).await;
        let record = record
            .expect("manifest answers")
            .expect("a manifest of the list");
        let manifest = artifact_core::Manifest::parse(
            record.bytes,
            Some(&record.media_type),
            digest.algorithm(),
        );
        for named in manifest.expect("a manifest that was put").references() {
            let blob = index
                .blob(AsOf::Now, package, &named.descriptor.digest)
                .await;
            let is_linked = blob.expect("blob answers").is_some();
            assert!(is_linked, "{digest} names what is not linked");
        }
    }
}

/// MI-4: a manifest is put only where the package has all that it names.
pub async fn mi_4_what_is_named_must_be_in_the_package(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    kit.make([put_inline(1), put_inline(2), link(&a, 1), link(&b, 2)])
        .await;
    let image = Parts::of(&[1, 2]).image();
    let refused = kit.refuse(kit.set_of([put_manifest(&a, &image)])).await;
    let not_linked = Conflict::NotLinked {
        package: a.clone(),
        digest: digest(2),
    };
    assert_eq!(
        refused, not_linked,
        "a link to another package does not count"
    );
    let child = kit.publish(&b, "v1", &[2]).await;
    let index = Parts::default().index(&[&child]);
    let refused = kit.refuse(kit.set_of([put_manifest(&a, &index)])).await;
    let unknown = Conflict::ManifestUnknown {
        package: a.clone(),
        digest: child.digest(),
    };
    assert_eq!(
        refused, unknown,
        "a manifest of another package does not count"
    );
    kit.make([link(&a, 2), put_manifest(&a, &image)]).await;
    check_closure(&**kit.index(), &a).await;
}

/// MI-4: an index may name manifests and blobs of its package; a subject need not be there.
pub async fn mi_4_a_child_is_a_manifest_or_a_blob(kit: &mut IndexKit) {
    let a = package("a");
    let child = kit.publish(&a, "v1", &[1]).await;
    let mut parts = Parts::of(&[2]);
    parts.subject = Some(digest(7));
    let index = parts.index(&[&child]);
    let refused = kit.refuse(kit.set_of([put_manifest(&a, &index)])).await;
    let unknown = Conflict::ManifestUnknown {
        package: a.clone(),
        digest: digest(2),
    };
    assert_eq!(refused, unknown, "a child that is neither");
    kit.make([put_inline(2), link(&a, 2), put_manifest(&a, &index)])
        .await;
    let refused = kit
        .refuse(kit.set_of([Change::DeleteManifest(a.clone(), child.digest())]))
        .await;
    let named = Conflict::ManifestNamed {
        digest: child.digest(),
        by: index.digest(),
    };
    assert_eq!(refused, named, "a child stays as long as its index");
    kit.make([
        Change::DeleteManifest(a.clone(), index.digest()),
        Change::DeleteManifest(a.clone(), child.digest()),
    ])
    .await;
}

/// MI-4: layers that are fetched from elsewhere may be absent.
pub async fn mi_4_what_may_be_absent_may_be(kit: &mut IndexKit) {
    let a = package("a");
    let mut parts = Parts::of(&[1]);
    parts.foreign = vec![5];
    let image = parts.image();
    kit.make([put_inline(1), link(&a, 1), put_manifest(&a, &image)])
        .await;
    let blob = kit
        .index()
        .blob(AsOf::Now, &a, &digest(5))
        .await
        .expect("blob answers");
    assert_eq!(blob, None, "a layer that is absent");
    let at = AsOf::Revision(kit.head().await);
    let blob = kit
        .index()
        .blob(at, &a, &digest(5))
        .await
        .expect("blob answers");
    assert_eq!(blob, None, "a layer that was absent");
}

/// MI-4: a blob that a manifest of the package names is not unlinked.
pub async fn mi_4_what_is_named_stays(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    let image = kit.publish(&a, "v1", &[1, 2]).await;
    kit.make([link(&b, 2)]).await;
    let refused = kit
        .refuse(kit.set_of([Change::Unlink(a.clone(), digest(2))]))
        .await;
    let named = Conflict::BlobNamed {
        digest: digest(2),
        by: image.digest(),
    };
    assert_eq!(refused, named, "the manifest is told");
    kit.make([Change::Unlink(b.clone(), digest(2))]).await;
    let refused = kit
        .refuse(kit.set_of([Change::Unlink(b.clone(), digest(2))]))
        .await;
    let not_linked = Conflict::NotLinked {
        package: b,
        digest: digest(2),
    };
    assert_eq!(refused, not_linked, "it is not linked any more");
}

/// MI-4: links go with the last manifest of the package that names the blob.
pub async fn mi_4_links_go_with_their_last_manifest(kit: &mut IndexKit) {
    let (a, b) = (package("a"), package("b"));
    let first = kit.publish(&a, "v1", &[1, 2]).await;
    let second = kit.publish(&a, "v2", &[1, 3]).await;
    kit.make([link(&b, 2)]).await;
    kit.make([Change::DeleteManifest(a.clone(), first.digest())])
        .await;
    check_linked(kit, &a, &[1, 3], &[2]).await;
    check_linked(kit, &b, &[2], &[]).await;
    kit.make([Change::DeleteManifest(a.clone(), second.digest())])
        .await;
    check_linked(kit, &a, &[], &[1, 2, 3]).await;
}

async fn check_linked(kit: &IndexKit, package: &PackageRef, linked: &[u8], others: &[u8]) {
    for number in linked.iter().chain(others) {
        let blob = kit.index().blob(AsOf::Now, package, &digest(*number)).await;
        let is_linked = blob.expect("blob answers").is_some();
        assert_eq!(
            is_linked,
            linked.contains(number),
            "blob {number} in {package}"
        );
    }
}

/// MI-4: only a blob that the registry has can be linked.
pub async fn mi_4_a_link_needs_a_row(kit: &mut IndexKit) {
    let a = package("a");
    let refused = kit.refuse(kit.set_of([link(&a, 1)])).await;
    assert_eq!(refused, Conflict::BlobUnknown { digest: digest(1) });
    kit.make([put_inline(1), link(&a, 1)]).await;
    let blob = kit
        .index()
        .blob(AsOf::Now, &a, &digest(1))
        .await
        .expect("blob answers");
    let blob = blob.expect("a blob that is linked");
    assert_eq!(
        (blob.named_by, blob.lease),
        (None, None),
        "nobody names or holds it"
    );
    let row = kit
        .index()
        .blob_row(&digest(1))
        .await
        .expect("blob_row answers");
    assert_eq!(row, Some(blob.blob), "the row of the blob");
}

/// MI-4: who puts a manifest and who unlinks its blob at the same time leave no hole.
pub async fn mi_4_a_race_leaves_no_dangling_manifest(kit: &mut IndexKit) {
    let a = package("a");
    for round in 0..8 {
        kit.make([put_inline(round), link(&a, round)]).await;
        let image = Parts::of(&[round]).image();
        let putting = kit.set_of([put_manifest(&a, &image)]);
        let unlinking = kit.set_of([Change::Unlink(a.clone(), digest(round))]);
        let sets = [putting, unlinking].map(|set| {
            let index = Arc::clone(kit.index());
            tokio::spawn(async move { index.apply(set).await.is_ok() })
        });
        let [put, unlinked] = sets;
        let made = [
            put.await.expect("a task ends"),
            unlinked.await.expect("a task ends"),
        ];
        assert!(made[0] != made[1], "one of both is made: {made:?}");
        check_closure(&**kit.index(), &a).await;
    }
}
