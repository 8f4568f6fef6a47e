//! Where the bytes of a key are.
//!
//! | key | bytes |
//! | --- | --- |
//! | `blobs/ab/<32 hex>` | a file of its own, of that path; staged, `staging/<32 hex>` |
//! | `segments/<32 hex>/<index>-<start>-<blocks>-<sitting>` | a slot of that segment: its row in the segment's table, its first block, how many blocks it has, and which opening of the segment made it |
//!
//! All numbers are hexadecimal. A slot that turns out too small for its blob, because a wrong length
//! was announced, has its bytes in a file of its own, whose name is the key's without `segments/` and
//! with a dot for the slash: the key was told before, so it stays.

use std::{fmt, ops::Range, str::FromStr as _};

use artifact_core::BlobKey;

/// The step in which slots are made, in bytes: what file systems punch and share.
pub(super) const BLOCK: u64 = 4096;

/// Where the bytes of a key are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    File(FileName),
    Slot(Slot),
}

impl Place {
    /// Returns the place that the key names; `None` when this store made no such key.
    pub(super) fn of(key: &BlobKey) -> Option<Self> {
        let text = key.as_str();
        if let Some(rest) = text.strip_prefix("blobs/") {
            let (shard, name) = rest.split_once('/')?;
            let name = FileName::own(name)?;
            return (name.shard() == shard).then_some(Self::File(name));
        }
        let (segment, slot) = text.strip_prefix("segments/")?.split_once('/')?;
        Slot::parse(segment, slot).map(Self::Slot)
    }

    /// Returns the name of the file that the bytes are in, or would be in if the slot was too small.
    pub(super) fn file_name(&self) -> FileName {
        match self {
            Self::File(name) => name.clone(),
            Self::Slot(slot) => slot.spill(),
        }
    }
}

/// The name of a file of its own, in `staging/` or a shard of `blobs/`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct FileName(String);

impl FileName {
    /// Returns the name made of these random bytes.
    pub(super) fn from_random(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// Returns the name that a file of a blob store has; `None` when it is no such name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((segment, slot)) = text.split_once('.') {
            return Slot::parse(segment, slot).map(|slot| slot.spill());
        }
        Self::own(text)
    }

    fn own(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of its directory in `blobs/`.
    pub(super) fn shard(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }

    /// Returns the key of the blob that the file holds.
    pub(super) fn key(&self) -> BlobKey {
        match self.0.split_once('.') {
            Some((segment, slot)) => key(&format!("segments/{segment}/{slot}")),
            None => key(&format!("blobs/{}/{}", self.shard(), self.0)),
        }
    }
}

/// The name of a segment.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) struct SegmentId([u8; 16]);

impl SegmentId {
    /// Returns the name made of these random bytes.
    pub(super) const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the name that a segment's file has; `None` when it is no such name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if !is_id(text) {
            return None;
        }
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A slot of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    pub(super) segment: SegmentId,
    /// Its row in the segment's table.
    pub(super) index: u32,
    /// Its first block, counted from the segment's begin.
    pub(super) start: u32,
    /// How many blocks it has.
    pub(super) blocks: u32,
    /// Which opening of the segment made it: rows and blocks that a power loss took back may be
    /// made again by a later one, but the key is another then (BS-6).
    pub(super) sitting: u64,
}

impl Slot {
    fn parse(segment: &str, text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let slot = Self {
            segment: SegmentId::parse(segment)?,
            index: u32::from_str_radix(parts.next()?, 16).ok()?,
            start: u32::from_str_radix(parts.next()?, 16).ok()?,
            blocks: u32::from_str_radix(parts.next()?, 16).ok()?,
            sitting: u64::from_str_radix(parts.next()?, 16).ok()?,
        };
        // One slot has one key: leading zeros and signs would give it more.
        (slot.to_string() == text && slot.blocks > 0).then_some(slot)
    }

    /// Returns its bytes in the segment.
    pub(super) fn range(&self) -> Range<u64> {
        let start = u64::from(self.start) * BLOCK;
        start..start + self.capacity()
    }

    /// Returns how many bytes it can hold.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.blocks) * BLOCK
    }

    /// Returns the key of the blob that it holds.
    pub(super) fn key(&self) -> BlobKey {
        key(&format!("segments/{}/{self}", self.segment))
    }

    /// Returns the name of the file that its blob is in when it is too small.
    pub(super) fn spill(&self) -> FileName {
        FileName(format!("{}.{self}", self.segment))
    }
}

impl fmt::Display for Slot {
    /// Writes its part of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            index,
            start,
            blocks,
            sitting,
            ..
        } = self;
        write!(f, "{index:x}-{start:x}-{blocks:x}-{sitting:x}")
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn key(text: &str) -> BlobKey {
    BlobKey::from_str(text).expect("made of hexadecimal digits, dashes and single slashes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot {
        segment: SegmentId::from_random([0xab; 16]),
        index: 16,
        start: 0x1ff,
        blocks: 1,
        sitting: 0xdead_beef,
    };

    #[test]
    fn keys_and_names_lead_to_each_other() {
        let name = FileName::from_random([0x5c; 16]);
        assert_eq!(Place::of(&name.key()), Some(Place::File(name.clone())));
        assert_eq!(FileName::parse(name.as_str()), Some(name.clone()));
        assert_eq!(name.key().as_str(), format!("blobs/5c/{}", "5c".repeat(16)));
        assert_eq!(Place::of(&SLOT.key()), Some(Place::Slot(SLOT)));
        assert_eq!(SLOT.spill().key(), SLOT.key());
        assert_eq!(FileName::parse(SLOT.spill().as_str()), Some(SLOT.spill()));
        assert_eq!(SLOT.range(), 0x1f_f000..0x20_0000);
    }

    /// A29: what is not exactly a key that the store makes leads to no path.
    #[test]
    fn a29_other_keys_lead_nowhere() {
        let id = "ab".repeat(16);
        for text in [
            format!("blobs/ac/{id}"),
            format!("blobs/ab/{id}0"),
            format!("blobs/ab/{id}.0-0-1-0"),
            format!("blobs/{id}"),
            format!("staging/{id}"),
            format!("segments/{id}"),
            format!("segments/{id}/0-0-0-0"),
            format!("segments/{id}/00-0-1-0"),
            format!("segments/{id}/+0-0-1-0"),
            format!("segments/{id}/0-0-1-0-0"),
            format!("segments/{id}/0-0-1"),
            String::from("elsewhere"),
        ] {
            assert_eq!(Place::of(&key(&text)), None, "{text}");
        }
        for text in ["", ".", "..", "x", &id[1..], &id.to_uppercase()] {
            assert_eq!(FileName::parse(text), None, "{text}");
        }
    }
}
