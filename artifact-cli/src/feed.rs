//! The kept history, page by page.

use artifact::{Committed, Error, Revision, Session};

use crate::{failure::Failure, open::PAGE};

/// Reads the history from a place on.
#[derive(Debug)]
pub(crate) struct Feed<'a> {
    session: &'a Session,
    after: Revision,
}

impl<'a> Feed<'a> {
    /// Begins with the first commit after a revision.
    pub(crate) const fn after(session: &'a Session, after: Revision) -> Self {
        Self { session, after }
    }

    /// Begins with the oldest commit that is kept.
    pub(crate) async fn from_oldest(session: &'a Session) -> Result<Self, Failure> {
        let first = session
            .history(Revision::ZERO, std::num::NonZeroU32::MIN)
            .await;
        let after = match first {
            Ok(_) => Revision::ZERO,
            Err(Error::HistoryForgotten { oldest }) => oldest,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { session, after })
    }

    /// Returns the revision that was read up to.
    pub(crate) const fn position(&self) -> Revision {
        self.after
    }

    /// Returns the next commits, or `None` when there are no more.
    pub(crate) async fn next_page(&mut self) -> Result<Option<Vec<Committed>>, Failure> {
        let page = self.session.history(self.after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.after = last.revision;
        Ok(Some(page))
    }
}
