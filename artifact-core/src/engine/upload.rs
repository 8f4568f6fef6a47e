//! Uploads: how the bytes of a blob come in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{
    commit::{Outcome, TRIES, contended},
    limits::millis,
    permit::Missing,
    pipe::{Pipe, Slot, hash_back},
    session::Session,
};
use crate::{
    contract::{
        blob_store::{Stamp, Suspended, UploadHint},
        change::{Bookkeeping, Change, Expectation, Location, Room},
        index_error::{Conflict, IndexError},
        policy::Action,
        store_error::StoreError,
        upload_record::UploadRecord,
    },
    error::{Error, What},
    guard,
    model::{
        digest::{Algorithm, Digest},
        hasher::{Hasher, VerifiedBlob},
        id::UploadId,
        time::Lease,
    },
};

/// What is known of an upload before its bytes are.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UploadOptions {
    /// Its length in bytes, where announced. Room for it is reserved.
    pub size: Option<u64>,
    /// How to hash it.
    pub algorithm: Algorithm,
}

impl UploadOptions {
    /// Returns the options for a body of this length.
    #[must_use]
    pub const fn sized(mut self, size: Option<u64>) -> Self {
        self.size = size;
        self
    }

    /// Returns the options for a body that is hashed like this.
    #[must_use]
    pub const fn hashed(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}

/// Where an upload stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UploadStatus {
    /// Its id, with which it is resumed.
    pub id: UploadId,
    /// The bytes that are received and durable.
    pub offset: u64,
}

/// A blob, as a package has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BlobInfo {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl BlobInfo {
    pub(crate) const fn new(digest: Digest, size: u64) -> Self {
        Self { digest, size }
    }
}

/// An upload that is being written.
///
/// To drop it equals a crash of it: what was recorded of it is kept for an hour, the rest is
/// reclaimed. It is written by one task at a time.
#[derive(Debug)]
pub struct Upload {
    pub(crate) session: Session,
    pub(crate) record: UploadRecord,
    /// Whether the record stands in the index.
    pub(crate) recorded: bool,
    pub(crate) announced: Option<u64>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) bytes: State,
    pub(crate) offset: u64,
}

/// Where the bytes are that came so far.
#[derive(Debug)]
pub(crate) enum State {
    /// Here, because they may turn out to be few enough for the index.
    Held(Box<Hasher>, BytesMut),
    /// On their way to the store.
    Piped(Arc<Slot>),
}

/// Opens the writer of an upload again where it was suspended.
pub(crate) async fn reopen(
    session: &Session,
    record: &UploadRecord,
    at: &Suspended,
    hasher: Hasher,
) -> Result<Pipe, Error> {
    match session.inner().store().resume(&record.id, at.clone()).await {
        Ok(Some(writer)) => Ok(Pipe { hasher, writer }),
        Ok(None) => {
            let end = Bookkeeping::EndUpload(record.id, record.version);
            session.inner().index().note(end).await?;
            Err(Error::not_found(What::Upload, record.id))
        }
        Err(StoreError::Held { .. }) => Err(Error::Offset {
            id: record.id,
            offset: record.offset,
        }),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn check_size(limit: Option<u64>, size: u64) -> Result<(), Error> {
    match limit {
        Some(limit) if size > limit => Err(Error::TooLarge {
            what: "the blob",
            size,
            limit,
        }),
        _ => Ok(()),
    }
}

impl Upload {
    /// Returns its id.
    pub const fn id(&self) -> UploadId {
        self.record.id
    }

    /// Returns how many bytes it has received.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Receives the next bytes. They are hashed and written while the caller gets more.
    ///
    /// Of a chunk that is refused nothing is taken. It may be given again, unless an earlier one was
    /// lost: then every later call is refused.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Quota`], [`Error::Offset`] when a newer request went on with
    /// this upload or an earlier chunk was lost, and where a backend fails.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        let parts = &self.session.inner().parts;
        let offset = self.offset.saturating_add(chunk.len() as u64);
        guard!(500, check_size(parts.limits.blob_max, offset))?;
        let (inline_max, step) = (parts.limits.inline_max as u64, parts.limits.step);
        if let State::Held(hasher, held) = &mut self.bytes
            && offset <= inline_max
        {
            hasher.update(&chunk);
            held.extend_from_slice(&chunk);
            self.offset = offset;
            return Ok(());
        }
        if matches!(self.bytes, State::Held(..)) {
            self.leave_memory().await?;
        }
        if guard!(420) && offset > self.record.reserved || offset - self.record.offset >= step {
            self.checkpoint(offset).await?;
        }
        let State::Piped(slot) = &self.bytes else {
            return Err(self.ended());
        };
        let pipe = slot.take().await?.ok_or_else(|| self.ended())?;
        slot.start(&self.session.inner().parts.spawn, pipe, chunk);
        self.offset = offset;
        Ok(())
    }

    /// Makes what was received durable, so that it can be resumed by its id, also by another process.
    ///
    /// # Errors
    /// As [`Upload::write`].
    pub async fn suspend(mut self) -> Result<UploadStatus, Error> {
        self.put_away(None).await?;
        self.note_record().await?;
        Ok(UploadStatus {
            id: self.record.id,
            offset: self.record.offset,
        })
    }

    /// Publishes the blob to its package, under a lease. With an `expected` digest, what was
    /// received must have it.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`], after which nothing is kept; [`Error::Quota`]; refusals; and where
    /// a backend fails.
    pub async fn finish(mut self, expected: Option<&Digest>) -> Result<BlobInfo, Error> {
        let outcome = self.finish_bytes(expected).await;
        let keep = match &outcome {
            Ok(_) => return outcome,
            // Of unknown outcome: what is recorded stays, for whoever finds out.
            Err(Error::Index(error)) => error.is_transient(),
            Err(_) => false,
        };
        if self.recorded && !keep {
            self.drop_record().await;
        }
        outcome
    }

    /// Throws away what was received.
    ///
    /// # Errors
    /// Where a backend fails.
    pub async fn abort(self) -> Result<(), Error> {
        if let State::Piped(slot) = &self.bytes
            && let Some(pipe) = slot.take().await?
        {
            pipe.writer.abort().await?;
        }
        if self.recorded {
            self.drop_record().await;
        }
        Ok(())
    }

    /// Moves what is held to the store, from where on the record stands in the index.
    pub(crate) async fn leave_memory(&mut self) -> Result<(), Error> {
        let inner = Arc::clone(self.session.inner());
        let hint = UploadHint::sized(self.announced);
        let writer = inner.store().begin(&self.record.id, hint).await?;
        let State::Held(hasher, held) = &mut self.bytes else {
            return Ok(());
        };
        // They stay here, too, until the store has them: should this fail, whoever tries again, or suspends,
        // has lost nothing.
        let (hasher, held) = (Hasher::clone(hasher), Bytes::copy_from_slice(held));
        // The intent comes first: from here on whoever removes the row trashes the key.
        self.record.at = Some(Suspended::new(writer.key().clone(), 0, Bytes::new()));
        let mut pipe = Pipe { hasher, writer };
        // What was acknowledged before stays in the record until the store has made it durable: who
        // hangs up or dies until then goes on from there.
        if !self.recorded {
            self.record.hasher = Hasher::new(pipe.hasher.algorithm()).state();
        }
        self.record.reserved = self.announced.unwrap_or(inner.parts.limits.step);
        let needed = self.announced.unwrap_or(held.len() as u64);
        if let Err(error) = self.note_within(needed).await {
            self.record.at = None;
            drop(pipe.writer.abort().await);
            return Err(error);
        }
        if !held.is_empty() {
            pipe.writer.write(held).await?;
        }
        let slot = Slot::new(pipe);
        inner
            .writing
            .lock()
            .insert(self.record.id, Arc::downgrade(&slot));
        self.bytes = State::Piped(slot);
        Ok(())
    }

    /// Records progress and reserves room up to `needed` bytes, and goes on.
    async fn checkpoint(&mut self, needed: u64) -> Result<(), Error> {
        let step = self.session.inner().parts.limits.step;
        if needed > self.record.reserved {
            self.record.reserved = needed.div_ceil(step).saturating_mul(step);
        }
        if self.offset == self.record.offset {
            return self.note_within(needed).await;
        }
        self.put_away(Some(())).await?;
        self.note_within(needed).await
    }

    /// Enters the record; where the quota has no room for a whole step, with room for what is needed
    /// alone.
    async fn note_within(&mut self, needed: u64) -> Result<(), Error> {
        match self.note_record().await {
            Err(Error::Quota { .. }) if self.record.reserved > needed => {
                self.record.reserved = needed;
                self.note_record().await
            }
            outcome => outcome,
        }
    }

    /// Suspends the writer, and with `go_on` resumes it at once.
    async fn put_away(&mut self, go_on: Option<()>) -> Result<(), Error> {
        match &self.bytes {
            State::Held(hasher, held) => {
                self.record.hasher = hasher.state();
                self.record.held = Bytes::copy_from_slice(held);
                self.record.offset = self.offset;
                self.record.reserved = self.announced.unwrap_or(self.offset);
            }
            State::Piped(slot) => {
                let pipe = slot.take().await?.ok_or_else(|| self.ended())?;
                let Pipe { hasher, writer } = *pipe;
                let at = writer.suspend().await?;
                self.record.hasher = hasher.state();
                self.record.offset = at.offset;
                self.record.held = Bytes::new();
                self.record.at = Some(at.clone());
                if go_on.is_some() {
                    let pipe = reopen(&self.session, &self.record, &at, hasher).await?;
                    self.record.at = Some(Suspended::new(
                        pipe.writer.key().clone(),
                        at.offset,
                        at.state,
                    ));
                    slot.put_back(Box::new(pipe));
                }
            }
        }
        Ok(())
    }

    /// Says in the record that this process writes it now.
    pub(crate) async fn take_over(&mut self) -> Result<(), Error> {
        self.record.holder = self.session.inner().parts.holder.clone();
        self.note_record().await
    }

    /// Goes on with what is in the store. Where that is under a new key now, the record says so.
    pub(crate) async fn go_on(&mut self, at: &Suspended, hasher: Hasher) -> Result<(), Error> {
        let pipe = reopen(&self.session, &self.record, at, hasher).await?;
        if pipe.writer.key() != &at.key {
            let (key, state) = (pipe.writer.key().clone(), at.state.clone());
            self.record.at = Some(Suspended::new(key, at.offset, state));
            self.note_record().await?;
        }
        let slot = Slot::new(pipe);
        self.session
            .inner()
            .writing
            .lock()
            .insert(self.record.id, Arc::downgrade(&slot));
        self.bytes = State::Piped(slot);
        Ok(())
    }

    /// Enters the record into the index, or replaces the one that is there.
    async fn note_record(&mut self) -> Result<(), Error> {
        let inner = Arc::clone(self.session.inner());
        let idle = millis(inner.parts.limits.upload_idle);
        self.record.expires = Some(Lease::starting(&inner.parts.clock.boot(), idle));
        let (rooms, version) = (self.rooms.clone(), self.record.version);
        let bookkeeping = if self.recorded {
            self.record.version += 1;
            Bookkeeping::AdvanceUpload(version, Box::new(self.record.clone()), rooms)
        } else {
            Bookkeeping::BeginUpload(Box::new(self.record.clone()), rooms)
        };
        match inner.index().note(bookkeeping).await {
            Ok(_) => {
                self.recorded = true;
                Ok(())
            }
            Err(IndexError::Conflict(Conflict::Upload { .. })) => Err(self.ended()),
            Err(error) => {
                // What was refused did not happen; where the answer was lost, nobody knows.
                if !matches!(error, IndexError::Unavailable { .. }) {
                    self.record.version = version;
                }
                Err(error.into())
            }
        }
    }

    async fn finish_bytes(&mut self, expected: Option<&Digest>) -> Result<BlobInfo, Error> {
        let spawn = Arc::clone(&self.session.inner().parts.spawn);
        let (blob, location, stamp) = match &mut self.bytes {
            State::Held(hasher, held) => {
                let bytes = std::mem::take(held).freeze();
                let blob = match expected {
                    Some(digest) if digest.algorithm() != hasher.algorithm() => {
                        Hasher::hash(digest.algorithm(), &bytes)
                    }
                    _ => Hasher::clone(hasher).finish(),
                };
                guard!(201, check_digest(&blob, expected))?;
                (blob, Location::Inline(bytes), None)
            }
            State::Piped(slot) => {
                let slot = Arc::clone(slot);
                let pipe = slot.take().await?.ok_or_else(|| self.ended())?;
                let Pipe { hasher, mut writer } = *pipe;
                let blob = match expected {
                    Some(digest) if digest.algorithm() != hasher.algorithm() => {
                        hash_back(&spawn, &mut writer, digest.algorithm()).await?
                    }
                    _ => hasher.finish(),
                };
                if let Err(error) = guard!(202, check_digest(&blob, expected)) {
                    drop(writer.abort().await);
                    return Err(error);
                }
                let key = writer.key().clone();
                let stamp = writer.commit(&blob).await?;
                (blob, Location::Key(key), stamp)
            }
        };
        self.publish(blob, location, stamp).await
    }

    /// Enters the blob and links it to the package, in one change set.
    async fn publish(
        &self,
        blob: VerifiedBlob,
        location: Location,
        stamp: Option<Stamp>,
    ) -> Result<BlobInfo, Error> {
        let session = &self.session;
        let package = &self.record.package;
        let parts = &session.inner().parts;
        let missing = Missing::new(What::Package, package);
        for _ in 0..TRIES {
            let permit = guard!(300, session)
                .permit(Action::Create, package, &missing)
                .await?;
            let lease = Lease::starting(&parts.clock.boot(), millis(parts.limits.lease));
            let upload = self.recorded.then_some(self.record.id);
            let put = Change::PutBlob {
                blob,
                location: location.clone(),
                stamp: stamp.clone(),
                upload,
            };
            let lease = Some(lease).filter(|_| guard!(417));
            let link = Change::Link(package.clone(), blob.digest(), lease);
            let mut changes = permit.bind(session.change_set()).change(put).change(link);
            let upload = upload.filter(|_| guard!(375));
            changes.expectations.extend(upload.map(|id| {
                Expectation::Upload(id, self.record.version, self.record.holder.clone())
            }));
            match session.apply(changes).await {
                Ok(Outcome::Done(_)) => return Ok(BlobInfo::new(blob.digest(), blob.size())),
                Ok(Outcome::Again) => {}
                Err(IndexError::Conflict(Conflict::Upload { .. })) => return Err(self.ended()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended(format!("the settings of {package}")))
    }

    fn ended(&self) -> Error {
        Error::Offset {
            id: self.record.id,
            offset: self.record.offset,
        }
    }

    /// Removes the record; where that fails, the collector does it when its time has come.
    async fn drop_record(&self) {
        let end = Bookkeeping::EndUpload(self.record.id, self.record.version);
        drop(self.session.inner().index().note(end).await);
    }
}

impl Drop for Upload {
    /// Takes the upload off the list of those that this process writes, unless a newer request has
    /// taken its place there.
    fn drop(&mut self) {
        let State::Piped(slot) = &self.bytes else {
            return;
        };
        let mut writing = self.session.inner().writing.lock();
        if writing
            .get(&self.record.id)
            .is_some_and(|other| other.as_ptr() == Arc::as_ptr(slot))
        {
            writing.remove(&self.record.id);
        }
    }
}

fn check_digest(blob: &VerifiedBlob, expected: Option<&Digest>) -> Result<(), Error> {
    match expected {
        Some(expected) if *expected != blob.digest() => Err(Error::DigestMismatch {
            expected: *expected,
            actual: blob.digest(),
        }),
        _ => Ok(()),
    }
}
