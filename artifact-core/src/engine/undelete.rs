//! Bringing artifacts to where they are not: back from the past, or from another package.

use std::{collections::HashSet, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};

use super::{
    commit::{Outcome, TRIES, contended},
    permit::Missing,
    session::Session,
    tag::Condition,
};
use crate::{
    contract::{
        change::{Change, Committed},
        policy::Action,
        record::AsOf,
    },
    error::{Error, What},
    guard,
    model::{
        coordinate::{Coordinate, ManifestRef},
        digest::Digest,
        manifest::{Manifest, Role},
        name::{PackageRef, Tag},
    },
};

impl Session {
    /// Puts an artifact of a package back as it was, with the tag by which it is named; children
    /// and blobs come with it. Its room is charged again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was not there then, [`Error::HistoryForgotten`],
    /// [`Error::Purged`], [`Error::Quota`]; [`Error::Precondition`] when the condition does not hold
    /// of the tag; refusals; and where the index fails.
    pub async fn undelete(
        &self,
        at: AsOf,
        coordinate: &Coordinate,
        condition: &Condition,
    ) -> Result<Committed, Error> {
        let tag = match &coordinate.reference {
            ManifestRef::Tag(tag) => Some(tag),
            ManifestRef::Digest(_) => None,
        };
        self.bring(at, coordinate, &coordinate.package, tag, condition)
            .await
    }

    /// Copies an artifact to another package, without moving a byte.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Quota`], [`Error::Precondition`]; refusals to read the one or
    /// push to the other; and where the index fails.
    pub async fn copy(
        &self,
        from: &Coordinate,
        to: &PackageRef,
        tag: Option<&Tag>,
        condition: &Condition,
    ) -> Result<Committed, Error> {
        self.bring(AsOf::Now, from, to, tag, condition).await
    }

    async fn bring(
        &self,
        at: AsOf,
        from: &Coordinate,
        to: &PackageRef,
        tag: Option<&Tag>,
        condition: &Condition,
    ) -> Result<Committed, Error> {
        let missing = Missing::new(What::Package, to);
        for _ in 0..TRIES {
            let permit = guard!(318, self)
                .permit(Action::Create, to, &missing)
                .await?;
            let found = self.get_manifest(at, from).await?;
            let digest = found.record.digest;
            let mut tree = Tree {
                to: to.clone(),
                seen: HashSet::new(),
                changes: Vec::new(),
            };
            self.gather(at, &from.package, digest, &mut tree).await?;
            let mut changes = permit.bind(self.change_set());
            changes.changes = tree.changes;
            if let Some(tag) = tag {
                (changes, _) = self.tag_change(changes, to, tag, digest, condition).await?;
            }
            match self.apply_tags(changes).await? {
                Outcome::Done(committed) => return Ok(committed),
                Outcome::Again => {}
            }
        }
        Err(contended(format!("the tags of {to}")))
    }

    /// Gathers the changes that bring a manifest: its blobs' links, its children, then itself.
    fn gather<'a>(
        &'a self,
        at: AsOf,
        from: &'a PackageRef,
        digest: Digest,
        tree: &'a mut Tree,
    ) -> BoxFuture<'a, Result<(), Error>> {
        async move {
            if !tree.seen.insert(digest) {
                return Ok(());
            }
            let limit = self.inner().parts.limits.manifests;
            if guard!(503) && tree.seen.len() > limit {
                let (size, limit) = (tree.seen.len() as u64, limit as u64);
                return Err(Error::TooLarge {
                    what: "the artifact's list",
                    size,
                    limit,
                });
            }
            let index = Arc::clone(&self.inner().parts.index);
            let missing = || Error::not_found(What::Manifest, digest);
            let record = index
                .manifest(at, from, &digest)
                .await?
                .ok_or_else(missing)?;
            let kind = Some(&record.media_type);
            let manifest = Manifest::parse(record.bytes.clone(), kind, digest.algorithm())?;
            for reference in manifest.references() {
                let named = reference.descriptor.digest;
                let is_manifest = reference.role == Role::Child
                    && index.manifest(at, from, &named).await?.is_some();
                if is_manifest {
                    self.gather(at, from, named, tree).await?;
                } else if index.blob(at, from, &named).await?.is_some() {
                    tree.changes
                        .push(Change::Link(tree.to.clone(), named, None));
                } else if !reference.may_be_absent() {
                    return Err(Error::BlobUnknown { digest: named });
                }
            }
            tree.changes.push(Change::PutManifest {
                package: tree.to.clone(),
                manifest: Box::new(manifest),
                published_at: record.published_at,
            });
            Ok(())
        }
        .boxed()
    }
}

struct Tree {
    to: PackageRef,
    seen: HashSet<Digest>,
    changes: Vec<Change>,
}
