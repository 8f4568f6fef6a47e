//! How a command fails: what, where, why, and what to do.

use std::{error::Error as StdError, io};

use artifact::{Digest, Error, ErrorKind, IndexError, What};
use artifact_proto::client::ClientError;
use serde::Serialize;

use crate::exit::{self, Verdict};

/// What went wrong, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    what: String,
    place: Option<String>,
    remedy: Remedy,
    causes: Vec<String>,
    /// The number of the signal that asked the program to end.
    signal: Option<u8>,
}

/// What to do about a failure.
#[derive(Debug)]
enum Remedy {
    /// The message says it.
    InMessage,
    /// This.
    Own(String),
    /// What is said of all failures of the kind.
    Usual,
}

/// How a failure looks in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureDocument<'a> {
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    causes: &'a [String],
    exit_code: u8,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            place: None,
            remedy: Remedy::Usual,
            causes: Vec::new(),
            signal: None,
        }
    }

    /// Returns the failure of a command that a signal ended.
    pub(crate) fn interrupted(signal: u8) -> Self {
        Self {
            signal: Some(signal),
            ..Self::new(ErrorKind::Cancelled, "it was asked to end, and is not done")
        }
    }

    /// Returns the failure of a command that cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, what)
    }

    /// Returns the failure of arguments that the parser refused, in its words: the first lines say
    /// what is wrong, and those after them what would be right.
    pub(crate) fn refused(text: &str) -> Self {
        let text = text.strip_prefix("error: ").unwrap_or(text);
        let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join(" ")
        };
        Self::usage(lines(what)).remedy(lines(rest))
    }

    /// Returns the failure of an error with all its causes.
    pub(crate) fn of(kind: ErrorKind, error: &(dyn StdError + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut remedy = Remedy::Usual;
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            let system = cause.downcast_ref::<io::Error>().map(io::Error::kind);
            if let Some(own) = system.and_then(system_remedy) {
                remedy = Remedy::Own(own.to_owned());
            }
            next = cause.source();
        }
        Self {
            remedy,
            causes,
            ..Self::new(kind, error.to_string())
        }
    }

    /// Says where it went wrong, unless somebody nearer said so already.
    pub(crate) fn at(mut self, place: impl std::fmt::Display) -> Self {
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    /// Says what to do, in place of what is said of all failures of the kind.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Remedy::Own(remedy.into());
        self
    }

    /// Says no more than the message, which tells what to do.
    pub(crate) fn without_remedy(mut self) -> Self {
        self.remedy = Remedy::InMessage;
        self
    }

    /// Says what went wrong, in place of what was said of it.
    pub(crate) fn says(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// Says why.
    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Says whether what is there stands against it.
    pub(crate) fn is_conflict(&self) -> bool {
        self.kind == ErrorKind::Conflict
    }

    /// Says whether something is not there, or not to be seen.
    pub(crate) fn is_absence(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    fn verdict(&self) -> Verdict {
        exit::of(self.kind)
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        match self.signal {
            // As shells have it.
            Some(signal) => 128 + signal,
            None => self.verdict().exit.code(),
        }
    }

    /// Returns what to do about it, where the message does not say that.
    pub(crate) fn what_to_do(&self) -> Option<&str> {
        match &self.remedy {
            Remedy::InMessage => None,
            Remedy::Own(remedy) => Some(remedy),
            Remedy::Usual => self.verdict().remedy,
        }
    }

    /// Returns the lines that tell it to a person.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        if let Some(place) = &self.place {
            text.push_str(&format!("  at: {place}\n"));
        }
        for cause in &self.causes {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if let Some(remedy) = self.what_to_do() {
            text.push_str(&format!("  try: {remedy}\n"));
        }
        text
    }

    /// Returns what tells it to a program.
    pub(crate) fn document(&self) -> FailureDocument<'_> {
        FailureDocument {
            kind: self.verdict().name,
            message: &self.what,
            place: self.place.as_deref(),
            remedy: self.what_to_do(),
            causes: &self.causes,
            exit_code: self.code(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::of(error.kind(), &error);
        match &error {
            Error::Blocked { .. } => failure.without_remedy(),
            // Who may open the directory has every role: what refuses is the stage.
            Error::Denied { .. } => failure.remedy(
                "`artifact repo show NAME` tells the stage of a repository, `artifact repo stage` what it forbids",
            ),
            Error::Index(future @ IndexError::FutureRevision { .. }) => {
                Self::of(error.kind(), future)
                    .remedy("`artifact history` shows the revisions that there are")
            }
            Error::NotFound { what, name } => missing(failure, *what, name),
            _ => failure,
        }
    }
}

/// What to do where the operating system refuses, whom no role and no mode of the registry concerns.
const fn system_remedy(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::PermissionDenied => Some(
            "`ls -ld` shows whose it is: work as that user, or have the mode changed; a registry's \
             directory is one user's, and others go through `artifact serve`",
        ),
        io::ErrorKind::ReadOnlyFilesystem => Some(
            "the file system is mounted to be read alone: mount it to be written, or name a place elsewhere",
        ),
        _ => None,
    }
}

/// Says in the words of the command line what is not there, and what lists those that are.
fn missing(failure: Failure, what: What, name: &str) -> Failure {
    let is_digest = name.parse::<Digest>().is_ok();
    match what {
        What::Manifest | What::Tag if !is_digest => failure
            .says(format!("there is no tag {name}"))
            .remedy("`artifact ls NAME` lists the tags of a package"),
        What::Manifest => failure
            .says(format!("there is no artifact {name}"))
            .remedy("`artifact ls NAME --manifests` lists the artifacts of a package"),
        What::Package => failure.remedy("`artifact ls` lists the packages"),
        What::Repository => failure.remedy("`artifact repo ls` lists the repositories"),
        _ => failure,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Self::of(error.kind(), &error);
        match error {
            ClientError::Credentials { .. } => {
                failure.remedy("mend the file, or log in again: `docker login HOST`")
            }
            ClientError::NotFound { .. } => failure.remedy(
                "`artifact ls oci://HOST` lists packages, `artifact ls oci://HOST/NAME` their tags",
            ),
            _ => failure,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::of(ErrorKind::Io, &error)
    }
}

/// Says where a call failed.
pub(crate) trait At<T> {
    fn at(self, place: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> At<T> for Result<T, E> {
    fn at(self, place: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| error.into().at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_where_why_and_what_to_do() {
        let io = std::io::Error::other("the disk is on fire");
        let source = artifact::StoreError::Backend {
            backend: "fs",
            operation: "read",
            source: io.into(),
        };
        let failure = Failure::from(artifact::Error::Store(source)).at("team/app:1");
        let failure = failure.at("somewhere farther away");
        assert_eq!(
            failure.text(),
            "error: the blob store failed\n  at: team/app:1\n  because: fs: read failed\n  \
             because: the disk is on fire\n  try: `artifact doctor` looks at the directory and the machine\n"
        );
        assert_eq!(failure.code(), 1);
        let failure = failure.remedy("water");
        assert!(failure.text().ends_with("  try: water\n"));
    }

    #[test]
    fn a_program_reads_the_same() {
        let error = artifact::Error::not_found(artifact::What::Tag, "v1");
        let failure = Failure::from(error).at("a:v1");
        let document = serde_json::to_value(failure.document()).unwrap();
        assert_eq!(document["kind"], "not-found");
        assert_eq!(document["place"], "a:v1");
        assert_eq!(document["exitCode"], 3);
        assert_eq!(document["causes"], serde_json::json!([]));
    }

    /// Roles are the registry's, and permissions the system's: who lacks these is not helped by those.
    #[test]
    fn what_the_system_refuses_is_not_laid_on_roles_or_modes() {
        use std::io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
        for (kind, told) in [
            (PermissionDenied, Some("whose it is")),
            (ReadOnlyFilesystem, Some("mounted")),
            (NotFound, None),
        ] {
            let source = artifact::StoreError::Backend {
                backend: "fs",
                operation: "read",
                source: std::io::Error::from(kind).into(),
            };
            let text = Failure::of(ErrorKind::Denied, &source).text();
            match told {
                Some(told) => assert!(text.contains(told) && !text.contains("role"), "{text}"),
                None => assert!(text.contains("artifact user set"), "{text}"),
            }
        }
    }
}
