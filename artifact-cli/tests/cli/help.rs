//! `--help` of the program and of each command.

use crate::support::bench::{Bench, PROGRAM};

/// Every command, those of `repo` and `user` among them.
pub(crate) const COMMANDS: [&str; 32] = [
    "init",
    "serve",
    "push",
    "pull",
    "cp",
    "ls",
    "inspect",
    "tag",
    "untag",
    "rm",
    "undelete",
    "history",
    "repo",
    "repo add",
    "repo set",
    "repo show",
    "repo ls",
    "repo rm",
    "repo namespace",
    "repo stage",
    "user",
    "user add",
    "user set",
    "user ls",
    "user rm",
    "mode",
    "du",
    "gc",
    "fsck",
    "snapshot",
    "doctor",
    "completions",
];

#[test]
fn each_command_is_in_the_list_and_teaches() {
    let bench = Bench::bare();
    let list = bench.ok(["--help"]);
    for command in COMMANDS {
        let name = command.split(' ').next().unwrap();
        assert!(list.contains(&format!("\n  {name} ")), "{name}: {list}");
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = bench.ok(&words);
        assert!(help.contains("Usage: artifact "), "{command}: {help}");
        let example = format!("\nExamples:\n  artifact {command}");
        let begins = example.split(" add").next().unwrap();
        assert!(
            help.contains(begins) || help.contains("| artifact"),
            "{command}: {help}"
        );
        let short: Vec<_> = command.split(' ').chain(["-h"]).collect();
        assert!(bench.ok(&short).contains("Examples:"), "{command}");
    }
    let listed = list.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty()).count();
    let known = COMMANDS.iter().filter(|name| !name.contains(' ')).count();
    assert_eq!(listed, known + 1, "`help` is the one more");
}

#[test]
fn the_help_tells_references_codes_and_where_the_registry_is() {
    let help = Bench::bare().ok(["--help"]);
    for part in [
        "NAME[:TAG][@DIGEST]",
        "dir:PATH",
        "oci:PATH[:TAG][@DIGEST]",
        "oci://HOST[:PORT]/NAME",
        "Exit codes:",
        "   3  it is not there",
        "ARTIFACT_REGISTRY",
        "ARTIFACT_PASSWORD",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(Bench::bare().ok(["--version"]).starts_with("artifact "));
}

#[test]
fn without_a_command_the_help_is_shown_and_it_fails() {
    for words in [&[][..], &["repo"], &["user"]] {
        let run = Bench::bare().run(words);
        assert_eq!(run.code, 2, "{run:#?}");
        assert!(run.err.contains("Usage: artifact"), "{run:#?}");
    }
}

/// What leaves guards out (`make prove`) is in no build but the one that proves them.
#[test]
fn the_program_that_people_get_leaves_nothing_out() {
    let program = std::fs::read(PROGRAM).unwrap();
    let word = b"ARTIFACT_PROVE_WITHOUT";
    let found = program.windows(word.len()).any(|bytes| bytes == word);
    assert_eq!(found, cfg!(prove));
}
