//! The object store under `deltalake`: the local one, with every write made durable before it is answered.
//!
//! `object_store` 0.13 never syncs, and it gives a log entry its name before its bytes are on disk, so a power cut
//! could leave an empty entry that no reader can pass.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result, UploadPart,
};

use crate::disk::Folders;

const STORE: &str = "lake";

/// The local file system, durable, rooted at `/`.
#[derive(Debug, Clone)]
pub(crate) struct FsyncStore {
    local: LocalFileSystem,
    folders: Arc<Folders>,
}

impl FsyncStore {
    /// Writes through `folders`, reads past it.
    pub(crate) fn new(folders: Arc<Folders>) -> Self {
        FsyncStore { local: LocalFileSystem::new(), folders }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folders) -> io::Result<T> + Send + 'static,
        about: PathBuf,
    ) -> Result<T> {
        let folders = Arc::clone(&self.folders);
        match tokio::task::spawn_blocking(move || work(&folders)).await {
            Ok(done) => done.map_err(|source| store_error(source, about)),
            Err(source) => Err(Error::JoinError { source }),
        }
    }
}

fn store_error(source: io::Error, path: PathBuf) -> Error {
    let path = path.to_string_lossy().into_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: source.into() },
        io::ErrorKind::NotFound => Error::NotFound { path, source: source.into() },
        _ => Error::Generic { store: STORE, source: source.into() },
    }
}

impl fmt::Display for FsyncStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsyncStore({})", self.local)
    }
}

#[async_trait]
impl ObjectStore for FsyncStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let path = self.local.path_to_filesystem(location)?;
        let chunks: Vec<Bytes> = payload.into_iter().collect();
        let target = path.clone();
        let work = move |folders: &Folders| match opts.mode {
            PutMode::Overwrite => folders.put(&target, &chunks),
            PutMode::Create => folders.put_new(&target, &chunks),
            PutMode::Update(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        self.blocking(work, path).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(Upload { store: self.clone(), location: location.clone(), parts: Arc::default() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.local.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<Bytes>> {
        self.local.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let path = store.local.path_to_filesystem(&location)?;
                    let target = path.clone();
                    // Not synced: an expired entry that comes back after a power cut expires again.
                    store.blocking(move |folders| folders.disk().remove(&target), path).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.local.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.local.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let bytes = self.local.get_opts(from, GetOptions::default()).await?.bytes().await?;
        let path = self.local.path_to_filesystem(to)?;
        let target = path.clone();
        // Copied, not linked: the source may never have been synced, and the copy must be.
        let work = move |folders: &Folders| match options.mode {
            CopyMode::Overwrite => folders.put(&target, &[bytes]),
            CopyMode::Create => folders.put_new(&target, &[bytes]),
        };
        self.blocking(work, path).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        self.copy_opts(from, to, CopyOptions { mode, extensions: options.extensions }).await?;
        let path = self.local.path_to_filesystem(from)?;
        let target = path.clone();
        self.blocking(move |folders| folders.disk().remove(&target), path).await
    }
}

/// A file that comes in parts; only a checkpoint beyond 10 MB does, so the parts wait in memory.
#[derive(Debug)]
struct Upload {
    store: FsyncStore,
    location: Path,
    parts: Arc<Mutex<Vec<PutPayload>>>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(data);
        futures::future::ready(Ok(())).boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let whole: PutPayload = parts.into_iter().flatten().collect();
        self.store.put_opts(&self.location, whole, PutOptions::default()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}
