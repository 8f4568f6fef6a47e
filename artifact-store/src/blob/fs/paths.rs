//! Where the bytes of keys are, for who copies a whole store.

use std::path::{Path, PathBuf};

use artifact_core::BlobKey;

use super::{layout::Layout, place::Place, store::FsBlobStore};

impl FsBlobStore {
    /// Returns the path, below the root of its store, of the segment that holds a key's slot; `None`
    /// when the key is of no slot.
    pub(crate) fn segment_path(key: &BlobKey) -> Option<PathBuf> {
        match Place::of(key)? {
            Place::Slot(slot) => Some(Layout::new(Path::new("")).segment(slot.segment)),
            Place::File(_) => None,
        }
    }

    /// Returns the path, below the root of its store, of the file that holds a key's blob where it
    /// has one of its own; `None` when it is no key of such a store.
    pub(crate) fn file_path(key: &BlobKey) -> Option<PathBuf> {
        let name = Place::of(key)?.file_name();
        Some(Layout::new(Path::new("")).blob(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_their_files() {
        let id = "ab".repeat(16);
        let key = |text: String| text.parse::<BlobKey>().unwrap();
        let own = key(format!("blobs/ab/{id}"));
        assert_eq!(FsBlobStore::segment_path(&own), None);
        assert_eq!(FsBlobStore::file_path(&own), Some(own.as_str().into()));
        let slot = key(format!("segments/{id}/0-81-1-7"));
        let segment = PathBuf::from(format!("segments/{id}"));
        assert_eq!(FsBlobStore::segment_path(&slot), Some(segment));
        let spilled = FsBlobStore::file_path(&slot).unwrap();
        assert!(spilled.starts_with("blobs/ab"), "{spilled:?}");
        assert_eq!(FsBlobStore::file_path(&key("else/where".into())), None);
    }
}
