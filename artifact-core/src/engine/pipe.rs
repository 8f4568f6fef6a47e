//! The pipeline of an upload: while the caller receives the next chunk, this one is hashed and
//! written side by side.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, future};
use parking_lot::Mutex;

use crate::{
    contract::{
        blob_store::BlobWriter,
        seams::{Spawn, SpawnExt as _, Task, TaskError},
        store_error::StoreError,
    },
    error::Error,
    model::{
        digest::Algorithm,
        hasher::{Hasher, VerifiedBlob},
    },
};

/// Chunks up to this many bytes are hashed where they are: to hand them over costs more.
const HASH_INLINE: usize = 16 << 10;

/// A hasher and a writer that have both seen the same bytes.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) hasher: Hasher,
    pub(crate) writer: Box<dyn BlobWriter>,
}

/// Where an upload keeps its pipe between chunks, so that a newer request can take it away.
pub(crate) struct Slot {
    pipe: Mutex<State>,
}

enum State {
    Idle(Box<Pipe>),
    Working(Task<Result<Box<Pipe>, Error>>),
    /// Taken, failed, or ended by a newer request.
    Gone,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl Slot {
    pub(crate) fn new(pipe: Pipe) -> Arc<Self> {
        Arc::new(Self {
            pipe: Mutex::new(State::Idle(Box::new(pipe))),
        })
    }

    /// Waits for the chunk that is under way, and takes the pipe. `None` when a newer request ended
    /// this upload.
    pub(crate) async fn take(&self) -> Result<Option<Box<Pipe>>, Error> {
        let state = std::mem::replace(&mut *self.pipe.lock(), State::Gone);
        match state {
            State::Idle(pipe) => Ok(Some(pipe)),
            State::Working(task) => match task.await {
                Ok(outcome) => outcome.map(Some),
                Err(error) => Err(lost(error)),
            },
            State::Gone => Ok(None),
        }
    }

    pub(crate) fn put_back(&self, pipe: Box<Pipe>) {
        *self.pipe.lock() = State::Idle(pipe);
    }

    /// Starts to hash and write a chunk with a pipe that was taken.
    pub(crate) fn start(&self, spawn: &Arc<dyn Spawn>, pipe: Box<Pipe>, chunk: Bytes) {
        let work = push(Arc::clone(spawn), pipe, chunk);
        *self.pipe.lock() = State::Working(spawn.run(work));
    }

    /// Ends the upload of another request of this process, as a crash of it would.
    pub(crate) fn end(&self) {
        let state = std::mem::replace(&mut *self.pipe.lock(), State::Gone);
        drop(state);
    }
}

fn lost(error: TaskError) -> Error {
    Error::Store(StoreError::Unavailable {
        backend: "engine",
        operation: "hash and write",
        source: Box::new(error),
    })
}

async fn push(spawn: Arc<dyn Spawn>, pipe: Box<Pipe>, chunk: Bytes) -> Result<Box<Pipe>, Error> {
    let Pipe {
        mut hasher,
        mut writer,
    } = *pipe;
    if chunk.len() <= HASH_INLINE {
        hasher.update(&chunk);
        writer.write(chunk).await?;
        return Ok(Box::new(Pipe { hasher, writer }));
    }
    let hashing = {
        let chunk = chunk.clone();
        spawn.run_blocking(move || {
            hasher.update(&chunk);
            hasher
        })
    };
    let (hasher, written) = future::join(hashing, writer.write(chunk)).await;
    written?;
    Ok(Box::new(Pipe {
        hasher: hasher.map_err(lost)?,
        writer,
    }))
}

/// Hashes what a writer holds with another algorithm than came by with the bytes.
pub(crate) async fn hash_back(
    spawn: &Arc<dyn Spawn>,
    writer: &mut Box<dyn BlobWriter>,
    algorithm: Algorithm,
) -> Result<VerifiedBlob, Error> {
    let mut reader = writer.read_back().await?;
    let mut hasher = Hasher::new(algorithm);
    while let Some(chunk) = reader.next().await {
        hasher = hash_chunk(spawn, hasher, chunk?).await?;
    }
    Ok(hasher.finish())
}

/// Hashes a chunk, on another thread where it is long.
pub(crate) async fn hash_chunk(
    spawn: &Arc<dyn Spawn>,
    mut hasher: Hasher,
    chunk: Bytes,
) -> Result<Hasher, Error> {
    if chunk.len() <= HASH_INLINE {
        hasher.update(&chunk);
        return Ok(hasher);
    }
    let work = move || {
        hasher.update(&chunk);
        hasher
    };
    spawn.run_blocking(work).await.map_err(lost)
}
