//! What a case of an index has at hand.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use artifact_core::{
    AsOf, Bookkeeping, Change, ChangeSet, Committed, Conflict, IndexError, LinkRecord, Manifest,
    ManifestIndex, PackageRef, Query, Revision, Scope, TagRecord,
};

use tokio::sync::Mutex;

use super::{
    dump::{Dump, Names, dump_all, dump_at},
    fold::Folds,
    goods,
    place::IndexPlace,
};
use crate::harness::{focus::Focus, lacks::Lacks};

/// An index, its place, and a clock that rises with each change set.
pub struct IndexKit {
    place: Box<dyn IndexPlace>,
    index: Option<Arc<dyn ManifestIndex>>,
    lacks: Lacks,
    case: &'static str,
    focus: Focus,
    millis: AtomicI64,
    folds: Mutex<Folds>,
}

impl fmt::Debug for IndexKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexKit")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl IndexKit {
    /// Opens the index of a place.
    pub(crate) async fn open(
        mut place: Box<dyn IndexPlace>,
        lacks: Lacks,
        case: &'static str,
        focus: Focus,
    ) -> Self {
        let index = Some(place.open().await);
        Self {
            place,
            index,
            lacks,
            case,
            focus,
            millis: AtomicI64::new(1_767_225_600_000),
            folds: Mutex::default(),
        }
    }

    /// Returns the index.
    pub(crate) fn index(&self) -> &Arc<dyn ManifestIndex> {
        self.index
            .as_ref()
            .expect("an index is open between cases' steps")
    }

    /// Returns what the index lacks.
    pub(crate) fn lacking(&self) -> Vec<&'static str> {
        let mut lacking = Vec::new();
        if !self.place.can_reopen() {
            lacking.push("reopen");
        }
        lacking
    }

    /// Says whether the index can be opened again; reports it where it cannot.
    pub(crate) fn can_reopen(&self) -> bool {
        let can = self.place.can_reopen();
        if !can {
            self.lacks.report(self.case, "reopen");
        }
        can
    }

    /// Closes the index, and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.index = None;
        self.index = Some(self.place.open().await);
    }

    /// Returns a change set of the next second.
    pub(crate) fn set(&self) -> ChangeSet {
        goods::set_at(self.millis.fetch_add(1_000, Ordering::Relaxed))
    }

    /// Returns a change set of the next second with these changes.
    pub(crate) fn set_of(&self, changes: impl IntoIterator<Item = Change>) -> ChangeSet {
        let mut set = self.set();
        set.changes.extend(changes);
        set
    }

    /// Makes a change set.
    pub(crate) async fn apply(&self, set: ChangeSet) -> Committed {
        self.index()
            .apply(set)
            .await
            .expect("a change set that can be made")
    }

    /// Makes changes in one set.
    pub(crate) async fn make(&self, changes: impl IntoIterator<Item = Change>) -> Committed {
        self.apply(self.set_of(changes)).await
    }

    /// Records bookkeeping; returns how many rows it touched.
    pub(crate) async fn note(&self, bookkeeping: Bookkeeping) -> u64 {
        if matches!(bookkeeping, Bookkeeping::Prune(..)) {
            // MI-9, whatever the case is about.
            let told = async { self.folds.lock().await.catch_up(&**self.index()).await };
            self.focus.on("MI-9", told).await;
        }
        let noted = self.index().note(bookkeeping).await;
        noted.expect("bookkeeping that can be recorded").rows
    }

    /// Checks that a change set is refused, and changes nothing. Returns what stood against it.
    pub(crate) async fn refuse(&self, set: ChangeSet) -> Conflict {
        let before = self.dump().await;
        let refused = self.index().apply(set.clone()).await;
        let conflict = conflict(refused);
        self.check_unchanged(&before, "a change set that was refused")
            .await;
        conflict
    }

    /// Checks that bookkeeping is refused, and changes nothing. Returns what stood against it.
    pub(crate) async fn refuse_note(&self, bookkeeping: Bookkeeping) -> Conflict {
        let before = self.dump().await;
        let refused = self.index().note(bookkeeping).await;
        let conflict = conflict(refused);
        self.check_unchanged(&before, "bookkeeping that was refused")
            .await;
        conflict
    }

    /// MI-8, whatever the case is about: what was stays as it was.
    pub(crate) async fn check_past(&self, revision: Revision, kept: &Dump) {
        let stays = async {
            let why = format!("the state at {revision} is another than it was");
            self.dump_at(revision).await.check_equal(kept, &why);
        };
        self.focus.on("MI-8", stays).await;
    }

    /// MI-15, whatever the case is about.
    async fn check_unchanged(&self, before: &Dump, what: &str) {
        let unchanged = async {
            let why = format!("{what} changed something");
            self.dump().await.check_equal(before, &why);
        };
        self.focus.on("MI-15", unchanged).await;
    }

    /// Puts an image of blobs, which it enters, into a package under a tag.
    pub(crate) async fn publish(&self, package: &PackageRef, tag: &str, blobs: &[u8]) -> Manifest {
        let image = goods::Parts::of(blobs).image();
        let enter = blobs.iter().map(|number| goods::put_inline(*number));
        let link = blobs.iter().map(|number| goods::link(package, *number));
        let mut changes: Vec<Change> = enter.chain(link).collect();
        changes.push(goods::put_manifest(package, &image));
        changes.push(goods::put_tag(package, tag, &image));
        self.make(changes).await;
        image
    }

    /// Checks that the feed tells what the index answers, at each revision that is kept.
    pub(crate) async fn check_feed(&self) {
        // MI-9, whatever the case is about.
        let told = async { self.folds.lock().await.check(&**self.index()).await };
        self.focus.on("MI-9", told).await;
    }

    /// Returns a tag as it is now.
    pub(crate) async fn tag(&self, package: &PackageRef, name: &str) -> Option<TagRecord> {
        let record = self
            .index()
            .tag(AsOf::Now, package, &goods::tag(name))
            .await;
        record.expect("tag answers")
    }

    /// Returns a blob as a package has it now.
    pub(crate) async fn blob(&self, package: &PackageRef, number: u8) -> Option<LinkRecord> {
        let digest = goods::digest(number);
        let link = self.index().blob(AsOf::Now, package, &digest).await;
        link.expect("blob answers")
    }

    /// Returns the whole feed.
    pub(crate) async fn feed(&self) -> Vec<Committed> {
        let feed = self.index().changes(Revision::ZERO, goods::MANY).await;
        feed.expect("changes answers")
    }

    /// Prunes a repository, one row a time.
    pub(crate) async fn prune(&self, repository: &str) -> u64 {
        let mut pruned = 0;
        loop {
            let repository = goods::repository(repository);
            let rows = self.note(Bookkeeping::Prune(repository, 1)).await;
            assert!(rows <= 1, "more is pruned than was asked for");
            if rows == 0 {
                return pruned;
            }
            pruned += rows;
        }
    }

    /// Returns the newest revision.
    pub(crate) async fn head(&self) -> Revision {
        self.index().head().await.expect("head answers").revision
    }

    /// Returns all that the index answers now.
    pub(crate) async fn dump(&self) -> Dump {
        dump_all(&**self.index(), &names()).await
    }

    /// Returns all that the index answers of a revision.
    pub(crate) async fn dump_at(&self, revision: Revision) -> Dump {
        dump_at(&**self.index(), &names(), AsOf::Revision(revision)).await
    }
}

/// Returns what stood against something that was refused.
pub(crate) fn conflict<T: fmt::Debug>(refused: Result<T, IndexError>) -> Conflict {
    match refused {
        Err(IndexError::Conflict(conflict)) => conflict,
        other => panic_with(&other),
    }
}

fn panic_with(other: &impl fmt::Debug) -> ! {
    unreachable!("this must be refused with a conflict: {other:?}")
}

/// Returns the names that cases use.
pub(crate) fn names() -> Names {
    let in_default = ["a", "b", "c", "team/x", "team/y"].map(goods::package);
    let in_team = ["x", "y"].map(|name| goods::package_of("team", name));
    let repositories = ["default", "team", "other"].map(goods::repository_document);
    let mut digests: std::collections::BTreeSet<_> = (0..8).map(goods::digest).collect();
    for blobs in [&[1][..], &[1, 2], &[1, 3], &[2, 3], &[3]] {
        digests.insert(goods::Parts::of(blobs).image().digest());
    }
    Names {
        packages: in_default.into_iter().chain(in_team).collect(),
        digests,
        documents: repositories.into_iter().collect(),
        scopes: vec![Scope::all(), goods::scope("default"), goods::scope("team")],
        queries: vec![Query::default()],
        keys: (0..16).map(goods::key).collect(),
        tags: ["v1", "v2", "latest"].map(goods::tag).into_iter().collect(),
        uploads: (0..4).map(goods::upload_id).collect(),
    }
}
