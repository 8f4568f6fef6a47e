//! Bringing artifacts to where they are not: back from the past, or from another package.

use std::collections::HashSet;

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
        manifest::{Manifest, Reference, Role},
        name::{PackageRef, Tag},
        time::Timestamp,
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
            let (source, found) = self.find_manifest(at, from).await?;
            let digest = found.record.digest;
            let mut changes = permit.bind(self.change_set());
            if guard!(369) {
                let read = source.bind(self.change_set()).expectations;
                changes.expectations.extend(read);
            }
            changes.changes = self.gather(at, &from.package, digest, to).await?;
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
    ///
    /// What it is in the middle of is a list and no recursion: an index may name an index, and so on for as
    /// long as a pusher likes.
    async fn gather(
        &self,
        at: AsOf,
        from: &PackageRef,
        root: Digest,
        to: &PackageRef,
    ) -> Result<Vec<Change>, Error> {
        let index = self.inner().index();
        let mut seen = HashSet::from([root]);
        let mut changes = Vec::new();
        let mut open = vec![Bringing::of(self, at, from, root).await?];
        while let Some(bringing) = open.last_mut() {
            let Some(reference) = bringing.left.next() else {
                changes.extend(open.pop().map(|whole| whole.put(to)));
                continue;
            };
            let named = reference.descriptor.digest;
            if reference.role == Role::Child && index.manifest(at, from, &named).await?.is_some() {
                if seen.insert(named) {
                    self.check_manifests(seen.len())?;
                    open.push(Bringing::of(self, at, from, named).await?);
                }
            } else if index.blob(at, from, &named).await?.is_some() {
                changes.push(Change::Link(to.clone(), named, None));
            } else if !reference.may_be_absent() {
                return Err(Error::BlobUnknown { digest: named });
            }
        }
        Ok(changes)
    }

    fn check_manifests(&self, found: usize) -> Result<(), Error> {
        let limit = self.inner().parts.limits.manifests;
        if guard!(503) && found > limit {
            return Err(Error::TooLarge {
                what: "the artifact's list",
                size: found as u64,
                limit: limit as u64,
            });
        }
        Ok(())
    }
}

/// A manifest that is being brought: what it names is gathered before it.
struct Bringing {
    manifest: Manifest,
    published_at: Option<Timestamp>,
    left: std::vec::IntoIter<Reference>,
}

impl Bringing {
    async fn of(
        session: &Session,
        at: AsOf,
        from: &PackageRef,
        digest: Digest,
    ) -> Result<Self, Error> {
        let record = session.inner().index().manifest(at, from, &digest).await?;
        let record = record.ok_or_else(|| Error::not_found(What::Manifest, digest))?;
        let kind = Some(&record.media_type);
        let manifest = Manifest::parse(record.bytes, kind, digest.algorithm())?;
        Ok(Self {
            left: manifest.references().to_vec().into_iter(),
            published_at: record.published_at,
            manifest,
        })
    }

    fn put(self, to: &PackageRef) -> Change {
        Change::PutManifest {
            package: to.clone(),
            manifest: Box::new(self.manifest),
            published_at: self.published_at,
        }
    }
}
