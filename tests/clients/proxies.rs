//! The registry behind the proxies that people put before it: clients work through them, and nothing that one
//! of the two reads otherwise than the other leads them out of step (A50).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::image::{Layout, digest_of, noise};
use crate::mode::{Access, Mode, Transport};
use crate::process::{Daemon, run};
use crate::sandbox::Sandbox;
use crate::workbench::Workbench;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the proxy may have an attack for itself: some it answers only when more of it comes.
const GLANCE: Duration = Duration::from_millis(300);

/// What goes between clients and the registry, and keeps its connections to it for others.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Haproxy,
    Nginx,
}

#[test]
fn a_client_works_through_haproxy() {
    a_client_works_through(Kind::Haproxy);
}

#[test]
fn a_client_works_through_nginx() {
    a_client_works_through(Kind::Nginx);
}

#[test]
fn a50_haproxy_is_not_led_out_of_step() {
    a50_is_not_led_out_of_step(Kind::Haproxy);
}

#[test]
fn a50_nginx_is_not_led_out_of_step() {
    a50_is_not_led_out_of_step(Kind::Nginx);
}

#[test]
fn a_careless_server_behind_haproxy_is_led_out_of_step() {
    a_careless_server_is_led_out_of_step(Kind::Haproxy);
}

#[test]
fn a_careless_server_behind_nginx_is_led_out_of_step() {
    a_careless_server_is_led_out_of_step(Kind::Nginx);
}

fn a_client_works_through(kind: Kind) {
    let bench = bench();
    let proxy = Proxy::start(kind, &bench.sandbox, bench.server.address());
    let host = proxy.on_loopback();
    let local = Layout::create(bench.sandbox.path("layout"));
    let digest = local.tag(&local.add_image("amd64", &noise(1, 6_000_000)), "v1");
    let image = format!("docker://{host}/team/app:v1");
    let skopeo = |words: &[&str]| {
        let mut command = bench.sandbox.client("skopeo");
        run(command.args(words))
    };
    let here = format!("oci:{}:v1", local.root().display());
    let there = format!("oci:{}:v1", bench.sandbox.path("pulled").display());
    skopeo(&[
        "copy",
        "--preserve-digests",
        "--dest-tls-verify=false",
        &here,
        &image,
    ]);
    skopeo(&["copy", "--src-tls-verify=false", &image, &there]);
    let manifest = skopeo(&["inspect", "--raw", "--tls-verify=false", &image]);
    assert_eq!(digest_of(&manifest.stdout), digest);
    assert_eq!(bench.check("team/app", "v1").0, digest);
    skopeo(&["delete", "--tls-verify=false", &image]);
    let deleted = bench.get_manifest("team/app", &digest).status();
    assert_eq!(deleted, reqwest::StatusCode::NOT_FOUND);
    drop(proxy);
    bench.finish();
}

fn a50_is_not_led_out_of_step(kind: Kind) {
    let bench = bench();
    let proxy = Proxy::start(kind, &bench.sandbox, bench.server.address());
    let mut asked = 0;
    assert_eq!(lead_out_of_step(&proxy, &mut asked), None);
    // Had each request had a connection of its own, none could have met what another left.
    let connections = accepted(&bench);
    assert!(
        connections < asked / 2,
        "{connections} connections for {asked} requests and more"
    );
    drop(proxy);
    bench.finish();
}

/// The attacks would be found out: behind the same proxy, a server that passes over all lengths is led
/// out of step by them.
fn a_careless_server_is_led_out_of_step(kind: Kind) {
    let sandbox = Sandbox::create();
    let proxy = Proxy::start(kind, &sandbox, careless_server());
    let found = lead_out_of_step(&proxy, &mut 0);
    assert!(found.is_some_and(|words| words.contains("hidden")));
}

/// Attacks, asks as others after each attack, and returns what was not the answer to what was asked.
fn lead_out_of_step(proxy: &Proxy, asked: &mut usize) -> Option<String> {
    for attack in attacks() {
        let mut attacker = proxy.connect();
        attacker.set_read_timeout(Some(GLANCE)).unwrap();
        // A proxy that refuses it hangs up before all is written.
        drop(attacker.write_all(&attack));
        drop(attacker.read(&mut [0; 4096]));
        for _ in 0..3 {
            *asked += 1;
            if let Some(answer) = foreign_answer(proxy, *asked) {
                return Some(format!(
                    "after {:?}: {answer}",
                    String::from_utf8_lossy(&attack)
                ));
            }
        }
    }
    None
}

/// Begins an upload in a package of its own, and returns an answer that does not name it.
fn foreign_answer(proxy: &Proxy, number: usize) -> Option<String> {
    let mut stream = proxy.connect();
    let package = format!("victim/{number}");
    let request = format!(
        "POST /v2/{package}/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let own = answer.starts_with("HTTP/1.1 202 ")
        && answer.contains(&format!("/v2/{package}/blobs/uploads/"))
        && answer.matches("HTTP/1.").count() == 1;
    (!own).then(|| answer.into_owned())
}

/// Answers each head on a connection as the beginning of an upload, and takes a body for the next head.
fn careless_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer_carelessly(&client));
        }
    });
    address
}

fn answer_carelessly(mut client: &TcpStream) -> io::Result<()> {
    let mut path = None;
    for line in BufReader::new(client).lines() {
        match (line?, &path) {
            (line, None) => path = line.split(' ').nth(1).map(str::to_owned),
            (line, Some(asked)) if line.is_empty() => {
                let head = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nLocation";
                client.write_all(format!("{head}: {asked}\r\n\r\n").as_bytes())?;
                path = None;
            }
            (_, Some(_)) => {}
        }
    }
    Ok(())
}

/// Returns how many connections the registry has taken, that of the question among them.
fn accepted(bench: &Workbench) -> usize {
    let told = bench.request(reqwest::Method::GET, "/metrics").send();
    let told = told.unwrap().text().unwrap();
    let lines = told.lines();
    lines
        .filter(|line| line.starts_with("artifact_connections_accepted_total{"))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok())
        .sum()
}

/// Requests that one reader ends elsewhere than another, each before the beginning of one that is hidden in
/// it: what the next client asks would be the end of that.
fn attacks() -> Vec<Vec<u8>> {
    const HIDDEN: &str = "GET /v2/hidden/tags/list HTTP/1.1\r\nHost: x\r\nX: ";
    let length = HIDDEN.len();
    let chunk = format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    let put = "PUT /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\n";
    let mut attacks: Vec<_> = lengths(length)
        .into_iter()
        .map(|line| format!("{put}{line}\r\n\r\n{chunk}{HIDDEN}"))
        .collect();
    attacks.extend(chunks(HIDDEN).map(|chunks| {
        let line = "Transfer-Encoding: chunked";
        format!("{put}{line}\r\n\r\n{chunks}{HIDDEN}")
    }));
    // A body that is refused before it was read, on each kind of answer.
    let body = HIDDEN.repeat(20_000);
    for head in [
        "PUT /v2/a/manifests/x HTTP/1.1",
        "PUT /v2/A/manifests/x HTTP/1.1",
        "POST /v2/a/blobs/uploads/?digest=sha256:0 HTTP/1.1",
        "PATCH /v2/a/blobs/uploads/none HTTP/1.1",
        "PUT /v2/a/manifests/x HTTP/1.0\r\nConnection: keep-alive",
        "BREW /v2/ HTTP/1.1",
    ] {
        let length = body.len();
        attacks.push(format!(
            "{head}\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }
    for (method, line) in [
        ("GET", ""),
        ("HEAD", ""),
        ("DELETE", ""),
        ("OPTIONS", ""),
        ("GET", "Expect: 100-continue\r\n"),
        ("PUT", "Expect: 100-continue\r\n"),
        ("GET", "Connection: Content-Length\r\n"),
        (
            "GET",
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        ),
        ("PUT", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
    ] {
        attacks.push(format!(
            "{method} /v2/a/manifests/x HTTP/1.1\r\nHost: x\r\n{line}Content-Length: {length}\r\n\r\n{HIDDEN}"
        ));
    }
    for head in [
        "GET http://y/v2/ HTTP/1.1",
        "GET /v2/ HTTP/1.1 HTTP/1.1",
        "GET /v2/ HTTP/1.1\r\nHost: y",
        "GET /v2/\r HTTP/1.1",
        "HEAD /v2/ HTTP/1.1",
    ] {
        attacks.push(format!("{head}\r\nHost: x\r\n\r\n{HIDDEN}"));
    }
    attacks.into_iter().map(String::into_bytes).collect()
}

/// Header lines that say in two ways, or not at all, where a body of `length` bytes ends.
fn lengths(length: usize) -> Vec<String> {
    let mut lines = vec![
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: 0"),
        format!("Content-Length: 0\r\nContent-Length: {length}"),
        "Content-Length: 4\r\nTransfer-Encoding: chunked".to_owned(),
    ];
    let words = [
        "+0",
        "-0",
        "00",
        "0x0",
        "0;",
        "0,0",
        "0 0",
        "",
        "1e1",
        "\t0",
        "18446744073709551616",
    ];
    lines.extend(words.iter().map(|word| format!("Content-Length: {word}")));
    let codings = [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\tchunked",
        "Transfer-Encoding:\x0bchunked",
        "Transfer-Encoding: chunked\x00",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        " Transfer-Encoding: chunked",
        "Transfer_Encoding: chunked",
        "Transfer-Encoding\x00: chunked",
        "tRANSFER-eNCODING: CHUNKED",
    ];
    for coding in codings {
        lines.push(coding.to_owned());
        lines.push(format!("Content-Length: {length}\r\n{coding}"));
        lines.push(format!("{coding}\r\nContent-Length: 5"));
    }
    lines
}

/// Chunked bodies that one reader ends elsewhere than another.
fn chunks(hidden: &str) -> impl Iterator<Item = String> {
    let length = hidden.len();
    [
        format!("{length:x}\n{hidden}\r\n0\r\n\r\n"),
        format!("{length:x};\n{hidden}\r\n0\r\n\r\n"),
        format!("{length:x};a=\"\n{hidden}\r\n0\r\n\r\n"),
        format!("{length:x} \r\n{hidden}\r\n0\r\n\r\n"),
        format!("0x{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        format!("+{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        format!("-{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        format!("1000000000000000{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        format!("{length:x}\r\n{hidden}XX0\r\n\r\n"),
        format!("{length:x}\r\n{hidden}0\r\n\r\n"),
        format!("0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("0\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        "0\n\n".to_owned(),
        "00\r\n\r\n".to_owned(),
        "0\r\n\n".to_owned(),
        "0 \r\n\r\n".to_owned(),
        "\r\n".to_owned(),
    ]
    .into_iter()
}

fn bench() -> Workbench {
    Workbench::new(Mode {
        transport: Transport::Http,
        access: Access::Anyone,
    })
}

/// A proxy that listens on a socket of the file system, so that no port is guessed.
#[derive(Debug)]
struct Proxy {
    socket: PathBuf,
    _daemon: Daemon,
}

impl Proxy {
    /// Starts a proxy that passes on whatever it may be told to pass on.
    fn start(kind: Kind, sandbox: &Sandbox, registry: SocketAddr) -> Self {
        let socket = sandbox.path("proxy.sock");
        let (name, configuration) = match kind {
            Kind::Haproxy => ("haproxy", haproxy(&socket, registry)),
            Kind::Nginx => ("nginx", nginx(&socket, registry)),
        };
        let file = sandbox.file("proxy.conf", configuration);
        let mut command = sandbox.client(name);
        match kind {
            Kind::Haproxy => command.arg("-db").arg("-f").arg(file),
            Kind::Nginx => command
                .args(["-e", "stderr", "-c"])
                .arg(file)
                .arg("-p")
                .arg(sandbox.path("tmp")),
        };
        let mut daemon = Daemon::start(name, &command, &sandbox.path("proxy.log"));
        daemon.wait_for(|_| UnixStream::connect(&socket).ok());
        Self {
            socket,
            _daemon: daemon,
        }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Opens a port of loopback for clients that know no sockets of the file system.
    fn on_loopback(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = self.socket.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(proxy) = UnixStream::connect(&socket) else {
                    return;
                };
                pass_on(client, proxy).unwrap();
            }
        });
        address
    }
}

/// Passes on what either side says, until it has said all.
fn pass_on(client: TcpStream, proxy: UnixStream) -> io::Result<()> {
    let (mut said, mut hears) = (client.try_clone()?, proxy.try_clone()?);
    thread::spawn(move || {
        drop(io::copy(&mut said, &mut hears));
        drop(hears.shutdown(Shutdown::Write));
    });
    let (mut said, mut hears) = (proxy, client);
    thread::spawn(move || {
        drop(io::copy(&mut said, &mut hears));
        drop(hears.shutdown(Shutdown::Both));
    });
    Ok(())
}

fn haproxy(socket: &Path, registry: SocketAddr) -> String {
    let socket = socket.display();
    format!(
        "global
    maxconn 256
defaults
    mode http
    option accept-invalid-http-request
    timeout connect 30s
    timeout client 60s
    timeout server 60s
frontend clients
    bind unix@{socket}
    default_backend registry
backend registry
    http-reuse always
    server registry {registry}
"
    )
}

fn nginx(socket: &Path, registry: SocketAddr) -> String {
    let socket = socket.display();
    // Who is not root gets a warning for `user`, and no more.
    format!(
        "user root root;
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    upstream registry {{ server {registry}; keepalive 4; }}
    server {{
        listen unix:{socket};
        client_max_body_size 0;
        ignore_invalid_headers off;
        underscores_in_headers on;
        location / {{
            proxy_pass http://registry;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection \"\";
            proxy_request_buffering off;
        }}
    }}
}}
"
    )
}
