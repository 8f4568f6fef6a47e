//! The log of a server, on standard error.

use std::io;

use artifact::ErrorKind;
use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt};

use crate::failure::Failure;

/// Says how much is logged.
const VARIABLE: &str = "ARTIFACT_LOG";

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    #[default]
    Text,
    /// A JSON document a line
    Json,
}

/// Begins to log what the server does.
pub(crate) fn begin(format: Format) -> Result<(), Failure> {
    let wanted = std::env::var(VARIABLE).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::new(ErrorKind::InvalidArgument, error.to_string())
            .at(format!("{VARIABLE}={wanted}"))
            .remedy("write error, warn, info, debug or trace")
    })?;
    let log = fmt().with_env_filter(filter).with_writer(io::stderr);
    let begun = match format {
        Format::Text => log
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .try_init(),
        Format::Json => log.json().try_init(),
    };
    begun.map_err(|error| Failure::of(ErrorKind::Unknown, &*error).at("the log"))
}
