//! Which files a session can reach: those under the roots it was given, for reading.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

/// The registry of all sessions. Nothing can be added to it, and there is no local file system in it by default.
#[derive(Debug, Default)]
pub(crate) struct LakeStores {
    stores: HashMap<String, Arc<ReadOnly>>,
}

impl LakeStores {
    /// Adds a root: only what lies under the URL's path can be read, and nothing written.
    pub(crate) fn insert(&mut self, root: &Url, store: Arc<dyn ObjectStore>) {
        let prefix = Path::from_url_path(root.path()).unwrap_or_default();
        let roots = match self.stores.get(&host(root)) {
            // Several roots of one file system: the lake, and the closed compartment beside it.
            Some(there) => there.roots.iter().cloned().chain([prefix]).collect(),
            None => vec![prefix],
        };
        self.stores.insert(host(root), Arc::new(ReadOnly { roots, store }));
    }
}

fn host(url: &Url) -> String {
    format!("{}://{}", url.scheme(), &url[url::Position::BeforeHost..url::Position::AfterPort])
}

impl ObjectStoreRegistry for LakeStores {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        tracing::warn!("a session tried to register an object store");
        None
    }

    fn get_store(&self, url: &Url) -> EngineResult<Arc<dyn ObjectStore>> {
        let store = self.stores.get(&host(url)).map(|it| Arc::clone(it) as Arc<dyn ObjectStore>);
        store.ok_or_else(|| DataFusionError::Execution("no such object store".to_owned()))
    }
}

/// A store that reads below some folders and does nothing else.
#[derive(Debug)]
struct ReadOnly {
    roots: Vec<Path>,
    store: Arc<dyn ObjectStore>,
}

impl ReadOnly {
    fn within(&self, location: &Path) -> Result<()> {
        if self.roots.iter().any(|it| location.prefix_matches(it)) {
            return Ok(());
        }
        Err(Error::PermissionDenied { path: location.to_string(), source: "outside the lake".into() })
    }

    fn refused<T>() -> Result<T> {
        Err(Error::NotSupported { source: "sessions only read".into() })
    }
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadOnly")
    }
}

#[async_trait]
impl ObjectStore for ReadOnly {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Self::refused()
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Self::refused()
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.within(location)?;
        self.store.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.within(location)?;
        self.store.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        locations.map(|_| Self::refused()).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.within(prefix.unwrap_or(&Path::default())) {
            Ok(()) => self.store.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.within(prefix.unwrap_or(&Path::default()))?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Self::refused()
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn a_session_reads_below_its_root_and_writes_nowhere() {
        let memory = Arc::new(InMemory::new());
        for path in ["lake/a", "closed/a", "vault/b"] {
            memory.put(&Path::from(path), "x".into()).await.expect("put");
        }
        let mut stores = LakeStores::default();
        stores.insert(&Url::parse("mem://host/lake/").expect("url"), memory.clone());
        stores.insert(&Url::parse("mem://host/closed/").expect("url"), memory);
        let store = stores.get_store(&Url::parse("mem://host/").expect("url")).expect("known");

        assert!(store.get(&Path::from("lake/a")).await.is_ok());
        assert!(store.get(&Path::from("closed/a")).await.is_ok());
        assert!(store.get(&Path::from("vault/b")).await.is_err());
        assert!(store.list_with_delimiter(None).await.is_err());
        assert!(store.put(&Path::from("lake/c"), "x".into()).await.is_err());
        assert!(store.delete(&Path::from("lake/a")).await.is_err());
        assert!(stores.get_store(&Url::parse("file:///").expect("url")).is_err());
    }
}
