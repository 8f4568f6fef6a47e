//! Collection: what nothing wants any more goes, by the index and never by listing the store (I8).

use std::{num::NonZeroU32, time::Duration};

use serde::Serialize;

use super::{forget::Forget, limits::millis, reclaim::PAGE, registry::Inner, session::Session};
use crate::{
    contract::{
        change::{Bookkeeping, Change, Committed, Event},
        policy::Action,
        record::{Page, TrashRecord},
        store_error::StoreError,
    },
    error::Error,
    guard,
    model::{digest::Digest, document::Mode, id::BlobKey, name::Scope, time::Lease},
};

/// How many blobs one change set collects.
const BATCH: NonZeroU32 = NonZeroU32::new(256).expect("256 is not zero");

/// How long a collector's claim lasts unless it is renewed.
const CLAIM: Duration = Duration::from_secs(300);

/// The name of the claim.
const CLAIM_NAME: &str = "collect";

/// How to collect.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CollectOptions {
    /// Count what would go, and change nothing.
    pub dry_run: bool,
    /// Move horizons to this revision first, where they are older, beside what `history.keep` moves.
    pub forget: Option<Forget>,
    /// Go on even where more than the guard's number of blobs and more than half of all bytes go.
    pub allow_mass_delete: bool,
}

impl CollectOptions {
    /// Returns the options that change nothing.
    #[must_use]
    pub const fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Returns the options that forget first.
    #[must_use]
    pub fn forgetting(mut self, forget: Forget) -> Self {
        self.forget = Some(forget);
        self
    }

    /// Returns the options without the guard against a mass delete.
    #[must_use]
    pub const fn allowing_mass_delete(mut self) -> Self {
        self.allow_mass_delete = true;
        self
    }
}

/// What a collection did, or would do.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Collected {
    /// Repositories whose horizon moved.
    pub forgotten: u64,
    /// Past rows that were deleted.
    pub pruned: u64,
    /// Links that ended with their lease.
    pub unlinked: u64,
    /// Uploads that were over.
    pub uploads: u64,
    /// Blobs whose row went.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Keys whose bytes were deleted from the store.
    pub freed: u64,
    /// Those bytes, as far as the index knew them.
    pub freed_bytes: u64,
    /// Keys that wait in the trash, because somebody may still be reading them.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Whether another process is collecting, so that nothing was done.
    pub busy: bool,
}

impl Session {
    /// Collects what nothing wants any more.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the index and the store are of different registries, or the guard
    /// against a mass delete holds; [`Error::ReadOnly`]; refusals; and where a backend fails. What
    /// was done until then stays done; a collection can be repeated at any time.
    pub async fn collect(&self, options: &CollectOptions) -> Result<Collected, Error> {
        guard!(342, self)
            .permit_scope(Action::Operate, &Scope::all())
            .await?;
        guard!(401, self.check_identity())?;
        if options.dry_run {
            return self.would_collect().await;
        }
        if guard!(402)
            && let Some(Mode::ReadOnly(reason)) = &self.inner().mode().await?.value
        {
            return Err(Error::ReadOnly {
                reason: reason.clone(),
            });
        }
        if !guard!(403, self.claim(CLAIM_NAME).await?, else true) {
            return Ok(Collected {
                busy: true,
                ..Collected::default()
            });
        }
        let outcome = self.collect_claimed(options).await;
        let (name, holder) = (CLAIM_NAME.to_owned(), self.inner().parts.holder.clone());
        self.inner()
            .index()
            .note(Bookkeeping::Release { name, holder })
            .await?;
        outcome
    }

    async fn collect_claimed(&self, options: &CollectOptions) -> Result<Collected, Error> {
        let inner = self.inner();
        let mut done = Collected {
            uploads: inner.reclaim_uploads().await?,
            ..Collected::default()
        };
        let by_hand = options.forget.as_ref();
        let remembered = self.remembered(by_hand).await?;
        done.forgotten = self.forget(&remembered, by_hand).await?;
        done.pruned = self.prune(&remembered).await?;
        if guard!(409) {
            inner.restart_foreign_leases().await?;
        }
        done.unlinked = self.expire_leases().await?;
        if guard!(404) && !options.allow_mass_delete {
            self.guard().await?;
        }
        self.collect_blobs(&mut done).await?;
        inner.empty_trash(&mut done).await?;
        Ok(done)
    }

    /// Refuses to collect one registry's blobs by another's index (F26).
    fn check_identity(&self) -> Result<(), Error> {
        let index = self.inner().index().identity().registry;
        match self.inner().store().info().registry {
            Some(store) if store != index => Err(Error::Unsupported {
                what: format!(
                    "the index is of registry {index} and the blobs are of {store}: nothing is collected"
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Takes a claim on work that one process does at a time.
    pub(crate) async fn claim(&self, name: &str) -> Result<bool, Error> {
        use crate::contract::index_error::{Conflict, IndexError};
        let parts = &self.inner().parts;
        let now = parts.clock.boot();
        let claim = Bookkeeping::Claim {
            name: name.to_owned(),
            holder: parts.holder.clone(),
            lease: Lease::starting(&now, millis(CLAIM)),
            now,
        };
        match self.inner().index().note(claim).await {
            Ok(_) => Ok(true),
            Err(IndexError::Conflict(Conflict::Claimed { holder, .. })) => {
                // Who died holding it does not hold up the others until the claim ends.
                if guard!(406) && parts.holders.is_alive(&holder) {
                    return Ok(false);
                }
                let release = Bookkeeping::Release {
                    name: name.to_owned(),
                    holder,
                };
                self.inner().index().note(release).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn would_collect(&self) -> Result<Collected, Error> {
        let mut would = Collected::default();
        let mut after = None;
        loop {
            let page = self
                .inner()
                .index()
                .unwanted(Page { after, limit: PAGE })
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.digest);
            would.blobs += page.len() as u64;
            would.blob_bytes += page.iter().map(|blob| blob.size).sum::<u64>();
        }
        let totals = self.inner().index().totals().await?;
        would.waiting = totals.trash;
        would.waiting_bytes = totals.trash_bytes;
        Ok(would)
    }

    async fn expire_leases(&self) -> Result<u64, Error> {
        let mut unlinked = 0;
        loop {
            let now = self.inner().parts.clock.boot();
            let change = Change::ExpireLeases {
                now,
                limit: PAGE.get(),
            };
            let committed = self
                .inner()
                .index()
                .apply(self.change_set().change(change))
                .await?;
            let ended = count_unlinked(&committed);
            unlinked += ended;
            if ended == 0 {
                return Ok(unlinked);
            }
        }
    }

    /// Stops before more goes than anybody is likely to have meant (F26).
    async fn guard(&self) -> Result<(), Error> {
        let would = self.would_collect().await?;
        let totals = self.inner().index().totals().await?;
        let all = totals.stored_bytes.saturating_add(totals.inline_bytes);
        let limit = self.inner().parts.limits.mass_delete;
        if guard!(410, would.blobs > limit) && guard!(411, would.blob_bytes > all / 2) {
            return Err(Error::Unsupported {
                what: format!(
                    "{} blobs with {} of {all} bytes would go: allow a mass delete if that is meant",
                    would.blobs, would.blob_bytes
                ),
            });
        }
        Ok(())
    }

    async fn collect_blobs(&self, done: &mut Collected) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self
                .inner()
                .index()
                .unwanted(Page {
                    after,
                    limit: BATCH,
                })
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.digest);
            let digests: Vec<Digest> = page.iter().map(|blob| blob.digest).collect();
            let changes = self.change_set().change(Change::Collect(digests));
            let committed = self.inner().index().apply(changes).await?;
            for event in &committed.events {
                if let Event::Collected { size, .. } = event {
                    done.blobs += 1;
                    done.blob_bytes += size;
                }
            }
            if guard!(405) {
                self.claim(CLAIM_NAME).await?;
            }
        }
    }
}

fn count_unlinked(committed: &Committed) -> u64 {
    let unlinked = |event: &&Event| matches!(event, Event::BlobUnlinked { .. });
    committed.events.iter().filter(unlinked).count() as u64
}

impl Inner {
    /// Rewrites leases of other boots at full length: too long is possible, too short is not.
    async fn restart_foreign_leases(&self) -> Result<(), Error> {
        loop {
            let now = self.parts.clock.boot();
            let foreign = self.index().foreign_leases(&now, PAGE).await?;
            if foreign.is_empty() {
                return Ok(());
            }
            for record in foreign {
                let lease = Lease::starting(&now, record.lease.length);
                let note = Bookkeeping::Lease(record.package, record.digest, lease);
                match self.index().note(note).await.map_err(Error::from) {
                    Ok(_) | Err(Error::BlobUnknown { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Deletes what lingered long enough and what nobody holds, first the bytes, then the row (I10).
    async fn empty_trash(&self, done: &mut Collected) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.index().trash(Page { after, limit: PAGE }).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.key.clone());
            let mut gone = Vec::new();
            let mut unseen = Vec::new();
            for record in page {
                if self.delete_trash(&record, &mut unseen).await? {
                    done.freed += 1;
                    done.freed_bytes += record.size;
                    gone.push(record.key);
                } else {
                    done.waiting += 1;
                    done.waiting_bytes += record.size;
                }
            }
            if !gone.is_empty() {
                self.index().note(Bookkeeping::Untrash(gone)).await?;
            }
            if !unseen.is_empty() {
                let now = self.parts.clock.boot();
                self.index()
                    .note(Bookkeeping::SeeTrash(unseen, now))
                    .await?;
            }
        }
    }

    /// Deletes the bytes of a key, unless it must linger or is held.
    async fn delete_trash(
        &self,
        record: &TrashRecord,
        unseen: &mut Vec<BlobKey>,
    ) -> Result<bool, Error> {
        let linger = millis(self.store().linger(&record.key));
        let now = self.parts.clock.boot();
        if guard!(407) && linger > 0 {
            match &record.seen {
                None => {
                    unseen.push(record.key.clone());
                    return Ok(false);
                }
                // Seen in another boot: no transfer of that boot is under way any more.
                Some(seen) if seen.boot == now.boot => {
                    if guard!(408) && now.millis.saturating_sub(seen.millis) < linger {
                        return Ok(false);
                    }
                }
                Some(_) => {}
            }
        }
        match self.store().delete(&record.key).await {
            Ok(()) => Ok(true),
            Err(StoreError::Held { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
