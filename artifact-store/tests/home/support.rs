//! Registries in directories, and artifacts to put into them.

use std::{path::Path, sync::Arc, time::Duration};

use artifact_core::{
    Actor, Algorithm, AsOf, BlobInfo, BlobRange, BootTime, Change, ChangeSet, Clock, Digest,
    Document as _, DocumentKey, Error, Hasher, Manifest, MediaType, PackageRef, Principal,
    PutManifest, Registry, RegistryParts, RepositorySettings, RequestContext, Seams, Session, Tag,
    Timestamp, UploadOptions,
};
use artifact_store::{
    home::{CreateOptions, Home, OpenOptions},
    sys::{
        boot::{self, BootClock},
        random::SystemRng,
    },
};
use artifact_testkit::seams::TokioSpawn;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};

/// The clocks of this machine.
#[derive(Debug)]
pub(crate) struct RealClock(BootClock);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        boot::wall()
    }

    fn boot(&self) -> BootTime {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// Returns what a directory is opened with.
pub(crate) fn options() -> OpenOptions {
    OpenOptions::new(
        Arc::new(TokioSpawn::current()),
        Arc::new(RealClock(BootClock::new().unwrap())),
        Arc::new(SystemRng::new().unwrap()),
    )
}

/// Returns what a directory is made with. Tests run on disks that may be nearly full.
pub(crate) fn creation() -> CreateOptions {
    let mut creation = CreateOptions::new(options());
    creation.settings.min_free = 0;
    creation
}

/// A directory that is open, with the engine over it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) home: Home,
    pub(crate) registry: Registry,
}

impl World {
    /// Makes a registry with its default repository.
    pub(crate) async fn create(path: &Path) -> Self {
        let world = Self::over(Home::create(path, creation()).await.unwrap());
        let key = DocumentKey::Repository("default".parse().unwrap());
        let body = RepositorySettings::default().to_body();
        let actor = Actor::new(Principal::System, None);
        let set = ChangeSet::new(actor, boot::wall()).change(Change::PutDocument(key, body));
        world.home.index().apply(set).await.unwrap();
        world
    }

    pub(crate) async fn open(path: &Path) -> Self {
        Self::over(Home::open(path, options()).await.unwrap())
    }

    pub(crate) fn over(home: Home) -> Self {
        let seams = Seams {
            clock: Arc::clone(home.clock()),
            rng: Arc::clone(home.rng()),
            spawn: Arc::clone(home.spawn()),
            holders: home.holders(),
        };
        let parts = RegistryParts::new(home.index(), home.store(), seams, home.holder());
        let registry = Registry::new(parts);
        Self { home, registry }
    }

    /// Drops the engine, and waits until the files are at rest.
    pub(crate) async fn close(self) {
        let Self { home, registry } = self;
        drop(registry);
        home.close().await.unwrap();
    }

    pub(crate) fn session(&self) -> Session {
        self.registry
            .session(Principal::Embedder, RequestContext::default())
    }

    /// Pushes a blob.
    pub(crate) async fn push_blob(
        &self,
        package: &PackageRef,
        bytes: &[u8],
    ) -> Result<BlobInfo, Error> {
        let options = UploadOptions::default().sized(Some(bytes.len() as u64));
        let mut upload = self.session().begin_upload(package, options).await?;
        for chunk in bytes.chunks(256 * 1024) {
            upload.write(Bytes::copy_from_slice(chunk)).await?;
        }
        upload.finish(Some(&digest(bytes))).await
    }

    /// Pushes an image of two blobs, made from a seed, under the tag `v<seed>`.
    pub(crate) async fn push(&self, name: &str, seed: u64) -> Result<Digest, Error> {
        let package = package(name);
        let config = self.push_blob(&package, &blob(seed, 0)).await?;
        let layer = self.push_blob(&package, &blob(seed, 1)).await?;
        let manifest = image(&config, &layer);
        let options = PutManifest::tagged(vec![tag(seed)]);
        let session = self.session();
        session.put_manifest(&package, &manifest, &options).await?;
        Ok(manifest.digest())
    }

    /// Reads the image of a seed back, every byte of it, or says why not.
    pub(crate) async fn pull(&self, name: &str, seed: u64) -> Result<(), String> {
        let package = package(name);
        let session = self.session();
        let coordinate = package.at(tag(seed));
        let said = |what: &str, error: Error| format!("{what} of {seed}: {error:?}");
        let found = session.get_manifest(AsOf::Now, &coordinate).await;
        found.map_err(|error| said("the manifest", error))?;
        for part in 0..2 {
            let expected = blob(seed, part);
            let digest = digest(&expected);
            let body = session
                .read_blob(AsOf::Now, &package, &digest, BlobRange::All)
                .await;
            let body = body.map_err(|error| said("a blob", error))?;
            let bytes = body
                .collect(u64::MAX)
                .await
                .map_err(|error| said("a body", error))?;
            if bytes != expected {
                return Err(format!("a blob of {seed} has other bytes"));
            }
        }
        Ok(())
    }
}

/// The lengths of layers, by seed: inline, a slot, a file of its own.
const LENGTHS: [usize; 3] = [3_000, 40_000, 1_200_000];

/// Returns the bytes of a blob: the config of a seed's image, or its layer.
pub(crate) fn blob(seed: u64, part: u64) -> Vec<u8> {
    let length = if part == 0 {
        300
    } else {
        LENGTHS[usize::try_from(seed).unwrap() % LENGTHS.len()]
    };
    let mut state = (seed * 2 + part).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..=length / 8).flat_map(|_| word()).collect();
    bytes.truncate(length);
    bytes
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Hasher::hash(Algorithm::Sha256, bytes).digest()
}

pub(crate) fn package(name: &str) -> PackageRef {
    PackageRef::in_default(&name.parse().unwrap())
}

pub(crate) fn tag(seed: u64) -> Tag {
    format!("v{seed}").parse().unwrap()
}

fn image(config: &BlobInfo, layer: &BlobInfo) -> Manifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.example.config","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}}"#,
        MediaType::OCI_MANIFEST,
        config.digest,
        config.size,
        layer.digest,
        layer.size,
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Waits until something holds that others bring about in a moment.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
