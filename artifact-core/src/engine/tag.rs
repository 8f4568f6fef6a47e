//! Tags: to move and to delete, on a condition.

use super::{
    commit::{Outcome, TRIES, contended},
    permit::Missing,
    session::Session,
};
use crate::{
    contract::{
        change::{Change, Committed, Expectation},
        policy::Action,
        record::{AsOf, Page, TagRecord},
    },
    error::{Error, What},
    guard,
    model::{
        digest::Digest,
        id::Generation,
        name::{PackageRef, Tag},
    },
};

/// What must hold of a tag before it is changed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// It is not there.
    Absent,
    /// Nothing: the last writer wins.
    #[default]
    Any,
    /// It points at one of these digests.
    Digests(Vec<Digest>),
    /// It is there.
    Exists,
    /// It is at one of these generations; exact, also when it was moved away and back.
    Generations(Vec<Generation>),
    /// It points at one of these digests, or is at one of these generations.
    Either(Vec<Digest>, Vec<Generation>),
}

impl Condition {
    /// Checks the condition against the tag as it is.
    ///
    /// # Errors
    /// [`Error::Precondition`].
    pub(crate) fn check(
        &self,
        package: &PackageRef,
        tag: &Tag,
        current: Option<&TagRecord>,
    ) -> Result<(), Error> {
        let holds = match (self, current) {
            (Self::Any, _) | (Self::Absent, None) | (Self::Exists, Some(_)) => true,
            (Self::Digests(digests), Some(current)) => digests.contains(&current.digest),
            (Self::Generations(generations), Some(current)) => {
                generations.contains(&current.generation)
            }
            (Self::Either(digests, generations), Some(current)) => {
                digests.contains(&current.digest) || generations.contains(&current.generation)
            }
            _ => false,
        };
        if holds {
            Ok(())
        } else {
            Err(Error::Precondition {
                what: format!("tag {tag} of {package}"),
            })
        }
    }
}

impl Session {
    /// Returns a tag of a package.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::HistoryForgotten`]; refusals; and where the index fails.
    pub async fn tag(&self, at: AsOf, package: &PackageRef, tag: &Tag) -> Result<TagRecord, Error> {
        let missing = Missing::new(What::Tag, tag);
        guard!(309, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let record = self.inner().index().tag(at, package, tag).await?;
        record.ok_or_else(|| missing.error())
    }

    /// Lists the tags of a package, in byte order.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such package, [`Error::HistoryForgotten`]; refusals; and
    /// where the index fails.
    pub async fn list_tags(
        &self,
        at: AsOf,
        package: &PackageRef,
        page: Page<Tag>,
    ) -> Result<Vec<TagRecord>, Error> {
        let missing = Missing::new(What::Package, package);
        guard!(310, self)
            .permit(Action::Read, package, &missing)
            .await?;
        let tags = self.inner().index().tags(at, package, page).await?;
        if tags.is_empty() {
            let any = Page::first(std::num::NonZeroU32::MIN);
            if self
                .inner()
                .index()
                .manifests(at, package, any)
                .await?
                .is_empty()
            {
                return Err(missing.error());
            }
        }
        Ok(tags)
    }

    /// Makes or moves a tag to a manifest that the package has.
    ///
    /// # Errors
    /// [`Error::Precondition`], [`Error::NotFound`] when the package has no such manifest; refusals;
    /// and where the index fails.
    pub async fn put_tag(
        &self,
        package: &PackageRef,
        tag: &Tag,
        digest: &Digest,
        condition: &Condition,
    ) -> Result<Committed, Error> {
        let missing = Missing::new(What::Package, package);
        for _ in 0..TRIES {
            let permit = guard!(311, self)
                .permit(Action::Create, package, &missing)
                .await?;
            let changes = permit.bind(self.change_set());
            let (changes, _) = self
                .tag_change(changes, package, tag, *digest, condition)
                .await?;
            match self.apply_tags(changes).await? {
                Outcome::Done(committed) => return Ok(committed),
                Outcome::Again => {}
            }
        }
        Err(contended(format!("tag {tag} of {package}")))
    }

    /// Deletes a tag; the manifest that it points at stays.
    ///
    /// # Errors
    /// [`Error::Precondition`], [`Error::NotFound`]; refusals; and where the index fails.
    pub async fn delete_tag(
        &self,
        package: &PackageRef,
        tag: &Tag,
        condition: &Condition,
    ) -> Result<Committed, Error> {
        let missing = Missing::new(What::Tag, tag);
        for _ in 0..TRIES {
            let permit = guard!(312, self)
                .permit(Action::Delete, package, &missing)
                .await?;
            let current = self.inner().index().tag(AsOf::Now, package, tag).await?;
            let current = match (current, condition) {
                (None, Condition::Any) => return Err(missing.error()),
                (current, _) => {
                    guard!(380, condition.check(package, tag, current.as_ref()))?;
                    current.ok_or_else(|| missing.error())?
                }
            };
            let expected = Expectation::TagAt(package.clone(), tag.clone(), current.generation);
            let delete = Change::DeleteTag(package.clone(), tag.clone());
            let changes = permit.bind(self.change_set()).change(delete);
            let changes = guard!(381, changes.expect(expected), else changes);
            match self.apply_tags(changes).await? {
                Outcome::Done(committed) => return Ok(committed),
                Outcome::Again => {}
            }
        }
        Err(contended(format!("tag {tag} of {package}")))
    }
}
