//! `artifact completions`

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::{failure::Failure, output::print};

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

pub(crate) fn run(args: &CompletionsArgs, mut program: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut program, "artifact", &mut script);
    print(&script)
}
