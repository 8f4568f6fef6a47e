//! Serving: listeners, the connections that they accept, and an orderly end.

use artifact_core::guard;
use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::{FutureExt as _, select_all};
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{app::App, connection::Connection, limits::ServerLimits, watch::Watch};
use crate::metrics::Ended;

/// How long to wait when the system has no file for another connection.
const BREATHER: Duration = Duration::from_millis(50);

/// How long what has come of bodies may take to be put away, after the connections are gone.
const SETTLE: Duration = Duration::from_secs(10);

/// Where a server listens.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Listener {
    /// Returns a listener in plain.
    pub const fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: None }
    }

    /// Returns a listener by TLS; [`tls_config`](super::tls_config) makes the settings.
    pub const fn tls(socket: TcpListener, config: Arc<rustls::ServerConfig>) -> Self {
        Self {
            socket,
            tls: Some(config),
        }
    }
}

/// An HTTP server.
#[derive(Debug)]
pub struct Server {
    app: App,
    limits: ServerLimits,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stopped {
    /// How many connections were cut because they did not end in time.
    pub cut: usize,
    /// Whether all that came of bodies was put away.
    pub settled: bool,
}

impl Server {
    /// Returns a server of an application.
    pub const fn new(app: App, limits: ServerLimits) -> Self {
        Self { app, limits }
    }

    /// Serves until `stop` is ready; then lets what is under way end, for as long as the limits say.
    /// Uploads that do not end in time are kept as far as they came, and can be resumed.
    pub async fn serve(
        self,
        listeners: Vec<Listener>,
        stop: impl Future<Output = ()> + Send,
    ) -> Stopped {
        let (stopping, signal) = watch::channel(false);
        let mut open = Open::default();
        let mut stop = std::pin::pin!(stop.fuse());
        loop {
            tokio::select! {
                () = stop.as_mut() => break,
                accepted = accept(&listeners) => match accepted {
                    Some((socket, address, tls)) => {
                        self.begin(&mut open, socket, address, tls, signal.clone());
                    }
                    None => sleep(BREATHER).await,
                },
                // Ended tasks are forgotten as they end.
                Some(_) = open.tasks.join_next() => {}
            }
        }
        drop(listeners);
        self.app.stop();
        // The receivers may be gone already: then there is nobody to tell.
        let _nobody = stopping.send(true);
        self.end(open).await
    }

    fn begin(
        &self,
        open: &mut Open,
        socket: TcpStream,
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
        stop: watch::Receiver<bool>,
    ) {
        if guard!(531) && open.tasks.len() >= self.limits.connections && !open.make_room() {
            self.app.metrics().connection_ended(Ended::Full);
            tracing::warn!(%address, "a connection was turned away: there are as many as there may be");
            return;
        }
        let watch = Arc::new(Watch::new());
        let connection = Connection {
            app: self.app.clone(),
            watch: Arc::clone(&watch),
            limits: self.limits,
            address,
            stop,
        };
        let registered = open.register(&watch);
        open.tasks.spawn(async move {
            let _registered = registered;
            connection.serve(socket, tls).await;
        });
    }

    async fn end(&self, mut open: Open) -> Stopped {
        let ended = async { while open.tasks.join_next().await.is_some() {} };
        let drain = guard!(536, self.limits.drain, else Duration::MAX);
        let _elapsed = timeout(drain, ended).await;
        let cut = open.tasks.len();
        open.tasks.shutdown().await;
        let settled = timeout(SETTLE, self.app.settled()).await.is_ok();
        Stopped { cut, settled }
    }
}

/// Waits for the next connection on any of the listeners. `None` when the system has no room for it.
async fn accept(
    listeners: &[Listener],
) -> Option<(TcpStream, SocketAddr, Option<Arc<rustls::ServerConfig>>)> {
    if listeners.is_empty() {
        return std::future::pending().await;
    }
    let accepts = listeners.iter().map(|listener| {
        let tls = listener.tls.clone();
        listener
            .socket
            .accept()
            .map(move |accepted| (accepted, tls))
            .boxed()
    });
    let ((accepted, tls), _, _) = select_all(accepts).await;
    match accepted {
        Ok((socket, address)) => Some((socket, address, tls)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            None
        }
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    tasks: JoinSet<()>,
    watches: Arc<Mutex<Vec<Arc<Watch>>>>,
}

impl Open {
    fn register(&self, watch: &Arc<Watch>) -> Registered {
        self.watches.lock().push(Arc::clone(watch));
        Registered {
            watch: Arc::clone(watch),
            watches: Arc::clone(&self.watches),
        }
    }

    /// Ends the connection on which nothing has been asked for longest. `false` when something is
    /// asked for on each of them.
    fn make_room(&self) -> bool {
        let mut watches = self.watches.lock();
        let idle = watches.iter().enumerate();
        let idle = idle.filter_map(|(at, watch)| watch.idle_since().map(|since| (since, at)));
        let Some((_, at)) = idle.min() else {
            return false;
        };
        // Out of the list at once, so that it makes room once.
        watches.swap_remove(at).evict();
        true
    }
}

/// A connection in the list of those that are open.
#[derive(Debug)]
struct Registered {
    watch: Arc<Watch>,
    watches: Arc<Mutex<Vec<Arc<Watch>>>>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.watches
            .lock()
            .retain(|watch| !Arc::ptr_eq(watch, &self.watch));
    }
}
