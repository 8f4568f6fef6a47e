//! The program `artifact`: arguments in, one or two calls of the library, text or JSON out.
#![forbid(unsafe_code)]
#![expect(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "text for people is built by appending; it is short, and nobody waits for it"
)]
#![expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the fields of a command's arguments are named as its flags are"
)]
#![expect(
    clippy::doc_markdown,
    reason = "documentation of arguments is help text, which a terminal shows as it is"
)]

mod catalog;
mod checkup;
mod cli;
mod command;
mod condition;
mod content;
mod context;
mod courier;
mod deletion;
mod desk;
#[cfg(unix)]
mod echo;
#[cfg(not(unix))]
#[path = "echo_portable.rs"]
mod echo;
mod exit;
mod failure;
mod feed;
mod find;
mod log;
mod moment;
mod names;
mod open;
mod output;
mod password;
mod progress;
mod reference;
mod remote;
mod scratch;
mod signal;
mod size;
mod token_key;

use std::{ffi::OsString, process::ExitCode};

use artifact::ErrorKind;
use clap::Parser as _;

use crate::{cli::Cli, failure::Failure, output::Output};

/// How many threads do what blocks. Each that was ever needed keeps its stack and its share of the
/// heap, and work that waits in a queue costs nothing; no such work waits for other such work.
const BLOCKING_THREADS: usize = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(cli.common.json);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Answers arguments that no command can be made of, and those that ask for help.
fn refuse(error: &clap::Error) -> ExitCode {
    let asked = |argument: &OsString| argument.to_str() == Some("--json");
    let written = |argument: &OsString| argument.to_str() != Some("--");
    let is_json = std::env::args_os()
        .skip(1)
        .take_while(written)
        .any(|argument| asked(&argument));
    if !error.use_stderr() || !is_json {
        error.exit();
    }
    let text = error.to_string();
    let failure = Failure::refused(&text);
    Output::new(true).fail(&failure);
    ExitCode::from(failure.code())
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build();
    let runtime = runtime
        .map_err(|error| Failure::of(ErrorKind::Io, &error).at("the threads of this process"))?;
    runtime.block_on(cli.run())
}
