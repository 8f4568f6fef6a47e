//! `artifact ls`

use artifact::{AsOf, ErrorKind, OciName, RepositoryName, layout::OciLayout};
use clap::Args;

use crate::{
    catalog::{Manifests, Names, Packages, Tags},
    content,
    context::Context,
    desk::{Desk, only_here, spawn},
    failure::{At as _, Failure},
    moment::Moment,
    open::Opened,
    reference::{GRAMMAR, Reference, Shelf, Version},
};

/// List packages, the tags of one, or what is in an artifact
#[derive(Args, Debug)]
#[command(after_help = format!("\
Examples:
  artifact ls                              the packages
  artifact ls team                         the packages below team
  artifact ls team/app                     the tags of a package
  artifact ls team/app --manifests         its artifacts, also those that no tag points at
  artifact ls team/build:42                the files of a directory, the layers of an image
  artifact ls team/app --as-of 2h          the tags as they were two hours ago
  artifact ls oci://registry.example       the packages of a remote registry
  artifact ls oci:./image                  what an OCI layout holds

{GRAMMAR}"))]
pub(crate) struct LsArgs {
    /// What to look into; the registry without it
    shelf: Option<Shelf>,
    /// List the artifacts of a package by their digests, also those without a tag
    #[arg(long)]
    manifests: bool,
    /// As it was: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
}

pub(crate) async fn run(context: &Context, args: LsArgs) -> Result<(), Failure> {
    check(&args)?;
    let mut desk = Desk::new(context, true);
    let reference = match args.shelf {
        None => {
            let opened = desk.registry().await?;
            let at = opened.at(args.as_of).await?;
            return context.output.show(&Packages::below(opened, at, "").await?);
        }
        Some(Shelf::Host(origin)) => {
            let names = Names::of(desk.client()?, &origin).await?;
            return context.output.show(&names);
        }
        Some(Shelf::Of(reference)) => reference,
    };
    if reference
        .version()
        .is_some_and(|version| !Version::is_open(version))
    {
        let source = desk.source(&reference, args.as_of).await?;
        return context.output.show(&content::of(&source).await?);
    }
    match &reference {
        Reference::Package(name, _) => {
            let opened = desk.registry().await?;
            let at = opened.at(args.as_of).await?;
            package(context, opened, at, name, args.manifests).await
        }
        Reference::Remote(origin, name, _) => {
            let tags = Tags::of_remote(&desk.remote(origin, name)?)
                .await
                .at(&reference)?;
            context.output.show(&tags)
        }
        Reference::Layout(path, _) => {
            let layout = OciLayout::open(spawn()?, path).await.at(&reference)?;
            context
                .output
                .show(&Tags::of_layout(&layout).await.at(&reference)?)
        }
        Reference::Directory(_) => {
            let failure = Failure::usage("`artifact ls` lists artifacts").at(&reference);
            Err(failure.remedy("`ls` of the system lists files"))
        }
    }
}

/// Refuses what would be passed over in silence.
fn check(args: &LsArgs) -> Result<(), Failure> {
    if let (Some(Shelf::Host(origin)), Some(_)) = (&args.shelf, args.as_of) {
        let failure = Failure::usage("only the registry here can be read as it was").at(origin);
        return Err(failure.remedy("leave --as-of out"));
    }
    if let Some(Shelf::Of(reference)) = &args.shelf {
        only_here(reference, args.as_of)?;
    }
    let is_package = matches!(
        &args.shelf,
        Some(Shelf::Of(Reference::Package(_, version))) if version.is_open()
    );
    if args.manifests && !is_package {
        let failure =
            Failure::usage("--manifests lists the artifacts of a package of the registry");
        return Err(failure.remedy("write `artifact ls NAME --manifests`"));
    }
    Ok(())
}

/// Lists what a name stands for: a package, else the packages below it.
async fn package(
    context: &Context,
    opened: &Opened,
    at: AsOf,
    name: &OciName,
    manifests: bool,
) -> Result<(), Failure> {
    if manifests {
        return context.output.show(&Manifests::of(opened, at, name).await?);
    }
    match Tags::of_package(opened, at, name).await {
        Ok(tags) => context.output.show(&tags),
        Err(missing) if missing.is_absence() => {
            let below = Packages::below(opened, at, &format!("{name}/")).await?;
            if below.is_empty() && !is_repository(opened, at, name).await? {
                return Err(missing);
            }
            context.output.show(&below)
        }
        Err(failure) => Err(failure),
    }
}

/// Says whether a repository has the name: one that is empty has no packages, and is there.
async fn is_repository(opened: &Opened, at: AsOf, name: &OciName) -> Result<bool, Failure> {
    let Ok(name) = name.as_str().parse::<RepositoryName>() else {
        return Ok(false);
    };
    match opened.session.repository(at, &name).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::from(error).at(name)),
    }
}
