//! `artifact snapshot`

use std::path::PathBuf;

use artifact::ErrorKind;
use clap::Args;
use serde::Serialize;

use crate::{
    context::Context, failure::Failure, open::open, output::Report, progress::Progress, size::bytes,
};

/// Copy the registry, as it is at one revision, while others go on using it
///
/// Blobs share their blocks with the originals where the file system can. The copy is a registry of its
/// own, to be opened like any other.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact snapshot /backup/registry-2026-11-21
  artifact ls --registry /backup/registry-2026-11-21
")]
pub(crate) struct SnapshotArgs {
    /// The directory for the copy: new or empty
    target: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    path: PathBuf,
    revision: u64,
    blobs: u64,
    bytes: u64,
    missing: Vec<String>,
}

impl Report for Taken {
    fn text(&self) -> String {
        format!(
            "copied revision {} with {} blobs in files ({}) to {}\n",
            self.revision,
            self.blobs,
            bytes(self.bytes),
            self.path.display()
        )
    }
}

pub(crate) async fn run(context: &Context, args: SnapshotArgs) -> Result<(), Failure> {
    let opened = open(context, None).await?;
    let progress = Progress::items(context.output, "copying blobs");
    let taken = opened
        .registry
        .home()
        .snapshot(&args.target, &|blobs, _| progress.set(blobs))
        .await;
    progress.end();
    let taken = taken?;
    let missing: Vec<_> = taken.missing.iter().map(ToString::to_string).collect();
    let lost = missing.len();
    context.output.show(&Taken {
        path: args.target,
        revision: taken.revision.get(),
        blobs: taken.blobs,
        bytes: taken.bytes,
        missing,
    })?;
    if lost > 0 {
        let what = format!("{lost} blobs are lost in the registry itself, and so in the copy");
        return Err(Failure::new(ErrorKind::Corrupt, what).at(opened.path.display()));
    }
    Ok(())
}
