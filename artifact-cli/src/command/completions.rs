//! `artifact completions`

use clap::{Args, Command};
use clap_complete::{Shell, generate};
use serde::Serialize;

use crate::{context::Context, failure::Failure, output::Report};

/// Print what makes a shell complete this program's arguments
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact completions bash > ~/.local/share/bash-completion/completions/artifact
  artifact completions zsh > ~/.zfunc/_artifact
  artifact completions fish > ~/.config/fish/completions/artifact.fish
")]
pub(crate) struct CompletionsArgs {
    /// For which shell
    shell: Shell,
}

#[derive(Serialize)]
struct Script {
    shell: String,
    script: String,
}

impl Report for Script {
    fn text(&self) -> String {
        self.script.clone()
    }
}

pub(crate) fn run(
    context: &Context,
    args: &CompletionsArgs,
    mut program: Command,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut program, "artifact", &mut script);
    context.output.show(&Script {
        shell: args.shell.to_string(),
        script: String::from_utf8_lossy(&script).into_owned(),
    })
}
