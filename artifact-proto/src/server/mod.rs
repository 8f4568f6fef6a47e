//! An HTTP server for the protocols, with limits on all that a client could use up.

mod app;
mod connection;
mod exchange;
mod guard;
mod limits;
mod maintenance;
mod serve;
mod tls;
mod transport;
mod watch;

pub use app::{App, SERVER_ROUTES, ServerRoute};
pub use limits::ServerLimits;
pub use maintenance::{MaintenanceOptions, maintain};
pub use serve::{Listener, Server, Stopped};
pub use tls::{TlsError, tls_config};
