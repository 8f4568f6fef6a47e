//! `artifact serve`, on a port of the system's choosing.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Signal, kill_process};

use super::bench::Bench;

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    log: Option<JoinHandle<String>>,
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    /// What it said on standard output when it was ready.
    pub(crate) said: String,
}

impl Server {
    /// Serves the registry of the bench.
    pub(crate) fn start(bench: &Bench, arguments: &[&str]) -> Self {
        let mut command = bench.command(["serve", "--listen", "127.0.0.1:0"]);
        command.args(arguments);
        Self::of(&mut command)
    }

    /// Serves it to everybody.
    pub(crate) fn open(bench: &Bench) -> Self {
        Self::start(bench, &["--anonymous", "write"])
    }

    pub(crate) fn of(command: &mut Command) -> Self {
        Self::begun(command).expect("it says where it listens")
    }

    /// Starts a server that may end before it listens: then there is none.
    pub(crate) fn begun(command: &mut Command) -> Option<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = child.stderr.take().unwrap();
        // Read all along, so that it never waits for somebody to read its log.
        let log = thread::spawn(move || {
            let mut text = String::new();
            err.read_to_string(&mut text).unwrap();
            text
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        let Some(url) = said.split("://").nth(1) else {
            child.wait().unwrap();
            return None;
        };
        let is_host = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
        let host = url.split(|c| !is_host(c)).next().unwrap().to_owned();
        Some(Self {
            child,
            out,
            log: Some(log),
            host,
            said,
        })
    }

    /// Returns the reference of a package at this server.
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    /// Returns the next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Signals the program that was started by the one that was started here.
    pub(crate) fn signal_child(&self, signal: Signal) {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let child = Pid::from_raw(children.trim().parse().unwrap()).unwrap();
        kill_process(child, signal).unwrap();
    }

    /// Waits until it has ended; returns how, and its log.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        (status, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}
