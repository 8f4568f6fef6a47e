//! Other processes: this program again, with a role.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child as Process, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use artifact_core::{CollectOptions, Holder};
use artifact_store::{home::Home, sys::lock::RecordLock};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::{
    full,
    hooked_vfs::HookedVfs,
    support::{World, options},
    tasks,
};

const ROLE: &str = "ARTIFACT_TEST_ROLE";
const DIRECTORY: &str = "ARTIFACT_TEST_DIRECTORY";
/// What begins a line that is meant for the parent.
const MARK: &str = "@";
/// How long a child is waited for, on a machine that does much else.
const LONG: Duration = Duration::from_secs(60);

/// Another process, which is killed when this is dropped.
pub(crate) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    /// Starts this program again with a role.
    pub(crate) fn start(role: &str, directory: &Path) -> Self {
        Self::run(
            &mut Command::new(std::env::current_exe().unwrap()),
            role,
            directory,
        )
    }

    /// Starts a program, which is this one, with a role.
    pub(crate) fn run(command: &mut Command, role: &str, directory: &Path) -> Self {
        let arguments = ["--exact", "child::role", "--nocapture"];
        let mut process = command
            .args(arguments)
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The harness writes the test's name before the first line.
                if let Some((_, said)) = line.split_once(MARK)
                    && send.send(said.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Self {
            input: process.stdin.take(),
            process,
            lines,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for what it says next.
    #[track_caller]
    pub(crate) fn hear(&self) -> String {
        self.lines
            .recv_timeout(LONG)
            .expect("the child says something")
    }

    /// Waits until it says this.
    #[track_caller]
    pub(crate) fn expect(&self, line: &str) {
        assert_eq!(self.hear(), line);
    }

    /// Returns what it has said so far and was not heard yet.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Tells it to go on.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Lets it end by itself; returns all that it said.
    #[track_caller]
    pub(crate) fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        assert!(self.process.wait().unwrap().success());
        std::iter::from_fn(|| self.lines.recv().ok()).collect()
    }

    /// Waits until it has died by a signal.
    #[track_caller]
    pub(crate) fn die(mut self) {
        assert!(self.process.wait().unwrap().signal().is_some());
    }

    /// Waits until it is gone; returns all that it said, and whether a signal ended it.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Vec<String>, bool) {
        drop(self.input.take());
        let status = self.process.wait().unwrap();
        let killed = status.signal().is_some();
        assert!(killed || status.success(), "{status}");
        (
            std::iter::from_fn(|| self.lines.recv().ok()).collect(),
            killed,
        )
    }

    /// Stops it, and waits until it is.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let id = Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let status = waitpid(id, WaitOptions::UNTRACED).unwrap().unwrap().1;
        assert!(status.stopped());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be gone already.
        let _killed = self.process.kill();
        let _waited = self.process.wait();
    }
}

pub(crate) fn say(line: &str) {
    println!("{MARK}{line}");
}

/// Waits for a line of the parent; `None` when it lets the child end.
pub(crate) fn listen() -> Option<String> {
    let mut line = String::new();
    let length = std::io::stdin().lock().read_line(&mut line).unwrap();
    (length > 0).then(|| line.trim().to_owned())
}

/// What a child does: its role's words, then what follows. It is no test: where no role is given it has
/// nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directory = PathBuf::from(std::env::var(DIRECTORY).unwrap());
    let words: Vec<&str> = role.split(' ').collect();
    match words[..] {
        ["push", from, to] => push(&directory, from, to).await,
        ["collect"] => collect(&directory).await,
        ["hold", name] => hold(&directory.join(name)),
        ["open"] => open(&directory).await,
        ["push-when-told"] => push_when_told(&directory).await,
        ["die-at-the-journal"] => die_at_the_journal(&directory).await,
        ["read-only"] => read_only(&directory).await,
        ["task", name, seed] => tasks::child(&directory, name, seed).await,
        ["fill"] => full::fill(&directory).await,
        _ => panic!("no role {role}"),
    }
}

/// Pushes images of seeds, and says each one that was acknowledged.
async fn push(directory: &Path, from: &str, to: &str) {
    let world = World::open(directory).await;
    say("open");
    for seed in from.parse().unwrap()..to.parse().unwrap() {
        world.push("app", seed).await.unwrap();
        say(&seed.to_string());
    }
}

/// Collects until it is told to end.
async fn collect(directory: &Path) {
    let world = World::open(directory).await;
    say("open");
    let ended = tokio::task::spawn_blocking(listen);
    while !ended.is_finished() {
        let collected = world.session().collect(&CollectOptions::default()).await;
        collected.unwrap();
    }
}

/// Holds a record lock.
fn hold(path: &Path) {
    let lock = RecordLock::open(path).unwrap();
    let _held = lock.acquire(Duration::from_secs(5)).unwrap();
    say("held");
    listen();
}

/// Has the registry open.
async fn open(directory: &Path) {
    let home = Home::open(directory, options()).await;
    match home {
        Ok(home) => {
            say(home.holder().as_str());
            listen();
        }
        Err(error) => say(&format!("{:?} {error}", error.kind())),
    }
}

/// Pushes an image each time that it is told a seed, and says what became of it.
async fn push_when_told(directory: &Path) {
    let world = World::open(directory).await;
    say("open");
    while let Some(seed) = listen() {
        match world.push("app", seed.parse().unwrap()).await {
            Ok(_) => say("pushed"),
            Err(error) => say(&format!("{:?} {error:?}", error.kind())),
        }
    }
}

/// Dies after a commit of the index, before the journal has it.
async fn die_at_the_journal(directory: &Path) {
    let vfs = HookedVfs::default();
    let mut options = options();
    options.vfs = Arc::new(vfs.clone());
    let world = World::over(Home::open(directory, options).await.unwrap());
    vfs.set(|operation, path| {
        if operation == "write" && path.extension().is_some_and(|suffix| suffix == "journal") {
            say("dies");
            std::process::abort();
        }
        None
    });
    say("open");
    let pushed = world.push("app", 9).await;
    panic!("{pushed:?}, although the journal was not written");
}

/// Reads what it may not write, and shows that it left no trace.
async fn read_only(directory: &Path) {
    let refused = Home::open(directory, options()).await.unwrap_err();
    say(&format!("{:?}", refused.kind()));
    match Home::open_read_only(directory, options()) {
        Ok(home) => {
            assert!(home.is_read_only());
            assert_eq!(home.holder(), Holder::new("reader"));
            let world = World::over(home);
            world.pull("app", 1).await.unwrap();
            let refused = world.push("app", 2).await.unwrap_err();
            say(&format!("{:?}", refused.kind()));
        }
        Err(error) => say(&format!("{:?} {error}", error.kind())),
    }
}
