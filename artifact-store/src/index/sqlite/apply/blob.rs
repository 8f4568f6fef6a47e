//! Blobs that come.

use artifact_core::{
    BlobRecord, Event, KeyOwner, Location, Stamp, Suspended, UploadId, VerifiedBlob, guard,
};

use crate::index::sqlite::{
    failure::Outcome,
    state::{blobs, trash, tx::Tx, uploads},
};

/// Enters a blob of which the bytes are stored, and ends its upload.
pub(super) fn put(
    tx: &mut Tx<'_>,
    blob: &VerifiedBlob,
    location: Location,
    stamp: Option<Stamp>,
    upload: Option<&UploadId>,
) -> Outcome<()> {
    let written = match upload {
        Some(id) => end_upload(tx, id)?,
        None => None,
    };
    if let Location::Key(key) = &location {
        let own = |owner: &KeyOwner| *owner == KeyOwner::Blob(blob.digest());
        guard!(456, trash::expect_free(tx.conn, key, own))?;
    }
    if let Some(at) = written
        && location != Location::Key(at.key.clone())
    {
        trash::put(tx.conn, &at.key, at.offset)?;
    }
    let there = blobs::find(tx.conn, &blob.digest())?;
    let dead = match there {
        Some(there) if guard!(237, !there.quarantined) => {
            (there.location != location).then_some(location)
        }
        there => {
            let moved = there.map(|there| there.location);
            let moved = moved.filter(|old| *old != location);
            enter(tx, blob, location, stamp)?;
            moved
        }
    };
    if let Some(Location::Key(key)) = dead {
        trash::put(tx.conn, &key, blob.size())?;
    }
    Ok(())
}

/// Removes an upload, and returns where it was written.
fn end_upload(tx: &mut Tx<'_>, id: &UploadId) -> Outcome<Option<Suspended>> {
    let Some(upload) = uploads::find(tx.conn, id)? else {
        return Ok(None);
    };
    uploads::delete(tx, &upload)?;
    Ok(upload.at)
}

/// Writes the row of a blob, and says so.
fn enter(
    tx: &mut Tx<'_>,
    blob: &VerifiedBlob,
    location: Location,
    stamp: Option<Stamp>,
) -> Outcome<()> {
    let digest = blob.digest();
    let size = blob.size();
    let key = match &location {
        Location::Key(key) => Some(key.clone()),
        Location::Inline(bytes) => {
            tx.contents.push((digest, bytes.clone()));
            None
        }
    };
    blobs::put(
        tx.conn,
        &BlobRecord::new(digest, size, location, stamp, tx.time),
    )?;
    tx.may_be_unwanted(digest);
    tx.events.push(Event::BlobStored { digest, size, key });
    Ok(())
}
