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
            Command::Completions(args) => completions::run(context, &args, Self::command()),
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

    /// Returns the commands with their own commands, each with its name written out.
    fn all() -> Vec<(String, clap::Command)> {
        let mut all = Vec::new();
        let mut left = vec![(String::new(), Cli::command())];
        while let Some((name, command)) = left.pop() {
            for own in command.get_subcommands() {
                let name = format!("{name} {}", own.get_name());
                left.push((name.clone(), own.clone()));
                all.push((name, own.clone()));
            }
        }
        all
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let lines = help.lines().filter_map(|line| {
            let line = line.strip_prefix("  ")?;
            let line = line.rsplit("| artifact").next().unwrap_or(line);
            let line = line.strip_prefix("artifact").unwrap_or(line);
            // What is said of an example stands after a gap, and a pipe or a file takes its output.
            let ends = ["  ", " | ", " > "];
            let line = ends
                .iter()
                .fold(line, |line, end| line.split(end).next().unwrap_or(line));
            line.starts_with(' ').then(|| line.to_owned())
        });
        lines.collect()
    }

    #[test]
    fn every_command_teaches() {
        for (name, command) in all() {
            assert!(command.get_about().is_some(), "{name} says what it does");
            assert!(!examples(&command).is_empty(), "{name} has examples");
        }
    }

    /// What is shown as an example is a command that can be given.
    #[test]
    fn every_example_is_a_command() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (name, command) in all() {
            for example in examples(&command) {
                let example = example.replace("sha256:0a1b..", &digest);
                let quoted = example.split('\'').enumerate();
                let words = quoted.flat_map(|(place, part)| {
                    if place % 2 == 1 {
                        vec![part.to_owned()]
                    } else {
                        part.split_whitespace().map(str::to_owned).collect()
                    }
                });
                let words = std::iter::once("artifact".to_owned()).chain(words);
                let parsed = Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{name}: {example}: {:?}", parsed.err());
            }
        }
    }
}
