//! `artifact rm`

use std::collections::HashSet;

use artifact::{
    AsOf, CollectOptions, Digest, Error, Manifest, ManifestRef, Role,
    transfer::{LocalPackage, Place},
};
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context,
    deletion::before_deletion,
    desk::{Desk, Source},
    failure::{At as _, Failure},
    names::plural,
    open::page,
    output::Report,
    reference::{Reference, Version},
};

/// Delete an artifact with the tags that point at it
///
/// The parts of an index go with it, unless a tag or another index names them. What is deleted can
/// come back by `undelete` as long as the history is kept, and its bytes are there as long. --purge
/// removes them for ever, also from the history and where it was deleted before: nobody can read
/// them any more, and the bytes are freed unless somebody may be reading them just now. Of an OCI layout only the entry in
/// its list goes: its blobs stay in the directory.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact rm team/app:v1                      the artifact that v1 points at, with all its tags
  artifact rm team/app@sha256:0a1b..
  artifact rm team/app:leaked --purge          nobody can read it again
  artifact rm oci://registry.example/app:v1    at a remote registry
  artifact rm oci:./image:v1                   from the list of an OCI layout
")]
pub(crate) struct RmArgs {
    /// The artifact: NAME:TAG or NAME@DIGEST
    reference: Reference,
    /// Remove its bytes for ever, also from the history; what other artifacts name stays
    #[arg(long)]
    purge: bool,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed {
    reference: String,
    removed: Vec<String>,
    kept: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purged: Option<Vec<String>>,
    /// How many files and slots with purged bytes are still to be freed.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<u64>,
}

impl Report for Removed {
    fn text(&self) -> String {
        let mut text = format!("removed {}\n", self.reference);
        for digest in &self.removed {
            text.push_str(&format!("  {digest}\n"));
        }
        for digest in &self.kept {
            text.push_str(&format!("  {digest} stays: something else names it\n"));
        }
        for digest in self.purged.iter().flatten() {
            text.push_str(&format!("  {digest} purged\n"));
        }
        if let Some(waiting @ 1..) = self.waiting {
            let waiting = plural(waiting, "file or slot waits", "files and slots wait");
            text.push_str(&format!(
                "  {waiting}, for somebody may still read them: `artifact gc` frees them later\n"
            ));
        }
        text
    }
}

pub(crate) async fn run(context: &Context, args: RmArgs) -> Result<(), Failure> {
    let shown = args.reference.to_string();
    if let Reference::Directory(path) = &args.reference {
        let failure = Failure::usage("a directory of files is no artifact").at(shown);
        return Err(failure.remedy(format!("`rm -r {}` removes files", path.display())));
    }
    if args.reference.version().is_none_or(Version::is_open) {
        let failure = Failure::usage("it is to be said which artifact goes").at(shown);
        return Err(failure.remedy("write NAME:TAG or NAME@DIGEST"));
    }
    let mut desk = Desk::new(context, false);
    let source = desk.source(&args.reference, None).await?;
    let removed = match &source.place {
        Place::Local(local) => local_artifact(local, &source, args.purge).await?,
        Place::Remote(package) if !args.purge => {
            let manifest = source.manifest().await?;
            let digest = manifest.digest();
            package.delete_manifest(&digest.into()).await.at(&shown)?;
            Removed {
                reference: shown,
                removed: vec![digest.to_string()],
                ..Removed::default()
            }
        }
        Place::Layout(layout) if !args.purge => {
            let digest = source.manifest().await?.digest();
            layout.remove(&digest).await.at(&shown)?;
            Removed {
                reference: shown,
                removed: vec![digest.to_string()],
                ..Removed::default()
            }
        }
        _ => return Err(only_here(shown)),
    };
    context.output.show(&removed)
}

fn only_here(shown: String) -> Failure {
    Failure::usage("only the registry here can purge")
        .at(shown)
        .remedy("leave --purge out, or run it where that registry is")
}

async fn local_artifact(
    local: &LocalPackage,
    source: &Source,
    purge: bool,
) -> Result<Removed, Failure> {
    let tree = match source.manifest().await {
        // It was deleted without its bytes, or a purge was cut off after it had deleted it.
        Err(absent) if purge && absent.is_absence() => deleted(local, source, absent).await?,
        root => Tree::of(source, root?).await?,
    };
    let mut done = Removed {
        reference: source.shown.clone(),
        ..Removed::default()
    };
    let (session, package) = (&local.session, &local.package);
    let mut tagged = None;
    let mut gone = Vec::new();
    for (place, manifest) in tree.manifests.iter().enumerate() {
        let digest = manifest.digest();
        if place > 0 {
            if tagged.is_none() {
                tagged = Some(tagged_digests(local).await.at(&source.shown)?);
            }
            if tagged.iter().flatten().any(|tagged| *tagged == digest) {
                done.kept.push(digest.to_string());
                continue;
            }
        }
        match session.delete_manifest(package, &digest).await {
            Ok(_) => {
                done.removed.push(digest.to_string());
                gone.push(manifest);
            }
            Err(Error::Named { .. }) if place > 0 => done.kept.push(digest.to_string()),
            // It was deleted before, or somebody else deleted it meanwhile.
            Err(Error::NotFound { .. }) if purge => gone.push(manifest),
            Err(Error::NotFound { .. }) if place > 0 => {}
            Err(error) => return Err(Failure::from(error).at(&source.shown)),
        }
    }
    if purge {
        let purged = purge_all(local, &gone, &mut done.kept).await;
        done.purged = Some(purged.at(&source.shown)?);
        done.waiting = Some(free(local).await?);
    }
    Ok(done)
}

/// Returns the manifests of an artifact as it was before it was deleted, or why it is not there.
async fn deleted(local: &LocalPackage, source: &Source, absent: Failure) -> Result<Tree, Failure> {
    let before = before_deletion(&local.session, &local.package, &source.wanted()).await;
    let Ok(at) = before else { return Err(absent) };
    let source = source.past(local.clone(), at);
    let root = source.manifest().await?;
    Tree::of(&source, root).await
}

/// Frees what was purged, and returns how many files and slots wait: somebody may be reading them.
async fn free(local: &LocalPackage) -> Result<u64, Failure> {
    let collected = local.session.collect(&CollectOptions::default()).await;
    let freed = match collected {
        Ok(collected) if !collected.busy => collected.waiting,
        // Another collector frees it, or a guard stopped this one: it is in the trash in any case.
        Ok(_) | Err(Error::Unsupported { .. }) => local.session.totals().await?.trash,
        Err(error) => return Err(error.into()),
    };
    Ok(freed)
}

/// An artifact's manifests, each after all that name it.
struct Tree {
    manifests: Vec<Manifest>,
}

impl Tree {
    async fn of(source: &Source, root: Manifest) -> Result<Self, Failure> {
        let mut seen = HashSet::from([root.digest()]);
        let mut manifests = vec![root];
        let mut next = 0;
        while let Some(manifest) = manifests.get(next) {
            let children = manifest
                .references()
                .iter()
                .filter(|named| named.role == Role::Child);
            let children: Vec<Digest> = children.map(|named| named.descriptor.digest).collect();
            for child in children.into_iter().filter(|child| seen.insert(*child)) {
                match source.place.manifest(&ManifestRef::Digest(child)).await {
                    Ok(child) => manifests.push(child),
                    // A child may be a blob, or not there.
                    Err(error) if error.kind() == artifact::ErrorKind::NotFound => {}
                    Err(error) => return Err(Failure::from(error).at(&source.shown)),
                }
            }
            next += 1;
        }
        Ok(Self { manifests })
    }
}

async fn tagged_digests(local: &LocalPackage) -> Result<HashSet<Digest>, Error> {
    let mut tagged = HashSet::new();
    let mut after = None;
    loop {
        let found = local
            .session
            .list_tags(AsOf::Now, &local.package, page(after))
            .await;
        let found = match found {
            // With the last manifest the package went.
            Err(Error::NotFound { .. }) => return Ok(tagged),
            found => found?,
        };
        let Some(last) = found.last() else {
            return Ok(tagged);
        };
        after = Some(last.tag.clone());
        tagged.extend(found.iter().map(|tag| tag.digest));
    }
}

/// Removes the bytes of manifests and of what they named; what is in use stays.
///
/// What names others goes after them: where a purge is cut off, the next finds all that is left.
async fn purge_all(
    local: &LocalPackage,
    manifests: &[&Manifest],
    kept: &mut Vec<String>,
) -> Result<Vec<String>, Error> {
    let mut seen = HashSet::new();
    let mut purged = Vec::new();
    for manifest in manifests.iter().rev() {
        let blobs = manifest
            .references()
            .iter()
            .filter(|named| named.role != Role::Child);
        let blobs = blobs.map(|named| named.descriptor.digest);
        for digest in blobs.chain([manifest.digest()]) {
            if !seen.insert(digest) {
                continue;
            }
            match local.session.purge(&digest).await {
                Ok(()) => purged.push(digest.to_string()),
                Err(Error::Blocked { .. } | Error::Named { .. } | Error::Precondition { .. }) => {
                    kept.push(digest.to_string());
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(purged)
}
