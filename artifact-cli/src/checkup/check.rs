//! One thing that was looked at, and what came of it.

use std::error::Error as StdError;

use serde::Serialize;

/// What came of a check.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It is as it should be.
    Good,
    /// It could not be looked at, for what it stands on failed.
    Skipped,
    /// It works, and should be known or mended.
    Warning,
    /// It does not work.
    Failed,
}

impl Outcome {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Skipped => "skip",
            Self::Warning => "warn",
            Self::Failed => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    pub(crate) subject: &'static str,
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) finding: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// The checks of one patient, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Checks {
    subject: &'static str,
    pub(crate) all: Vec<Check>,
}

impl Checks {
    pub(crate) const fn of(subject: &'static str) -> Self {
        Self {
            subject,
            all: Vec::new(),
        }
    }

    pub(crate) fn good(&mut self, name: &'static str, finding: impl Into<String>) {
        self.add(name, Outcome::Good, finding.into(), None);
    }

    pub(crate) fn skipped(&mut self, name: &'static str, why: impl Into<String>) {
        self.add(name, Outcome::Skipped, why.into(), None);
    }

    pub(crate) fn warning(&mut self, name: &'static str, finding: impl Into<String>, remedy: &str) {
        self.add(name, Outcome::Warning, finding.into(), Some(remedy));
    }

    pub(crate) fn failed(&mut self, name: &'static str, finding: impl Into<String>, remedy: &str) {
        self.add(name, Outcome::Failed, finding.into(), Some(remedy));
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, finding: String, remedy: Option<&str>) {
        let remedy = remedy
            .filter(|remedy| !remedy.is_empty())
            .map(str::to_owned);
        self.all.push(Check {
            subject: self.subject,
            name,
            outcome,
            finding,
            remedy,
        });
    }
}

/// Returns an error with all its causes in one line.
pub(crate) fn story(error: &(dyn StdError + 'static)) -> String {
    let mut story = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !story.ends_with(&cause_text) {
            story.push_str(": ");
            story.push_str(&cause_text);
        }
        next = cause.source();
    }
    story
}
