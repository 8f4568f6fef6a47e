//! Which events make the state, and which only tell how it came to be.

use std::collections::{HashMap, HashSet};

use artifact_core::{Algorithm, Digest, Event, Hasher, OciName, PackageRef};

use super::{entry::JournalEntry, error::JournalError};

/// How many keys are held in memory at once; with more, the journal is read more often.
const KEYS: u64 = 500_000;
/// The most parts that the keys are split into: that is a table of 128 million keys.
const PARTS_MAX: u64 = 256;

/// What a record is known by: half of the SHA-256 of its kind and name.
type Key = [u8; 16];

/// Which events of a journal are needed to make the state that all of them leave.
///
/// An event that a later one made void is not. Nothing is dropped whose place among the others
/// matters, so what stays makes the same state when it is done in the same order.
#[derive(Debug)]
pub(super) struct Survivors {
    bits: Vec<u64>,
}

impl Survivors {
    /// Finds them. `read` reads the journal from the beginning, each time it is called.
    pub(super) fn find<I>(read: impl Fn() -> Result<I, JournalError>) -> Result<Self, JournalError>
    where
        I: Iterator<Item = Result<JournalEntry, JournalError>>,
    {
        let mut events = 0_u64;
        let mut adopted = HashSet::new();
        for entry in read()? {
            for event in entry?.committed.events {
                events += 1;
                if let Event::Adopted { package } = event {
                    adopted.extend(before_adoption(&package));
                    adopted.insert(package);
                }
            }
        }
        let words = usize::try_from(events / 64 + 1).unwrap_or(usize::MAX);
        let mut found = Self {
            bits: vec![0; words],
        };
        let parts = events.div_ceil(KEYS).next_power_of_two().min(PARTS_MAX);
        for part in 0..parts {
            found.find_part(&read, &adopted, |key| u64::from(key[0]) % parts == part)?;
        }
        Ok(found)
    }

    /// Says whether an event is needed: the one with this place among all.
    pub(super) fn has(&self, event: u64) -> bool {
        let word = usize::try_from(event / 64).ok();
        let word = word.and_then(|word| self.bits.get(word));
        word.is_some_and(|word| word & (1 << (event % 64)) != 0)
    }

    fn find_part<I>(
        &mut self,
        read: &impl Fn() -> Result<I, JournalError>,
        adopted: &HashSet<PackageRef>,
        in_part: impl Fn(&Key) -> bool,
    ) -> Result<(), JournalError>
    where
        I: Iterator<Item = Result<JournalEntry, JournalError>>,
    {
        let mut ends = HashMap::new();
        for_each(read()?, |place, event| {
            let role = Role::of(event, adopted);
            if let Some((key, true)) = role.key.map(|key| (key, role.ends))
                && in_part(&key)
            {
                ends.insert(key, place);
            }
        })?;
        for_each(read()?, |place, event| {
            let role = Role::of(event, adopted);
            let stays = role.stays
                && role.key.is_none_or(|key| {
                    in_part(&key) && ends.get(&key).is_none_or(|end| place >= *end)
                });
            let word = usize::try_from(place / 64).ok();
            if stays && let Some(word) = word.and_then(|word| self.bits.get_mut(word)) {
                *word |= 1 << (place % 64);
            }
        })
    }
}

fn for_each(
    entries: impl Iterator<Item = Result<JournalEntry, JournalError>>,
    mut visit: impl FnMut(u64, &Event),
) -> Result<(), JournalError> {
    let mut place = 0;
    for entry in entries {
        for event in &entry?.committed.events {
            visit(place, event);
            place += 1;
        }
    }
    Ok(())
}

/// What an event does to a record.
struct Role {
    /// The record; none where the event always stays.
    key: Option<Key>,
    /// Whether it makes all earlier events of the record void.
    ends: bool,
    /// Whether it stays unless a later one makes it void.
    stays: bool,
}

impl Role {
    const ALWAYS: Self = Self {
        key: None,
        ends: false,
        stays: true,
    };

    fn of(event: &Event, adopted: &HashSet<PackageRef>) -> Self {
        // What was adopted goes on under another name: all of its events are kept.
        let in_package = |package: &PackageRef, role: Self| {
            if adopted.contains(package) {
                Self::ALWAYS
            } else {
                role
            }
        };
        match event {
            Event::BlobLinked { package, digest } => {
                in_package(package, Self::replaces(&link(package, digest)))
            }
            Event::BlobUnlinked { package, digest } => {
                in_package(package, Self::removes(&link(package, digest)))
            }
            // It may be stored once more, at another place, while it is linked: then the first time
            // must stay before the link.
            Event::BlobStored { digest, .. } => Self::adds(&["blob", &digest.to_string()]),
            Event::Collected { digest, .. } => Self::removes(&["blob", &digest.to_string()]),
            Event::Forgotten { repository, .. } => {
                Self::replaces(&["horizon", repository.as_str()])
            }
            Event::ManifestPut {
                package, digest, ..
            } => in_package(package, Self::replaces(&manifest(package, digest))),
            Event::ManifestDeleted { package, digest } => {
                in_package(package, Self::removes(&manifest(package, digest)))
            }
            Event::Pinned {
                package,
                digest,
                name,
            } => in_package(package, Self::replaces(&pin(package, digest, name))),
            Event::Unpinned {
                package,
                digest,
                name,
            } => in_package(package, Self::removes(&pin(package, digest, name))),
            // Also a deletion stays: it tells the generation from which the tag goes on counting.
            Event::TagPut { package, tag, .. } | Event::TagDeleted { package, tag, .. } => {
                let name = [
                    "tag",
                    package.repository.as_str(),
                    package.package.as_str(),
                    tag.as_str(),
                ];
                in_package(package, Self::replaces(&name))
            }
            // Documents outlive every horizon, and what is new here is not understood.
            _ => Self::ALWAYS,
        }
    }

    fn replaces(name: &[impl AsRef<str>]) -> Self {
        Self {
            key: Some(key(name)),
            ends: true,
            stays: true,
        }
    }

    fn removes(name: &[impl AsRef<str>]) -> Self {
        Self {
            key: Some(key(name)),
            ends: true,
            stays: false,
        }
    }

    fn adds(name: &[impl AsRef<str>]) -> Self {
        Self {
            key: Some(key(name)),
            ends: false,
            stays: true,
        }
    }
}

fn link(package: &PackageRef, digest: &Digest) -> [String; 4] {
    named("link", package, digest)
}

fn manifest(package: &PackageRef, digest: &Digest) -> [String; 4] {
    named("manifest", package, digest)
}

fn pin(package: &PackageRef, digest: &Digest, name: &str) -> Vec<String> {
    let mut parts = Vec::from(named("pin", package, digest));
    parts.push(name.to_owned());
    parts
}

fn named(kind: &str, package: &PackageRef, digest: &Digest) -> [String; 4] {
    [
        kind.to_owned(),
        package.repository.to_string(),
        package.package.to_string(),
        digest.to_string(),
    ]
}

fn key(parts: &[impl AsRef<str>]) -> Key {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in parts {
        hasher.update(part.as_ref().as_bytes());
        // No part holds it, so parts cannot be taken for others.
        hasher.update(&[0]);
    }
    let blob = hasher.finish();
    let mut key = Key::default();
    for (to, from) in key.iter_mut().zip(blob.digest().as_bytes()) {
        *to = *from;
    }
    key
}

/// Returns the package of the default repository that was adopted under this name.
fn before_adoption(package: &PackageRef) -> Option<PackageRef> {
    let name: OciName = package.oci_name().parse().ok()?;
    Some(PackageRef::in_default(&name))
}
