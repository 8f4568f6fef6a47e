//! The command line: what there is, and which command runs.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    command::{
        completions, cp, doctor, du, fsck, gc, history, init, inspect, ls, mode, pull, push, repo,
        rm, serve, snapshot, tag, undelete, untag, user,
    },
    context::{Common, Context},
    exit,
    failure::Failure,
    reference::GRAMMAR,
};

/// The embeddable artifact repository: images, packages, models and files, content-addressed, named,
/// with history, in a directory
#[derive(Debug, Parser)]
#[command(
    name = "artifact",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Begin with:
  artifact init
  artifact push ./build team/build:1
  artifact ls team/build
  artifact serve --anonymous read

`artifact help COMMAND` shows examples of each; `artifact --help` the references and exit codes.",
    after_long_help = format!("\
Begin with:
  artifact init                             a registry in ./registry
  artifact push ./build team/build:1        a directory of files
  artifact pull team/build:1 ./copy
  artifact serve --anonymous read           docker, skopeo and oras can use it now
  artifact history                          what was changed; --as-of reads any of it

{GRAMMAR}
The registry is the directory of --registry or ARTIFACT_REGISTRY; else the nearest of the current
directory and those above it that is a registry, or has one in `registry`, and is your own.

Credentials for remote registries are those of docker and podman, or ARTIFACT_HOST, ARTIFACT_USERNAME and
ARTIFACT_PASSWORD.

{}", exit::help())
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Serve(serve::ServeArgs),
    Push(push::PushArgs),
    Pull(pull::PullArgs),
    Cp(cp::CpArgs),
    Ls(ls::LsArgs),
    Inspect(inspect::InspectArgs),
    Tag(tag::TagArgs),
    Untag(untag::UntagArgs),
    Rm(rm::RmArgs),
    Undelete(undelete::UndeleteArgs),
    History(history::HistoryArgs),
    Repo(repo::RepoArgs),
    User(user::UserArgs),
    Mode(mode::ModeArgs),
    Du(du::DuArgs),
    Gc(gc::GcArgs),
    Fsck(fsck::FsckArgs),
    Snapshot(snapshot::SnapshotArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let context = &Context::new(self.common);
        match self.command {
            Command::Init(args) => init::run(context, args).await,
            Command::Serve(args) => serve::run(context, args).await,
            Command::Push(args) => push::run(context, args).await,
            Command::Pull(args) => pull::run(context, args).await,
            Command::Cp(args) => cp::run(context, args).await,
            Command::Ls(args) => ls::run(context, args).await,
            Command::Inspect(args) => inspect::run(context, args).await,
            Command::Tag(args) => tag::run(context, args).await,
            Command::Untag(args) => untag::run(context, args).await,
            Command::Rm(args) => rm::run(context, args).await,
            Command::Undelete(args) => undelete::run(context, args).await,
            Command::History(args) => history::run(context, args).await,
            Command::Repo(args) => repo::run(context, args).await,
            Command::User(args) => user::run(context, args).await,
            Command::Mode(args) => mode::run(context, args).await,
            Command::Du(args) => du::run(context, args).await,
            Command::Gc(args) => gc::run(context, args).await,
            Command::Fsck(args) => fsck::run(context, args).await,
            Command::Snapshot(args) => snapshot::run(context, args).await,
            Command::Doctor(args) => doctor::run(context, args).await,
            Command::Completions(args) => completions::run(&args, Self::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_has_no_contradiction() {
        Cli::command().debug_assert();
    }

    /// A password among the arguments could be read by other users of the machine.
    #[test]
    fn no_argument_takes_a_password() {
        let program = Cli::command();
        let mut commands = vec![&program];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands());
            for argument in command.get_arguments() {
                let takes = argument.get_action().takes_values();
                let name = argument.get_id().as_str();
                assert!(
                    !takes || !name.contains("password"),
                    "{} {name}",
                    command.get_name()
                );
            }
        }
    }

    #[test]
    fn every_command_teaches() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} says what it does");
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let has_examples = help.contains("Examples:\n  artifact ");
            assert!(has_examples, "{name} has examples");
        }
    }
}
