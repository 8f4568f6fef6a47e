//! History: the feed, and reads of the past.

use std::{num::NonZeroU32, time::Duration};

use super::session::Session;
use crate::{
    contract::{
        change::Committed,
        policy::Action,
        record::{AsOf, Head, Horizon},
    },
    error::Error,
    guard,
    model::{
        id::Revision,
        name::{RepositoryName, Scope},
        time::Timestamp,
    },
};

/// How often the feed looks for what other processes committed.
const POLL: Duration = Duration::from_millis(50);

/// How many commits the feed reads at a time.
const BATCH: NonZeroU32 = NonZeroU32::new(256).expect("256 is not zero");

impl Session {
    /// Returns the newest revision, and its time.
    ///
    /// # Errors
    /// Refusals to read the whole registry, whose revisions tell of all of it (I11); and where the
    /// index fails.
    pub async fn revision(&self) -> Result<Head, Error> {
        guard!(326, self)
            .permit_scope(Action::Read, &Scope::all())
            .await?;
        Ok(self.inner().index().head().await?)
    }

    /// Returns how to read as of a time.
    ///
    /// # Errors
    /// Where the index fails.
    pub async fn at_time(&self, time: Timestamp) -> Result<AsOf, Error> {
        Ok(AsOf::Revision(
            self.inner().index().revision_at(time).await?,
        ))
    }

    /// Returns the horizon of a repository: the oldest of its revisions that can be read.
    ///
    /// # Errors
    /// Refusals; and where the index fails.
    pub async fn horizon(&self, name: &RepositoryName) -> Result<Horizon, Error> {
        guard!(327, self)
            .permit_repository(Action::Read, name)
            .await?;
        Ok(self.inner().index().horizon(name).await?)
    }

    /// Returns what was committed after a revision, oldest first, at most so many.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`]; refusals to read the whole registry; and where the index fails.
    pub async fn history(
        &self,
        after: Revision,
        limit: NonZeroU32,
    ) -> Result<Vec<Committed>, Error> {
        guard!(328, self)
            .permit_scope(Action::Read, &Scope::all())
            .await?;
        Ok(self.inner().index().changes(after, limit).await?)
    }

    /// Returns the feed of what is committed after a revision, by any process.
    ///
    /// # Errors
    /// Refusals to read the whole registry; and where the index fails.
    pub async fn feed(&self, after: Revision) -> Result<Feed, Error> {
        guard!(329, self)
            .permit_scope(Action::Read, &Scope::all())
            .await?;
        Ok(Feed {
            session: self.clone(),
            after,
            ready: Vec::new(),
        })
    }
}

/// What is committed, as it is committed, by any process.
#[derive(Debug)]
pub struct Feed {
    session: Session,
    after: Revision,
    ready: Vec<Committed>,
}

impl Feed {
    /// Returns the next commit, and waits for it where there is none yet. One of another process
    /// is seen within 100 ms.
    ///
    /// # Errors
    /// [`Error::HistoryForgotten`] when the feed was read too late; and where the index fails.
    pub async fn wait(&mut self) -> Result<Committed, Error> {
        loop {
            if let Some(next) = self.ready.pop() {
                self.after = next.revision;
                return Ok(next);
            }
            self.ready = self.session.history(self.after, BATCH).await?;
            self.ready.reverse();
            if self.ready.is_empty() {
                self.session.inner().parts.clock.sleep(POLL).await;
            }
        }
    }
}
