//! Registries to test, and artifacts to put into them.

use std::{
    io::{Read as _, Write as _},
    num::NonZeroU32,
    sync::Arc,
};

use artifact::{
    Algorithm, AsOf, BlobInfo, BlobRange, BlobStore, Digest, Document, DocumentKey, Error,
    ErrorKind, Hasher, Holder, Holders, Manifest, ManifestIndex, ManifestRef, MediaType,
    MemoryBlobStore, MemoryIndex, PackageRef, Page, Principal, Published, PutManifest, RegistryId,
    RegistryParts, RepositorySettings, RequestContext, Seams, Tag, Threads, UploadOptions,
    blocking::Session,
};
use artifact_core::Registry;
use artifact_store::{FsBlobStore, FsOptions, NewIndex, SqliteIndex, SqliteOptions, vfs::RealVfs};
use artifact_testkit::seams::{FakeClock, SeededRng};
use tempfile::TempDir;

/// A registry whose clock is the test's.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) clock: Arc<FakeClock>,
    /// Where its files are, if it has any.
    pub(crate) directory: Option<TempDir>,
}

/// Everybody lives whose name is not `dead`.
#[derive(Debug)]
pub(crate) struct Living;

impl Holders for Living {
    fn is_alive(&self, holder: &Holder) -> bool {
        holder.as_str() != "dead"
    }
}

impl World {
    /// Returns a registry whose index and blobs are in memory.
    pub(crate) fn in_memory(change: impl FnOnce(&mut RegistryParts)) -> Self {
        let index = MemoryIndex::new(RegistryId::from_random([1; 16]));
        let store = MemoryBlobStore::new(Arc::new(SeededRng::new(8)));
        Self::over(
            Arc::new(index),
            Arc::new(store),
            Arc::new(Threads::new()),
            None,
            change,
        )
    }

    /// Returns a registry over SQLite and files, in a directory that goes with it.
    pub(crate) fn on_disk(change: impl FnOnce(&mut RegistryParts)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let spawn = Arc::new(Threads::new());
        let (path, lock) = (root.join("index.db"), root.join("writer.lock"));
        SqliteIndex::create(&path, NewIndex::new(RegistryId::from_random([1; 16]))).unwrap();
        let index = SqliteIndex::open(SqliteOptions::new(path, lock, spawn.clone())).unwrap();
        let vfs = Arc::new(RealVfs::new());
        FsBlobStore::create_layout(&*vfs, root).unwrap();
        let rng = Arc::new(SeededRng::new(8));
        let store = FsBlobStore::open(FsOptions::new(root, vfs, spawn.clone(), rng)).unwrap();
        Self::over(
            Arc::new(index),
            Arc::new(store),
            spawn,
            Some(directory),
            change,
        )
    }

    fn over(
        index: Arc<dyn ManifestIndex>,
        store: Arc<dyn BlobStore>,
        spawn: Arc<Threads>,
        directory: Option<TempDir>,
        change: impl FnOnce(&mut RegistryParts),
    ) -> Self {
        let clock = Arc::new(FakeClock::new());
        let rng = Arc::new(SeededRng::new(7));
        let seams = Seams {
            clock: clock.clone(),
            rng,
            spawn,
            holders: Arc::new(Living),
        };
        let mut parts = RegistryParts::new(index, store, seams, Holder::new("test"));
        change(&mut parts);
        let world = Self {
            registry: Registry::new(parts),
            clock,
            directory,
        };
        world.make_default();
        world
    }

    fn make_default(&self) {
        let parts = self.registry.parts();
        let key = DocumentKey::Repository("default".parse().unwrap());
        let body = RepositorySettings::default().to_body();
        let actor = artifact::Actor::new(Principal::System, None);
        let changes = artifact::ChangeSet::new(actor, parts.clock.now())
            .change(artifact::Change::PutDocument(key, body));
        artifact::blocking::wait(parts.index.apply(changes))
            .unwrap()
            .unwrap();
    }

    /// Returns a session of the embedding program.
    pub(crate) fn embedder(&self) -> Session {
        self.session(Principal::Embedder)
    }

    pub(crate) fn session(&self, principal: Principal) -> Session {
        self.registry
            .session(principal, RequestContext::default())
            .into()
    }
}

pub(crate) fn package(name: &str) -> PackageRef {
    PackageRef::in_default(&name.parse().unwrap())
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn by_tag(name: &str) -> ManifestRef {
    ManifestRef::Tag(tag(name))
}

pub(crate) fn page<K>(limit: u32) -> Page<K> {
    Page::first(NonZeroU32::new(limit).unwrap())
}

/// Bytes that compress badly and differ by seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Hasher::hash(Algorithm::Sha256, bytes).digest()
}

pub(crate) fn push(
    session: &Session,
    package: &PackageRef,
    bytes: &[u8],
) -> Result<BlobInfo, Error> {
    let size = Some(bytes.len() as u64);
    let mut upload = session.begin_upload(package, UploadOptions::default().sized(size))?;
    for chunk in bytes.chunks(100_000) {
        upload.write_all(chunk).map_err(from_io)?;
    }
    upload.finish(Some(&digest(bytes)))
}

fn from_io(error: std::io::Error) -> Error {
    *error.into_inner().unwrap().downcast::<Error>().unwrap()
}

pub(crate) fn read(
    session: &Session,
    package: &PackageRef,
    digest: &Digest,
) -> Result<Vec<u8>, Error> {
    read_at(session, AsOf::Now, package, digest)
}

pub(crate) fn read_at(
    session: &Session,
    at: AsOf,
    package: &PackageRef,
    digest: &Digest,
) -> Result<Vec<u8>, Error> {
    let mut reader = session.read_blob(at, package, digest, BlobRange::All)?;
    let mut all = Vec::new();
    reader.read_to_end(&mut all).map_err(from_io)?;
    Ok(all)
}

/// Returns an image manifest of these blobs, the first its config.
pub(crate) fn image(blobs: &[BlobInfo]) -> Manifest {
    image_about(blobs, None)
}

pub(crate) fn image_about(blobs: &[BlobInfo], subject: Option<&Manifest>) -> Manifest {
    let descriptor = |kind: &str, digest: &Digest, size: u64| {
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let layer = |blob: &BlobInfo| {
        descriptor(
            "application/vnd.oci.image.layer.v1.tar",
            &blob.digest,
            blob.size,
        )
    };
    let config = descriptor(
        "application/vnd.example.config",
        &blobs[0].digest,
        blobs[0].size,
    );
    let layers: Vec<_> = blobs[1..].iter().map(layer).collect();
    let subject = subject.map_or(String::new(), |subject| {
        let kind = subject.media_type().as_str();
        format!(
            r#","subject":{}"#,
            descriptor(kind, &subject.digest(), subject.size())
        )
    });
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{config},"layers":[{}]{subject}}}"#,
        MediaType::OCI_MANIFEST,
        layers.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Returns an index of these manifests.
pub(crate) fn index_of(manifests: &[&Manifest]) -> Manifest {
    let entry = |manifest: &&Manifest| {
        let (kind, digest, size) = (manifest.media_type(), manifest.digest(), manifest.size());
        format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
    };
    let entries: Vec<_> = manifests.iter().map(entry).collect();
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        MediaType::OCI_INDEX,
        entries.join(",")
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Pushes a small image under a tag, and returns it with what was published.
pub(crate) fn publish(
    session: &Session,
    package: &PackageRef,
    name: &str,
    seed: u64,
) -> (Manifest, Published) {
    let config = push(session, package, &bytes(seed, 300)).unwrap();
    let layer = push(session, package, &bytes(seed + 1_000, 20_000)).unwrap();
    let manifest = image(&[config, layer]);
    let options = PutManifest::tagged(vec![tag(name)]);
    let published = session.put_manifest(package, &manifest, &options).unwrap();
    (manifest, published)
}

#[track_caller]
pub(crate) fn assert_kind<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind) {
    match outcome {
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
        Ok(value) => panic!("it succeeded with {value:?}, and should be {kind:?}"),
    }
}
