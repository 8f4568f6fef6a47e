//! `artifact completions`

use std::process::Command;

use crate::support::{
    bench::Bench,
    run::{Run, fields},
};

/// What bash itself makes of the script: it completes commands and their flags.
#[test]
fn bash_completes_commands_and_flags() {
    let bench = Bench::bare();
    let script = bench.ok(["completions", "bash"]);
    std::fs::write(bench.path("complete.bash"), script).unwrap();
    for (words, expected) in [
        ("artifact und", "undelete"),
        ("artifact repo sh", "show"),
        ("artifact pull --as", "--as-of"),
        ("artifact completions zs", "zsh"),
    ] {
        let count = words.split(' ').count() - 1;
        let ask = format!(
            "source complete.bash; complete -p artifact >/dev/null || exit 1; COMP_WORDS=({words}); \
             COMP_CWORD={count}; _artifact artifact '' ''; printf '%s\n' \"${{COMPREPLY[@]}}\""
        );
        let run = Run::of(&mut bench.prepare("bash", ["--norc", "-c", &ask]));
        let found = run.ok();
        assert!(
            found.lines().any(|line| line.trim() == expected),
            "{words}: {found}"
        );
    }
}

#[test]
fn every_shell_gets_a_script_of_its_own() {
    let bench = Bench::bare();
    for (shell, mark) in [
        ("bash", "complete -F _artifact"),
        ("zsh", "#compdef artifact"),
        ("fish", "complete -c artifact"),
    ] {
        let script = bench.ok(["completions", shell]);
        for word in [mark, "undelete", "as-of", "rebuild-index"] {
            assert!(script.contains(word), "{shell} {word}");
        }
        let document = bench.json(["completions", shell]);
        assert_eq!(fields(&document), ["script", "shell"]);
        assert_eq!(document["script"], script);
    }
    // A syntax error would be found when the shell starts, and by nobody before.
    std::fs::write(bench.path("s"), bench.ok(["completions", "bash"])).unwrap();
    let checked = Command::new("bash").arg("-n").arg(bench.path("s")).status();
    assert!(checked.unwrap().success());
    bench.refuses(["completions", "tcsh"], 2, &["tcsh", "zsh"]);
}
