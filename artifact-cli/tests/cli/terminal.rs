//! What a person sees at a terminal: progress, and prompts that show no secret. `script` (util-linux) is the
//! terminal.

use std::{
    fs,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use crate::support::bench::{Bench, PROGRAM};

/// How long an answer may take on a machine that does much else.
const LONG: Duration = Duration::from_secs(60);

/// The program at a terminal.
struct Terminal {
    child: Child,
    shown: Receiver<Vec<u8>>,
    /// All that it has shown.
    screen: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Terminal {
    fn of(bench: &Bench, arguments: &str) -> Self {
        let line = format!("{PROGRAM} {arguments}");
        let mut command: Command = bench.prepare("script", ["-qec", &line, "/dev/null"]);
        command
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("`script` of util-linux is needed");
        let mut screen = child.stdout.take().unwrap();
        let (send, shown) = channel();
        thread::spawn(move || {
            let mut part = [0; 4_096];
            while let Ok(length @ 1..) = screen.read(&mut part) {
                let _sent = send.send(part[..length].to_vec());
            }
        });
        let screen = String::new();
        Self {
            child,
            shown,
            screen,
        }
    }

    fn look(&mut self) -> bool {
        let part = self.shown.recv_timeout(LONG);
        let shown = part.as_deref().unwrap_or_default();
        self.screen.push_str(&String::from_utf8_lossy(shown));
        part.is_ok()
    }

    /// Waits until it shows these words, and types a line.
    #[track_caller]
    fn answer(&mut self, prompt: &str, line: &str) {
        while !self.screen.ends_with(prompt) {
            assert!(self.look(), "{prompt:?} was not asked: {:?}", self.screen);
        }
        let mut keys = self.child.stdin.as_ref().unwrap();
        writeln!(keys, "{line}").unwrap();
    }

    /// Waits for its end; returns its exit code and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        while self.look() {}
        let status = self.child.wait().unwrap();
        (status.code(), std::mem::take(&mut self.screen))
    }
}

/// A password is asked for twice and not shown; two that differ are none.
#[test]
fn a_password_is_asked_for_and_not_shown() {
    let bench = Bench::bare();
    bench.ok(["init"]);
    let mut terminal = Terminal::of(&bench, "user add ann --role reader");
    terminal.answer("password: ", "correct-horse");
    terminal.answer("the same again: ", "correct-house");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("differ"), "{screen}");
    assert_eq!(bench.json(["user", "ls"])["users"], serde_json::json!([]));
    let mut terminal = Terminal::of(&bench, "user add ann --role reader");
    terminal.answer("password: ", "correct-horse");
    terminal.answer("the same again: ", "correct-horse");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("correct"), "{screen}");
    assert_eq!(bench.json(["user", "ls"])["users"][0]["name"], "ann");
}

/// Long work shows how far it is, in place, where a person looks; and nothing of that elsewhere.
#[test]
fn long_work_shows_how_far_it_is() {
    let bench = Bench::bare();
    bench.ok(["init"]);
    fs::write(bench.path("large"), vec![7; 48 << 20]).unwrap();
    for (arguments, word) in [
        ("push large team/large:1", "pushing"),
        ("cp team/large:1 oci:layout:1", "copying"),
        ("pull team/large:1 dir:out", "pulling"),
        ("fsck --all", "checking"),
    ] {
        let (code, screen) = Terminal::of(&bench, arguments).end();
        assert_eq!(code, Some(0), "{arguments}: {screen}");
        // Drawn, and wiped away; how often in between is the machine's speed.
        assert!(
            screen.contains(&format!("{word} ")),
            "{arguments}: {screen:?}"
        );
        assert!(screen.contains("\r\u{1b}[2K"), "{arguments}: {screen:?}");
    }
    let quiet = bench.run(["push", "large", "team/other:1"]);
    assert_eq!(
        (quiet.code, quiet.err.contains('\r')),
        (0, false),
        "{quiet:?}"
    );
}
