//! Reclaiming: uploads whose writer died or whose time is over.

use std::num::NonZeroU32;

use super::{
    limits::millis,
    registry::{Inner, Registry},
};
use crate::{
    contract::{
        change::Bookkeeping,
        index_error::{Conflict, IndexError},
        record::Page,
        upload_record::UploadRecord,
    },
    error::Error,
    guard,
    model::time::Lease,
};

/// The version of a record that was entered, and never again.
const FIRST: u64 = 1;

pub(crate) const PAGE: NonZeroU32 = NonZeroU32::new(1_000).expect("a thousand is not zero");

impl Registry {
    /// Ends uploads whose process died before they made progress, or whose time is over, and returns
    /// how many. Each open does so, in proportion to the uploads that are there.
    ///
    /// # Errors
    /// Where a backend fails.
    pub async fn reclaim(&self) -> Result<u64, Error> {
        self.inner.reclaim_uploads().await
    }
}

impl Inner {
    /// Ends uploads that are over, and returns how many. Their keys go to the trash.
    pub(crate) async fn reclaim_uploads(&self) -> Result<u64, Error> {
        let (mut ended, mut after) = (0, None);
        loop {
            let page = self.index().uploads(Page { after, limit: PAGE }).await?;
            let Some(last) = page.last() else {
                return Ok(ended);
            };
            after = Some(last.id);
            for record in page {
                ended += u64::from(self.reclaim(record).await?);
            }
        }
    }

    async fn reclaim(&self, record: UploadRecord) -> Result<bool, Error> {
        let now = self.parts.clock.boot();
        let left = record.expires.as_ref().map(|lease| lease.left(&now));
        match left {
            // Of another boot: nobody knows how old it is, so it is counted anew (F12, I17).
            Some(None) if guard!(412) => return self.restart(record).await,
            Some(Some(0)) => {}
            // Suspended, also before its first byte, or being written: it stays while its time lasts or its
            // writer lives. What was recorded but once was not suspended.
            _ if guard!(413)
                && (record.offset > 0 || record.at.is_none() || record.version > FIRST) =>
            {
                return Ok(false);
            }
            _ if guard!(414) && self.parts.holders.is_alive(&record.holder) => return Ok(false),
            _ => {}
        }
        if let Some(at) = &record.at
            && guard!(415)
            && self.store().is_held(&at.key).await?
        {
            return Ok(false);
        }
        self.note_unless_moved(Bookkeeping::EndUpload(record.id, record.version))
            .await
    }

    async fn restart(&self, mut record: UploadRecord) -> Result<bool, Error> {
        let idle = millis(self.parts.limits.upload_idle);
        record.expires = Some(Lease::starting(&self.parts.clock.boot(), idle));
        let version = record.version;
        record.version += 1;
        let advance = Bookkeeping::AdvanceUpload(version, Box::new(record), Vec::new());
        self.note_unless_moved(advance).await?;
        Ok(false)
    }

    /// Records bookkeeping on an upload, unless somebody went on with it meanwhile.
    async fn note_unless_moved(&self, bookkeeping: Bookkeeping) -> Result<bool, Error> {
        match self.index().note(bookkeeping).await {
            Ok(_) => Ok(true),
            Err(IndexError::Conflict(Conflict::Upload { .. })) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
