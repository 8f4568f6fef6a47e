//! The clauses of the contracts, in words: a case that fails prints the one that is broken.

/// A clause of a contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Clause {
    /// Its number, such as `BS-1`.
    pub number: &'static str,
    /// What it says.
    pub words: &'static str,
}

const fn clause(number: &'static str, words: &'static str) -> Clause {
    Clause { number, words }
}

/// The clauses of [`BlobStore`](artifact_core::BlobStore) and of
/// [`LocalBlobs`](artifact_core::LocalBlobs).
pub const STORE_CLAUSES: [Clause; 12] = [
    clause(
        "BS-1",
        "Atomic: before `commit` returned, `stat`, `read` and `local` of the key find nothing; \
         after it, they find all the bytes. `list` may show what is staged, marked as such.",
    ),
    clause("BS-2", "Immutable: the bytes under a key never change."),
    clause(
        "BS-3",
        "To delete what is not there is a success. `delete` also removes what an upload has staged \
         under the key. What was deleted comes back by nothing but a crash.",
    ),
    clause(
        "BS-4",
        "Durable: when `commit` returned, the bytes survive any crash and power loss; when \
         `suspend` returned, the bytes up to its offset do.",
    ),
    clause(
        "BS-5",
        "Cancel-safe: a dropped writer equals a crash of that upload. What it staged is found by \
         `list` or removed by the store, and never becomes a blob. What is suspended is found by `list`; \
         what is aborted is gone.",
    ),
    clause(
        "BS-6",
        "A key is never used again: the same bytes, stored again, get another key.",
    ),
    clause(
        "BS-7",
        "`read` gives exactly the bytes of its range, in order, or ends with an error; never fewer. \
         A range that starts at or after the end of a blob that is not empty is \
         [`StoreError::RangeNotSatisfiable`]; one that ends after it is cut.",
    ),
    clause(
        "BS-8",
        "`resume` continues at exactly the offset of the suspension, dropping what came after it; \
         it answers `None` where the staged bytes are gone or fewer.",
    ),
    clause(
        "BS-9",
        "One writer: while a live writer holds an upload, `resume` and `delete` of it answer \
         [`StoreError::Held`] and `is_held` is true; when its process has died, or the writer was \
         dropped, it is not held.",
    ),
    clause(
        "BS-10",
        "Fail-stop: after a sync of unknown effect every later `commit` and `suspend` is \
         [`StoreError::Poisoned`] until the store is opened again; reads go on (I21).",
    ),
    clause(
        "LB-1",
        "the file's bytes from `offset` on, `length` of them, are the blob's, as long as the \
         [`LocalBlob`] lives.",
    ),
    clause(
        "LB-2",
        "`materialize` leaves `target` complete or absent, never in between, and never replaces \
         what is there.",
    ),
];

/// The clauses of [`ManifestIndex`](artifact_core::ManifestIndex).
pub const INDEX_CLAUSES: [Clause; 15] = [
    clause(
        "MI-1",
        "All or nothing: a change set is made whole or not at all, also over a crash; when `apply` \
         returned, it is durable.",
    ),
    clause(
        "MI-2",
        "Serializable: change sets take effect in one order. Sets that share one sync fail alone.",
    ),
    clause(
        "MI-3",
        "No dangling tag: a tag always points at a manifest of its package.",
    ),
    clause(
        "MI-4",
        "No dangling manifest: what a manifest of a package names is linked to, or a manifest of, \
         that package, what may be absent apart; and its blobs have rows.",
    ),
    clause(
        "MI-5",
        "Read your writes: a read that begins after `apply` or `note` returned sees it.",
    ),
    clause(
        "MI-6",
        "Ordered pages: lists are in byte order of their key, complete, without repeats, and a \
         page costs one range read, whatever the length of the list.",
    ),
    clause(
        "MI-7",
        "A key is in the trash, in a blob's row or in an upload's, never in two.",
    ),
    clause(
        "MI-8",
        "A read as of revision r never changes while r is kept, purged content apart, which \
         answers [`IndexError::Purged`]. Below a repository's horizon it answers \
         [`IndexError::HistoryForgotten`]; above the newest revision [`IndexError::FutureRevision`].",
    ),
    clause(
        "MI-9",
        "The feed is complete: state at r = state at the horizon + the events up to r.",
    ),
    clause(
        "MI-10",
        "Generations: each change of a tag or document raises its generation by one, also a \
         deletion, and a record that is made anew goes on counting.",
    ),
    clause(
        "MI-11",
        "Revisions have no gaps, and their times rise strictly, from the epoch as that of revision \
         zero. A change set without events makes no revision; what it did to leases, keys and \
         uploads stands all the same.",
    ),
    clause(
        "MI-12",
        "Usage is exact: a repository is charged once for each distinct digest that its packages \
         link or have as manifest, and [`Room`](super::change::Room)s hold at every instant.",
    ),
    clause(
        "MI-13",
        "Bookkeeping makes no revision, and is seen by all at once.",
    ),
    clause(
        "MI-14",
        "A collection deletes the row of a blob only in a transaction in which no manifest that \
         was in any package at or after that package's repository's horizon names it, and no link, lease, \
         pin or upload holds it (I8).",
    ),
    clause(
        "MI-15",
        "Bad input changes nothing: every error leaves the state as it was.",
    ),
];

/// Returns the clause that a case is of: `bs_1_…` is of `BS-1`.
pub(crate) fn clause_of(case: &str) -> Option<Clause> {
    let mut parts = case.split('_');
    let number = format!("{}-{}", parts.next()?.to_uppercase(), parts.next()?);
    let mut clauses = STORE_CLAUSES.iter().chain(&INDEX_CLAUSES);
    clauses.find(|clause| clause.number == number).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the clauses that stand in the documentation of a contract.
    fn written_in(source: &str, prefix: &str) -> Vec<(String, String)> {
        let mut clauses: Vec<(String, String)> = Vec::new();
        let mut inside = false;
        for line in source.lines() {
            let line = line.trim_start();
            if let Some(text) = line.strip_prefix(&format!("/// * {prefix}-")) {
                let (number, words) = text.split_once([' ', ':']).unwrap();
                let words = words.trim_start().to_owned();
                clauses.push((format!("{prefix}-{number}"), words));
                inside = true;
            } else if let Some(more) = line.strip_prefix("///   ") {
                if let (true, Some((_, words))) = (inside, clauses.last_mut()) {
                    words.push(' ');
                    words.push_str(more);
                }
            } else {
                inside = false;
            }
        }
        clauses
    }

    #[test]
    fn the_tables_say_what_the_contracts_say() {
        let store = include_str!("../../../artifact-core/src/contract/blob_store.rs");
        let index = include_str!("../../../artifact-core/src/contract/index.rs");
        let mut written = written_in(store, "BS");
        written.extend(written_in(store, "LB"));
        written.extend(written_in(index, "MI"));
        let clauses = STORE_CLAUSES.iter().chain(&INDEX_CLAUSES);
        let tables: Vec<(String, String)> = clauses
            .map(|clause| (clause.number.to_owned(), clause.words.to_owned()))
            .collect();
        assert_eq!(written, tables);
    }

    #[test]
    fn a_case_tells_its_clause() {
        let number = |case| clause_of(case).map(|clause| clause.number);
        assert_eq!(number("bs_1_commit_publishes"), Some("BS-1"));
        assert_eq!(number("bs_10_poison"), Some("BS-10"));
        assert_eq!(number("mi_15_x"), Some("MI-15"));
        assert_eq!(number("bs_11_x"), None);
        assert_eq!(number("other"), None);
    }
}
