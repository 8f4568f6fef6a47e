//! How a command fails: what, where, why, and what to do.

use std::error::Error as StdError;

use artifact::ErrorKind;
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
        }
    }

    /// Returns the failure of a command that cannot be meant.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, what)
    }

    /// Returns the failure of an error with all its causes.
    pub(crate) fn of(kind: ErrorKind, error: &(dyn StdError + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
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

    /// Says whether something is not there, or not to be seen.
    pub(crate) fn is_absence(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    fn verdict(&self) -> Verdict {
        exit::of(self.kind)
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        self.verdict().exit.code()
    }

    fn what_to_do(&self) -> Option<&str> {
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

impl From<artifact::Error> for Failure {
    fn from(error: artifact::Error) -> Self {
        Self::of(error.kind(), &error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::of(error.kind(), &error)
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
}
