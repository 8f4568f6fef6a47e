//! `artifact serve`

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact::{AnonymousAccess, ErrorKind, OpenOptions};
use artifact_proto::{
    auth::DoorOptions,
    client::{Origin, Transport},
    metrics::{AccessMetrics, Metrics},
    server::{App, Listener, MaintenanceOptions, Server, ServerLimits, maintain, tls_config},
};
use clap::Args;
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::oneshot,
};

use crate::{
    context::Context,
    failure::{At as _, Failure},
    find, log,
    names::{AnonymousName, plural},
    open::Opened,
    output::Report,
    signal::Stop,
    size::Span,
    token_key,
};

/// Serve the registry to docker, skopeo, oras and other OCI clients
///
/// It listens on loopback unless told otherwise. Who does not log in may do nothing, unless --anonymous
/// says what; users are made by `artifact user add`. SIGTERM and SIGINT let what is under way end; a
/// second one cuts it. It collects and scrubs by itself. /healthz, /readyz and /metrics need no login.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  artifact serve --anonymous write                     for oneself, on 127.0.0.1:5000
  artifact serve /srv/registry --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem
  artifact serve --listen 127.0.0.1:0                  any free port; the first line says which
  artifact serve --base-url https://registry.example   behind a proxy that speaks TLS
")]
pub(crate) struct ServeArgs {
    /// The registry's directory
    dir: Option<PathBuf>,
    /// The address and port to listen on; may be given several times
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5000", value_parser = address)]
    listen: Vec<SocketAddr>,
    /// What those may do who do not log in; who does may do no less
    #[arg(long, value_enum, default_value_t)]
    anonymous: AnonymousName,
    /// The chain of certificates, in PEM, the server's own first
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Under which URL clients find this server, where a proxy stands between
    #[arg(long, value_name = "URL", value_parser = base_url)]
    base_url: Option<String>,
    /// How often what nothing wants is collected
    #[arg(long, value_name = "TIME", default_value = "15m")]
    collect_every: Span,
    /// How often the registry is scrubbed: what was not hashed for 30 days is
    #[arg(long, value_name = "TIME", default_value = "1d")]
    scrub_every: Span,
    /// How long what is under way may take to end at a stop
    #[arg(long, value_name = "TIME", default_value = "30s")]
    drain: Span,
    /// How the log is written, on standard error; ARTIFACT_LOG says how much of it: error, warn, info,
    /// debug
    #[arg(long, value_enum, default_value_t)]
    log_format: log::Format,
}

/// Reads an address to listen on. Names are not looked up: which of its addresses is meant is to be
/// said, but for that of the machine itself.
fn address(text: &str) -> Result<SocketAddr, String> {
    let text = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    let wrong = "write ADDRESS:PORT, such as 127.0.0.1:5000, 0.0.0.0:443 or [::1]:5000";
    text.parse()
        .map_err(|_| format!("{text:?} is no address with a port: {wrong}"))
}

/// Reads the URL that clients are sent back to: what they cannot use must not be told them.
fn base_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    let known = matches!(scheme, "http" | "https")
        && Origin::new(authority, Transport::Auto).is_ok()
        && path.bytes().all(is_plain);
    known.then(|| url.to_owned()).ok_or_else(|| {
        format!("{text:?} is no URL of a server: write https://HOST[:PORT] or http://HOST[:PORT]")
    })
}

/// What the server says when it is ready.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    listening: Vec<String>,
    anonymous: &'static str,
    users: bool,
    registry: PathBuf,
}

impl Report for Ready {
    fn text(&self) -> String {
        let lines = self
            .listening
            .iter()
            .map(|url| format!("listening on {url}\n"));
        let mut text: String = lines.collect();
        let meaning = match self.anonymous {
            "read" => "everybody may read everything",
            "write" => "everybody may read, write and delete everything",
            _ => "who does not log in may do nothing",
        };
        text.push_str(&format!(
            "anonymous access: {} ({meaning})\n",
            self.anonymous
        ));
        text
    }
}

pub(crate) async fn run(context: &Context, args: ServeArgs) -> Result<(), Failure> {
    log::begin(args.log_format)?;
    // Before anything is said to be ready, so that no signal is missed.
    let mut stop = Stop::prepare().at("the signals of this process")?;
    let metrics = Arc::new(Metrics::new());
    let opened = open_counted(context, &args, &metrics).await?;
    let engine = artifact_core::Registry::clone(&opened.registry);
    let users = engine.has_users().await.at(opened.path.display())?;
    warn(context, &args, &opened, users);
    let (listeners, urls) = listen(&args)?;
    let key = token_key::of(opened.registry.home(), &*engine.parts().rng)?;
    let app = App::new(engine.clone(), door(&args), key, Arc::clone(&metrics));
    let mut limits = ServerLimits::default();
    limits.drain = args.drain.0;
    let maintenance = maintain(engine, maintenance(&args), metrics);
    context.output.show_line(&Ready {
        listening: urls,
        anonymous: name(args.anonymous),
        users,
        registry: opened.registry.home().path().to_owned(),
    })?;
    let (asked, stopping) = oneshot::channel();
    let stopping = async move {
        // Without a sender nobody asks any more.
        let _ended = stopping.await;
    };
    tokio::select! {
        stopped = Server::new(app, limits).serve(listeners, stopping) => {
            if stopped.cut > 0 {
                let cut = plural(stopped.cut, "connection was cut: it", "connections were cut: they");
                context.output.note(format!("{cut} did not end in time"));
            }
            Ok(())
        }
        () = maintenance => Ok(()),
        signal = asked_twice(&mut stop, asked) => Err(Failure::interrupted(signal)
            .says("asked to stop a second time: what was under way was cut")),
    }
}

/// Passes the first signal on, and ends with the second: who asks twice does not want to wait.
async fn asked_twice(stop: &mut Stop, asked: oneshot::Sender<()>) -> u8 {
    stop.asked().await;
    tracing::info!("asked to stop: what is under way may end; who asks again ends it");
    // The server may have ended by itself.
    let _told = asked.send(());
    stop.asked().await
}

/// Opens the registry so that accesses are counted.
async fn open_counted(
    context: &Context,
    args: &ServeArgs,
    metrics: &Arc<Metrics>,
) -> Result<Opened, Failure> {
    let path = find::registry(context.directory(args.dir.clone()))?;
    let observer = Arc::new(AccessMetrics::new(Arc::clone(metrics)));
    let registry = OpenOptions::new()
        .observer(observer)
        .open_async(&path)
        .await?;
    for note in registry.home().notes() {
        context.output.note(note);
    }
    let session = registry.embedder();
    Ok(Opened {
        registry,
        session,
        path,
    })
}

/// Says what its operator may not have thought of.
fn warn(context: &Context, args: &ServeArgs, opened: &Opened, users: bool) {
    let note = |line: &str| context.output.note(line);
    if args.anonymous == AnonymousName::None && !users {
        let directory = opened.path.display();
        note(&format!(
            "there are no users yet, so nobody can log in: artifact user add NAME --role ROLE --registry {directory}"
        ));
    }
    let open = args
        .listen
        .iter()
        .any(|address| !address.ip().is_loopback());
    if open && args.tls_cert.is_none() {
        note(
            "it listens beyond loopback without TLS: passwords and content can be read on the way, unless a proxy speaks TLS before it",
        );
    }
    if open && args.anonymous == AnonymousName::Write {
        note("whoever reaches this address may write and delete everything");
    }
}

/// Begins to listen, and returns the URLs of that.
fn listen(args: &ServeArgs) -> Result<(Vec<Listener>, Vec<String>), Failure> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificates), Some(key)) => {
            let (certificates_pem, key_pem) = (read(certificates)?, read(key)?);
            let config = tls_config(&certificates_pem, &key_pem);
            let place = format!("{} and {}", certificates.display(), key.display());
            Some(
                config
                    .map_err(|error| Failure::of(ErrorKind::InvalidArgument, &error).at(place))?,
            )
        }
        _ => None,
    };
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    for address in &args.listen {
        let socket = bind(*address).map_err(|error| taken(&error, address))?;
        let own = socket.local_addr().at(address)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        urls.push(format!("{scheme}://{own}"));
        listeners.push(match &tls {
            Some(config) => Listener::tls(socket, Arc::clone(config)),
            None => Listener::plain(socket),
        });
    }
    Ok((listeners, urls))
}

/// How many connections may wait to be accepted; the system may bound it lower. With the 128 that a plain
/// bind has, a burst of more clients waits a second for its second attempt.
const BACKLOG: u32 = 4096;

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A port whose last server has just ended is free, as after a plain bind.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| {
        Failure::new(ErrorKind::Io, "the file cannot be read")
            .at(path.display())
            .because(error.to_string())
            .remedy("name a PEM file that can be read")
    })
}

fn taken(error: &std::io::Error, address: &SocketAddr) -> Failure {
    let failure = Failure::new(
        ErrorKind::Unavailable,
        "it cannot be listened on this address",
    );
    let failure = failure.at(address).because(error.to_string());
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            failure.remedy("name another port with --listen, or 0 for any that is free")
        }
        std::io::ErrorKind::PermissionDenied => {
            failure.remedy("ports below 1024 are root's: name another with --listen")
        }
        _ => failure.remedy("name an address of this machine with --listen"),
    }
}

fn door(args: &ServeArgs) -> DoorOptions {
    let door = DoorOptions::new(AnonymousAccess::from(args.anonymous));
    match &args.base_url {
        Some(url) => door.at(url),
        None => door,
    }
}

fn maintenance(args: &ServeArgs) -> MaintenanceOptions {
    let mut options = MaintenanceOptions::default();
    options.collect_every = args.collect_every.0;
    options.scrub_every = args.scrub_every.0;
    options
}

const fn name(anonymous: AnonymousName) -> &'static str {
    match anonymous {
        AnonymousName::None => "none",
        AnonymousName::Read => "read",
        AnonymousName::Write => "write",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sent_to_a_url_that_is_one() {
        for (text, url) in [
            ("https://registry.example", "https://registry.example"),
            (
                "https://registry.example:5000/",
                "https://registry.example:5000",
            ),
            ("http://[::1]:5000/behind/it", "http://[::1]:5000/behind/it"),
        ] {
            assert_eq!(base_url(text).as_deref(), Ok(url));
        }
        for text in [
            "",
            "registry.example",
            "ftp://registry.example",
            "https://",
            "https:///x",
            "https://user:secret@registry.example",
            "https://registry.example?x",
            "https://registry.example/\"x",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
    }
}
