//! Forgetting: horizons move, and the past rows that they passed go.

use std::collections::BTreeMap;

use super::{reclaim::PAGE, session::Session, settings::parse};
use crate::{
    contract::{
        change::{Bookkeeping, Change, Committed, Event},
        index_error::IndexError,
        record::{AsOf, Page},
    },
    error::Error,
    model::{
        document::{DocumentKey, DocumentKind, RepositorySettings, StageSettings},
        id::Revision,
        name::RepositoryName,
    },
};

/// What to forget by hand.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a place and a revision are all there is to it"
)]
pub struct Forget {
    /// The repository; all of them when `None`.
    pub repository: Option<RepositoryName>,
    /// What was before this revision is forgotten.
    pub before: Revision,
}

/// A repository that has a history, or may have one.
#[derive(Debug)]
pub(crate) struct Remembered {
    name: RepositoryName,
    /// The revision that removed it, if it is not there any more.
    removed: Option<Revision>,
}

impl Session {
    /// Returns the repositories that are there, and those that were removed long enough ago that what they
    /// held may be forgotten: what nobody asks for any more would be kept for ever.
    pub(crate) async fn remembered(
        &self,
        by_hand: Option<&Forget>,
    ) -> Result<Vec<Remembered>, Error> {
        let there = self.all_repositories().await?;
        let usual = StageSettings::default().history_keep;
        let through = self.forgotten_after(usual).await?;
        let through = by_hand.map_or(through, |forget| through.max(forget.before));
        let mut removed = self.removed_repositories(through).await?;
        removed.retain(|name, _| !there.contains(name));
        // First those that were removed: the feed, which tells of them, is cut with the others.
        let removed = removed.into_iter().map(|(name, at)| Remembered {
            name,
            removed: Some(at),
        });
        let there = there.into_iter().map(|name| Remembered {
            name,
            removed: None,
        });
        Ok(removed.chain(there).collect())
    }

    /// Moves the horizons to where `history.keep` or the caller says, and returns how many moved.
    pub(crate) async fn forget(
        &self,
        all: &[Remembered],
        by_hand: Option<&Forget>,
    ) -> Result<u64, Error> {
        let mut moved = 0;
        for repository in all {
            let Some(keep) = self.history_keep(repository).await? else {
                continue;
            };
            let name = &repository.name;
            let mut horizon = self.forgotten_after(keep).await?;
            if let Some(forget) = by_hand
                && forget.repository.as_ref().is_none_or(|only| only == name)
            {
                horizon = horizon.max(forget.before);
            }
            let current = self.inner().index().horizon(name).await?.revision;
            let horizon = match repository.removed {
                None if self.only_forgets(current, horizon).await? => continue,
                None => horizon,
                Some(removed) => beyond_removal(current, horizon, removed),
            };
            if horizon <= current {
                continue;
            }
            let head = self.inner().index().head().await?.revision;
            let change = Change::Forget(name.clone(), horizon.min(head));
            self.inner()
                .index()
                .apply(self.change_set().change(change))
                .await?;
            moved += 1;
        }
        Ok(moved)
    }

    /// Deletes the past rows that horizons have passed, and returns how many.
    pub(crate) async fn prune(&self, all: &[Remembered]) -> Result<u64, Error> {
        let mut pruned = 0;
        for repository in all {
            loop {
                let prune = Bookkeeping::Prune(repository.name.clone(), PAGE.get());
                let rows = self.inner().index().note(prune).await?.rows;
                pruned += rows;
                if rows == 0 {
                    break;
                }
            }
        }
        Ok(pruned)
    }

    /// Returns how long a repository keeps its history; as it was set in the end, where it was removed.
    async fn history_keep(&self, repository: &Remembered) -> Result<Option<u64>, Error> {
        let name = &repository.name;
        let Some(removed) = repository.removed else {
            let effective = self.inner().effective(name).await?;
            return Ok(effective.map(|effective| effective.stage.history_keep));
        };
        let before = AsOf::Revision(Revision::new(removed.get().saturating_sub(1)));
        let key = DocumentKey::Repository(name.clone());
        let record = self.inner().index().document(before, &key).await?;
        let settings: Option<RepositorySettings> = match &record {
            Some(record) => parse(record)?,
            None => None,
        };
        let settings = settings.unwrap_or_default();
        let effective = self.inner().effective_of(name, settings, Vec::new());
        Ok(Some(effective.await?.stage.history_keep))
    }

    /// Returns the revision up to which is forgotten what is kept for so many milliseconds.
    async fn forgotten_after(&self, keep: u64) -> Result<Revision, Error> {
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        let now = self.inner().parts.clock.now();
        let since = now.plus_millis(keep.saturating_neg());
        Ok(self.inner().index().revision_at(since).await?)
    }

    /// Says whether nothing happened between two revisions but that horizons moved. To forget that
    /// would be a change in its turn, and so on for ever.
    async fn only_forgets(&self, after: Revision, to: Revision) -> Result<bool, Error> {
        let Ok(commits) = self.inner().index().changes(after, PAGE).await else {
            return Ok(false);
        };
        let forgets = |commit: &Committed| {
            commit
                .events
                .iter()
                .all(|event| matches!(event, Event::Forgotten { .. }))
        };
        let covered = commits.last().is_some_and(|last| last.revision >= to);
        Ok(covered
            && commits
                .iter()
                .filter(|commit| commit.revision <= to)
                .all(forgets))
    }

    async fn all_repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        let (mut names, mut after) = (Vec::new(), None);
        loop {
            let page = Page { after, limit: PAGE };
            let records = self
                .inner()
                .index()
                .documents(AsOf::Now, DocumentKind::Repository, page)
                .await?;
            let Some(last) = records.last() else {
                return Ok(names);
            };
            after = Some(last.key.name().to_owned());
            names.extend(records.into_iter().filter_map(|record| match record.key {
                DocumentKey::Repository(name) => Some(name),
                _ => None,
            }));
        }
    }

    /// Returns the repositories that were removed up to a revision, each with the last that did so. The feed
    /// tells of each as long as it has a past row: it is cut only where every horizon has passed.
    async fn removed_repositories(
        &self,
        through: Revision,
    ) -> Result<BTreeMap<RepositoryName, Revision>, Error> {
        let (mut removed, mut after) = (BTreeMap::new(), Revision::ZERO);
        while after < through {
            let page = match self.inner().index().changes(after, PAGE).await {
                Err(IndexError::HistoryForgotten { oldest }) if oldest > after => {
                    after = oldest;
                    continue;
                }
                page => page?,
            };
            let Some(last) = page.last() else { break };
            after = last.revision;
            for commit in page.iter().filter(|commit| commit.revision <= through) {
                for event in &commit.events {
                    if let Event::DocumentDeleted {
                        key: DocumentKey::Repository(name),
                        ..
                    } = event
                    {
                        removed.insert(name.clone(), commit.revision);
                    }
                }
            }
        }
        Ok(removed)
    }
}

/// Returns where the horizon of a removed repository goes that may go so far: when its time has come, first to
/// right before its removal, which passes all of its rows; and only when they are gone past it, for then the
/// feed may be cut and nobody knows of it any more.
fn beyond_removal(current: Revision, horizon: Revision, removed: Revision) -> Revision {
    let before = Revision::new(removed.get().saturating_sub(1));
    if horizon < removed || current >= removed {
        current
    } else if current < before {
        before
    } else {
        removed
    }
}
