//! Who reads only a part of what is printed, and who cannot write it.

use std::{fs::OpenOptions, io::Read as _, process::Stdio};

use crate::support::{bench::Bench, run::Run};

/// `artifact history | head -1`: who has read enough is no failure.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let bench = Bench::stocked();
    for arguments in [
        &["history", "--blobs"][..],
        &["ls"],
        &["completions", "bash"],
        &["--help"],
        &["du"],
    ] {
        let mut command = bench.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Gone before the first byte: each write finds nobody.
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        let status = child.wait().unwrap();
        assert_eq!(
            (status.code(), said.as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
    let script = "set -o pipefail; \"$0\" history --blobs | head -n 1";
    let run = Run::of(&mut bench.prepare("bash", ["-c", script, crate::support::bench::PROGRAM]));
    assert_eq!(run.ok().lines().count(), 1);
}

/// What cannot be printed is a failure: a script would take half a list for a whole one.
#[test]
fn a_full_disk_is_a_failure() {
    let bench = Bench::stocked();
    for arguments in [
        &["ls"][..],
        &["history", "--json"],
        &["inspect", "team/build:1", "--manifest"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = bench.command(arguments);
        let output = command.stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("standard output"), "{said}");
    }
}
