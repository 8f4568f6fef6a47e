//! The bytes of a local file as a stream.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use artifact_core::{Spawn, SpawnExt as _, Task};
use bytes::Bytes;
use futures::{StreamExt as _, stream, stream::BoxStream};

/// How many bytes are read at a time.
const CHUNK: u64 = 256 << 10;

type Reading = Task<(File, io::Result<Bytes>)>;

/// Returns the next `length` bytes of a file, read on the spawner's threads.
///
/// The next chunk is read while the one before is worked on, so two are in memory at a time. Where the
/// file is shorter, the stream ends early.
pub(crate) fn chunks(
    spawn: Arc<dyn Spawn>,
    file: File,
    length: u64,
) -> BoxStream<'static, io::Result<Bytes>> {
    let first = read(&*spawn, file, length);
    let start = (spawn, Some(first), length);
    let next = |(spawn, reading, left): (Arc<dyn Spawn>, Option<Reading>, u64)| async move {
        let Ok((file, chunk)) = reading?.await else {
            let error = io::Error::other("the program is ending");
            return Some((Err(error), (spawn, None, 0)));
        };
        match chunk {
            Ok(chunk) if chunk.is_empty() => None,
            Ok(chunk) => {
                let left = left.saturating_sub(chunk.len() as u64);
                let ahead = (left > 0).then(|| read(&*spawn, file, left));
                Some((Ok(chunk), (spawn, ahead, left)))
            }
            Err(error) => Some((Err(error), (spawn, None, 0))),
        }
    };
    stream::unfold(start, next).boxed()
}

fn read(spawn: &dyn Spawn, file: File, left: u64) -> Reading {
    spawn.run_blocking(move || {
        let length = left.min(CHUNK);
        let mut chunk = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let outcome = (&file).take(length).read_to_end(&mut chunk);
        (file, outcome.map(|_| Bytes::from(chunk)))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom, Write as _};

    use futures::TryStreamExt as _;

    use super::*;
    use crate::{blocking::wait, seams::threads::Threads};

    #[test]
    fn a_file_is_read_to_the_length_that_is_asked_for() {
        let spawn: Arc<dyn Spawn> = Arc::new(Threads::new());
        let data: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        for (offset, length, expected) in [
            (0, 700_000, 700_000),
            (10, 600_000, 600_000),
            (600_000, 200_000, 100_000),
            (700_000, 5, 0),
            (0, 0, 0),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&data).unwrap();
            file.seek(SeekFrom::Start(offset)).unwrap();
            let read = chunks(Arc::clone(&spawn), file, length).try_collect::<Vec<_>>();
            let read = wait(read).unwrap().unwrap().concat();
            let start = usize::try_from(offset).unwrap();
            assert_eq!(read, data[start..start + expected], "{offset} {length}");
        }
    }
}
