//! What was there at a revision: the current rows that are old enough, and the past.

use crate::index::sqlite::failure::Outcome;

/// Steps through the keys of a past table: `next` gives the key after one, `at` what was there under
/// a key, if anything. A key costs two looks, however often what it names changed.
pub(super) fn step<K, T>(
    mut key: K,
    limit: usize,
    mut next: impl FnMut(&K) -> Outcome<Option<K>>,
    mut at: impl FnMut(&K) -> Outcome<Option<T>>,
) -> Outcome<Vec<T>> {
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(after) = next(&key)? else {
            break;
        };
        found.extend(at(&after)?);
        key = after;
    }
    Ok(found)
}

/// Brings two ordered lists without a common key together, up to a length.
pub(super) fn merge<T, K: Ord>(
    mut first: Vec<T>,
    second: Vec<T>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    if !second.is_empty() {
        first.extend(second);
        first.sort_by_key(|item| key(item));
    }
    first.truncate(limit);
    first
}
