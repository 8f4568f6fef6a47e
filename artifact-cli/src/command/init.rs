//! `artifact init`

use std::path::PathBuf;

use artifact::{ErrorKind, OpenOptions};
use clap::Args;
use serde::Serialize;

use crate::{context::Context, failure::Failure, find, output::Report};

/// Make a registry in a directory
///
/// The directory is made if there is none; one that is not empty is refused. It belongs to one user
/// of the machine: others go through `artifact serve`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact init                      in ./registry, where the other commands look for it
  artifact init /srv/registry
")]
pub(crate) struct InitArgs {
    /// Where; `registry` when neither it nor --registry is given
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    path: PathBuf,
    registry: String,
    notes: Vec<String>,
}

impl Report for Made {
    fn text(&self) -> String {
        format!(
            "made registry {} in {}\n",
            self.registry,
            self.path.display()
        )
    }
}

pub(crate) async fn run(context: &Context, args: InitArgs) -> Result<(), Failure> {
    let path = context
        .directory(args.dir)
        .unwrap_or_else(|| PathBuf::from(find::USUAL));
    if path.exists() && !path.is_dir() {
        let failure = Failure::new(
            ErrorKind::AlreadyExists,
            "there is a file, and no directory",
        );
        return Err(failure
            .at(path.display())
            .remedy("name an empty or a new directory"));
    }
    let registry = OpenOptions::new().create_new().open_async(&path).await?;
    let home = registry.home();
    let notes: Vec<_> = home.notes().iter().map(ToString::to_string).collect();
    if !context.output.is_json() {
        for note in &notes {
            context.output.note(note);
        }
    }
    let made = Made {
        path: home.path().to_owned(),
        registry: home.identity().registry.to_string(),
        notes,
    };
    context.output.show(&made)
}
