//! `artifact pull`

use std::path::{Path, PathBuf};

use clap::Args;

use crate::{
    context::Context,
    courier::{Errand, carry},
    failure::Failure,
    moment::Moment,
    reference::Reference,
};

/// Pull an artifact into a directory of files, or into an OCI layout
///
/// A directory appears whole or not at all; what a killed pull left goes with the next one to the same
/// path. It is not synced: after a power loss shortly afterwards, remove it and pull again. Where the file system can, files share their blocks with
/// the registry; --link makes them hard links, which are read-only.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact pull team/build:42                  into ./build
  artifact pull team/build:42 ./out --link
  artifact pull team/build ./out --as-of 2026-11-21T13:00:00Z
  artifact pull oci://registry.example/team/build:42 ./out
  artifact pull team/app:v1 oci:./image        an image goes into an OCI layout
")]
pub(crate) struct PullArgs {
    /// The artifact
    from: Reference,
    /// Where to: a path, or oci:PATH[:TAG]; the last part of the name when it is left out
    to: Option<String>,
    /// Hard-link files where that is possible: they are read-only then
    #[arg(long)]
    link: bool,
    /// What was there at this moment: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
    /// How many contents are moved at a time
    #[arg(long, value_name = "NUMBER", hide_short_help = true)]
    jobs: Option<usize>,
}

pub(crate) async fn run(context: &Context, args: PullArgs) -> Result<(), Failure> {
    let to = match &args.to {
        Some(text) => target(text)?,
        None => usual(&args.from)?,
    };
    let errand = Errand {
        moment: args.as_of,
        link: args.link,
        jobs: args.jobs,
        ..Errand::default()
    };
    carry(context, &args.from, &to, errand).await
}

fn target(text: &str) -> Result<Reference, Failure> {
    if text.starts_with("oci:") || text.starts_with("oci+") || text.starts_with("dir:") {
        let parsed = text.parse::<Reference>().map_err(Failure::usage)?;
        if matches!(parsed, Reference::Remote(..)) {
            let failure = Failure::usage("a pull goes to a local path").at(&parsed);
            return Err(failure.remedy("`artifact cp FROM TO` copies between registries"));
        }
        return Ok(parsed);
    }
    if text.is_empty() {
        return Err(Failure::usage("a path to pull to is to be named").remedy(FORM));
    }
    Ok(Reference::Directory(PathBuf::from(text)))
}

const FORM: &str = "write `artifact pull FROM PATH`";

/// Returns the directory that has the last part of the name.
fn usual(from: &Reference) -> Result<Reference, Failure> {
    let name = match from {
        Reference::Package(name, _) | Reference::Remote(_, name, _) => name.as_str(),
        Reference::Directory(_) | Reference::Layout(..) => {
            let failure = Failure::usage("a path to pull to is to be named").at(from);
            return Err(failure.remedy(FORM));
        }
    };
    let last = name.rsplit('/').next().unwrap_or(name);
    Ok(Reference::Directory(Path::new(".").join(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Version;

    #[test]
    fn a_path_needs_no_prefix() {
        assert_eq!(target("a:b").unwrap(), Reference::Directory("a:b".into()));
        assert_eq!(
            target("oci:a").unwrap(),
            Reference::Layout("a".into(), Version::default())
        );
        assert!(target("oci://h/a").is_err());
        let from = "team/app:v1".parse().unwrap();
        assert_eq!(usual(&from).unwrap(), Reference::Directory("./app".into()));
        assert!(usual(&"oci:x".parse().unwrap()).is_err());
    }
}
