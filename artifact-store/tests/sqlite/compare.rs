//! All that an index answers, as lines.

use std::num::NonZeroU32;

use artifact_core::{
    AsOf, BlobKey, Digest, DocumentKey, DocumentKind, ManifestIndex, MediaType, PackageRef, Page,
    Query, RepositoryName, Scope, Tag, UploadId,
};

use super::goods::{MANY, all, boot};

/// What to ask for.
pub(crate) struct Names {
    pub(crate) packages: Vec<PackageRef>,
    pub(crate) digests: Vec<Digest>,
    pub(crate) subjects: Vec<Digest>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) documents: Vec<DocumentKey>,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) queries: Vec<Query>,
    pub(crate) keys: Vec<BlobKey>,
    pub(crate) uploads: Vec<UploadId>,
    pub(crate) types: Vec<MediaType>,
}

const KINDS: [DocumentKind; 5] = [
    DocumentKind::Mode,
    DocumentKind::Namespace,
    DocumentKind::Repository,
    DocumentKind::Stage,
    DocumentKind::User,
];

/// Follows a list page by page, in pages of two, and checks that it is the list in one.
macro_rules! paged {
    ($lines:ident, $what:expr, $key:expr, |$page:ident| $list:expr) => {{
        let $page = all();
        let whole = $list.await;
        if let Ok(items) = &whole {
            let mut pages = Vec::new();
            let mut $page = Page::first(TWO);
            loop {
                let next = $list.await.unwrap();
                let Some(last) = next.last() else { break };
                $page = Page::after($key(last), TWO);
                pages.extend(next);
            }
            assert_eq!(&pages, items, "{}", $what);
        }
        $lines.push(format!("{}: {whole:?}", $what));
    }};
}

const TWO: NonZeroU32 = NonZeroU32::new(2).expect("2 is not 0");

/// Returns all that an index answers of a state.
pub(crate) async fn state(index: &dyn ManifestIndex, names: &Names, at: AsOf) -> Vec<String> {
    let mut lines = Vec::new();
    for kind in KINDS {
        let key = |record: &artifact_core::DocumentRecord| record.key.name().to_owned();
        paged!(lines, format!("{kind:?}"), key, |page| index.documents(
            at,
            kind,
            page.clone()
        ));
    }
    for key in &names.documents {
        lines.push(format!("{key}: {:?}", index.document(at, key).await));
    }
    for scope in &names.scopes {
        let what = format!("packages of {scope}");
        // Where two packages have one OCI name, a page may end between them.
        let packages = index.packages(at, scope, all()).await;
        lines.push(format!("{what}: {packages:?}"));
    }
    for query in &names.queries {
        let key = |found: &artifact_core::Found| found.clone();
        paged!(lines, format!("{query:?}"), key, |page| index.search(
            at,
            query,
            page.clone()
        ));
    }
    for package in &names.packages {
        let place = format!("{}//{}", package.repository, package.package);
        let key = |record: &artifact_core::TagRecord| record.tag.clone();
        paged!(lines, format!("{place} tags"), key, |page| index.tags(
            at,
            package,
            page.clone()
        ));
        for tag in &names.tags {
            let found = index.tag(at, package, tag).await;
            lines.push(format!("{place}:{tag}: {found:?}"));
        }
        let key = |summary: &artifact_core::ManifestSummary| summary.descriptor.digest;
        paged!(lines, format!("{place} manifests"), key, |page| index
            .manifests(at, package, page.clone()));
        for digest in &names.digests {
            let found = index.manifest(at, package, digest).await;
            lines.push(format!("{place}@{digest}: {found:?}"));
            let found = index.blob(at, package, digest).await;
            lines.push(format!("{place} blob {digest}: {found:?}"));
        }
        for subject in &names.subjects {
            for of in names.types.iter().map(Some).chain([None]) {
                let what = format!("{place} referrers of {subject} {of:?}");
                paged!(lines, what, key, |page| index.referrers(
                    at,
                    package,
                    subject,
                    of,
                    page.clone()
                ));
            }
        }
    }
    lines
}

/// Returns all that an index answers beside a state.
pub(crate) async fn beside(index: &dyn ManifestIndex, names: &Names) -> Vec<String> {
    let mut lines = Vec::new();
    lines.push(format!("{:?}", index.head().await));
    let key = |row: &artifact_core::BlobRecord| row.digest;
    paged!(lines, "rows", key, |page| index.blob_rows(page.clone()));
    let key = |row: &artifact_core::UploadRecord| row.id;
    paged!(lines, "uploads", key, |page| index.uploads(page.clone()));
    let key = |row: &artifact_core::TrashRecord| row.key.clone();
    paged!(lines, "trash", key, |page| index.trash(page.clone()));
    lines.push(format!("{:?}", index.totals().await));
    for boot_name in ["one", "two", "three"] {
        let leases = index.foreign_leases(&boot(boot_name, 0), MANY).await;
        lines.push(format!("leases but of {boot_name}: {leases:?}"));
    }
    for key in &names.keys {
        lines.push(format!("{key}: {:?}", index.key_owner(key).await));
    }
    for id in &names.uploads {
        lines.push(format!("{id}: {:?}", index.upload(id).await));
    }
    for scope in &names.scopes {
        lines.push(format!("{scope}: {:?}", index.usage(scope).await));
        lines.push(format!("{scope}: {:?}", index.footprint(scope).await));
    }
    let mut repositories: Vec<&RepositoryName> =
        names.packages.iter().map(|p| &p.repository).collect();
    repositories.dedup();
    for name in repositories {
        lines.push(format!("{:?}", index.horizon(name).await));
    }
    for millis in (0..40).map(|step| step * 700) {
        let time = artifact_core::Timestamp::from_millis(millis);
        lines.push(format!("{millis}: {:?}", index.revision_at(time).await));
    }
    lines
}

/// Checks that two indexes answer alike.
pub(crate) fn check_equal(found: &[String], expected: &[String], when: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{when}");
    }
    assert_eq!(found.len(), expected.len(), "{when}");
}
