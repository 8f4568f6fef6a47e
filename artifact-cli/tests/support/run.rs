//! A run of the program, and what came of it.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// What a run of the program left: its exit code and what it printed.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "the command line is there to be shown by a test that fails"
)]
pub(crate) struct Run {
    pub(crate) shown: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Runs a command with nothing on its standard input.
    pub(crate) fn of(command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self::new(shown, output)
    }

    /// Runs a command that reads `input`.
    pub(crate) fn fed(command: &mut Command, input: &[u8]) -> Self {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who refuses before it reads closes the pipe: that is no failure of the test.
        let _written = child.stdin.take().unwrap().write_all(input);
        Self::new(shown, child.wait_with_output().unwrap())
    }

    fn new(shown: String, output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            shown,
        }
    }

    /// Returns what was printed by a run that must have been a success.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        assert!(!self.err.contains("error"), "{self:#?}");
        self.out
    }

    /// Returns the document of a run with `--json` that must have been a success.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        assert_eq!(self.code, 0, "{self:#?}");
        self.document()
    }

    /// Returns the document, whatever the exit code.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Returns the document of the error that the run must have ended with.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        assert_ne!(self.code, 0, "{self:#?}");
        // A note may stand before it.
        let begin = self.err.find('{').unwrap_or_else(|| panic!("{self:#?}"));
        let document: Value = serde_json::from_str(&self.err[begin..])
            .unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        document["error"].clone()
    }
}

/// Returns the names of a document's fields, sorted.
#[track_caller]
pub(crate) fn fields(document: &Value) -> Vec<&str> {
    let map = document
        .as_object()
        .unwrap_or_else(|| panic!("no object: {document}"));
    let mut names: Vec<_> = map.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Returns the texts at `field` of each item.
#[track_caller]
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter()
        .map(|item| item[field].as_str().unwrap_or_else(|| panic!("{item}")))
        .collect()
}
