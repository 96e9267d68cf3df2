//! Reads a server's settings from its monitoring address.

use std::time::Duration;

use brokers::BoxError;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Returns what `/varz` says about a server.
pub(crate) async fn varz(monitor: &str) -> Result<Value, BoxError> {
    let read = timeout(TIMEOUT, get(monitor)).await;
    let read = read.unwrap_or_else(|_| Err("it does not respond".into()));
    read.map_err(|error| {
        format!(
            "cannot read the settings of NATS at {monitor}, which decide whether it loses events: \
             {error}. Set `http: \"127.0.0.1:8222\"` in nats-server.conf, and NATS_MONITOR to that \
             address."
        )
        .into()
    })
}

async fn get(monitor: &str) -> Result<Value, BoxError> {
    let host = monitor
        .strip_prefix("http://")
        .ok_or("the address does not begin with http://")?;
    let host = host.trim_end_matches('/');
    let mut stream = TcpStream::connect(host).await?;
    // HTTP/1.0 sends the body whole and closes.
    let request = format!("GET /varz HTTP/1.0\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    let start = response.windows(4).position(|end| end == b"\r\n\r\n");
    let body = &response[start.ok_or("the response is not HTTP")? + 4..];
    Ok(serde_json::from_slice(body)?)
}
