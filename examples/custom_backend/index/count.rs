//! Figures: counted when they are asked for, by reading all that they are about.

use std::collections::{BTreeMap, BTreeSet};

use artifact::{Conflict, Digest, Footprint, Location, RepositoryName, Room, Scope, Totals, Usage};

use super::{rows::Package, state::State};

/// Counts what the repositories of a scope are charged for, each digest once a repository (MI-12).
pub fn usage(state: &State, scope: &Scope) -> Usage {
    let mut sizes: BTreeMap<(&RepositoryName, Digest), u64> = BTreeMap::new();
    for package in inside(state, scope) {
        let repository = &package.name.repository;
        for digest in package.links.keys() {
            sizes.insert((repository, *digest), size(state, digest));
        }
        for (digest, row) in &package.manifests {
            sizes.insert((repository, *digest), row.summary.descriptor.size);
        }
    }
    let uploads = state.uploads.values();
    let uploads = uploads.filter(|upload| scope.holds(&upload.package.repository));
    Usage::new(
        sizes.values().sum(),
        uploads.map(|upload| upload.reserved).sum(),
    )
}

/// Checks the rooms of scopes whose usage was raised.
pub fn check_rooms(before: &State, after: &State, rooms: Vec<Room>) -> Result<(), Conflict> {
    for Room { scope, limit } in rooms {
        let usage_after = usage(after, &scope);
        let raised = usage_after.total() > usage(before, &scope).total();
        if raised && usage_after.total() > limit {
            let usage = usage_after;
            return Err(Conflict::NoRoom {
                scope,
                usage,
                limit,
            });
        }
    }
    Ok(())
}

/// Counts what the repositories of a scope hold.
pub fn footprint(state: &State, scope: &Scope) -> Footprint {
    let mut footprint = Footprint::default();
    let mut linked = BTreeSet::new();
    for package in inside(state, scope) {
        let tags = package.tags.values().filter(|row| row.digest.is_some());
        footprint.packages += u64::from(!package.manifests.is_empty());
        footprint.tags += tags.count() as u64;
        footprint.manifests += package.manifests.len() as u64;
        linked.extend(package.links.keys().copied());
    }
    let kept = state
        .kept()
        .filter(|(repository, _)| scope.holds(repository));
    let named: BTreeSet<Digest> = kept
        .flat_map(|(_, row)| row.named.iter().copied())
        .collect();
    let bytes = |digests: &mut dyn Iterator<Item = &Digest>| -> u64 {
        digests.map(|digest| size(state, digest)).sum()
    };
    footprint.blobs = linked.len() as u64;
    footprint.blob_bytes = bytes(&mut linked.iter());
    footprint.history_bytes = bytes(&mut named.difference(&linked));
    footprint
}

/// Counts what the registry holds.
pub fn totals(state: &State) -> Totals {
    let mut totals = Totals::default();
    for row in state.blobs.values() {
        totals.blobs += 1;
        totals.quarantined += u64::from(row.quarantined);
        match row.location {
            Location::Inline(_) => totals.inline_bytes += row.size,
            Location::Key(_) => totals.stored_bytes += row.size,
        }
    }
    let manifests = state.manifests.values();
    totals.manifest_bytes = manifests.map(|bytes| bytes.len() as u64).sum();
    let trash = &state.keys.trash;
    totals.trash = trash.len() as u64;
    totals.trash_bytes = trash.values().map(|row| row.size).sum();
    totals.uploads = state.uploads.len() as u64;
    totals
}

fn inside<'a>(state: &'a State, scope: &'a Scope) -> impl Iterator<Item = &'a Package> {
    let packages = state.packages.values().map(|package| &**package);
    packages.filter(|package| scope.holds(&package.name.repository))
}

/// Returns the length of a blob; nothing where there is no row, so nothing is stored.
fn size(state: &State, digest: &Digest) -> u64 {
    state.blobs.get(digest).map_or(0, |row| row.size)
}
