//! Bookkeeping.

use artifact::{
    BlobKey, BlobRecord, Bookkeeping, BootTime, Conflict, Digest, Holder, KeyOwner, Lease,
    RepositoryName, Revision, Room, UploadId, UploadRecord,
};

use super::{blob::key_of, count::check_rooms, package::link_mut, state::State};

/// Why bookkeeping was refused, and whether the state that it left must be kept all the same.
#[derive(Debug)]
pub struct Refused {
    pub conflict: Conflict,
    pub keep: bool,
}

impl From<Conflict> for Refused {
    fn from(conflict: Conflict) -> Self {
        let keep = false;
        Self { conflict, keep }
    }
}

/// Records bookkeeping, and returns how many rows it touched.
pub fn note(state: &mut State, bookkeeping: Bookkeeping) -> Result<u64, Refused> {
    Ok(match bookkeeping {
        Bookkeeping::BeginUpload(upload, rooms) => begin_upload(state, *upload, rooms)?,
        Bookkeeping::AdvanceUpload(version, upload, rooms) => {
            advance_upload(state, version, *upload, rooms)?
        }
        Bookkeeping::EndUpload(id, version) => {
            let upload = upload_at(state, &id, version)?;
            state.uploads.remove(&id);
            discard_key(state, &upload);
            1
        }
        Bookkeeping::Claim {
            name,
            holder,
            lease,
            now,
        } => claim(state, name, holder, lease, &now)?,
        Bookkeeping::Release { name, holder } => release(state, &name, &holder),
        Bookkeeping::Lease(package, digest, lease) => {
            let Some(link) = link_mut(state, &package, &digest) else {
                return Err(Conflict::NotLinked { package, digest }.into());
            };
            link.lease = Some(lease.or_later(link.lease.as_ref()));
            1
        }
        Bookkeeping::Prune(repository, limit) => prune(state, &repository, limit),
        Bookkeeping::Quarantine(digest, key) => {
            mark(state, &digest, &key, |row| row.quarantined = true)
        }
        Bookkeeping::SeeTrash(keys, now) => see_trash(state, &keys, &now),
        Bookkeeping::Stamp {
            digest,
            key,
            stamp,
            hashed_at,
        } => mark(state, &digest, &key, |row| {
            row.stamp = stamp;
            row.hashed_at = hashed_at;
            row.quarantined = false;
        }),
        Bookkeeping::Trash(keys) => {
            let before = state.keys.trash.len();
            for key in keys {
                if state.keys.owner(&key).is_none() {
                    state.keys.discard(&key, 0);
                }
            }
            (state.keys.trash.len() - before) as u64
        }
        Bookkeeping::Untrash(keys) => {
            let gone = |key: &&BlobKey| state.keys.trash.remove(*key).is_some();
            keys.iter().filter(gone).count() as u64
        }
    })
}

fn begin_upload(
    state: &mut State,
    upload: UploadRecord,
    rooms: Vec<Room>,
) -> Result<u64, Conflict> {
    if let Some(there) = state.uploads.get(&upload.id) {
        let (id, version) = (upload.id, Some(there.version));
        return Err(Conflict::Upload { id, version });
    }
    write_upload(state, upload, rooms)
}

fn advance_upload(
    state: &mut State,
    version: u64,
    mut upload: UploadRecord,
    rooms: Vec<Room>,
) -> Result<u64, Conflict> {
    let old = upload_at(state, &upload.id, version)?;
    upload.version = version.saturating_add(1);
    let key = |upload: &UploadRecord| upload.at.as_ref().map(|at| at.key.clone());
    if key(&old) != key(&upload) {
        discard_key(state, &old);
    }
    write_upload(state, upload, rooms)
}

/// Writes the row of an upload, where its key is free or its own and its reservation has room.
fn write_upload(
    state: &mut State,
    upload: UploadRecord,
    rooms: Vec<Room>,
) -> Result<u64, Conflict> {
    let before = state.clone();
    if let Some(at) = &upload.at {
        let owner = KeyOwner::Upload(upload.id);
        state.keys.take(&at.key, owner, None)?;
    }
    state.uploads.insert(upload.id, upload);
    check_rooms(&before, state, rooms)?;
    Ok(1)
}

fn upload_at(state: &State, id: &UploadId, version: u64) -> Result<UploadRecord, Conflict> {
    let upload = state.uploads.get(id);
    match upload.filter(|upload| upload.version == version) {
        Some(upload) => Ok(upload.clone()),
        None => Err(Conflict::Upload {
            id: *id,
            version: upload.map(|upload| upload.version),
        }),
    }
}

fn discard_key(state: &mut State, upload: &UploadRecord) {
    if let Some(at) = &upload.at {
        state.keys.discard(&at.key, at.offset);
    }
}

fn claim(
    state: &mut State,
    name: String,
    holder: Holder,
    lease: Lease,
    now: &BootTime,
) -> Result<u64, Refused> {
    if let Some((other, held)) = state.claims.get_mut(&name)
        && *other != holder
    {
        let left = held.left(now);
        if left.is_none() {
            *held = Lease::starting(now, held.length);
        }
        if left != Some(0) {
            let holder = other.clone();
            return Err(Refused {
                conflict: Conflict::Claimed { name, holder },
                keep: left.is_none(),
            });
        }
    }
    state.claims.insert(name, (holder, lease));
    Ok(1)
}

fn release(state: &mut State, name: &str, holder: &Holder) -> u64 {
    let held = state.claims.get(name);
    if held.is_none_or(|(by, _)| by != holder) {
        return 0;
    }
    state.claims.remove(name);
    1
}

/// Changes the row of a blob whose bytes are at this key.
fn mark(
    state: &mut State,
    digest: &Digest,
    key: &BlobKey,
    change: impl FnOnce(&mut BlobRecord),
) -> u64 {
    match state.blobs.get_mut(digest) {
        Some(row) if key_of(row) == Some(key) => {
            change(row);
            1
        }
        _ => 0,
    }
}

fn see_trash(state: &mut State, keys: &[BlobKey], now: &BootTime) -> u64 {
    let mut rows = 0;
    for key in keys {
        if let Some(row) = state.keys.trash.get_mut(key)
            && row.seen.as_ref().is_none_or(|seen| seen.boot != now.boot)
        {
            row.seen = Some(now.clone());
            rows += 1;
        }
    }
    rows
}

/// Deletes past rows that the horizon has passed, the earliest first, then what nobody can read.
fn prune(state: &mut State, repository: &RepositoryName, limit: u32) -> u64 {
    let horizon = state.horizon(repository);
    let mut pruned = Vec::new();
    state.ended.retain(|row| {
        let passed = row.repository == *repository && row.until <= horizon;
        let goes = passed && pruned.len() < limit as usize;
        if goes {
            pruned.push(row.clone());
        }
        !goes
    });
    for manifest in pruned.iter().filter_map(|row| row.manifest.as_ref()) {
        state.review.extend(&manifest.named);
        state.drop_manifest(&manifest.summary.descriptor.digest);
    }
    forget_revisions(state);
    pruned.len() as u64
}

/// Drops the revisions that no repository can be read as of, from the feed and the states.
fn forget_revisions(state: &mut State) {
    let horizons = state.peopled.iter().map(|name| state.horizon(name));
    let Some(oldest) = horizons.min() else {
        return;
    };
    state.feed.retain(|revision, _| *revision > oldest);
    // The state that the oldest one left may have been made by an earlier revision.
    let states = state.history.range(..=oldest).next_back();
    if let Some(first) = states.map(|(revision, _)| *revision) {
        let kept = |revision: Revision| revision == Revision::ZERO || revision >= first;
        state.history.retain(|revision, _| kept(*revision));
    }
}
