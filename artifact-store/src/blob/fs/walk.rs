//! Walking all that a store holds.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{BlobEntry, StoreError, guard};
use futures::{StreamExt as _, stream, stream::BoxStream};

use super::{
    error::failed,
    place::{FileName, SegmentId},
    recover::recover,
    shared::Shared,
    slots,
    table::{Row, State, Table, has_header, is_unsynced, mend_header},
};
use crate::{
    sys::lock::Hold,
    vfs::{DirEntry, OpenMode, VfsError},
};

/// How many entries are found before the caller gets them.
const BATCH: usize = 1000;

/// Lists what the store holds. What dead processes left half done in segments is ended on the way,
/// and segments that hold nothing are removed.
pub(super) fn walk(shared: &Arc<Shared>) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
    let start = (Arc::clone(shared), Some(Walk::new(shared)));
    let batches = stream::unfold(start, |(shared, walk)| async move {
        let mut walk = walk?;
        let step = move |shared: &Arc<Shared>| Ok((walk.next(shared), walk));
        match shared.run(step).await {
            Ok((Some(batch), walk)) => Some((batch, (shared, Some(walk)))),
            Ok((None, _)) => None,
            // Where it stood is lost with the work: there is no going on.
            Err(error) => Some((vec![Err(error)], (shared, None))),
        }
    });
    batches.flat_map(stream::iter).boxed()
}

type Names = Box<dyn Iterator<Item = Result<DirEntry, VfsError>> + Send>;

/// Where a walk is.
struct Walk {
    /// The directories that are still to come.
    rooms: VecDeque<Room>,
    /// What is left of the present one.
    present: Option<(Room, Names)>,
}

impl Walk {
    fn new(shared: &Shared) -> Self {
        let layout = &shared.layout;
        let shards = (0..=u8::MAX).map(|shard| layout.blobs().join(format!("{shard:02x}")));
        // Staging first: what is committed meanwhile is seen twice rather than not at all.
        let mut rooms = VecDeque::from([
            Room::Staging(layout.staging().to_owned()),
            Room::Segments(layout.segments().to_owned()),
        ]);
        rooms.extend(shards.map(Room::Blobs));
        Self {
            rooms,
            present: None,
        }
    }

    /// Returns the next entries; `None` when there are no more.
    fn next(&mut self, shared: &Arc<Shared>) -> Option<Vec<Result<BlobEntry, StoreError>>> {
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some((room, names)) = &mut self.present else {
                let Some(room) = self.rooms.pop_front() else {
                    break;
                };
                match shared.vfs.list(room.path()) {
                    Ok(names) => self.present = Some((room, names)),
                    Err(error) => batch.push(Err(failed(error))),
                }
                continue;
            };
            match names.next() {
                Some(Ok(entry)) => room.enter(shared, &entry, &mut batch),
                Some(Err(error)) => batch.push(Err(failed(error))),
                None => self.present = None,
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}

/// A directory that has entries.
enum Room {
    Blobs(PathBuf),
    Segments(PathBuf),
    Staging(PathBuf),
}

impl Room {
    fn path(&self) -> &Path {
        match self {
            Self::Blobs(path) | Self::Segments(path) | Self::Staging(path) => path,
        }
    }

    /// Adds what is found under a name.
    fn enter(
        &self,
        shared: &Arc<Shared>,
        entry: &DirEntry,
        batch: &mut Vec<Result<BlobEntry, StoreError>>,
    ) {
        let Some(name) = entry.name.to_str() else {
            return;
        };
        match self {
            Self::Blobs(path) | Self::Staging(path) => {
                let staged = matches!(self, Self::Staging(_));
                batch.extend(file(shared, &path.join(name), name, staged).transpose());
            }
            Self::Segments(_) => {
                let id = SegmentId::parse(name);
                let entered = id.map_or(Ok(()), |id| segment(shared, id, batch));
                batch.extend(entered.err().map(Err));
            }
        }
    }
}

fn file(
    shared: &Shared,
    path: &Path,
    name: &str,
    staged: bool,
) -> Result<Option<BlobEntry>, StoreError> {
    let Some(name) = FileName::parse(name) else {
        return Ok(None);
    };
    // One that went meanwhile is not there.
    let Some(meta) = shared.vfs.metadata(path).map_err(failed)? else {
        return Ok(None);
    };
    let staged = staged || guard!(148) && shared.live.hides(&name);
    Ok(Some(BlobEntry::new(name.key(), meta.size, staged)))
}

fn segment(
    shared: &Arc<Shared>,
    id: SegmentId,
    batch: &mut Vec<Result<BlobEntry, StoreError>>,
) -> Result<(), StoreError> {
    let Some(table) = table(shared, id)? else {
        return Ok(());
    };
    for row in table.rows.iter().filter(|row| row.is_live()) {
        let entry = entry(shared, row)?;
        batch.extend(entry.map(Ok));
    }
    Ok(())
}

/// Returns the table of a segment that holds anything.
fn table(shared: &Shared, id: SegmentId) -> Result<Option<Table>, StoreError> {
    let path = shared.layout.segment(id);
    let mode = if shared.read_only {
        OpenMode::Read
    } else {
        OpenMode::Write
    };
    let Some(file) = shared.vfs.open(&path, mode).map_err(failed)? else {
        return Ok(None);
    };
    let ours = !shared.read_only
        && guard!(170, shared.check_sound().is_ok())
        && guard!(115, file.try_lock(Hold::Exclusive)).map_err(failed)?;
    if !has_header(&*file, id).map_err(failed)? {
        if !is_unsynced(&*file, id).map_err(failed)? {
            let mended = ours && mend_header(&*file, id).map_err(failed)?;
            return Err(no_segment(path, mended));
        }
        // Somebody makes it at this moment, or died doing so.
        if ours {
            shared.vfs.unlink(&path).map_err(failed)?;
        }
        return Ok(None);
    }
    if !ours {
        return Table::read(&*file, id).map(Some).map_err(failed);
    }
    let table = recover(&*file, id).map_err(failed)?;
    if table.is_dead() {
        shared.vfs.unlink(&path).map_err(failed)?;
        return Ok(None);
    }
    Ok(Some(table))
}

fn entry(shared: &Arc<Shared>, row: &Row) -> Result<Option<BlobEntry>, StoreError> {
    let staged = match row.state {
        State::Dead => return Ok(None),
        State::Reserved | State::Suspended => true,
        // Without a sync that is known to have ended it is a blob if it can be opened as one.
        State::Written => !row.synced && slots::open(shared, &row.slot)?.is_none(),
    };
    let length = u64::from(row.length);
    Ok(Some(BlobEntry::new(row.slot.key(), length, staged)))
}

fn no_segment(path: PathBuf, mended: bool) -> StoreError {
    let what = if mended {
        "it was damaged, and is written anew: its rows are whole"
    } else {
        "not a segment of this format"
    };
    let source = io::Error::new(io::ErrorKind::InvalidData, what);
    failed(VfsError::new("read the header of", path, source))
}
