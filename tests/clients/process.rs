//! The programs that the tests start: each is bounded in time, and none outlives its test.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

/// How long one call of a client may take: a hundred times what it takes, on a machine at rest.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a daemon may take to end after SIGTERM.
const FAREWELL: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(5);

/// What a program printed before it ended.
#[derive(Debug)]
pub(crate) struct Finished {
    status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Finished {
    /// Returns what was printed, without the white space around it.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout)
            .expect("the program prints UTF-8")
            .trim()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).expect("the program prints JSON")
    }
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command) -> Finished {
    feed(command, b"")
}

/// Runs a program that must succeed, with `input` on its standard input.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Finished {
    let finished = wait(command, input);
    assert!(
        finished.status.success(),
        "{}\nended with {}\n{}\n{}",
        shown(command),
        finished.status,
        String::from_utf8_lossy(&finished.stdout),
        finished.stderr,
    );
    finished
}

/// Runs a program that must be refused, and returns all that it printed.
pub(crate) fn refused(command: &mut Command) -> String {
    let finished = wait(command, b"");
    let printed = String::from_utf8_lossy(&finished.stdout) + &*finished.stderr;
    assert!(
        !finished.status.success(),
        "{}\nshould have failed and printed\n{printed}",
        shown(command)
    );
    printed.into_owned()
}

fn wait(command: &mut Command, input: &[u8]) -> Finished {
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", shown(command)));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let stdout = collect(child.stdout.take().expect("stdout is piped"));
    let stderr = collect(child.stderr.take().expect("stderr is piped"));
    // A program that ends without reading its input says with its status whether that was right.
    drop(stdin.write_all(input));
    drop(stdin);
    let status = wait_until(&mut child, Instant::now() + PATIENCE);
    if status.is_none() {
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        drop(child.wait());
    }
    let stdout = stdout.join().expect("the reader of stdout ends");
    let stderr = stderr.join().expect("the reader of stderr ends");
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let Some(status) = status else {
        panic!(
            "{}\ndid not end within {PATIENCE:?} and had printed\n{}\n{stderr}",
            shown(command),
            String::from_utf8_lossy(&stdout)
        );
    };
    Finished {
        status,
        stdout,
        stderr,
    }
}

/// Returns a command line without the environment, which would hide it.
fn shown(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(pipe.read_to_end(&mut bytes));
        bytes
    })
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(GLANCE);
    }
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// Where in the log this run begins, in bytes.
    log_start: usize,
}

impl Daemon {
    /// Starts a program whose output goes to the end of the file `log`.
    ///
    /// The kernel kills it with the thread that started it, so that it does not outlive a test
    /// process that was killed.
    pub(crate) fn start(name: &'static str, command: &Command, log: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let log_start = fs::read(log).unwrap().len();
        let child = tied_to_parent(command)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", shown(command)));
        Self {
            name,
            child,
            log: log.to_path_buf(),
            log_start,
        }
    }

    /// Waits until `ready` finds what it looks for in what this run printed.
    pub(crate) fn wait_for<T>(&mut self, ready: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().expect("a child can be waited for");
            let printed = self.printed();
            if let Some(found) = ready(printed.get(self.log_start..).unwrap_or_default()) {
                return found;
            }
            let name = self.name;
            assert!(
                ended.is_none(),
                "{name} ended before it was ready:\n{printed}"
            );
            assert!(
                Instant::now() < deadline,
                "{name} was not ready in time:\n{printed}"
            );
            thread::sleep(GLANCE);
        }
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Ends the program as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a running child can be killed");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Asks the program to end, and returns how it did.
    fn end(&mut self) -> Option<ExitStatus> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let status = wait_until(&mut self.child, Instant::now() + FAREWELL);
        if status.is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        status
    }

    /// Asks the program to end, and fails if it does not do so at once and in order.
    pub(crate) fn stop(mut self) {
        let status = self.end();
        assert!(
            status.is_some_and(|status| status.success()),
            "{} ended with {status:?} (nothing: it had to be killed):\n{}",
            self.name,
            self.printed(),
        );
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
        if thread::panicking() {
            eprintln!("---- {} ----\n{}", self.name, self.printed());
        }
    }
}

/// Returns the command that runs the same program and lets the kernel kill it with its parent.
fn tied_to_parent(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    tied.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            tied.env(name, value);
        }
    }
    tied
}
