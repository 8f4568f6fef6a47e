//! A journal, read back into an empty index.

use artifact_core::{
    BlobKey, BlobRecord, Committed, Digest, Event, Generation, Hasher, Lease, Location, Manifest,
    MediaType, OciName, PackageRef, Revision, Tag, Timestamp,
};
use bytes::Bytes;
use rusqlite::Connection;

use super::{
    failure::{Outcome, backend},
    state::{
        adoption, blobs, documents, links,
        manifests::{self, Presence},
        packages, revisions, tags, trash,
        tx::Tx,
    },
};
use crate::journal::JournalEntry;

/// Makes again what an entry says, at its revision and time.
///
/// A link that no manifest takes gets `lease`: the one that it had was no history. What cannot be
/// made, because its bytes were purged or collected since, is passed over.
pub(super) fn replay(conn: &Connection, entry: JournalEntry, lease: &Lease) -> Outcome<Revision> {
    let committed = entry.committed;
    let (revision, newest) = (committed.revision, revisions::head(conn)?.revision);
    if revision <= newest {
        let text = format!("revision {revision} cannot come after {newest}");
        return Err(backend("replaying the journal", text).into());
    }
    let Committed {
        time,
        actor,
        events,
        ..
    } = committed;
    let mut replay = Replay {
        tx: Tx::at(conn, newest, revision, time),
        contents: entry.contents,
        lease,
    };
    for event in &events {
        replay.event(event)?;
    }
    let mut tx = replay.tx;
    tx.settle()?;
    tx.events = events;
    revisions::write(&tx, &actor)?;
    Ok(revision)
}

struct Replay<'a> {
    tx: Tx<'a>,
    contents: Vec<(Digest, Bytes)>,
    lease: &'a Lease,
}

impl Replay<'_> {
    fn event(&mut self, event: &Event) -> Outcome<()> {
        match event {
            Event::Adopted { package } => self.adopted(package),
            Event::BlobLinked { package, digest } => self.linked(package, digest),
            Event::BlobStored { digest, size, key } => self.stored(digest, *size, key.as_ref()),
            Event::BlobUnlinked { package, digest } => self.unlinked(package, digest),
            Event::Collected { digest, .. } => self.collected(digest),
            Event::DocumentDeleted { key, generation } => {
                documents::put(&self.tx, key, *generation, None)
            }
            Event::DocumentPut {
                key,
                generation,
                body,
            } => documents::put(&self.tx, key, *generation, Some(body)),
            Event::Forgotten {
                repository,
                horizon,
            } => packages::forget(&self.tx, repository, *horizon),
            Event::ManifestDeleted { package, digest } => self.manifest_deleted(package, digest),
            Event::ManifestPut {
                package,
                digest,
                media_type,
                published_at,
                ..
            } => self.manifest_put(package, digest, media_type, *published_at),
            Event::Pinned {
                package,
                digest,
                name,
            } => self.pinned(package, digest, name),
            Event::Purged { digest } => self.purged(digest),
            Event::TagDeleted {
                package,
                tag,
                generation,
                ..
            } => self.tag_gone(package, tag, *generation),
            Event::TagPut {
                package,
                tag,
                digest,
                generation,
                ..
            } => self.tag_put(package, tag, digest, *generation),
            Event::Unpinned {
                package,
                digest,
                name,
            } => self.unpinned(package, digest, name),
            other => {
                let text = format!("this program does not know {other:?}");
                Err(backend("replaying the journal", text).into())
            }
        }
    }

    fn adopted(&mut self, to: &PackageRef) -> Outcome<()> {
        let name: Option<OciName> = to.oci_name().parse().ok();
        let Some(name) = name else { return Ok(()) };
        let from = packages::intern(&self.tx, &PackageRef::in_default(&name))?;
        let to = packages::intern(&self.tx, to)?;
        adoption::relocate(&mut self.tx, &from, &to)
    }

    fn stored(&mut self, digest: &Digest, size: u64, key: Option<&BlobKey>) -> Outcome<()> {
        let location = match key {
            Some(key) => Location::Key(key.clone()),
            None => match self.bytes(digest) {
                Some(bytes) => Location::Inline(bytes),
                None => return Ok(()),
            },
        };
        if let Some(old) = blobs::find(self.tx.conn, digest)?
            && old.location != location
        {
            trash::put_blob(self.tx.conn, &old)?;
        }
        let blob = BlobRecord::new(*digest, size, location, None, self.tx.time);
        blobs::put(self.tx.conn, &blob)?;
        self.tx.may_be_unwanted(*digest);
        Ok(())
    }

    fn linked(&mut self, at: &PackageRef, digest: &Digest) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        match blobs::size(self.tx.conn, digest)? {
            Some(size) if links::find(self.tx.conn, &package, digest)?.is_none() => {
                links::link(&mut self.tx, &package, digest, size, Some(self.lease))
            }
            _ => Ok(()),
        }
    }

    fn unlinked(&mut self, at: &PackageRef, digest: &Digest) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        if links::find(self.tx.conn, &package, digest)?.is_some() {
            links::unlink(&mut self.tx, &package, digest)?;
        }
        Ok(())
    }

    fn pinned(&mut self, at: &PackageRef, digest: &Digest, name: &str) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        if links::find(self.tx.conn, &package, digest)?.is_some() {
            links::add_pin(&self.tx, &package, digest, name)?;
        }
        Ok(())
    }

    fn unpinned(&mut self, at: &PackageRef, digest: &Digest, name: &str) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        links::remove_pin(&self.tx, &package, digest, name).map(drop)
    }

    fn tag_put(
        &mut self,
        at: &PackageRef,
        tag: &Tag,
        digest: &Digest,
        generation: Generation,
    ) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        if manifests::is_present(self.tx.conn, &package, digest)? {
            return tags::put(&self.tx, &package, tag, digest, generation);
        }
        // No tag dangles (MI-3), and none counts anew.
        self.tag_gone(at, tag, generation)
    }

    fn tag_gone(&mut self, at: &PackageRef, tag: &Tag, generation: Generation) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        tags::remove(&self.tx, &package, tag, generation)
    }

    fn manifest_put(
        &mut self,
        at: &PackageRef,
        digest: &Digest,
        media_type: &MediaType,
        published_at: Option<Timestamp>,
    ) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        if manifests::is_present(self.tx.conn, &package, digest)? {
            return Ok(());
        }
        let bytes = match self.bytes(digest) {
            Some(bytes) => Some(bytes),
            // Another package had it before, and its bytes stand there.
            None => manifests::bytes(self.tx.conn, digest)?,
        };
        let parsed = bytes
            .and_then(|bytes| Manifest::parse(bytes, Some(media_type), digest.algorithm()).ok());
        let Some(manifest) = parsed.filter(|manifest| manifest.digest() == *digest) else {
            return Ok(());
        };
        let presence = Presence {
            manifest: manifests::store(&mut self.tx, &manifest)?,
            revision: self.tx.revision,
            seen_at: self.tx.time,
            published_at,
        };
        manifests::enter(&mut self.tx, &package, digest, &presence)?;
        for reference in manifest.references() {
            links::end_lease(&self.tx, &package, &reference.descriptor.digest)?;
        }
        Ok(())
    }

    fn manifest_deleted(&mut self, at: &PackageRef, digest: &Digest) -> Outcome<()> {
        let package = packages::intern(&self.tx, at)?;
        if manifests::is_present(self.tx.conn, &package, digest)? {
            manifests::leave(&mut self.tx, &package, digest)?;
        }
        Ok(())
    }

    fn purged(&mut self, digest: &Digest) -> Outcome<()> {
        self.collected(digest)?;
        manifests::purge(self.tx.conn, digest)?;
        blobs::set_purged(self.tx.conn, digest)
    }

    /// Deletes the row of a blob, if there is one.
    fn collected(&mut self, digest: &Digest) -> Outcome<()> {
        if let Some(blob) = blobs::find(self.tx.conn, digest)? {
            blobs::delete(self.tx.conn, digest)?;
            trash::put_blob(self.tx.conn, &blob)?;
        }
        Ok(())
    }

    /// Returns bytes of the entry, if they are what their digest says.
    fn bytes(&self, digest: &Digest) -> Option<Bytes> {
        let mut contents = self.contents.iter();
        let (_, bytes) = contents.find(|(of, _)| of == digest)?;
        let found = Hasher::hash(digest.algorithm(), bytes).digest();
        (found == *digest).then(|| bytes.clone())
    }
}
