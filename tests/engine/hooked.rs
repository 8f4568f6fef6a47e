//! A store that has something done before it answers.

use std::{fmt, sync::Arc, time::Duration};

use artifact::{
    BlobEntry, BlobKey, BlobReader, BlobStat, BlobStore, BlobWriter, ByteRange, DirectDownload,
    LocalBlobs, RegistryId, StoreError, StoreInfo, Suspended, UploadHint, UploadId,
};
use async_trait::async_trait;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};

/// A store that has something done before it answers: it is told the method.
pub(crate) struct Hooked {
    inner: Arc<dyn BlobStore>,
    before: Box<dyn Fn(&'static str) -> BoxFuture<'static, ()> + Send + Sync>,
    registry: Option<RegistryId>,
}

impl Hooked {
    pub(crate) fn new(
        inner: Arc<dyn BlobStore>,
        before: impl Fn(&'static str) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            registry: inner.info().registry,
            before: Box::new(before),
            inner,
        })
    }

    /// Returns one that says it is of this registry, and has nothing done.
    pub(crate) fn of_registry(inner: Arc<dyn BlobStore>, registry: RegistryId) -> Arc<Self> {
        Arc::new(Self {
            inner,
            before: Box::new(|_| std::future::ready(()).boxed()),
            registry: Some(registry),
        })
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl BlobStore for Hooked {
    fn info(&self) -> StoreInfo {
        let mut info = self.inner.info();
        info.registry = self.registry;
        info
    }
    async fn stat(&self, key: &BlobKey) -> Result<Option<BlobStat>, StoreError> {
        (self.before)("stat").await;
        self.inner.stat(key).await
    }
    async fn read(
        &self,
        key: &BlobKey,
        range: ByteRange,
    ) -> Result<Option<BlobReader>, StoreError> {
        (self.before)("read").await;
        self.inner.read(key, range).await
    }
    async fn begin(
        &self,
        id: &UploadId,
        hint: UploadHint,
    ) -> Result<Box<dyn BlobWriter>, StoreError> {
        (self.before)("begin").await;
        self.inner.begin(id, hint).await
    }
    async fn resume(
        &self,
        id: &UploadId,
        at: Suspended,
    ) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        (self.before)("resume").await;
        self.inner.resume(id, at).await
    }
    async fn is_held(&self, key: &BlobKey) -> Result<bool, StoreError> {
        (self.before)("is_held").await;
        self.inner.is_held(key).await
    }
    async fn delete(&self, key: &BlobKey) -> Result<(), StoreError> {
        (self.before)("delete").await;
        self.inner.delete(key).await
    }
    fn linger(&self, key: &BlobKey) -> Duration {
        self.inner.linger(key)
    }
    fn list(&self) -> BoxStream<'static, Result<BlobEntry, StoreError>> {
        let (before, inner) = ((self.before)("list"), Arc::clone(&self.inner));
        before.map(move |()| inner.list()).flatten_stream().boxed()
    }
    fn local(&self) -> Option<&dyn LocalBlobs> {
        self.inner.local()
    }
    fn direct_download(&self) -> Option<&dyn DirectDownload> {
        self.inner.direct_download()
    }
}
