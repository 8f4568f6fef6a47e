//! The one table from kinds of failures to exit codes, names and remedies.

use artifact::ErrorKind;

/// What the program's exit code says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Exit {
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Denied = 4,
    Conflict = 5,
    Corrupt = 6,
    Unavailable = 7,
    NoRoom = 8,
    Unsupported = 9,
}

impl Exit {
    const ALL: [(Self, &'static str); 9] = [
        (
            Self::Failure,
            "it failed: the operating system or a backend did not do its part",
        ),
        (
            Self::Usage,
            "the command cannot be meant: an argument is wrong",
        ),
        (
            Self::NotFound,
            "it is not there, not any more, or not to be seen",
        ),
        (Self::Denied, "it is refused, or asks who you are"),
        (
            Self::Conflict,
            "it is there already, or has changed meanwhile",
        ),
        (Self::Corrupt, "bytes are not those that their digest names"),
        (
            Self::Unavailable,
            "it cannot be done now: busy, silent, read-only",
        ),
        (
            Self::NoRoom,
            "there is no room: a quota, a limit or the disk",
        ),
        (Self::Unsupported, "it cannot be done with this, here"),
    ];

    /// Returns the code.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

/// What the program makes of a kind of failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The kind's name in JSON.
    pub(crate) name: &'static str,
    pub(crate) exit: Exit,
    /// What to do, where the error itself does not say it.
    pub(crate) remedy: Option<&'static str>,
}

const fn verdict(name: &'static str, exit: Exit, remedy: &'static str) -> Verdict {
    let remedy = if remedy.is_empty() {
        None
    } else {
        Some(remedy)
    };
    Verdict { name, exit, remedy }
}

const TABLE: &[(ErrorKind, Verdict)] = &[
    (
        ErrorKind::InvalidArgument,
        verdict(
            "invalid-argument",
            Exit::Usage,
            "`artifact help` shows how each command is written",
        ),
    ),
    (
        ErrorKind::NotFound,
        verdict("not-found", Exit::NotFound, ""),
    ),
    (
        ErrorKind::AlreadyExists,
        verdict("already-exists", Exit::Conflict, ""),
    ),
    (
        ErrorKind::Conflict,
        verdict(
            "conflict",
            Exit::Conflict,
            "look at what is there now, and decide again",
        ),
    ),
    (
        ErrorKind::DigestMismatch,
        verdict(
            "digest-mismatch",
            Exit::Corrupt,
            "fetch the content again: what came is not what was named",
        ),
    ),
    (
        ErrorKind::Corrupt,
        verdict(
            "corrupt",
            Exit::Corrupt,
            "`artifact fsck` says what else is wrong; push the content again to mend it",
        ),
    ),
    (
        ErrorKind::Denied,
        verdict(
            "denied",
            Exit::Denied,
            "ask an administrator for a role that may: `artifact user set`",
        ),
    ),
    (
        ErrorKind::Unauthenticated,
        verdict(
            "unauthenticated",
            Exit::Denied,
            "log in with `docker login HOST`, or set ARTIFACT_HOST, ARTIFACT_USERNAME and ARTIFACT_PASSWORD",
        ),
    ),
    (ErrorKind::Untrusted, verdict("untrusted", Exit::Denied, "")),
    (
        ErrorKind::Cancelled,
        verdict("cancelled", Exit::Failure, ""),
    ),
    (
        ErrorKind::Timeout,
        verdict(
            "timeout",
            Exit::Unavailable,
            "`artifact doctor oci://HOST` looks at each hop on the way",
        ),
    ),
    (
        ErrorKind::Unavailable,
        verdict(
            "unavailable",
            Exit::Unavailable,
            "`artifact doctor oci://HOST` looks at each hop on the way",
        ),
    ),
    (ErrorKind::TooLarge, verdict("too-large", Exit::NoRoom, "")),
    (
        ErrorKind::Quota,
        verdict(
            "quota",
            Exit::NoRoom,
            "raise it with `artifact repo set NAME --quota SIZE`, or delete what is not needed",
        ),
    ),
    (ErrorKind::Range, verdict("range", Exit::Unsupported, "")),
    (
        ErrorKind::Unsupported,
        verdict("unsupported", Exit::Unsupported, ""),
    ),
    (
        ErrorKind::Io,
        verdict(
            "io",
            Exit::Failure,
            "`artifact doctor` looks at the directory and the machine",
        ),
    ),
    (
        ErrorKind::Backend,
        verdict(
            "backend",
            Exit::Failure,
            "`artifact doctor` looks at the directory and the machine",
        ),
    ),
    (ErrorKind::Busy, verdict("busy", Exit::Unavailable, "")),
    (
        ErrorKind::WrongProcess,
        verdict("wrong-process", Exit::Failure, ""),
    ),
    (ErrorKind::Abi, verdict("abi", Exit::Failure, "")),
    (
        ErrorKind::ReadOnly,
        verdict(
            "read-only",
            Exit::Unavailable,
            "`artifact mode` says why, and `artifact mode read-write` ends it",
        ),
    ),
    (ErrorKind::InUse, verdict("in-use", Exit::Unavailable, "")),
    (
        ErrorKind::HistoryForgotten,
        verdict(
            "history-forgotten",
            Exit::NotFound,
            "`artifact history` shows from where on it is kept",
        ),
    ),
    (ErrorKind::Purged, verdict("purged", Exit::NotFound, "")),
    (
        ErrorKind::NoSpace,
        verdict(
            "no-space",
            Exit::NoRoom,
            "free room on the disk; `artifact gc` frees what nothing wants",
        ),
    ),
    (ErrorKind::Panic, verdict("panic", Exit::Failure, "")),
];

const UNKNOWN: Verdict = verdict("unknown", Exit::Failure, "");

/// Returns what the program makes of a kind of failure.
pub(crate) fn of(kind: ErrorKind) -> Verdict {
    let row = TABLE.iter().find(|(known, _)| *known == kind);
    row.map_or(UNKNOWN, |(_, verdict)| *verdict)
}

/// Returns the part of the help that tells the exit codes.
pub(crate) fn help() -> String {
    let mut text = String::from("Exit codes:\n   0  it is done\n");
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!("   {}  {meaning}\n", exit.code()));
    }
    text.push_str(" 128 and a signal's number: the signal ended it\n");
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_one_row_and_each_name_one_kind() {
        let kinds: BTreeSet<_> = TABLE.iter().map(|(kind, _)| *kind as u32).collect();
        let names: BTreeSet<_> = TABLE.iter().map(|(_, verdict)| verdict.name).collect();
        assert_eq!((kinds.len(), names.len()), (TABLE.len(), TABLE.len()));
        let all = (2..=27).chain([99]);
        assert_eq!(
            kinds.into_iter().collect::<Vec<_>>(),
            all.collect::<Vec<_>>()
        );
        assert_eq!(of(ErrorKind::Unknown).exit, Exit::Failure);
    }

    #[test]
    fn the_codes_are_told_as_they_are() {
        let codes: Vec<_> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes, (1..=9).collect::<Vec<_>>());
        assert_eq!(of(ErrorKind::NotFound).exit.code(), 3);
        assert_eq!(of(ErrorKind::Denied).exit.code(), 4);
        assert_eq!(of(ErrorKind::Conflict).exit.code(), 5);
        assert_eq!(of(ErrorKind::Corrupt).exit.code(), 6);
        assert_eq!(of(ErrorKind::Unavailable).exit.code(), 7);
        assert!(help().contains("   3  it is not there"));
    }
}
