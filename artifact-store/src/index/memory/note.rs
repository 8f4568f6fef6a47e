//! Bookkeeping.

use std::collections::BTreeMap;

use artifact_core::{
    BlobKey, BlobRecord, Bookkeeping, BootTime, Conflict, Digest, Holder, Lease, Location, Noted,
    PackageRef, RepositoryName, Room, Suspended, UploadId, UploadRecord,
};

use super::state::{PackageKey, State};

/// Records bookkeeping on `state`.
///
/// # Errors
/// A conflict, as [`ManifestIndex::note`](artifact_core::ManifestIndex::note) says; `state` is as it
/// was then, but for a claim of another boot.
pub(crate) fn note(state: &mut State, bookkeeping: Bookkeeping) -> Result<Noted, Conflict> {
    let rows = match bookkeeping {
        Bookkeeping::BeginUpload(record, rooms) => begin_upload(state, *record, &rooms)?,
        Bookkeeping::AdvanceUpload(version, record, rooms) => {
            advance_upload(state, version, *record, &rooms)?
        }
        Bookkeeping::EndUpload(id, version) => end_upload(state, id, version)?,
        Bookkeeping::Claim {
            name,
            holder,
            lease,
            now,
        } => claim(&mut state.claims, name, holder, lease, &now)?,
        Bookkeeping::Release { name, holder } => {
            let held = state.claims.get(&name).is_some_and(|(by, _)| *by == holder);
            u64::from(held && state.claims.remove(&name).is_some())
        }
        Bookkeeping::Lease(package, digest, lease) => hold(state, &package, digest, lease)?,
        Bookkeeping::Prune(repository, limit) => prune(state, &repository, limit),
        Bookkeeping::Quarantine(digest, key) => {
            at_key(state, &digest, &key, |row| row.quarantined = true)
        }
        Bookkeeping::SeeTrash(keys, now) => see_trash(state, keys, &now),
        Bookkeeping::Stamp {
            digest,
            key,
            stamp,
            hashed_at,
        } => at_key(state, &digest, &key, |row| {
            (row.stamp, row.hashed_at, row.quarantined) = (stamp, hashed_at, false);
        }),
        Bookkeeping::Trash(keys) => {
            let mut rows = 0;
            for key in keys {
                if state.key_owner(&key).is_none() {
                    state.throw(key, 0);
                    rows += 1;
                }
            }
            rows
        }
        Bookkeeping::Untrash(keys) => {
            let gone = keys.iter().filter_map(|key| state.trash.remove(key));
            gone.count() as u64
        }
    };
    Ok(Noted::new(rows))
}

fn begin_upload(state: &mut State, record: UploadRecord, rooms: &[Room]) -> Result<u64, Conflict> {
    if let Some(there) = state.uploads.get(&record.id) {
        let version = Some(there.version);
        let id = record.id;
        return Err(Conflict::Upload { id, version });
    }
    check_key(state, record.at.as_ref())?;
    enter_upload(state, record, rooms)
}

fn advance_upload(
    state: &mut State,
    version: u64,
    mut record: UploadRecord,
    rooms: &[Room],
) -> Result<u64, Conflict> {
    let old = upload_at(state, record.id, version)?.at.clone();
    record.version = version.saturating_add(1);
    let old_key = old.as_ref().map(|at| &at.key);
    let new_key = record.at.as_ref().map(|at| &at.key);
    if old_key == new_key {
        return enter_upload(state, record, rooms);
    }
    check_key(state, record.at.as_ref())?;
    let rows = enter_upload(state, record, rooms)?;
    if let Some(old) = old {
        state.throw(old.key, old.offset);
    }
    Ok(rows)
}

/// Says that the key of an upload must be nobody's.
fn check_key(state: &State, at: Option<&Suspended>) -> Result<(), Conflict> {
    match at {
        Some(at) if state.key_owner(&at.key).is_some() => Err(Conflict::KeyTaken {
            key: at.key.clone(),
        }),
        _ => Ok(()),
    }
}

/// Writes the row of an upload, if there is room for it.
fn enter_upload(state: &mut State, record: UploadRecord, rooms: &[Room]) -> Result<u64, Conflict> {
    let mut after = state.clone();
    after.uploads.insert(record.id, record);
    after.check_rooms(state, rooms)?;
    *state = after;
    Ok(1)
}

fn end_upload(state: &mut State, id: UploadId, version: u64) -> Result<u64, Conflict> {
    upload_at(state, id, version)?;
    let ended = state.uploads.remove(&id);
    if let Some(at) = ended.and_then(|upload| upload.at) {
        state.throw(at.key, at.offset);
    }
    Ok(1)
}

/// Returns the upload, which must be at this version.
fn upload_at(state: &State, id: UploadId, version: u64) -> Result<&UploadRecord, Conflict> {
    let there = state.uploads.get(&id);
    match there {
        Some(upload) if upload.version == version => Ok(upload),
        _ => Err(Conflict::Upload {
            id,
            version: there.map(|upload| upload.version),
        }),
    }
}

fn claim(
    claims: &mut BTreeMap<String, (Holder, Lease)>,
    name: String,
    holder: Holder,
    lease: Lease,
    now: &BootTime,
) -> Result<u64, Conflict> {
    if let Some((by, held)) = claims.get_mut(&name)
        && *by != holder
    {
        let left = held.left(now);
        if left.is_none() {
            *held = Lease::starting(now, held.length);
        }
        if left != Some(0) {
            let holder = by.clone();
            return Err(Conflict::Claimed { name, holder });
        }
    }
    claims.insert(name, (holder, lease));
    Ok(1)
}

fn hold(
    state: &mut State,
    package: &PackageRef,
    digest: Digest,
    lease: Lease,
) -> Result<u64, Conflict> {
    let content = state.packages.get_mut(&PackageKey::from(package));
    let Some(held) = content.and_then(|content| content.links.get_mut(&digest)) else {
        let package = package.clone();
        return Err(Conflict::NotLinked { package, digest });
    };
    *held = Some(lease.or_later(held.as_ref()));
    Ok(1)
}

fn prune(state: &mut State, repository: &RepositoryName, limit: u32) -> u64 {
    let horizon = state.horizon(repository);
    let limit = u64::from(limit);
    let mut pruned = 0;
    for (key, content) in &mut state.packages {
        if key.package.repository != *repository {
            continue;
        }
        for history in content.tags.values_mut() {
            pruned += history.rows.prune(horizon, limit - pruned);
        }
        for rows in content.manifests.values_mut() {
            pruned += rows.prune(horizon, limit - pruned);
        }
    }
    pruned
}

/// Changes the row of a blob if its bytes are at this key.
fn at_key(
    state: &mut State,
    digest: &Digest,
    key: &BlobKey,
    change: impl FnOnce(&mut BlobRecord),
) -> u64 {
    match state.blobs.get_mut(digest) {
        Some(row) if row.location == Location::Key(key.clone()) => {
            change(row);
            1
        }
        _ => 0,
    }
}

fn see_trash(state: &mut State, keys: Vec<BlobKey>, now: &BootTime) -> u64 {
    let mut rows = 0;
    for key in keys {
        if let Some(record) = state.trash.get_mut(&key)
            && record
                .seen
                .as_ref()
                .is_none_or(|seen| seen.boot != now.boot)
        {
            record.seen = Some(now.clone());
            rows += 1;
        }
    }
    rows
}
