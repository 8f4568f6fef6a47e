//! Where the indexes of a test come from.

use std::sync::{Arc, Mutex, PoisonError};

use artifact_core::ManifestIndex;
use async_trait::async_trait;
use futures::future::BoxFuture;

/// The place of one index: a file, a database, or nothing but memory. Each case has its own.
///
/// Most authors need none of their own: the forms `async { … }` and `reopen: …` of
/// [`manifest_index_conformance!`](crate::manifest_index_conformance) make one.
#[async_trait]
pub trait IndexPlace: Send + Sync {
    /// Opens the index, and again with what it kept where it was open before. The kit has dropped
    /// the earlier handle.
    async fn open(&mut self) -> Arc<dyn ManifestIndex>;

    /// Says whether `open` may be called again.
    fn can_reopen(&self) -> bool;
}

/// Returns the place of an index that is made once.
pub fn once<I: ManifestIndex>(make: impl Future<Output = I> + Send + 'static) -> impl IndexPlace {
    let make = async { Arc::new(make.await) as Arc<dyn ManifestIndex> };
    Once(Mutex::new(Some(Box::pin(make))))
}

struct Once(Mutex<Option<BoxFuture<'static, Arc<dyn ManifestIndex>>>>);

#[async_trait]
impl IndexPlace for Once {
    async fn open(&mut self) -> Arc<dyn ManifestIndex> {
        let make = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let make = make.take();
        make.expect("a place that cannot reopen is opened once")
            .await
    }

    fn can_reopen(&self) -> bool {
        false
    }
}

/// Returns the place of an index that `open` opens, each time with what it kept.
pub fn reopening<I, F>(open: impl FnMut() -> F + Send + 'static) -> impl IndexPlace
where
    I: ManifestIndex,
    F: Future<Output = I> + Send + 'static,
{
    Reopening(Mutex::new(open))
}

struct Reopening<O>(Mutex<O>);

#[async_trait]
impl<I, F, O> IndexPlace for Reopening<O>
where
    I: ManifestIndex,
    F: Future<Output = I> + Send + 'static,
    O: FnMut() -> F + Send + 'static,
{
    async fn open(&mut self) -> Arc<dyn ManifestIndex> {
        let open = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let index = open();
        Arc::new(index.await)
    }

    fn can_reopen(&self) -> bool {
        true
    }
}
