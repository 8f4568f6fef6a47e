//! Where the stores of a test come from.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use artifact_core::BlobStore;
use async_trait::async_trait;

/// The place of one store: a directory, a bucket, or nothing but memory. Each case has its own.
///
/// Most authors need none of their own: the forms `async { … }` and `reopen: …` of
/// [`blob_store_conformance!`](crate::blob_store_conformance) make one.
#[async_trait]
pub trait StorePlace: Send + Sync {
    /// Opens the store, and again with what it kept where it was open before. The kit has dropped
    /// the earlier handle.
    async fn open(&mut self) -> Arc<dyn BlobStore>;

    /// Says whether `open` may be called again.
    fn can_reopen(&self) -> bool;

    /// Makes the next sync of the open store fail, or says `false` where it cannot.
    fn fail_next_sync(&mut self) -> bool;
}

/// Returns the place of a store that is made once.
pub fn once<S: BlobStore>(make: impl Future<Output = S> + Send + 'static) -> impl StorePlace {
    let make = async { Arc::new(make.await) as Arc<dyn BlobStore> };
    Once(Mutex::new(Some(Box::pin(make))))
}

struct Once(Mutex<Option<futures::future::BoxFuture<'static, Arc<dyn BlobStore>>>>);

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

#[async_trait]
impl StorePlace for Once {
    async fn open(&mut self) -> Arc<dyn BlobStore> {
        let make = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        make.take()
            .expect("a place that cannot reopen is opened once")
            .await
    }

    fn can_reopen(&self) -> bool {
        false
    }

    fn fail_next_sync(&mut self) -> bool {
        false
    }
}

/// Returns the place of a store that `open` opens, each time with what it kept.
pub fn reopening<S, F>(open: impl FnMut() -> F + Send + 'static) -> impl StorePlace
where
    S: BlobStore,
    F: Future<Output = S> + Send + 'static,
{
    Reopening(Mutex::new(open))
}

struct Reopening<O>(Mutex<O>);

#[async_trait]
impl<S, F, O> StorePlace for Reopening<O>
where
    S: BlobStore,
    F: Future<Output = S> + Send + 'static,
    O: FnMut() -> F + Send + 'static,
{
    async fn open(&mut self) -> Arc<dyn BlobStore> {
        let open = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let store = open();
        Arc::new(store.await)
    }

    fn can_reopen(&self) -> bool {
        true
    }

    fn fail_next_sync(&mut self) -> bool {
        false
    }
}
