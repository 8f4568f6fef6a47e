//! A crowd that asks for nothing: as many connections as a machine has room for, in processes of their
//! own, for each has to raise its limit of open files.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use futures::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::support::{Client, Setup, digest, noise};

/// How many connections do nothing.
const CROWD: usize = 10_000;

/// How many of them come at once: less than what the system keeps until it is accepted.
const BATCH: usize = 100;

/// What a connection that does nothing may cost the server: a task, the parser's first buffer, and what
/// the allocator rounds up to.
const EACH: u64 = 16 << 10;

/// What tells a process of this test which part it has.
const PART: &str = "ARTIFACT_TEST_CROWD";

/// Raises this process's limit of open files.
///
/// # Panics
/// Says what to do when the machine allows no more.
fn make_room(files: u64) {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    assert!(
        most >= files,
        "this test takes {files} open files and the machine allows {most}: raise it (`ulimit -Hn {files}`)"
    );
    let raised = Rlimit {
        current: Some(files.max(limit.current.unwrap_or(files))),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// A process that has one of the parts; it ends with this.
struct Part {
    child: Child,
    words: BufReader<ChildStderr>,
}

impl Part {
    fn play(test: &str, part: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let words = BufReader::new(child.stderr.take().unwrap());
        Self { child, words }
    }

    /// Waits for the line that begins with `word`, and returns the rest of it.
    fn says(&mut self, word: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.words.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it said {word:?}: {said}");
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
            said.push_str(&line);
        }
    }

    fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        kilobytes.unwrap().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until the process that plays the test ends this one, or ends itself.
async fn until_the_end() {
    let ended = tokio::task::spawn_blocking(|| {
        let mut nothing = Vec::new();
        std::io::stdin().read_to_end(&mut nothing).ok();
    });
    ended.await.unwrap();
}

/// The part of the server, with room for so many connections.
async fn serve(connections: usize) {
    make_room(connections as u64 + 500);
    let mut setup = Setup::default();
    setup.limits.connections = connections;
    // They stay for as long as the test looks, and so does the push that waits until they are there.
    setup.limits.head = Duration::from_secs(600);
    setup.limits.idle = Duration::from_secs(600);
    setup.limits.window = Duration::from_secs(600);
    let server = setup.serve().await;
    eprintln!("serving {}", server.address);
    until_the_end().await;
}

/// The part of the crowd: a third says nothing, a third begins a head, a third has had an answer.
async fn idle(address: SocketAddr) {
    make_room(CROWD as u64 + 500);
    let mut crowd = Vec::new();
    for _ in 0..CROWD / BATCH {
        let connect = (1..=BATCH).map(|at| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let words: &[u8] = match (BATCH - at) % 3 {
                0 => b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
                1 => b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                _ => b"",
            };
            // Where there is no room for all, it may have been ended already.
            stream.write_all(words).await.ok();
            stream
        });
        let mut batch = join_all(connect).await;
        // An answer says that the system has handed over those before: else it turns more away.
        let last = batch.last_mut().unwrap();
        last.read_exact(&mut [0; 16]).await.ok();
        crowd.append(&mut batch);
    }
    eprintln!("ready {}", crowd.len());
    until_the_end().await;
}

/// Pushes while the crowd is there, on a connection that was there before it, and on new ones.
async fn lives(test: &str, connections: usize) {
    let mut server = Part::play(test, &format!("serve {connections}"));
    let address: SocketAddr = server.says("serving ").parse().unwrap();
    let client = Client::new(address);
    // What the first requests take for good is no cost of the crowd.
    client.image("a", "v1").await;
    client.push("a", noise(2, 3 << 20)).await;
    let begun = client.post("/v2/a/blobs/uploads/").await.expect(202);
    let bytes = noise(1, 400_000);
    let mut live = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {}?digest={} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        begun.header("location"),
        digest(&bytes),
        bytes.len()
    );
    live.write_all(head.as_bytes()).await.unwrap();
    live.write_all(&bytes[..200_000]).await.unwrap();
    let before = server.resident();
    let mut crowd = Part::play(test, &format!("idle {address}"));
    assert_eq!(crowd.says("ready "), CROWD.to_string());
    let open = client.get("/metrics").await.expect(200);
    let open = String::from_utf8_lossy(&open.body).into_owned();
    let accepted = "artifact_connections_accepted_total{transport=\"plain\"} ";
    let accepted: usize = number_after(&open, accepted);
    assert!(accepted >= CROWD, "{accepted} were accepted");
    live.write_all(&bytes[200_000..]).await.unwrap();
    let mut answer = String::new();
    let read = live.read_to_string(&mut answer);
    let read = timeout(Duration::from_secs(60), read).await;
    read.expect("an answer in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    for seed in 10..20 {
        let pushed = client.push("b", noise(seed, 300_000)).await;
        let got = client.get(&format!("/v2/b/blobs/{pushed}")).await;
        assert_eq!(digest(&got.expect(200).body), pushed);
    }
    client.get("/v2/a/manifests/v1").await.expect(200);
    let grown = server.resident().saturating_sub(before);
    let bound = connections.min(CROWD) as u64 * EACH + (32 << 20);
    assert!(grown <= bound, "{grown} bytes more, of {bound}");
}

fn number_after(text: &str, name: &str) -> usize {
    let at = text
        .find(name)
        .unwrap_or_else(|| panic!("{name} is not in {text}"));
    let rest = &text[at + name.len()..];
    rest.lines().next().unwrap().parse().unwrap()
}

/// A61: 10,000 connections that do nothing, where there is room for all of them and where there is room
/// for the usual 1,024, harm no push, old or new, and cost no more memory than so many may.
#[tokio::test]
async fn a61_ten_thousand_idle_connections_harm_nobody() {
    let test = "crowd::a61_ten_thousand_idle_connections_harm_nobody";
    match std::env::var(PART) {
        Ok(part) => match part.split_once(' ').unwrap() {
            ("serve", connections) => serve(connections.parse().unwrap()).await,
            (_, address) => idle(address.parse().unwrap()).await,
        },
        Err(_) => {
            lives(test, 12_000).await;
            lives(test, 1_024).await;
        }
    }
}
