//! Manifests: to publish, to read, to delete.

use std::collections::HashSet;

use super::{
    commit::{Outcome, TRIES, contended},
    permit::{Missing, Permit},
    session::Session,
    tag::Condition,
    transfer::check_inline,
};
use crate::{
    contract::{
        change::{Change, ChangeSet, Committed, Event, Expectation},
        index_error::{Conflict, IndexError},
        policy::Action,
        record::{AsOf, ManifestRecord, TagRecord},
    },
    error::{Error, What},
    guard,
    model::{
        coordinate::{Coordinate, ManifestRef},
        digest::Digest,
        id::Generation,
        manifest::{Manifest, Role},
        name::{PackageRef, Tag},
        time::Timestamp,
    },
};

/// How a manifest is to be published.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PutManifest {
    /// The tags that shall point at it.
    pub tags: Vec<Tag>,
    /// What must hold of each of them before.
    pub condition: Condition,
    /// When its publisher says that it was published.
    pub published_at: Option<Timestamp>,
}

impl PutManifest {
    /// Returns the options for a manifest with these tags.
    pub const fn tagged(tags: Vec<Tag>) -> Self {
        Self {
            tags,
            condition: Condition::Any,
            published_at: None,
        }
    }

    /// Sets what must hold of each tag before.
    #[must_use]
    pub fn on(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }
}

/// What was published.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Published {
    /// The digest of the manifest.
    pub digest: Digest,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// The tags that point at it now, each with its generation.
    pub tags: Vec<(Tag, Generation)>,
    /// What was committed.
    pub committed: Committed,
}

/// A manifest that was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FoundManifest {
    /// The manifest.
    pub record: ManifestRecord,
    /// The tag by which it was found.
    pub tag: Option<TagRecord>,
}

impl Session {
    /// Publishes a manifest to a package, and moves its tags to it: all at once, or not at all.
    ///
    /// # Errors
    /// [`Error::BlobUnknown`] when something it names is not in the package; [`Error::Size`] when it
    /// tells a wrong size; [`Error::Precondition`] when the condition does not hold of a tag;
    /// [`Error::Quota`]; refusals; and where the index fails.
    pub async fn put_manifest(
        &self,
        package: &PackageRef,
        manifest: &Manifest,
        options: &PutManifest,
    ) -> Result<Published, Error> {
        let missing = Missing::new(What::Package, package);
        for _ in 0..TRIES {
            let permit = guard!(304, self)
                .permit(Action::Create, package, &missing)
                .await?;
            self.check_sizes(package, manifest).await?;
            let put = Change::PutManifest {
                package: package.clone(),
                manifest: Box::new(manifest.clone()),
                published_at: options.published_at,
            };
            let mut changes = permit.bind(self.change_set()).change(put);
            let mut tags = Vec::new();
            for tag in &options.tags {
                let (set, generation) = self
                    .tag_change(changes, package, tag, manifest.digest(), &options.condition)
                    .await?;
                changes = set;
                tags.push((tag.clone(), generation));
            }
            match self.apply_tags(changes).await? {
                Outcome::Done(committed) => {
                    let moved = |(tag, known): (Tag, Generation)| {
                        let generation = moved_to(&committed, &tag).unwrap_or(known);
                        (tag, generation)
                    };
                    return Ok(Published {
                        digest: manifest.digest(),
                        subject: manifest.subject().map(|subject| subject.digest),
                        tags: tags.into_iter().map(moved).collect(),
                        committed,
                    });
                }
                Outcome::Again => {}
            }
        }
        Err(contended(format!("the tags of {package}")))
    }

    /// Adds the move of a tag to a change set, with what it rests on, and returns the generation
    /// that the tag has, for where it does not move.
    pub(crate) async fn tag_change(
        &self,
        mut changes: ChangeSet,
        package: &PackageRef,
        tag: &Tag,
        digest: Digest,
        condition: &Condition,
    ) -> Result<(ChangeSet, Generation), Error> {
        let current = self.inner().index().tag(AsOf::Now, package, tag).await?;
        guard!(376, condition.check(package, tag, current.as_ref()))?;
        match current {
            Some(current) if current.digest == digest => {
                let expected = Expectation::TagAt(package.clone(), tag.clone(), current.generation);
                let changes = guard!(377, changes.expect(expected), else changes);
                Ok((changes, current.generation))
            }
            Some(current) => {
                let missing = Missing::new(What::Tag, tag);
                let permit: Permit = guard!(305, self)
                    .permit(Action::Overwrite, package, &missing)
                    .await?;
                changes = permit.bind(changes);
                let expected = Expectation::TagAt(package.clone(), tag.clone(), current.generation);
                let put = Change::PutTag(package.clone(), tag.clone(), digest);
                let changes = guard!(378, changes.expect(expected), else changes);
                Ok((changes.change(put), current.generation))
            }
            None => {
                let expected = Expectation::TagAbsent(package.clone(), tag.clone());
                let put = Change::PutTag(package.clone(), tag.clone(), digest);
                let changes = guard!(379, changes.expect(expected), else changes);
                Ok((changes.change(put), Generation::NONE))
            }
        }
    }

    /// Checks that what the manifest names has the sizes that it tells; what is missing is the
    /// index's to refuse, in the commit itself.
    async fn check_sizes(&self, package: &PackageRef, manifest: &Manifest) -> Result<(), Error> {
        let mut seen = HashSet::new();
        for reference in manifest.references() {
            let descriptor = &reference.descriptor;
            let digest = descriptor.digest;
            if !seen.insert(digest) || reference.may_be_absent() {
                continue;
            }
            let index = self.inner().index();
            let child = match reference.role {
                Role::Child => index.manifest(AsOf::Now, package, &digest).await?,
                _ => None,
            };
            let actual = match child {
                Some(child) => child.bytes.len() as u64,
                None => match index.blob(AsOf::Now, package, &digest).await? {
                    Some(link) if guard!(222) && link.blob.quarantined => {
                        return Err(Error::Corrupt { digest });
                    }
                    Some(link) => link.blob.size,
                    None => return Err(Error::BlobUnknown { digest }),
                },
            };
            if guard!(223) && actual != descriptor.size {
                return Err(Error::Size {
                    digest,
                    said: descriptor.size,
                    actual,
                });
            }
        }
        Ok(())
    }

    /// Reads a manifest of a package, by digest or tag.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Corrupt`], [`Error::Purged`], [`Error::HistoryForgotten`];
    /// refusals; and where the index fails.
    pub async fn get_manifest(
        &self,
        at: AsOf,
        coordinate: &Coordinate,
    ) -> Result<FoundManifest, Error> {
        let (_, found) = self.find_manifest(at, coordinate).await?;
        Ok(found)
    }

    /// Finds a manifest, and returns with it what the right to read it rests on.
    pub(crate) async fn find_manifest(
        &self,
        at: AsOf,
        coordinate: &Coordinate,
    ) -> Result<(Permit, FoundManifest), Error> {
        let Coordinate { package, reference } = coordinate;
        let missing = Missing::new(What::Manifest, reference);
        let permit = guard!(307, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let index = self.inner().index();
        let (digest, tag) = match reference {
            ManifestRef::Digest(digest) => (*digest, None),
            ManifestRef::Tag(tag) => {
                let tag = index
                    .tag(at, package, tag)
                    .await?
                    .ok_or_else(|| missing.error())?;
                (tag.digest, Some(tag))
            }
        };
        let record = index.manifest(at, package, &digest).await?;
        let record = record.ok_or_else(|| missing.error())?;
        guard!(204, check_inline(&record.digest, &record.bytes))?;
        Ok((permit, FoundManifest { record, tag }))
    }

    /// Deletes a manifest from a package, with all tags that point at it.
    ///
    /// # Errors
    /// [`Error::Named`] when an index of the package names it; [`Error::NotFound`]; refusals; and
    /// where the index fails.
    pub async fn delete_manifest(
        &self,
        package: &PackageRef,
        digest: &Digest,
    ) -> Result<Committed, Error> {
        let missing = Missing::new(What::Manifest, digest);
        for _ in 0..TRIES {
            let permit = guard!(308, self)
                .permit(Action::Delete, package, &missing)
                .await?;
            let change = Change::DeleteManifest(package.clone(), *digest);
            match self
                .apply(permit.bind(self.change_set()).change(change))
                .await
            {
                Ok(Outcome::Done(committed)) => return Ok(committed),
                Ok(Outcome::Again) => {}
                Err(IndexError::Conflict(Conflict::ManifestUnknown { .. })) => {
                    return Err(missing.error());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(format!("the settings of {package}")))
    }
}

/// Returns the generation that a tag was given by a commit.
pub(crate) fn moved_to(committed: &Committed, tag: &Tag) -> Option<Generation> {
    committed.events.iter().find_map(|event| match event {
        Event::TagPut {
            tag: moved,
            generation,
            ..
        } if moved == tag => Some(*generation),
        _ => None,
    })
}
