//! Who has a key of the blob store.

use std::collections::BTreeMap;

use artifact::{BlobKey, Conflict, KeyOwner, TrashRecord};

/// Knows each key once (MI-7): it is in the trash, a blob's or an upload's.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    used: BTreeMap<BlobKey, KeyOwner>,
    pub trash: BTreeMap<BlobKey, TrashRecord>,
}

impl Keys {
    pub fn owner(&self, key: &BlobKey) -> Option<KeyOwner> {
        if self.trash.contains_key(key) {
            return Some(KeyOwner::Trash);
        }
        self.used.get(key).cloned()
    }

    /// Gives a key to a blob or upload. The one that it was taken from may be named.
    pub fn take(
        &mut self,
        key: &BlobKey,
        owner: KeyOwner,
        from: Option<&KeyOwner>,
    ) -> Result<(), Conflict> {
        let has = self.owner(key);
        if has.is_some() && has.as_ref() != from && has.as_ref() != Some(&owner) {
            return Err(Conflict::KeyTaken { key: key.clone() });
        }
        self.used.insert(key.clone(), owner);
        Ok(())
    }

    /// Puts a key in the trash, whoever had it. One that is there already stays as it is.
    pub fn discard(&mut self, key: &BlobKey, size: u64) {
        self.used.remove(key);
        self.trash
            .entry(key.clone())
            .or_insert_with(|| TrashRecord::new(key.clone(), size));
    }
}
