//! What the journal keeps of a commit.

use std::collections::BTreeMap;

use artifact_core::{Actor, Committed, Digest, Event, Revision, Timestamp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A commit, and the bytes that its events name and that stand nowhere else: those of manifests and
/// of inline blobs.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a commit and its bytes are all there is to it"
)]
pub struct JournalEntry {
    /// What was committed.
    pub committed: Committed,
    /// The bytes, by their digest. What was purged or collected since may be missing.
    pub contents: Vec<(Digest, Bytes)>,
}

impl JournalEntry {
    /// Returns the revision of the commit.
    pub const fn revision(&self) -> Revision {
        self.committed.revision
    }

    /// Returns the digests whose bytes belong to the entry: of the manifests that came, and of the
    /// blobs that are in the index itself.
    pub fn names(committed: &Committed) -> impl Iterator<Item = &Digest> {
        committed.events.iter().filter_map(|event| match event {
            Event::ManifestPut { digest, .. }
            | Event::BlobStored {
                digest, key: None, ..
            } => Some(digest),
            _ => None,
        })
    }

    /// Writes the entry as one line of JSON, without its end.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&WrittenLine {
            revision: self.committed.revision,
            time: self.committed.time,
            actor: &self.committed.actor,
            events: &self.committed.events,
            contents: self
                .contents
                .iter()
                .map(|(digest, bytes)| (*digest, STANDARD.encode(bytes)))
                .collect(),
        })
    }

    /// Reads what [`JournalEntry::to_json`] wrote.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        let line: Line = serde_json::from_slice(json)?;
        let contents = line.contents.into_iter().map(|(digest, text)| {
            let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
            Ok((digest, Bytes::from(bytes)))
        });
        Ok(Self {
            contents: contents.collect::<Result<_, serde_json::Error>>()?,
            committed: Committed::new(line.revision, line.time, line.actor, line.events),
        })
    }
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    revision: Revision,
    time: Timestamp,
    actor: &'a Actor,
    events: &'a [Event],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contents: BTreeMap<Digest, String>,
}

#[derive(Deserialize)]
struct Line {
    revision: Revision,
    time: Timestamp,
    actor: Actor,
    events: Vec<Event>,
    #[serde(default)]
    contents: BTreeMap<Digest, String>,
}
