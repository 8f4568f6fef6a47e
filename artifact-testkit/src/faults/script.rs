//! What is done over backends that fail: a bit of everything.

use std::sync::LazyLock;

use artifact_core::{
    Algorithm, AsOf, BlobRange, CollectOptions, Condition, Digest, Error, ErrorKind, Forget,
    Hasher, Manifest, PackageRef, PutManifest, ScrubOptions, Session, Tag, UploadOptions,
};
use bytes::Bytes;

/// How many images there are.
pub(super) const IMAGES: usize = 2;

/// Something that is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Push(&'static str, usize),
    Tag(&'static str, usize),
    Untag(&'static str),
    Delete(usize),
    Read(&'static str),
    Collect,
    Scrub,
}

/// Ends with something in the package, so that what is lost is seen.
pub(super) const SCRIPT: &[Step] = &[
    Step::Push("a", 0),
    Step::Push("b", 1),
    Step::Tag("c", 0),
    Step::Read("c"),
    Step::Untag("b"),
    Step::Collect,
    Step::Scrub,
    Step::Delete(0),
    Step::Collect,
    Step::Push("a", 0),
    Step::Tag("b", 1),
    Step::Read("b"),
    Step::Collect,
];

#[derive(Debug)]
struct Image {
    manifest: Manifest,
    contents: [usize; 2],
}

/// For the index, for a slot, and in several pieces.
static CONTENTS: LazyLock<[Bytes; 3]> = LazyLock::new(|| {
    [(1, 100), (2, 9_000), (3, 20_000)].map(|(seed, length)| {
        let byte = |n: u32| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8;
        (0..length).map(byte).collect()
    })
});

static STOCK: LazyLock<[Image; IMAGES]> = LazyLock::new(|| {
    [[0, 1], [1, 2]].map(|contents| {
        let [config, layer] = contents.map(|content| {
            let (digest, size) = (digest(content), bytes(content).len());
            format!(r#"{{"mediaType":"application/x","digest":"{digest}","size":{size}}}"#)
        });
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{config},"layers":[{layer}]}}"#
        );
        let manifest = Manifest::parse(text.into(), None, Algorithm::Sha256);
        Image {
            manifest: manifest.expect("it is written here"),
            contents,
        }
    })
});

fn stock(image: usize) -> &'static Image {
    STOCK.get(image).expect("there are so many images")
}

fn bytes(content: usize) -> &'static Bytes {
    CONTENTS.get(content).expect("there are so many contents")
}

fn digest(content: usize) -> Digest {
    Hasher::hash(Algorithm::Sha256, bytes(content)).digest()
}

pub(super) fn package() -> PackageRef {
    PackageRef::in_default(&"team/app".parse().expect("it is a name"))
}

fn named(tag: &str) -> Tag {
    tag.parse().expect("it is a tag")
}

/// Does a step; what it reads it compares.
pub(super) async fn perform(session: &Session, step: &Step) -> Result<(), Error> {
    let package = package();
    match step {
        Step::Push(tag, image) => push(session, tag, stock(*image)).await,
        Step::Tag(tag, image) => {
            let digest = stock(*image).manifest.digest();
            let (tag, any) = (named(tag), Condition::Any);
            session.put_tag(&package, &tag, &digest, &any).await?;
            Ok(())
        }
        Step::Untag(tag) => {
            let (tag, any) = (named(tag), Condition::Any);
            session.delete_tag(&package, &tag, &any).await?;
            Ok(())
        }
        Step::Delete(image) => {
            let digest = stock(*image).manifest.digest();
            session.delete_manifest(&package, &digest).await?;
            Ok(())
        }
        Step::Read(tag) => read(session, tag).await.map(drop),
        Step::Collect => {
            let before = session.revision().await?.revision;
            let forget = Forget {
                repository: None,
                before,
            };
            let options = CollectOptions::default().forgetting(forget);
            session.collect(&options.allowing_mass_delete()).await?;
            Ok(())
        }
        Step::Scrub => {
            let scrubbed = session.scrub(ScrubOptions::default().all(), |_| {}).await?;
            // A read that failed is no proof that a blob is wrong; one that ended early may look like it.
            drop(scrubbed);
            Ok(())
        }
    }
}

async fn push(session: &Session, tag: &str, image: &Image) -> Result<(), Error> {
    let package = package();
    for content in image.contents {
        let (digest, bytes) = (digest(content), bytes(content).clone());
        match session.stat_blob(AsOf::Now, &package, &digest).await {
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let options = UploadOptions::default().sized(Some(bytes.len() as u64));
        let mut upload = session.begin_upload(&package, options).await?;
        let half = bytes.len() / 2;
        upload.write(bytes.slice(..half)).await?;
        let id = upload.id();
        let offset = upload.suspend().await?.offset;
        let mut upload = session.resume_upload(&package, &id, Some(offset)).await?;
        upload.write(bytes.slice(half..)).await?;
        upload.finish(Some(&digest)).await?;
    }
    let options = PutManifest::tagged(vec![named(tag)]);
    session
        .put_manifest(&package, &image.manifest, &options)
        .await?;
    Ok(())
}

/// Reads what a tag points at, whole, and returns which image it is; `None` when there is no such tag.
///
/// # Panics
/// When something is read that nobody pushed (I3).
pub(super) async fn read(session: &Session, tag: &str) -> Result<Option<usize>, Error> {
    let package = package();
    let coordinate = package.at(named(tag));
    let found = match session.get_manifest(AsOf::Now, &coordinate).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found?.record,
    };
    let image = STOCK
        .iter()
        .position(|image| *image.manifest.bytes() == found.bytes)
        .expect("I3 a manifest is one that was pushed");
    for content in stock(image).contents {
        let (digest, whole) = (digest(content), BlobRange::All);
        let body = session
            .read_blob(AsOf::Now, &package, &digest, whole)
            .await?;
        let read = body.collect(1 << 20).await?;
        assert!(read == bytes(content), "I3 {digest} was read wrong");
    }
    Ok(Some(image))
}
