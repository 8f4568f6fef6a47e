//! The server under measurement, and what the system tells of it.

use std::{
    io::{self, BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A server of its own process; it ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `artifact serve` on a directory, and waits until it listens.
    pub(crate) fn start(program: &Path, directory: &Path) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg("serve")
            .arg(directory)
            .args(["--listen", "127.0.0.1:0", "--anonymous", "write"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no output"))?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.trim().parse().map_err(io::Error::other)?;
                return Ok(Self { child, address });
            }
        }
        drop(child.kill());
        Err(io::Error::other("the server ended before it listened"))
    }

    /// Returns the resident memory now, in KiB.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// Returns the most resident memory so far, in KiB.
    pub(crate) fn peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> io::Result<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = text.lines().find_map(|line| line.strip_prefix(field));
        let number = value.and_then(|value| value.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| io::Error::other("no figure"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
