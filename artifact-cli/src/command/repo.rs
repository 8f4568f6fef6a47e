//! `artifact repo`

use artifact::{AsOf, RepositoryName, RepositorySettings, Setting, StageName};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    namespace::{self, NamespaceArgs},
    stage::{self, StageArgs},
};
use crate::{
    context::Context,
    failure::{At as _, Failure},
    moment::Moment,
    open::{Opened, open, open_to_read, page},
    output::{Report, printable, table},
    size::{self, Size},
};

/// Make, change, show, list and remove repositories, and set what they share
///
/// A repository is a container of packages with settings of its own: a stage, a quota. A name such
/// as team/models/bert belongs to the longest repository above it; what fits none belongs to
/// `default`, which `init` makes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact repo add team/models --quota 500GiB
  artifact repo add team --adopt            takes in the packages below team that are there already
  artifact repo set team/models --stage release --no-quota
  artifact repo show team/models --as-of 2h
  artifact repo stage release --overwrite no --delete no
  artifact repo namespace team --quota 2TiB
")]
pub(crate) struct RepoArgs {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// Make a repository
    #[command(after_help = "\
Examples:
  artifact repo add team/models --quota 500GiB --description 'trained by us'
  artifact repo add team --adopt            takes in the packages below team that are there already
")]
    Add(AddArgs),
    /// Change the settings of a repository
    #[command(after_help = "\
Examples:
  artifact repo set team/models --quota 1TiB
  artifact repo set team/models --stage release --no-quota
")]
    Set(SetArgs),
    /// Show the settings of a repository
    #[command(after_help = "\
Examples:
  artifact repo show team/models
  artifact repo show team/models --as-of 2h
")]
    Show(ShowArgs),
    /// List the repositories
    #[command(after_help = "\
Examples:
  artifact repo ls
  artifact repo ls --as-of 41
")]
    Ls(AsOfArgs),
    Namespace(NamespaceArgs),
    Stage(StageArgs),
    /// Remove a repository that holds no package
    #[command(after_help = "\
Examples:
  artifact repo rm team/models
")]
    Rm {
        /// Which
        name: RepositoryName,
    },
}

#[derive(Args, Debug)]
struct AddArgs {
    /// Its name: a path such as team/models
    name: RepositoryName,
    #[command(flatten)]
    settings: SettingArgs,
    /// Move the packages of the default repository that lie below the name into it
    #[arg(long)]
    adopt: bool,
}

#[derive(Args, Debug)]
struct SetArgs {
    /// Which
    name: RepositoryName,
    #[command(flatten)]
    settings: SettingArgs,
    /// Take the stage of the namespace above
    #[arg(long, conflicts_with = "stage")]
    no_stage: bool,
    /// Let it grow without bound
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
}

#[derive(Args, Debug)]
struct SettingArgs {
    /// The set of settings that it shares with others of its stage
    #[arg(long)]
    stage: Option<StageName>,
    /// How many bytes its packages may have, such as 500GiB
    #[arg(long, value_name = "SIZE")]
    quota: Option<Size>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Which
    name: RepositoryName,
    #[command(flatten)]
    as_of: AsOfArgs,
}

#[derive(Args, Clone, Copy, Debug)]
struct AsOfArgs {
    /// As it was: a revision, a time, or how long ago
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<Moment>,
}

impl SettingArgs {
    const fn is_empty(&self) -> bool {
        self.stage.is_none() && self.quota.is_none() && self.description.is_none()
    }

    fn apply(self, settings: &mut RepositorySettings) {
        if self.stage.is_some() {
            settings.stage = self.stage;
        }
        if let Some(Size(bytes)) = self.quota {
            settings.quota = Some(bytes);
        }
        if let Some(text) = self.description {
            settings.description = Some(text).filter(|text| !text.is_empty());
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryDocument {
    name: String,
    generation: u64,
    kind: artifact::Kind,
    format: artifact::Format,
    stage: Option<String>,
    quota: Option<u64>,
    description: Option<String>,
}

impl RepositoryDocument {
    fn new(name: &RepositoryName, setting: &Setting<RepositorySettings>) -> Self {
        let settings = &setting.value;
        Self {
            name: name.to_string(),
            generation: setting.generation.get(),
            kind: settings.kind,
            format: settings.format,
            stage: settings.stage.as_ref().map(ToString::to_string),
            quota: settings.quota,
            description: settings.description.clone(),
        }
    }

    fn quota(&self) -> String {
        self.quota
            .map_or_else(|| "no quota".to_owned(), size::bytes)
    }

    fn stage(&self) -> String {
        self.stage.clone().unwrap_or_else(|| "-".to_owned())
    }

    fn description(&self) -> String {
        self.description
            .as_deref()
            .map(printable)
            .unwrap_or_default()
    }
}

impl Report for RepositoryDocument {
    fn text(&self) -> String {
        let rows = [
            ["name", &self.name],
            ["kind", "hosted"],
            ["format", "oci"],
            ["stage", &self.stage()],
            ["quota", &self.quota()],
            ["description", &self.description()],
            ["generation", &self.generation.to_string()],
        ];
        table(&rows.map(|row| row.map(str::to_owned)))
    }
}

#[derive(Serialize)]
struct Repositories {
    repositories: Vec<RepositoryDocument>,
}

impl Report for Repositories {
    fn text(&self) -> String {
        let row = |repository: &RepositoryDocument| {
            [
                repository.name.clone(),
                repository.stage(),
                repository.quota(),
                repository.description(),
            ]
        };
        table(&self.repositories.iter().map(row).collect::<Vec<_>>())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    repository: String,
    revision: u64,
    #[serde(skip)]
    verb: &'static str,
}

impl Report for Changed {
    fn text(&self) -> String {
        format!("{} repository {}\n", self.verb, self.repository)
    }
}

pub(crate) async fn run(context: &Context, args: RepoArgs) -> Result<(), Failure> {
    match args.command {
        RepoCommand::Add(args) => add(context, args).await,
        RepoCommand::Set(args) => set(context, args).await,
        RepoCommand::Show(args) => {
            let opened = open_to_read(context).await?;
            let at = opened.at(args.as_of.as_of).await?;
            let setting = opened
                .session
                .repository(at, &args.name)
                .await
                .at(&args.name)?;
            context
                .output
                .show(&RepositoryDocument::new(&args.name, &setting))
        }
        RepoCommand::Ls(args) => {
            let opened = open_to_read(context).await?;
            let at = opened.at(args.as_of).await?;
            let repositories = list(&opened, at).await?;
            context.output.show(&Repositories { repositories })
        }
        RepoCommand::Namespace(args) => namespace::run(context, args).await,
        RepoCommand::Stage(args) => stage::run(context, args).await,
        RepoCommand::Rm { name } => {
            let opened = open(context, None).await?;
            let removed = opened.session.remove_repository(&name).await.at(&name)?;
            changed(context, &name, removed.revision.get(), "removed")
        }
    }
}

async fn add(context: &Context, args: AddArgs) -> Result<(), Failure> {
    let opened = open(context, None).await?;
    let mut settings = RepositorySettings::default();
    args.settings.apply(&mut settings);
    let made = opened
        .session
        .create_repository(&args.name, &settings, args.adopt)
        .await;
    let made = made.map_err(|error| match error {
        artifact::Error::Blocked { .. } => Failure::from(error).remedy(format!(
            "`artifact repo set {0}` changes one that is there, `artifact repo add {0} --adopt` takes in what lies below",
            args.name
        )),
        error => error.into(),
    });
    let revision = made.at(&args.name)?.revision.get();
    changed(context, &args.name, revision, "made")
}

async fn set(context: &Context, args: SetArgs) -> Result<(), Failure> {
    let asks_nothing = args.settings.is_empty() && !args.no_stage && !args.no_quota;
    let opened = open(context, None).await?;
    let current = opened
        .session
        .repository(AsOf::Now, &args.name)
        .await
        .at(&args.name)?;
    let mut settings = current.value.clone();
    args.settings.apply(&mut settings);
    if args.no_stage {
        settings.stage = None;
    }
    if args.no_quota {
        settings.quota = None;
    }
    if asks_nothing {
        return Err(Failure::usage("nothing is to be changed")
            .at(&args.name)
            .remedy("add --stage, --quota or --description"));
    }
    // Who was cut off and asks again has what was asked for (I13).
    if settings == current.value {
        let revision = opened.session.revision().await?.revision.get();
        return changed(context, &args.name, revision, "nothing had to change in");
    }
    let generation = Some(current.generation);
    let set = opened
        .session
        .set_repository(&args.name, &settings, generation)
        .await;
    changed(
        context,
        &args.name,
        set.at(&args.name)?.revision.get(),
        "changed",
    )
}

async fn list(opened: &Opened, at: AsOf) -> Result<Vec<RepositoryDocument>, Failure> {
    let mut repositories = Vec::new();
    let mut after = None;
    loop {
        let found = opened.session.repositories(at, page(after)).await?;
        let Some((last, _)) = found.last() else {
            return Ok(repositories);
        };
        after = Some(last.to_string());
        repositories.extend(
            found
                .iter()
                .map(|(name, setting)| RepositoryDocument::new(name, setting)),
        );
    }
}

fn changed(
    context: &Context,
    name: &RepositoryName,
    revision: u64,
    verb: &'static str,
) -> Result<(), Failure> {
    context.output.show(&Changed {
        repository: name.to_string(),
        revision,
        verb,
    })
}
