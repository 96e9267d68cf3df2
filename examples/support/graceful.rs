//! A server whose restart loses no request: it can take its socket from its parent, and it responds
//! to what it has accepted before it stops.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::map_response;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The time that an open connection has for its request once the server stops.
const LINGER: Duration = Duration::from_secs(3);

/// The time that the last responses have, after `LINGER`.
const LAST_RESPONSES: Duration = Duration::from_secs(10);

/// Takes the socket from the parent if there is one (`LISTEN_FDS`, as systemd sets it), so that
/// connections wait in the kernel while the process restarts. Otherwise listens on the address in
/// `BIND`, which defaults to `127.0.0.1:3000`.
pub(crate) async fn listen() -> Result<TcpListener, String> {
    let handed = || {
        let listener = listenfd::ListenFd::from_env().take_tcp_listener(0)?;
        listener.map(from_parent).transpose()
    };
    match handed() {
        Ok(Some(listener)) => return Ok(listener),
        Ok(None) => {}
        Err(error) => return Err(format!("cannot use the socket of the parent: {error}")),
    }
    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await;
    listener
        .map_err(|error| format!("cannot listen on {bind}: {error}; set BIND to another address"))
}

fn from_parent(listener: std::net::TcpListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves until `stop`, then accepts no more and responds to every request that comes by an accepted
/// connection.
///
/// `axum::serve` closes a connection at once if its request has not arrived when the server stops. The
/// sender of an event does not repeat it, so here such a connection has `LINGER` to send it, and each
/// response of a server that stops asks the sender to close.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) {
    let (stop_connections, stopping) = watch::channel(false);
    let app = app.layer(map_response({
        let stopping = stopping.clone();
        move |response: Response| {
            let is_stopping = *stopping.borrow();
            async move { closing(response, is_stopping) }
        }
    }));
    let service = TowerToHyperService::new(app);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Often there are too many open files, and less soon.
                eprintln!("cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service.clone());
        let mut stopping = stopping.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let lingered = async {
                let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
                sleep(LINGER).await;
            };
            tokio::select! {
                // A request that has arrived comes before the end of the wait for it.
                biased;
                _ = connection.as_mut() => return,
                () = lingered => connection.as_mut().graceful_shutdown(),
            }
            // A failure here is of the sender's connection.
            let _ = connection.await;
        });
    }
    drop(listener);
    stop_connections.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(LINGER + LAST_RESPONSES, ended).await.is_err() {
        eprintln!("some requests got no response in time");
    }
}

fn closing(mut response: Response, is_stopping: bool) -> Response {
    if is_stopping {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// Waits for SIGTERM or Ctrl-C.
pub(crate) async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
