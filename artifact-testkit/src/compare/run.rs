//! Does the same to two indexes, and compares all that they answer.

use std::{env, sync::Arc};

use artifact_core::{
    AsOf, Bookkeeping, Change, IndexError, ManifestIndex, PackageRef, Page, Query, Revision, Scope,
};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::{
    chance::ops,
    op::{Op, What},
    world::{World, page_limits},
};
use crate::index::{
    dump::{dump_at, dump_now},
    fold::Folds,
    goods::{MANY, repository},
};

/// Compares two indexes over many runs of operations that are drawn at random, and shrinks the first
/// run in which they differ.
///
/// `make` makes both anew for each run. There are `runs` of them, or as many as the environment
/// variable `PROPTEST_CASES` says.
///
/// # Panics
/// When the indexes answer differently: with the answers, and the operations that led there.
pub fn check_same<M>(runs: u32, make: M)
where
    M: AsyncFn() -> (Arc<dyn ManifestIndex>, Arc<dyn ManifestIndex>),
{
    let mut config = Config::default();
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = runs;
    }
    config.failure_persistence = None;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let outcome = TestRunner::new(config).run(&ops(), |ops| {
        runtime.block_on(async {
            let (a, b) = make().await;
            compare_indexes(&*a, &*b, &ops).await;
        });
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = outcome {
        let told = failure.to_string();
        assert!(told.is_empty(), "the indexes differ: {told}");
    }
}

/// Does the same to two indexes that are empty, and compares results, errors, and all reads: now, of
/// the past, and in pages of one to three; then it folds the feed of each from zero, which must give
/// the state that each answers (MI-9).
///
/// # Panics
/// When they differ.
pub async fn compare_indexes(a: &dyn ManifestIndex, b: &dyn ManifestIndex, ops: &[Op]) {
    let mut pair = Pair {
        a,
        b,
        world: World::new(),
        folds: (Folds::default(), Folds::default()),
    };
    for op in ops {
        pair.world.step += 1;
        pair.make(&op.0).await;
    }
    pair.check_now().await;
    pair.check_pages(AsOf::Now).await;
    pair.folds.0.check(a).await;
    pair.folds.1.check(b).await;
}

struct Pair<'a> {
    a: &'a dyn ManifestIndex,
    b: &'a dyn ManifestIndex,
    world: World,
    folds: (Folds, Folds),
}

impl Pair<'_> {
    async fn make(&mut self, what: &What) {
        match what {
            What::Set { .. } => {
                self.folds.0.catch_up(self.a).await;
                let fold = self.folds.0.newest();
                let set = self.world.set(self.a, fold, what).await;
                self.apply(set).await;
            }
            What::Note(book) => {
                self.folds.0.catch_up(self.a).await;
                let fold = self.folds.0.newest();
                let bookkeeping = self.world.book(self.a, fold, book).await;
                self.note(bookkeeping).await;
            }
            What::Forget(number, back, limit) => self.forget(*number, *back, *limit).await,
            What::Past(back) => {
                let newest = self.head().await.get();
                let asked = (newest + 1).saturating_sub((*back).into());
                self.check_past(Revision::new(asked)).await;
            }
            What::Now => self.check_now().await,
        }
    }

    async fn head(&self) -> Revision {
        let (a, b) = (self.a.head().await, self.b.head().await);
        let (a, b) = (a.expect("head answers"), b.expect("head answers"));
        assert_eq!(a, b, "the newest revisions");
        a.revision
    }

    async fn apply(&self, set: artifact_core::ChangeSet) {
        let before = self.head().await;
        let a = self.a.apply(set.clone()).await;
        let b = self.b.apply(set.clone()).await;
        assert_eq!(told(&a), told(&b), "what is answered to {set:#?}");
        let a = self.a.changes(before, MANY).await;
        let b = self.b.changes(before, MANY).await;
        let (a, b) = (a.expect("changes answers"), b.expect("changes answers"));
        assert_eq!(a, b, "the feed after {set:#?}");
    }

    async fn note(&self, bookkeeping: Bookkeeping) -> u64 {
        let a = self.a.note(bookkeeping.clone()).await;
        let b = self.b.note(bookkeeping.clone()).await;
        assert_eq!(told(&a), told(&b), "what is answered to {bookkeeping:#?}");
        a.map_or(0, |noted| noted.rows)
    }

    /// Moves a horizon, and prunes what it passed: how many rows go at a time is each index's own.
    async fn forget(&mut self, number: u8, back: u8, limit: u32) {
        let repository = repository(if number == 0 { "default" } else { "team" });
        let newest = self.head().await;
        let horizon = Revision::new(newest.get().saturating_sub(back.into()));
        let millis = 1_000_000 + i64::from(self.world.step) * 1_000;
        let set = crate::index::goods::set_at(millis);
        self.apply(set.change(Change::Forget(repository.clone(), horizon)))
            .await;
        self.folds.0.catch_up(self.a).await;
        self.folds.1.catch_up(self.b).await;
        let mut pruned = [0, 0];
        for (index, rows) in [self.a, self.b].into_iter().zip(&mut pruned) {
            loop {
                let noted = index
                    .note(Bookkeeping::Prune(repository.clone(), limit))
                    .await;
                let noted = noted.expect("to prune is never refused").rows;
                assert!(noted <= limit.into(), "more is pruned than was asked for");
                *rows += noted;
                if noted == 0 {
                    break;
                }
            }
        }
        assert_eq!(pruned[0], pruned[1], "the rows that are pruned in all");
    }

    async fn check_now(&self) {
        let names = self.world.names();
        let a = dump_now(self.a, &names).await;
        let b = dump_now(self.b, &names).await;
        a.check_equal(&b, "what is answered now");
        for committed in [0, 1, 7].map(|back| i64::from(self.world.step) - back) {
            let time = artifact_core::Timestamp::from_millis(1_000_000 + committed * 1_000);
            let (a, b) = (
                self.a.revision_at(time).await,
                self.b.revision_at(time).await,
            );
            assert_eq!(told(&a), told(&b), "the revision at {time}");
        }
    }

    async fn check_past(&self, revision: Revision) {
        let (names, at) = (self.world.names(), AsOf::Revision(revision));
        let a = dump_at(self.a, &names, at).await;
        let b = dump_at(self.b, &names, at).await;
        a.check_equal(&b, &format!("what is answered as of revision {revision}"));
        self.check_pages(at).await;
    }

    /// Compares lists page by page.
    async fn check_pages(&self, at: AsOf) {
        for limit in page_limits() {
            for package in &self.world.names().packages {
                self.check_package_pages(at, package, limit).await;
            }
            let mut after = None;
            loop {
                let page = Page { after, limit };
                let (query, next) = (Query::default(), page.clone());
                let a = self.a.search(at, &query, page).await;
                let b = self.b.search(at, &query, next).await;
                assert_eq!(told(&a), told(&b), "a page of a search at {at:?}");
                match last(a) {
                    Some(found) => after = Some(found),
                    None => break,
                }
            }
            let page = Page {
                after: Some("a".to_owned()),
                limit,
            };
            let a = self.a.packages(at, &Scope::all(), page.clone()).await;
            let b = self.b.packages(at, &Scope::all(), page).await;
            assert_eq!(told(&a), told(&b), "a page of packages at {at:?}");
        }
    }

    async fn check_package_pages(
        &self,
        at: AsOf,
        package: &PackageRef,
        limit: std::num::NonZeroU32,
    ) {
        let mut after = None;
        loop {
            let page = Page { after, limit };
            let a = self.a.tags(at, package, page.clone()).await;
            let b = self.b.tags(at, package, page).await;
            assert_eq!(
                told(&a),
                told(&b),
                "a page of the tags of {package} at {at:?}"
            );
            match last(a) {
                Some(record) => after = Some(record.tag),
                None => break,
            }
        }
        let mut after = None;
        loop {
            let page = Page { after, limit };
            let a = self.a.manifests(at, package, page.clone()).await;
            let b = self.b.manifests(at, package, page).await;
            assert_eq!(
                told(&a),
                told(&b),
                "a page of the manifests of {package} at {at:?}"
            );
            match last(a) {
                Some(summary) => after = Some(summary.descriptor.digest),
                None => break,
            }
        }
    }
}

fn last<T>(page: Result<Vec<T>, IndexError>) -> Option<T> {
    page.ok()?.pop()
}

/// Returns an answer as text; errors have no equality.
fn told<T: std::fmt::Debug>(answer: &Result<T, IndexError>) -> String {
    format!("{answer:?}")
}
