//! A layout, and what is in it.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact_core::{
    BoxError, Descriptor, Digest, Hasher, MANIFEST_MAX, Manifest, MediaType, Spawn, SpawnExt as _,
    Tag, guard,
};
use artifact_store::sys::lock::{FileLock, Hold};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream, stream::BoxStream};

use super::{
    document::Index,
    error::LayoutError,
    files::{MARKER, Partial, blob_path, check, create, failed, read, read_index, write_index},
};
use crate::chunks::chunks;

/// An OCI image layout in a local directory. To clone it costs nothing.
///
/// Blobs are written beside their place, synced, and renamed; the list is replaced under a lock, so
/// several programs of this kind may write one layout.
#[derive(Clone, Debug)]
pub struct OciLayout {
    root: Arc<Path>,
    spawn: Arc<dyn Spawn>,
}

/// Something that a layout lists.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LayoutEntry {
    /// What the list says of it.
    pub descriptor: Descriptor,
    /// Its name in the list.
    pub name: Option<String>,
}

/// A blob of a layout.
#[non_exhaustive]
pub struct LayoutBlob {
    /// Its length in bytes.
    pub size: u64,
    /// Its bytes. The stream ends with an error when they do not hash to the digest.
    pub chunks: BoxStream<'static, Result<Bytes, LayoutError>>,
}

impl std::fmt::Debug for LayoutBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LayoutBlob")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl OciLayout {
    /// Opens a layout.
    ///
    /// # Errors
    /// [`LayoutError::NotALayout`], [`LayoutError::Document`] for a version that is not known, and
    /// where the file system fails.
    pub async fn open(spawn: Arc<dyn Spawn>, root: &Path) -> Result<Self, LayoutError> {
        let layout = Self {
            root: root.into(),
            spawn,
        };
        layout.run(check).await?;
        Ok(layout)
    }

    /// Opens a layout, and makes it where there is nothing or an empty directory.
    ///
    /// # Errors
    /// As [`OciLayout::open`]; a directory with other things in it is none.
    pub async fn open_or_create(spawn: Arc<dyn Spawn>, root: &Path) -> Result<Self, LayoutError> {
        let layout = Self {
            root: root.into(),
            spawn,
        };
        layout.run(create).await?;
        Ok(layout)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, LayoutError> + Send + 'static,
    ) -> Result<T, LayoutError> {
        let root = Arc::clone(&self.root);
        let done = self.spawn.run_blocking(move || work(&root)).await;
        done.unwrap_or_else(|error| Err(failed(&self.root, "used")(io::Error::other(error))))
    }

    fn not_found(&self, what: impl std::fmt::Display) -> LayoutError {
        LayoutError::NotFound {
            path: self.root.to_path_buf(),
            what: what.to_string(),
        }
    }

    /// Returns what the layout lists, in its order.
    ///
    /// # Errors
    /// [`LayoutError::Document`], and where the file system fails.
    pub async fn entries(&self) -> Result<Vec<LayoutEntry>, LayoutError> {
        let index = self.run(read_index).await?;
        let entry = |(descriptor, name): (&Descriptor, Option<&str>)| LayoutEntry {
            descriptor: descriptor.clone(),
            name: name.map(str::to_owned),
        };
        Ok(index.entries().map(entry).collect())
    }

    /// Returns what a name stands for; without one, the only artifact of the layout.
    ///
    /// # Errors
    /// [`LayoutError::NotFound`], [`LayoutError::Ambiguous`], and where the list cannot be read.
    pub async fn find(&self, name: Option<&str>) -> Result<Descriptor, LayoutError> {
        let index = self.run(read_index).await?;
        if let Some(name) = name {
            return index
                .named(name)
                .cloned()
                .ok_or_else(|| self.not_found(name));
        }
        let mut entries: Vec<_> = index.entries().map(|(entry, _)| entry).collect();
        entries.sort_by_key(|entry| entry.digest);
        entries.dedup_by_key(|entry| entry.digest);
        match entries.as_slice() {
            [] => Err(self.not_found("an artifact")),
            [only] => Ok((*only).clone()),
            several => Err(LayoutError::Ambiguous {
                path: self.root.to_path_buf(),
                count: several.len(),
            }),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// [`LayoutError::NotFound`], [`LayoutError::Corrupt`], [`LayoutError::Manifest`], and where the
    /// file system fails.
    pub async fn manifest(&self, digest: &Digest) -> Result<Manifest, LayoutError> {
        let wanted = *digest;
        let (bytes, listed) = self
            .run(move |root| {
                let path = blob_path(root, &wanted);
                let size = path.metadata().map(|meta| meta.len()).unwrap_or_default();
                if size > MANIFEST_MAX as u64 {
                    let what = format!("a manifest has at most {MANIFEST_MAX} bytes");
                    return Err(LayoutError::Document {
                        path,
                        what,
                        source: None,
                    });
                }
                // What stands in the list has its type there; a child has it in itself.
                let listed = read_index(root)?
                    .of(&wanted)
                    .map(|entry| entry.media_type.clone());
                Ok((read(&path)?, listed))
            })
            .await?;
        let bytes = bytes.ok_or_else(|| self.not_found(digest))?;
        let actual = Hasher::hash(digest.algorithm(), &bytes).digest();
        if actual != *digest {
            return Err(LayoutError::Corrupt {
                path: blob_path(&self.root, digest),
                actual,
            });
        }
        Manifest::parse(bytes.into(), listed.as_ref(), digest.algorithm()).map_err(|source| {
            LayoutError::Manifest {
                digest: *digest,
                source,
            }
        })
    }

    /// Returns the length of a blob in bytes, or `None` when it is not there.
    ///
    /// # Errors
    /// Where the file system fails.
    pub async fn stat(&self, digest: &Digest) -> Result<Option<u64>, LayoutError> {
        let wanted = *digest;
        self.run(move |root| {
            let path = blob_path(root, &wanted);
            match path.metadata() {
                Ok(meta) => Ok(Some(meta.len())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&path, "read")(error)),
            }
        })
        .await
    }

    /// Opens a blob. It is hashed as it is read.
    ///
    /// # Errors
    /// [`LayoutError::NotFound`], and where the file system fails.
    pub async fn blob(&self, digest: &Digest) -> Result<LayoutBlob, LayoutError> {
        let wanted = *digest;
        let opened = self.run(move |root| {
            let path = blob_path(root, &wanted);
            match File::open(&path) {
                Ok(file) => {
                    let size = file.metadata().map_err(failed(&path, "read"))?.len();
                    Ok(Some((file, size)))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(failed(&path, "opened")(error)),
            }
        });
        let (file, size) = opened.await?.ok_or_else(|| self.not_found(digest))?;
        let path = blob_path(&self.root, digest);
        let bytes = chunks(Arc::clone(&self.spawn), file, size);
        let bytes = bytes.map({
            let path = path.clone();
            move |chunk| chunk.map_err(failed(&path, "read"))
        });
        let bytes = bytes.boxed();
        let hasher = Hasher::new(digest.algorithm());
        let hashing = Hashing {
            bytes,
            hasher,
            digest: *digest,
            path,
        };
        let chunks = stream::try_unfold(hashing, Hashing::next).boxed();
        Ok(LayoutBlob { size, chunks })
    }

    /// Writes a blob, unless it is there; says whether it was written.
    ///
    /// # Errors
    /// [`LayoutError::DigestMismatch`], [`LayoutError::Source`] when the stream fails, and where the
    /// file system fails. Then nothing is there.
    pub async fn put_blob(
        &self,
        digest: &Digest,
        mut bytes: impl Stream<Item = Result<Bytes, BoxError>> + Send + Unpin,
    ) -> Result<bool, LayoutError> {
        if self.stat(digest).await?.is_some() {
            return Ok(false);
        }
        let mut partial = self.run(Partial::create).await?;
        let mut hasher = Hasher::new(digest.algorithm());
        while let Some(chunk) = bytes.next().await {
            let path = || blob_path(&self.root, digest);
            let chunk = chunk.map_err(|source| LayoutError::Source {
                path: path(),
                source,
            })?;
            (partial, hasher) = self
                .run(move |_| {
                    hasher.update(&chunk);
                    partial.write(&chunk)?;
                    Ok((partial, hasher))
                })
                .await?;
        }
        let (expected, actual) = (*digest, hasher.finish().digest());
        if actual != expected {
            return Err(LayoutError::DigestMismatch { expected, actual });
        }
        self.run(move |root| partial.finish(&blob_path(root, &expected)))
            .await?;
        Ok(true)
    }

    /// Writes a manifest. With `listed` it stands in the list, under a name where one is given.
    ///
    /// # Errors
    /// [`LayoutError::Document`] when the list cannot be read, and where the file system fails.
    pub async fn put_manifest(
        &self,
        manifest: &Manifest,
        listed: Option<Option<&Tag>>,
    ) -> Result<(), LayoutError> {
        let bytes = stream::iter([Ok(manifest.bytes().clone())]);
        self.put_blob(&manifest.digest(), bytes).await?;
        let Some(tag) = listed else { return Ok(()) };
        let media_type = manifest.media_type().clone();
        let mut entry = Descriptor::new(media_type, manifest.digest(), manifest.size());
        // A config's type is not the artifact's own: a list repeats only what is said outright.
        let own = |kind: &&MediaType| {
            manifest
                .references()
                .iter()
                .all(|r| r.descriptor.media_type != **kind)
        };
        entry.artifact_type = manifest.artifact_type().filter(own).cloned();
        let tag = tag.cloned();
        self.edit(move |index| {
            index.put(entry, tag.as_ref().map(Tag::as_str))?;
            Ok(true)
        })
        .await?;
        Ok(())
    }

    /// Takes a name out of the list. What it stood for stays there without one, unless it has
    /// another.
    ///
    /// # Errors
    /// [`LayoutError::NotFound`], [`LayoutError::Document`] when the list cannot be read, and where
    /// the file system fails.
    pub async fn untag(&self, tag: &Tag) -> Result<(), LayoutError> {
        let name = tag.clone();
        if self.edit(move |index| index.unname(name.as_str())).await? {
            return Ok(());
        }
        Err(self.not_found(tag))
    }

    /// Takes an artifact out of the list, with all its names. Its blobs stay: somebody who writes
    /// meanwhile may count on them.
    ///
    /// # Errors
    /// As [`OciLayout::untag`].
    pub async fn remove(&self, digest: &Digest) -> Result<(), LayoutError> {
        let wanted = *digest;
        if self.edit(move |index| Ok(index.remove(&wanted))).await? {
            return Ok(());
        }
        Err(self.not_found(digest))
    }

    /// Changes the list while nobody else does; `work` says whether there is something to write, and
    /// so does this.
    async fn edit(
        &self,
        work: impl FnOnce(&mut Index) -> Result<bool, serde_json::Error> + Send + 'static,
    ) -> Result<bool, LayoutError> {
        self.run(move |root| {
            let marker = root.join(MARKER);
            let lock = |file| FileLock::lock(file, Hold::Exclusive).map(Some);
            let lock = |file| guard!(132, lock(file), else Ok(None));
            let _lock = File::open(&marker)
                .and_then(lock)
                .map_err(failed(&marker, "locked"))?;
            let mut index = read_index(root)?;
            let changed = work(&mut index).map_err(|source| LayoutError::Document {
                path: marker,
                what: "the list of what it holds cannot be written".to_owned(),
                source: Some(source.into()),
            })?;
            if changed {
                write_index(root, &index)?;
            }
            Ok(changed)
        })
        .await
    }
}

/// Bytes of a blob, hashed as they pass.
struct Hashing {
    bytes: BoxStream<'static, Result<Bytes, LayoutError>>,
    hasher: Hasher,
    digest: Digest,
    path: PathBuf,
}

impl Hashing {
    /// Passes the next chunk on, and ends with an error when all were not what their digest stands
    /// for (I3).
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, LayoutError> {
        if let Some(chunk) = self.bytes.next().await {
            let chunk = chunk?;
            self.hasher.update(&chunk);
            return Ok(Some((chunk, self)));
        }
        let actual = self.hasher.finish().digest();
        if actual == self.digest {
            return Ok(None);
        }
        Err(LayoutError::Corrupt {
            path: self.path,
            actual,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use artifact_core::{Algorithm, ErrorKind};
    use futures::TryStreamExt as _;

    use super::*;
    use crate::{blocking::wait, seams::threads::Threads};

    fn spawn() -> Arc<dyn Spawn> {
        Arc::new(Threads::new())
    }

    fn digest(bytes: &[u8]) -> Digest {
        Hasher::hash(Algorithm::Sha256, bytes).digest()
    }

    fn put(layout: &OciLayout, name: &[u8], parts: &[&'static str]) -> Result<bool, LayoutError> {
        let parts: Vec<_> = parts
            .iter()
            .map(|part| Ok(Bytes::from_static(part.as_bytes())))
            .collect();
        wait(layout.put_blob(&digest(name), stream::iter(parts))).unwrap()
    }

    fn get(layout: &OciLayout, digest: &Digest) -> Result<Vec<u8>, LayoutError> {
        let blob = wait(layout.blob(digest)).unwrap()?;
        Ok(wait(blob.chunks.try_collect::<Vec<_>>()).unwrap()?.concat())
    }

    /// I16: while the list is changed, nobody else changes it: one of two changes would be lost.
    #[test]
    fn i16_the_list_is_changed_by_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let opened = OciLayout::open_or_create(spawn(), directory.path());
        let layout = wait(opened).unwrap().unwrap();
        let marker = directory.path().join(MARKER);
        let look = move || FileLock::try_lock(File::open(&marker).unwrap(), Hold::Exclusive);
        assert!(look().unwrap().is_some(), "nobody changes it yet");
        let edited = layout.edit(move |_| Ok(look().unwrap().is_none()));
        assert!(wait(edited).unwrap().unwrap(), "another could have");
    }

    fn manifest(note: &str) -> Manifest {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{}","size":2}},"annotations":{{"note":"{note}"}}}}"#,
            MediaType::OCI_EMPTY,
            digest(b"{}"),
        );
        let kind = MediaType::literal(MediaType::OCI_MANIFEST);
        Manifest::parse(text.into(), Some(&kind), Algorithm::Sha256).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("deep/layout");
        let layout = wait(OciLayout::open_or_create(spawn(), &root))
            .unwrap()
            .unwrap();
        assert!(put(&layout, b"abcdef", &["abc", "def"]).unwrap());
        assert!(!put(&layout, b"abcdef", &["ignored"]).unwrap());
        assert_eq!(get(&layout, &digest(b"abcdef")).unwrap(), b"abcdef");
        let sent = manifest("one");
        let tag: Tag = "v1".parse().unwrap();
        wait(layout.put_manifest(&sent, Some(Some(&tag))))
            .unwrap()
            .unwrap();
        let again = wait(OciLayout::open(spawn(), &root)).unwrap().unwrap();
        let found = wait(again.find(Some("v1"))).unwrap().unwrap();
        assert_eq!(found.digest, sent.digest());
        // The type that stands only beside a manifest is kept in the list.
        let read = wait(again.manifest(&found.digest)).unwrap().unwrap();
        assert_eq!(
            (read.bytes(), read.media_type()),
            (sent.bytes(), sent.media_type())
        );
        assert_eq!(wait(again.find(None)).unwrap().unwrap(), found);
        wait(again.put_manifest(&manifest("two"), Some(None)))
            .unwrap()
            .unwrap();
        assert_eq!(
            wait(again.find(None)).unwrap().unwrap_err().kind(),
            ErrorKind::InvalidArgument
        );
        assert_eq!(
            wait(again.find(Some("v2"))).unwrap().unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(wait(again.entries()).unwrap().unwrap().len(), 2);
    }

    /// I3, I4: what is wrong is refused, and nothing of it stays.
    #[test]
    fn i3_wrong_bytes_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let layout = wait(OciLayout::open_or_create(spawn(), directory.path()))
            .unwrap()
            .unwrap();
        let error = put(&layout, b"expected", &["other"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DigestMismatch);
        let failing = stream::iter([Ok(Bytes::from_static(b"x")), Err("gone".into())]);
        let error = wait(layout.put_blob(&digest(b"xy"), failing))
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, LayoutError::Source { .. }), "{error}");
        assert_eq!(
            wait(layout.stat(&digest(b"expected"))).unwrap().unwrap(),
            None
        );
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 3, "the marker, the list and the blobs");
        put(&layout, b"sound", &["sound"]).unwrap();
        fs::write(blob_path(directory.path(), &digest(b"sound")), b"spoil").unwrap();
        assert_eq!(
            get(&layout, &digest(b"sound")).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        let error = wait(layout.manifest(&digest(b"sound")))
            .unwrap()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn another_directory_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.txt"), "x").unwrap();
        let made = wait(OciLayout::open_or_create(spawn(), directory.path())).unwrap();
        assert!(matches!(made, Err(LayoutError::NotALayout { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        let opened = wait(OciLayout::open(spawn(), directory.path())).unwrap();
        assert!(matches!(opened, Err(LayoutError::NotALayout { .. })));
        fs::write(
            directory.path().join(MARKER),
            r#"{"imageLayoutVersion":"9.0"}"#,
        )
        .unwrap();
        let opened = wait(OciLayout::open(spawn(), directory.path())).unwrap();
        assert!(matches!(opened, Err(LayoutError::Document { .. })));
    }

    /// Several writers of one layout lose no entry of each other's.
    #[test]
    fn writers_take_turns_at_the_list() {
        let directory = tempfile::tempdir().unwrap();
        let layout = wait(OciLayout::open_or_create(spawn(), directory.path()))
            .unwrap()
            .unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let layout = layout.clone();
                scope.spawn(move || {
                    let tag: Tag = format!("v{n}").parse().unwrap();
                    let manifest = manifest(&n.to_string());
                    wait(layout.put_manifest(&manifest, Some(Some(&tag))))
                        .unwrap()
                        .unwrap();
                });
            }
        });
        assert_eq!(wait(layout.entries()).unwrap().unwrap().len(), 8);
    }
}
