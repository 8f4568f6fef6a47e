//! All that an index answers, as lines that can be compared.

use std::{collections::BTreeSet, fmt::Debug};

use artifact_core::{
    AsOf, BlobKey, Digest, DocumentKey, DocumentKind, ManifestIndex, PackageRef, Query, Revision,
    Scope, Tag, UploadId,
};

use super::goods::{MANY, all, boot};

const KINDS: [DocumentKind; 5] = [
    DocumentKind::Mode,
    DocumentKind::Namespace,
    DocumentKind::Repository,
    DocumentKind::Stage,
    DocumentKind::User,
];

/// What to ask an index for, beside what its lists tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Packages, also such as have nothing.
    pub(crate) packages: BTreeSet<PackageRef>,
    /// Contents.
    pub(crate) digests: BTreeSet<Digest>,
    /// Documents.
    pub(crate) documents: BTreeSet<DocumentKey>,
    /// Scopes.
    pub(crate) scopes: Vec<Scope>,
    /// Queries.
    pub(crate) queries: Vec<Query>,
    /// Keys of a blob store.
    pub(crate) keys: BTreeSet<BlobKey>,
    /// Tags.
    pub(crate) tags: BTreeSet<Tag>,
    /// Uploads.
    pub(crate) uploads: BTreeSet<UploadId>,
}

/// The answers of an index, one a line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Dump(Vec<String>);

impl Dump {
    fn add(&mut self, question: impl Into<String>, answer: &impl Debug) {
        self.0.push(format!("{}: {answer:?}", question.into()));
    }

    /// Checks that two dumps are equal.
    ///
    /// # Panics
    /// When they are not, with the first line that differs.
    pub(crate) fn check_equal(&self, other: &Self, why: &str) {
        for (mine, others) in self.0.iter().zip(&other.0) {
            assert_eq!(mine, others, "{why}");
        }
        assert_eq!(self.0.len(), other.0.len(), "{why}: one answers more");
    }
}

/// Asks for everything that is kept at a state.
pub(crate) async fn dump_at(index: &dyn ManifestIndex, names: &Names, at: AsOf) -> Dump {
    let mut dump = Dump::default();
    for kind in KINDS {
        let documents = index.documents(at, kind, all()).await;
        dump.add(format!("{kind:?}"), &documents);
    }
    for key in &names.documents {
        dump.add(key.to_string(), &index.document(at, key).await);
    }
    for scope in &names.scopes {
        let packages = index.packages(at, scope, all()).await;
        dump.add(format!("packages of {scope}"), &packages);
    }
    for query in &names.queries {
        let found = index.search(at, query, all()).await;
        dump.add(format!("{query:?}"), &found);
    }
    for package in &names.packages {
        dump_package(&mut dump, index, names, at, package).await;
    }
    dump
}

async fn dump_package(
    dump: &mut Dump,
    index: &dyn ManifestIndex,
    names: &Names,
    at: AsOf,
    package: &PackageRef,
) {
    let place = format!("{}/{}", package.repository, package.package);
    let tags = index.tags(at, package, all()).await;
    dump.add(format!("{place} tags"), &tags);
    for tag in &names.tags {
        let record = index.tag(at, package, tag).await;
        dump.add(format!("{place}:{tag}"), &record);
    }
    let manifests = index.manifests(at, package, all()).await;
    dump.add(format!("{place} manifests"), &manifests);
    for digest in &names.digests {
        let manifest = index.manifest(at, package, digest).await;
        dump.add(format!("{place}@{digest}"), &manifest);
        let blob = index.blob(at, package, digest).await;
        dump.add(format!("{place} blob {digest}"), &blob);
        let referrers = index.referrers(at, package, digest, None, all()).await;
        dump.add(format!("{place} referrers of {digest}"), &referrers);
    }
}

/// Asks for everything but the feed, which each index prunes in its own time.
pub(crate) async fn dump_now(index: &dyn ManifestIndex, names: &Names) -> Dump {
    let mut dump = dump_at(index, names, AsOf::Now).await;
    dump.add("head", &index.head().await);
    dump.add("rows", &index.blob_rows(all()).await);
    dump.add("uploads", &index.uploads(all()).await);
    dump.add("trash", &index.trash(all()).await);
    dump.add("unwanted", &index.unwanted(all()).await);
    dump.add("totals", &index.totals().await);
    // No lease is of this boot, so all of them are foreign to it.
    let nowhere = boot("nowhere", 0);
    dump.add("leases", &index.foreign_leases(&nowhere, MANY).await);
    for digest in &names.digests {
        dump.add(format!("row {digest}"), &index.blob_row(digest).await);
    }
    for key in &names.keys {
        dump.add(format!("owner of {key}"), &index.key_owner(key).await);
    }
    for id in &names.uploads {
        dump.add(format!("upload {id}"), &index.upload(id).await);
    }
    for scope in &names.scopes {
        dump.add(format!("usage of {scope}"), &index.usage(scope).await);
        dump.add(
            format!("footprint of {scope}"),
            &index.footprint(scope).await,
        );
    }
    let repositories: BTreeSet<_> = names.packages.iter().map(|p| &p.repository).collect();
    for repository in repositories {
        let horizon = index.horizon(repository).await;
        dump.add(format!("horizon of {repository}"), &horizon);
    }
    dump
}

/// Asks for everything, and for the whole feed.
pub(crate) async fn dump_all(index: &dyn ManifestIndex, names: &Names) -> Dump {
    let mut dump = dump_now(index, names).await;
    dump.add("feed", &index.changes(Revision::ZERO, MANY).await);
    dump
}
