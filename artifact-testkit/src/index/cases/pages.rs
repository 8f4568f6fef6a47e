//! MI-6: lists in order, complete, without repeats.

use std::{fmt::Debug, num::NonZeroU32};

use artifact_core::{
    AsOf, Bookkeeping, Change, DocumentKind, Found, IndexError, Page, Query, Scope,
};

use crate::index::{
    goods::{
        MANY, Parts, key, limit, link, package, package_of, put_inline, put_manifest, put_tag,
        repository_document, tag, upload, upload_id,
    },
    kit::IndexKit,
};

/// Names that sort otherwise by bytes than by most other rules.
const NAMES: [&str; 10] = ["a", "a-b", "a.b", "a0", "a_b", "aa", "ab", "b", "0", "z9"];

/// Returns one of two types.
const fn parity(number: usize) -> &'static str {
    if number.is_multiple_of(2) {
        "example/even"
    } else {
        "example/odd"
    }
}

/// Walks a list in pages of several sizes, and checks that all of them give it whole and in order.
async fn walk<K, T>(
    what: &str,
    key: impl Fn(&T) -> K,
    list: impl AsyncFn(Page<K>) -> Result<Vec<T>, IndexError>,
) -> Vec<T>
where
    K: Clone + Debug + Ord,
    T: Debug + PartialEq,
{
    let whole = list(Page::first(MANY)).await.expect("a list that is read");
    let keys: Vec<K> = whole.iter().map(&key).collect();
    assert!(
        keys.is_sorted_by(|a, b| a < b),
        "{what} out of order or twice: {keys:?}"
    );
    for size in 1..=3 {
        let mut pages: Vec<T> = Vec::new();
        loop {
            let after = pages.last().map(&key);
            let page = Page {
                after,
                limit: limit(size),
            };
            let page = list(page).await.expect("a page that is read");
            assert!(page.len() <= size as usize, "{what}: a page is too long");
            if page.is_empty() {
                break;
            }
            pages.extend(page);
            let ends = pages.len() <= whole.len();
            assert!(ends, "{what} in pages of {size} repeats itself");
        }
        assert_eq!(pages, whole, "{what} in pages of {size}");
    }
    whole
}

/// MI-6: tags, in the byte order of their names, which have upper case and dots.
pub async fn mi_6_tags_are_paged(kit: &mut IndexKit) {
    let a = package("a");
    let image = kit.publish(&a, "v1", &[1]).await;
    let mut names = vec![
        "A", "Z", "_", "a", "a-b", "a.b", "a0", "aa", "V1", "v1", "v10", "v2",
    ];
    kit.make(names.iter().map(|name| put_tag(&a, name, &image)))
        .await;
    kit.make([
        put_tag(&a, "gone", &image),
        Change::DeleteTag(a.clone(), tag("gone")),
    ])
    .await;
    names.sort_unstable();
    let list = async |page| kit.index().tags(AsOf::Now, &a, page).await;
    let tags = walk("tags", |record| record.tag.clone(), list).await;
    let listed: Vec<&str> = tags.iter().map(|record| record.tag.as_str()).collect();
    assert_eq!(listed, names);
    // The key after which a page begins need not exist.
    let page = Page::after(tag("a1"), NonZeroU32::MIN);
    let next = kit
        .index()
        .tags(AsOf::Now, &a, page)
        .await
        .expect("tags answers");
    assert_eq!(
        next.iter()
            .map(|record| record.tag.as_str())
            .collect::<Vec<_>>(),
        ["aa"]
    );
}

/// MI-6: manifests by digest, and those that refer to one, of one type or of all.
pub async fn mi_6_manifests_and_referrers_are_paged(kit: &mut IndexKit) {
    let a = package("a");
    let subject = kit.publish(&a, "v1", &[1]).await;
    for number in 0..8 {
        let parts = Parts {
            blobs: vec![1],
            subject: Some(subject.digest()),
            artifact_type: Some(parity(number)),
            note: Some(number.to_string()),
            ..Parts::default()
        };
        kit.make([put_manifest(&a, &parts.image())]).await;
    }
    let list = async |page| kit.index().manifests(AsOf::Now, &a, page).await;
    let manifests = walk("manifests", |summary| summary.descriptor.digest, list).await;
    assert_eq!(manifests.len(), 9);
    for (artifact_type, count) in [
        (None, 8),
        (Some("example/odd"), 4),
        (Some("example/none"), 0),
    ] {
        let media_type = artifact_type.map(|text| text.parse().expect("a media type"));
        let of = subject.digest();
        let list = async |page| {
            let index = kit.index();
            index
                .referrers(AsOf::Now, &a, &of, media_type.as_ref(), page)
                .await
        };
        let found = walk("referrers", |summary| summary.descriptor.digest, list).await;
        assert_eq!(
            found.len(),
            count,
            "referrers of the type {artifact_type:?}"
        );
        for summary in found {
            assert_eq!(summary.subject, Some(of), "the subject of a referrer");
            let annotations = summary.descriptor.annotations;
            assert!(
                annotations.contains_key("note"),
                "a referrer keeps its annotations"
            );
        }
    }
}

/// MI-6: packages that have a manifest, in the byte order of their OCI names across repositories.
pub async fn mi_6_packages_are_paged_by_their_oci_names(kit: &mut IndexKit) {
    let in_default = NAMES.map(package);
    let others = [
        package_of("a", "x"),
        package_of("a-b", "x"),
        package_of("a/b", "x"),
        package_of("team", "x"),
        package_of("team", "x/y"),
        package_of("teams", "x"),
    ];
    let mut packages: Vec<_> = in_default.into_iter().chain(others).collect();
    for package in &packages {
        kit.publish(package, "v1", &[1]).await;
    }
    kit.make([link(&package("linked"), 1)]).await;
    let image = kit.publish(&package("gone"), "v1", &[1]).await;
    kit.make([Change::DeleteManifest(package("gone"), image.digest())])
        .await;
    packages.sort_by_key(artifact_core::PackageRef::oci_name);
    for (path, count) in [
        ("", 16),
        ("default", 10),
        ("team", 2),
        ("a", 2),
        ("none", 0),
    ] {
        let scope = crate::index::goods::scope(path);
        let list = async |page| kit.index().packages(AsOf::Now, &scope, page).await;
        let found = walk("packages", artifact_core::PackageRef::oci_name, list).await;
        let held = packages
            .iter()
            .filter(|package| scope.holds(&package.repository));
        assert_eq!(
            found,
            held.cloned().collect::<Vec<_>>(),
            "the packages of {scope}"
        );
        assert_eq!(found.len(), count, "the packages of {scope}");
    }
}

/// MI-6: documents of a kind that are there, by their names.
pub async fn mi_6_documents_are_paged(kit: &mut IndexKit) {
    for name in NAMES.into_iter().chain(["a/b", "a/b/c", "team"]) {
        let body = "{}".to_owned();
        kit.make([Change::PutDocument(repository_document(name), body)])
            .await;
    }
    kit.make([Change::DeleteDocument(repository_document("team"))])
        .await;
    let user = "user:somebody".parse().expect("a document's name");
    kit.make([Change::PutDocument(user, "{}".to_owned())]).await;
    let kind = DocumentKind::Repository;
    let list = async |page| kit.index().documents(AsOf::Now, kind, page).await;
    let found = walk("documents", |record| record.key.name().to_owned(), list).await;
    assert_eq!(found.len(), 12, "{found:?}");
}

/// MI-6: rows of blobs, and of those that nothing wants, by digest.
pub async fn mi_6_rows_are_paged(kit: &mut IndexKit) {
    kit.make((0..20).map(put_inline)).await;
    let rows = async |page| kit.index().blob_rows(page).await;
    assert_eq!(walk("rows", |row| row.digest, rows).await.len(), 20);
    kit.make((0..20).step_by(2).map(|number| link(&package("a"), number)))
        .await;
    let unwanted = async |page| kit.index().unwanted(page).await;
    assert_eq!(walk("unwanted", |row| row.digest, unwanted).await.len(), 10);
}

/// MI-6: uploads by id, and the trash by key.
pub async fn mi_6_uploads_and_trash_are_paged(kit: &mut IndexKit) {
    for number in [3, 200, 17, 0, 255, 128, 127] {
        let record = upload(number, &package("a"), None);
        kit.note(Bookkeeping::BeginUpload(Box::new(record), Vec::new()))
            .await;
    }
    let uploads = async |page| kit.index().uploads(page).await;
    let found = walk("uploads", |record| record.id, uploads).await;
    let ids: Vec<_> = [0, 3, 17, 127, 128, 200, 255].map(upload_id).into();
    assert_eq!(
        found.iter().map(|record| record.id).collect::<Vec<_>>(),
        ids
    );
    let mut keys: Vec<_> = (0..7).map(|number| key(number * 37 % 11)).collect();
    kit.note(Bookkeeping::Trash(keys.clone())).await;
    let trash = async |page| kit.index().trash(page).await;
    let found = walk("trash", |record| record.key.clone(), trash).await;
    keys.sort();
    assert_eq!(
        found
            .into_iter()
            .map(|record| record.key)
            .collect::<Vec<_>>(),
        keys
    );
}

/// MI-6: what a search finds, by package and digest, and only what fits.
pub async fn mi_6_a_search_is_paged(kit: &mut IndexKit) {
    for package in [
        package("b"),
        package("a"),
        package_of("team", "x"),
        package_of("a", "x"),
    ] {
        kit.make([put_inline(1), link(&package, 1)]).await;
        for number in 0..4 {
            let parts = Parts {
                blobs: vec![1],
                artifact_type: Some(parity(number)),
                note: Some((number / 2).to_string()),
                ..Parts::default()
            };
            kit.make([put_manifest(&package, &parts.image())]).await;
        }
    }
    let mut query = Query::default();
    check_search(kit, &query, 16).await;
    query.artifact_type = Some("example/odd".parse().expect("a media type"));
    check_search(kit, &query, 8).await;
    query.annotations = vec![("note".to_owned(), "1".to_owned())];
    check_search(kit, &query, 4).await;
    query.scope = crate::index::goods::scope("default");
    check_search(kit, &query, 2).await;
    query.annotations.push(("other".to_owned(), "1".to_owned()));
    check_search(kit, &query, 0).await;
}

async fn check_search(kit: &IndexKit, query: &Query, count: usize) {
    let place = |found: &Found| (found.package.oci_name(), found.digest, found.clone());
    let whole = kit
        .index()
        .search(AsOf::Now, query, Page::first(MANY))
        .await;
    let whole = whole.expect("search answers");
    assert_eq!(whole.len(), count, "{query:?}");
    assert!(
        whole.is_sorted_by(|a, b| (place(a).0, place(a).1) < (place(b).0, place(b).1)),
        "what was found is out of order or twice"
    );
    for size in 1..=3 {
        let mut pages: Vec<Found> = Vec::new();
        loop {
            let page = Page {
                after: pages.last().cloned(),
                limit: limit(size),
            };
            let page = kit
                .index()
                .search(AsOf::Now, query, page)
                .await
                .expect("search answers");
            if page.is_empty() {
                break;
            }
            pages.extend(page);
            let ends = pages.len() <= whole.len();
            assert!(ends, "what was found, in pages of {size}, repeats itself");
        }
        assert_eq!(pages, whole, "what was found, in pages of {size}");
    }
}

/// MI-6: lists of the past are paged as those of now.
pub async fn mi_6_past_lists_are_paged(kit: &mut IndexKit) {
    let a = package("a");
    let mut revisions = Vec::new();
    for number in 1..6 {
        let name = format!("v{number}");
        kit.publish(&a, &name, &[number]).await;
        revisions.push(kit.head().await);
    }
    let manifests = kit
        .index()
        .manifests(AsOf::Now, &a, Page::first(MANY))
        .await;
    for summary in manifests.expect("manifests answers") {
        kit.make([Change::DeleteManifest(a.clone(), summary.descriptor.digest)])
            .await;
    }
    for (count, revision) in revisions.into_iter().enumerate() {
        let at = AsOf::Revision(revision);
        let tags = async |page| kit.index().tags(at, &a, page).await;
        assert_eq!(
            walk("past tags", |record| record.tag.clone(), tags)
                .await
                .len(),
            count + 1
        );
        let manifests = async |page| kit.index().manifests(at, &a, page).await;
        let found = walk(
            "past manifests",
            |summary| summary.descriptor.digest,
            manifests,
        )
        .await;
        assert_eq!(found.len(), count + 1);
        let packages = async |page| kit.index().packages(at, &Scope::all(), page).await;
        let found = walk(
            "past packages",
            artifact_core::PackageRef::oci_name,
            packages,
        )
        .await;
        assert_eq!(found, std::slice::from_ref(&a));
    }
}
