//! Files of the blobs of the mutant, made as they are asked for.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use artifact_core::{BlobKey, BlobStore as _, ByteRange, LocalBlob, LocalBlobs, StoreError, Way};
use bytes::Bytes;
use futures::{FutureExt as _, TryStreamExt as _};

use crate::store_mutant::{Mutant, Mutation};

fn failed(error: io::Error) -> StoreError {
    StoreError::Backend {
        backend: "mutant",
        operation: "open",
        source: Box::new(error),
    }
}

impl Mutant {
    /// Returns the bytes of a blob; the inner store never waits.
    fn bytes(&self, key: &BlobKey) -> Result<Option<Bytes>, StoreError> {
        let key = self.inner_key(key);
        let all = async {
            let Some(reader) = self.inner.read(&key, ByteRange::ALL).await? else {
                return Ok(None);
            };
            let chunks: Vec<Bytes> = reader.try_collect().await?;
            Ok(Some(Bytes::from(chunks.concat())))
        };
        all.now_or_never().unwrap()
    }
}

impl LocalBlobs for Mutant {
    fn open(&self, key: &BlobKey) -> Result<Option<LocalBlob>, StoreError> {
        let Some(bytes) = self.bytes(key)? else {
            return Ok(None);
        };
        let mut file = tempfile::tempfile().map_err(failed)?;
        file.write_all(b"before").map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.write_all(b"after").map_err(failed)?;
        let offset = if self.is(Mutation::ShiftedFiles) {
            5
        } else {
            6
        };
        Ok(Some(LocalBlob::new(
            file,
            offset,
            bytes.len() as u64,
            false,
        )))
    }

    fn materialize(
        &self,
        key: &BlobKey,
        target: &Path,
        ways: &[Way],
    ) -> Result<Option<Way>, StoreError> {
        let Some(bytes) = self.bytes(key)? else {
            return Ok(None);
        };
        if !ways.contains(&Way::Copy) {
            if self.is(Mutation::HalfFiles) && !target.exists() {
                fs::write(target, b"half").map_err(failed)?;
            }
            return Err(failed(io::ErrorKind::Unsupported.into()));
        }
        let mut options = OpenOptions::new();
        options.write(true);
        if self.is(Mutation::ReplacesFiles) {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let mut file = options.open(target).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        Ok(Some(Way::Copy))
    }
}
