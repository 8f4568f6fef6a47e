//! Connections: each is served by a task of its own, under watch.

use artifact_core::guard;
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch::Receiver,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    app::App, exchange::Exchanges, limits::ServerLimits, transport::Transport, watch::Watch,
};
use crate::metrics::{Ended, Transport as Way};

/// How many bytes of a connection are buffered in each direction. With the pieces that are in the
/// pool this bounds what a transfer holds.
const BUFFER: usize = 128 << 10;

/// How many bytes of bodies HTTP/2 lets a client send before they are taken: on one stream, and on
/// all of a connection.
const WINDOW: (u32, u32) = (256 << 10, 512 << 10);

/// How many requests HTTP/2 lets a client make at once.
const STREAMS: u32 = 64;

/// The longest list of headers that HTTP/2 takes, in bytes.
const HEADERS: u32 = 32 << 10;

/// How HTTP/2 finds out that its client is gone.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));

/// What one connection needs to be served.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) app: App,
    pub(super) watch: Arc<Watch>,
    pub(super) limits: ServerLimits,
    pub(super) address: SocketAddr,
    pub(super) stop: Receiver<bool>,
}

impl Connection {
    /// Serves a connection to its end.
    pub(super) async fn serve(self, socket: TcpStream, tls: Option<Arc<rustls::ServerConfig>>) {
        // Without it small answers wait for the acknowledgement of what went before.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a socket kept its delay");
        }
        let metrics = Arc::clone(self.app.metrics());
        metrics.connection_opened(if tls.is_some() { Way::Tls } else { Way::Plain });
        match tls {
            None => self.speak(socket, false).await,
            Some(config) => match self.agree(socket, config).await {
                Ok(stream) => self.speak(stream, true).await,
                Err(error) => {
                    metrics.connection_ended(Ended::Tls);
                    tracing::debug!(%error, address = %self.address, "no TLS was agreed on");
                }
            },
        }
        metrics.connection_closed();
    }

    async fn agree(
        &self,
        socket: TcpStream,
        config: Arc<rustls::ServerConfig>,
    ) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let agreed = timeout(
            guard!(532, self.limits.handshake, else Duration::MAX),
            TlsAcceptor::from(config).accept(socket),
        );
        tokio::select! {
            agreed = agreed => agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            () = self.watch.evicted() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn speak<S>(mut self, stream: S, secure: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let exchanges = Exchanges {
            app: self.app.clone(),
            watch: Arc::clone(&self.watch),
            address: self.address,
            secure,
        };
        let io = TokioIo::new(Transport::new(stream, Arc::clone(&self.watch)));
        let builder = builder(&self.limits);
        let mut connection = pin!(builder.serve_connection(io, exchanges));
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, address = %self.address, "a connection broke");
                    }
                    return;
                }
                _ = tick.tick() => {
                    if let Some(ended) = self.watch.verdict(&self.limits) {
                        self.app.metrics().connection_ended(ended);
                        tracing::debug!(?ended, address = %self.address, "a connection was ended");
                        return;
                    }
                }
                () = self.watch.evicted() => {
                    self.app.metrics().connection_ended(Ended::Full);
                    return;
                }
                _ = self.stop.changed(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn builder(limits: &ServerLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The watch has tighter limits; this one is the parser's own.
        .header_read_timeout(limits.idle + limits.head)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(guard!(540, WINDOW.0, else i32::MAX.unsigned_abs()))
        .initial_connection_window_size(guard!(541, WINDOW.1, else i32::MAX.unsigned_abs()))
        .max_concurrent_streams(guard!(538, STREAMS, else u32::MAX))
        .max_header_list_size(guard!(539, HEADERS, else u32::MAX))
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}
