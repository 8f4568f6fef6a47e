//! What every command is given beside its own arguments.

use std::path::PathBuf;

use clap::Args;

use crate::output::Output;

/// The arguments of all commands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// The registry's directory; also in ARTIFACT_REGISTRY. Without it: the nearest of the current
    /// directory and those above that is a registry, or has one in `registry`
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,

    /// Print a JSON document for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Trust the certificates in this PEM file, too, when a remote registry is asked; also in
    /// ARTIFACT_CA_FILE
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(crate) ca_file: Option<PathBuf>,

    /// Send a registry's credentials also to this token service elsewhere, such as
    /// `https://auth.example`
    #[arg(long, global = true, value_name = "URL", hide_short_help = true)]
    pub(crate) trust_realm: Vec<String>,
}

/// Returns a path from the environment. One that is empty is not set: scripts cannot always unset.
fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

/// What every command is given.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) common: Common,
}

impl Context {
    pub(crate) fn new(mut common: Common) -> Self {
        let output = Output::new(common.json);
        common.registry = common.registry.or_else(|| variable("ARTIFACT_REGISTRY"));
        common.ca_file = common.ca_file.or_else(|| variable("ARTIFACT_CA_FILE"));
        Self { output, common }
    }

    /// Returns the directory of the registry that was given, also by its place among a command's
    /// own arguments.
    pub(crate) fn directory(&self, own: Option<PathBuf>) -> Option<PathBuf> {
        own.or_else(|| self.common.registry.clone())
    }
}
