//! `artifact serve`, which is killed and started again at random.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::program::PROGRAM;

/// A server that is always there, if not always the same.
#[derive(Debug)]
pub(crate) struct Server {
    registry: PathBuf,
    port: u16,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    process: Option<Child>,
    kills: u64,
    memory: u64,
}

impl Server {
    pub(crate) fn start(registry: &Path) -> Self {
        // The port that is free now is free again after each kill: nobody else is given it at random.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = Self {
            registry: registry.to_owned(),
            port,
            state: Mutex::default(),
        };
        server.state().process = Some(server.spawn());
        server
    }

    /// Returns the address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> Child {
        let mut process = Command::new(PROGRAM)
            .arg("serve")
            .arg(&self.registry)
            .args(["--anonymous", "write", "--collect-every", "1s"])
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .env("ARTIFACT_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(process.stdout.take().unwrap());
        out.read_line(&mut said).unwrap();
        assert!(said.contains("127.0.0.1"), "it did not start: {said:?}");
        process
    }

    /// Kills it, whatever it does, and starts it again.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.end();
        state.kills += 1;
        state.process = Some(self.spawn());
    }

    /// Returns how often it was killed; while it is being started again, this waits.
    pub(crate) fn kills(&self) -> u64 {
        self.state().kills
    }

    /// Returns the most memory that one of them had, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.state().memory
    }

    /// Ends it, and returns how often it was killed before.
    pub(crate) fn stop(&self) -> u64 {
        let mut state = self.state();
        state.end();
        state.kills
    }
}

impl State {
    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            self.memory = self.memory.max(memory_of(process.id()));
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state().end();
    }
}

/// Returns the most memory that a process had, in bytes.
pub(crate) fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let pages = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    pages.unwrap_or_default() * 1024
}
