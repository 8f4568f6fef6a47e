//! `artifact push`

use std::path::{Path, PathBuf};

use artifact::{Annotations, ErrorKind};
use clap::Args;

use crate::{
    context::Context,
    courier::{Errand, TargetArgs, carry},
    failure::Failure,
    reference::Reference,
};

/// The file that tells an OCI layout from another directory.
const LAYOUT_MARK: &str = "oci-layout";

/// Push a directory of files, one file, or an OCI layout
///
/// Each file is hashed first, and what the place has is not sent again. One tree gives one digest.
/// Devices, sockets and links that leave the directory are refused.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact push ./build team/build:42
  artifact push ./model.safetensors models/bert:1.0 --annotation license=MIT
  artifact push ./build oci://registry.example/team/build:42
  artifact push ./image team/app:v1            a directory with a file oci-layout is an OCI layout
  artifact push oci:./images:v2 team/app:v2    one of the several images of a layout
")]
pub(crate) struct PushArgs {
    /// A directory, a file, or an OCI layout; also as dir:PATH or oci:PATH[:TAG]
    path: String,
    /// Where to: NAME[:TAG], oci://HOST/NAME[:TAG] or oci:PATH[:TAG]
    to: Reference,
    #[command(flatten)]
    target: TargetArgs,
    /// A note on the artifact of a directory; with notes, one tree has as many digests
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation)]
    annotation: Vec<(String, String)>,
}

pub(crate) async fn run(context: &Context, args: PushArgs) -> Result<(), Failure> {
    let from = source(&args.path)?;
    if let Reference::Directory(to) = &args.to {
        let remedy = format!("`artifact cp dir:PATH dir:{}` copies files", to.display());
        return Err(Failure::usage("a push goes to a registry or an OCI layout")
            .at(&args.to)
            .remedy(remedy));
    }
    let annotations: Annotations = args.annotation.into_iter().collect();
    if !annotations.is_empty() && !matches!(from, Reference::Directory(_)) {
        let failure =
            Failure::usage("the artifacts of a layout have their notes in themselves").at(&from);
        return Err(failure.remedy("leave --annotation out"));
    }
    let errand = Errand {
        annotations,
        ..args.target.into()
    };
    carry(context, &from, &args.to, errand).await
}

/// Reads what is to be pushed: a path on disk, also one with a prefix.
fn source(text: &str) -> Result<Reference, Failure> {
    if ["dir:", "oci:"]
        .iter()
        .any(|prefix| text.starts_with(prefix))
    {
        return text.parse().map_err(|error: String| Failure::usage(error));
    }
    if text.is_empty() {
        return Err(
            Failure::usage("a path to push is to be named").remedy("name a directory or a file")
        );
    }
    let path = PathBuf::from(text);
    if !path.exists() {
        let failure = Failure::new(ErrorKind::NotFound, "there is no such file or directory");
        return Err(failure
            .at(text)
            .remedy("name a path; `artifact cp` copies artifacts by name"));
    }
    Ok(if is_layout(&path) {
        Reference::layout(&path)
    } else {
        Reference::Directory(path)
    })
}

fn is_layout(path: &Path) -> bool {
    path.join(LAYOUT_MARK).is_file() && path.join("index.json").is_file()
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no note: write KEY=VALUE")),
    }
}
