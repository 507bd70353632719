use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer};

use super::routes;
use super::service::Service;
use crate::config::HttpConfig;
use crate::serve::Model;

/// An idle connection is kept so long.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// A client that does not close when told to is cut off after so long.
const DISCONNECT_WITHIN: Duration = Duration::from_secs(2);
/// actix-http reckons its deadlines from a clock that it reads every half second, and only when it is not busy: with a
/// time-out not well above that, it cuts off clients that were not slow.
const FRAMEWORK_CLOCK_BEHIND: Duration = Duration::from_secs(1);
/// Requests that are being answered get so long when the server stops, in seconds.
const SHUTDOWN_S: u64 = 5;
/// Threads for large bodies and for reading files.
const BLOCKING_THREADS_MAX: usize = 8;

/// The server on `listener`, to be awaited in an actix system; it leaves signals to the process. `metrics` gives the
/// text of `/metrics`; the recorder of the `metrics` crate must be in place before.
pub fn server(
    config: &HttpConfig,
    models: Vec<Model>,
    metrics: impl Fn() -> String + Send + Sync + Clone + 'static,
    listener: TcpListener,
) -> io::Result<Server> {
    let workers = config.workers.max(1);
    let service = Arc::new(Service::new(config.clone(), models, Box::new(metrics)));
    let server = HttpServer::new(move || App::new().configure(|config| routes::register(config, &service)))
        .workers(workers)
        // The framework counts by worker.
        .max_connections(config.connections_max.div_ceil(workers))
        .worker_max_blocking_threads(BLOCKING_THREADS_MAX)
        .keep_alive(KEEP_ALIVE)
        // A head may take as long as a body.
        .client_request_timeout(Duration::from_millis(config.body_timeout_ms) + FRAMEWORK_CLOCK_BEHIND)
        .client_disconnect_timeout(DISCONNECT_WITHIN)
        .tcp_nodelay(true)
        .shutdown_timeout(SHUTDOWN_S)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}
