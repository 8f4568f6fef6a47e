//! Registries and trees to move things between.

use std::{
    collections::BTreeMap,
    fs,
    ops::Deref,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    sync::Arc,
};

use artifact::{
    Algorithm, Digest, Hasher, Manifest, ManifestRef, MediaType, OpenOptions, PackageRef,
    PutManifest, Session, Spawn, Tag, Threads, UploadOptions,
    blocking::wait,
    layout::OciLayout,
    transfer::{LocalPackage, Place, Transfer},
};
use bytes::Bytes;
use tempfile::TempDir;

/// A registry in a directory of its own, and a session of the embedding program with it.
pub(crate) struct Here {
    session: Session,
    _registry: artifact::Registry,
    directory: TempDir,
}

impl Here {
    /// Changes a byte of a blob that has a file of its own.
    pub(crate) fn rot(&self, blob: &[u8]) {
        artifact_testkit::files::rot(self.directory.path(), blob).unwrap();
    }
}

impl Deref for Here {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// Makes a registry.
pub(crate) fn session() -> Here {
    let directory = tempfile::tempdir().unwrap();
    let options = OpenOptions::new().create_new().spawn(spawn());
    let registry = options.open(directory.path().join("registry")).unwrap();
    Here {
        session: registry.embedder(),
        _registry: registry,
        directory,
    }
}

pub(crate) fn spawn() -> Arc<dyn Spawn> {
    Arc::new(Threads::new())
}

pub(crate) fn transfer() -> Transfer {
    Transfer::new(spawn())
}

pub(crate) fn package(name: &str) -> PackageRef {
    PackageRef::in_default(&name.parse().unwrap())
}

pub(crate) fn place(session: &Session, name: &str) -> Place {
    LocalPackage::new(session.clone(), package(name)).into()
}

pub(crate) fn layout(path: &Path) -> Place {
    wait(OciLayout::open_or_create(spawn(), path))
        .unwrap()
        .unwrap()
        .into()
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn by_tag(name: &str) -> ManifestRef {
    ManifestRef::Tag(tag(name))
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Hasher::hash(Algorithm::Sha256, bytes).digest()
}

/// Pushes a blob.
pub(crate) fn push(session: &Session, package: &PackageRef, bytes: &[u8]) -> Digest {
    wait(async {
        let mut upload = session
            .begin_upload(package, UploadOptions::default())
            .await?;
        upload.write(Bytes::copy_from_slice(bytes)).await?;
        upload.finish(None).await
    })
    .unwrap()
    .unwrap()
    .digest
}

fn descriptor(kind: &str, digest: &Digest, size: u64) -> String {
    format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#)
}

/// Publishes an image of a config and one layer, and returns its manifest.
pub(crate) fn image(
    session: &Session,
    package: &PackageRef,
    seed: u8,
    name: Option<&str>,
) -> Manifest {
    let (config, layer) = (vec![seed; 10], vec![seed; 5000]);
    push(session, package, &config);
    push(session, package, &layer);
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        MediaType::OCI_MANIFEST,
        descriptor("application/vnd.example.config", &digest(&config), 10),
        descriptor(
            "application/vnd.oci.image.layer.v1.tar",
            &digest(&layer),
            5000
        ),
    );
    publish(session, package, text, name)
}

/// Publishes a manifest.
pub(crate) fn publish(
    session: &Session,
    package: &PackageRef,
    text: String,
    name: Option<&str>,
) -> Manifest {
    let manifest = Manifest::parse(text.into(), None, Algorithm::Sha256).unwrap();
    let options = PutManifest::tagged(name.map(tag).into_iter().collect());
    wait(session.put_manifest(package, &manifest, &options))
        .unwrap()
        .unwrap();
    manifest
}

/// Publishes an index of two images.
pub(crate) fn index(session: &Session, package: &PackageRef, name: &str) -> Manifest {
    let entries = [1, 2].map(|seed| {
        let image = image(session, package, seed, None);
        descriptor(MediaType::OCI_MANIFEST, &image.digest(), image.size())
    });
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        MediaType::OCI_INDEX,
        entries.join(",")
    );
    publish(session, package, text, Some(name))
}

/// Publishes something that refers to a manifest.
pub(crate) fn referrer(session: &Session, package: &PackageRef, subject: &Manifest) -> Manifest {
    let config = push(session, package, b"{}");
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"application/vnd.example.signature","config":{},"subject":{}}}"#,
        MediaType::OCI_MANIFEST,
        descriptor(MediaType::OCI_EMPTY, &config, 2),
        descriptor(
            subject.media_type().as_str(),
            &subject.digest(),
            subject.size()
        ),
    );
    publish(session, package, text, None)
}

/// Makes a tree of many kinds of entries.
pub(crate) fn tree(root: &Path) {
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    fs::write(root.join("bin/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(root.join("bin/same"), "#!/bin/sh\n").unwrap();
    fs::write(root.join("nothing"), "").unwrap();
    let large: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(root.join("large"), &large).unwrap();
    fs::write(root.join("middle"), &large[..50_000]).unwrap();
    symlink("../large", root.join("bin/link")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
}

/// Returns what a tree holds: kind, executable bit, content.
pub(crate) fn contents(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let what = if meta.is_dir() {
                directories.push(path);
                "directory".to_owned()
            } else if meta.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                let run = meta.mode() & 0o100 != 0;
                format!("file {} run {run}", digest(&fs::read(&path).unwrap()))
            };
            found.insert(name, what);
        }
    }
    found
}
