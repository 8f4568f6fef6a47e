//! What is done to a registry in a child that meets a fault, and what must hold afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
};

use artifact_core::{
    Algorithm, AsOf, CollectOptions, Condition, Digest, Error, ErrorKind, Event, Forget,
    IndexError, Manifest, MediaType, PutManifest, Revision, ScrubOptions,
};
use artifact_store::home::{Home, HomeError};

use crate::{
    child::{listen, say},
    faults::Signal,
    support::{World, creation, eventually, options, package, tag},
};

/// Something that is done to a registry: wholly or not at all, whatever happens meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Task {
    Collect,
    Delete,
    Init,
    Open,
    Purge,
    Push,
    Rebuild,
    Snapshot,
    Tag,
}

/// The artifacts that are there all the time: inline, a slot, a file of its own.
pub(crate) const KEPT: [u64; 3] = [0, 1, 2];

impl Task {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Delete => "delete",
            Self::Init => "init",
            Self::Open => "open",
            Self::Purge => "purge",
            Self::Push => "push",
            Self::Rebuild => "rebuild",
            Self::Snapshot => "snapshot",
            Self::Tag => "tag",
        }
    }

    fn named(name: &str) -> Self {
        let all = [
            Self::Collect,
            Self::Delete,
            Self::Init,
            Self::Open,
            Self::Purge,
            Self::Push,
            Self::Rebuild,
            Self::Snapshot,
            Self::Tag,
        ];
        let found = all.into_iter().find(|task| task.name() == name);
        found.unwrap_or_else(|| panic!("no task {name}"))
    }

    /// Says whether it is what frees room, so that a full disk must not refuse it.
    pub(crate) const fn frees(self) -> bool {
        matches!(
            self,
            Self::Collect | Self::Delete | Self::Open | Self::Purge | Self::Tag
        )
    }

    /// Puts into the registry what the task needs, under a seed that no other task has.
    pub(crate) async fn prepare(self, world: &World, seed: u64) {
        match self {
            Self::Collect => {
                world.push("app", seed).await.unwrap();
                delete(world, seed).await.unwrap();
            }
            Self::Delete => {
                world.push("app", seed).await.unwrap();
            }
            Self::Purge => {
                let digest = push_secret(world, seed).await;
                let session = world.session();
                session
                    .delete_manifest(&package("app"), &digest)
                    .await
                    .unwrap();
            }
            Self::Init | Self::Open | Self::Push | Self::Rebuild | Self::Snapshot | Self::Tag => {}
        }
    }

    /// Does it, in the child.
    async fn run(self, world: Option<&World>, path: &Path, seed: u64) -> Result<(), Failed> {
        let open = || world.expect("the registry is open");
        match self {
            Self::Collect => collect(open()).await?,
            Self::Delete => delete(open(), seed).await?,
            Self::Init => drop(Home::create(&place(path, "made", seed), creation()).await?),
            Self::Open => Home::open(path, options()).await?.close().await?,
            Self::Purge => {
                let digest = secret(seed).digest();
                open().session().purge(&digest).await?;
            }
            Self::Push => drop(open().push("app", seed).await?),
            Self::Rebuild => drop(Home::rebuild_index(path, options(), false).await?),
            Self::Snapshot => {
                let target = place(path, "snapshot", seed);
                open().home.snapshot(&target, &|_, _| ()).await?;
            }
            Self::Tag => {
                let (session, moved) = (open().session(), "moved".parse().unwrap());
                let digest = digest_of(open(), seed % 3).await?;
                session
                    .put_tag(&package("app"), &moved, &digest, &Condition::Any)
                    .await?;
            }
        }
        Ok(())
    }

    /// Checks that it is wholly done, as it must be where it was acknowledged, or not at all.
    pub(crate) async fn check(self, world: &World, seed: u64, acknowledged: bool) {
        let path = world.home.path();
        match self {
            Self::Collect | Self::Open | Self::Rebuild => {}
            Self::Delete => match world.pull("app", seed).await {
                Ok(()) => assert!(!acknowledged, "{seed} came back"),
                Err(_) => assert!(digest_of(world, seed).await.is_err(), "half of {seed}"),
            },
            Self::Init => {
                let made = Home::open_or_create(&place(path, "made", seed), creation()).await;
                World::over(made.unwrap());
            }
            Self::Purge => check_purge(world, seed, acknowledged).await,
            Self::Push => match world.pull("app", seed).await {
                Ok(()) => {}
                Err(error) => {
                    assert!(!acknowledged, "{error}");
                    assert!(digest_of(world, seed).await.is_err(), "{error}");
                    world.push("app", seed).await.unwrap();
                    world.pull("app", seed).await.unwrap();
                }
            },
            Self::Snapshot => check_snapshot(world, seed, acknowledged).await,
            Self::Tag => {
                let moved = "moved".parse().unwrap();
                let found = world
                    .session()
                    .tag(AsOf::Now, &package("app"), &moved)
                    .await;
                let wanted = digest_of(world, seed % 3).await.unwrap();
                let is_there = found.is_ok_and(|found| found.digest == wanted);
                assert!(is_there || !acknowledged, "the tag fell back");
            }
        }
    }
}

/// Returns a place beside the registry.
fn place(path: &Path, kind: &str, seed: u64) -> PathBuf {
    path.with_file_name(format!("{kind}-{seed}"))
}

/// How a task fails, of whatever kind.
#[derive(Debug)]
struct Failed(ErrorKind, String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error.kind(), format!("{error:?}"))
    }
}

impl From<HomeError> for Failed {
    fn from(error: HomeError) -> Self {
        Self(error.kind(), format!("{error:?}"))
    }
}

/// The child: does the task while its calls are counted, and tells what came of it. Told to, it does
/// it once more, with room on the disk.
pub(crate) async fn child(path: &Path, name: &str, seed: &str) {
    let (task, seed) = (Task::named(name), seed.parse().unwrap());
    let alone = matches!(task, Task::Init | Task::Open | Task::Rebuild);
    let world = if alone {
        None
    } else {
        Some(World::open(path).await)
    };
    Signal::Arm.give();
    let done = task.run(world.as_ref(), path, seed).await;
    Signal::End.give();
    match done {
        Ok(()) => say("done"),
        Err(Failed(kind, error)) => {
            say(&format!("{kind:?} {error}"));
            if listen().is_some() {
                Signal::Room.give();
                let again = task.run(world.as_ref(), path, seed).await;
                say(&again.map_or_else(|failed| format!("{failed:?}"), |()| "done".into()));
            }
        }
    }
    if let Some(world) = world {
        world.close().await;
    }
}

/// Checks what must hold whatever was done: what is kept is there, and all is whole.
pub(crate) async fn check_whole(world: &World) {
    for seed in KEPT {
        world.pull("app", seed).await.unwrap();
    }
    let checked = world.home.check().await.unwrap();
    assert_eq!(checked.index, [""; 0]);
    assert_eq!(checked.journal, [""; 0]);
    let mut scrub = ScrubOptions::default();
    scrub.all = true;
    let scrubbed = world.session().scrub(scrub, |_| ()).await.unwrap();
    assert_eq!(scrubbed.corrupt, []);
}

pub(crate) async fn digest_of(world: &World, seed: u64) -> Result<Digest, Error> {
    let coordinate = package("app").at(tag(seed));
    let session = world.session();
    let found = session.get_manifest(AsOf::Now, &coordinate).await?;
    Ok(found.record.digest)
}

pub(crate) async fn delete(world: &World, seed: u64) -> Result<(), Error> {
    let digest = digest_of(world, seed).await?;
    let session = world.session();
    session.delete_manifest(&package("app"), &digest).await?;
    Ok(())
}

/// Collects all that was deleted, and what led to it.
pub(crate) async fn collect(world: &World) -> Result<(), Error> {
    let before = world.session().revision().await?.revision;
    let forget = Forget {
        repository: None,
        before,
    };
    let options = CollectOptions::default()
        .forgetting(forget)
        .allowing_mass_delete();
    world.session().collect(&options).await?;
    Ok(())
}

/// Returns the words of a secret: so many that some stand whole in whatever page they are in.
pub(crate) fn words(seed: u64) -> String {
    format!("the secret of {seed:06} is not to be kept ")
}

/// Returns a manifest with a secret in its annotations; its blobs are those of an image that is kept.
fn secret(seed: u64) -> Manifest {
    let (config, layer) = (crate::support::blob(0, 0), crate::support::blob(0, 1));
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.example.config","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}],"annotations":{{"org.opencontainers.image.title":"{}"}}}}"#,
        MediaType::OCI_MANIFEST,
        crate::support::digest(&config),
        config.len(),
        crate::support::digest(&layer),
        layer.len(),
        words(seed).repeat(200),
    );
    Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap()
}

/// Pushes a manifest with a secret.
pub(crate) async fn push_secret(world: &World, seed: u64) -> Digest {
    let (manifest, session) = (secret(seed), world.session());
    let options = PutManifest::tagged(vec![tag(seed)]);
    session
        .put_manifest(&package("app"), &manifest, &options)
        .await
        .unwrap();
    manifest.digest()
}

/// Returns the files below a directory in which bytes stand, plain or as the journal writes them.
pub(crate) fn holding(directory: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    // As it is read from each of three places of a group of three bytes; the ends are cut, for their
    // letters tell of the neighbours, too.
    let written = (0..3).map(|from| {
        let text = STANDARD_NO_PAD.encode(&bytes[from..]);
        text.as_bytes()[..text.len() - 2].to_vec()
    });
    let wanted: Vec<_> = written.chain([bytes.to_vec()]).collect();
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if let Ok(text) = fs::read(&path)
                && wanted
                    .iter()
                    .any(|wanted| memchr::memmem::find(&text, wanted).is_some())
            {
                found.push(path);
            }
        }
    }
    found
}

async fn check_purge(world: &World, seed: u64, acknowledged: bool) {
    let path = world.home.path();
    // What was cut off is ended beside other work.
    eventually("no purge is under way", || {
        let mut names = fs::read_dir(path.join("journal")).unwrap();
        !names.any(|name| {
            name.unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("purge")
        })
    });
    if was_kept(world, &secret(seed).digest()).await {
        assert!(!acknowledged, "{seed} came back");
        return;
    }
    assert_eq!(
        holding(path, words(seed).trim().as_bytes()),
        [""; 0].map(PathBuf::from)
    );
    // Nobody keeps it from being pushed again.
    push_secret(world, seed).await;
}

/// Says whether a manifest can be read as of when it was pushed.
async fn was_kept(world: &World, digest: &Digest) -> bool {
    let (index, mut after) = (world.home.index(), Revision::ZERO);
    loop {
        let page = index.changes(after, 500.try_into().unwrap()).await.unwrap();
        after = page.last().expect("it was pushed").revision;
        let is_put =
            |event: &Event| matches!(event, Event::ManifestPut { digest: of, .. } if of == digest);
        if let Some(put) = page.iter().find(|set| set.events.iter().any(is_put)) {
            let at = AsOf::Revision(put.revision);
            return match index.manifest(at, &package("app"), digest).await {
                Ok(found) => found.is_some(),
                Err(IndexError::Purged { .. }) => false,
                Err(error) => panic!("{error}"),
            };
        }
    }
}

async fn check_snapshot(world: &World, seed: u64, acknowledged: bool) {
    let target = place(world.home.path(), "snapshot", seed);
    match Home::open(&target, options()).await {
        Ok(home) => check_whole(&World::over(home)).await,
        Err(error) => {
            assert!(
                !acknowledged && error.kind() == ErrorKind::NotFound,
                "{error}"
            );
            world.home.snapshot(&target, &|_, _| ()).await.unwrap();
        }
    }
    fs::remove_dir_all(&target).unwrap();
    let beside = fs::read_dir(target.parent().unwrap()).unwrap();
    let left = beside.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains("partial")
    });
    assert_eq!(left.count(), 0, "what a killed snapshot left is in the way");
}
