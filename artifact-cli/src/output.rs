//! What the program prints: results on standard output, all else on standard error; for people, or
//! with `--json` for programs.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use artifact::ErrorKind;
use serde::Serialize;

use crate::failure::Failure;

/// A result that can be shown: its document is what `--json` prints.
pub(crate) trait Report: Serialize {
    /// Returns the lines for people, each with its end.
    fn text(&self) -> String;
}

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Shows the result of a command.
    pub(crate) fn show(self, report: &impl Report) -> Result<(), Failure> {
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(report).map_err(|error| {
                Failure::of(ErrorKind::Unknown, &error).at("the document of the result")
            })?;
            text.push('\n');
            text
        } else {
            report.text()
        };
        print(text.as_bytes())?;
        Ok(())
    }

    /// Shows one of many results: with `--json` each is a document on a line of its own. Says whether
    /// somebody reads on.
    pub(crate) fn show_line(self, report: &impl Report) -> Result<bool, Failure> {
        if !self.json {
            return print(report.text().as_bytes());
        }
        let mut line = serde_json::to_string(report).map_err(|error| {
            Failure::of(ErrorKind::Unknown, &error).at("the document of the result")
        })?;
        line.push('\n');
        print(line.as_bytes())
    }

    /// Says something beside the result.
    #[expect(
        clippy::unused_self,
        reason = "who says something beside the result must have been given where results go"
    )]
    pub(crate) fn note(self, line: impl std::fmt::Display) {
        complain(&format!("note: {line}\n"));
    }

    /// Says how the command failed.
    pub(crate) fn fail(self, failure: &Failure) {
        #[derive(Serialize)]
        struct Document<'a, T> {
            error: &'a T,
        }
        if self.json {
            let error = &failure.document();
            let text = serde_json::to_string_pretty(&Document { error });
            complain(&(text.unwrap_or_else(|_| failure.text()) + "\n"));
        } else {
            complain(&failure.text());
        }
    }

    /// Says whether programs read the results.
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Says whether somebody watches who would like to see how far it is.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }
}

/// Prints bytes as they are; says whether somebody reads on.
pub(crate) fn print(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Who reads no further has what he wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::from(error).at("standard output")),
    }
}

/// Prints on standard error; where even that cannot be written, nobody can be told.
fn complain(text: &str) {
    let written = io::stderr().lock().write_all(text.as_bytes());
    drop(written);
}

/// Returns rows as columns, each as wide as it must be.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let pad = width.saturating_sub(cell.chars().count()) + 2;
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', pad));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns text that somebody else wrote so that a terminal shows it and does not obey it.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            // To write to a string cannot fail.
            let _ = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["a", "bb", "c"], ["aaa", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a    bb  c\naaa  b\n");
        assert_eq!(table::<2>(&[]), "");
    }

    /// A55: what somebody else wrote does not steer the terminal.
    #[test]
    fn a55_a_terminal_does_not_obey_what_is_shown() {
        assert_eq!(printable("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb\\u{d}\\u{a}");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable("größe"), "größe");
    }
}
