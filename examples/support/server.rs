//! The settings and the listener that the example servers share.

use std::io;

use tokio::net::TcpListener;
use tower_bitrix24::{EventConfig, EventLayer, TokenSet};

/// Creates a layer with the settings in the environment and returns it with the path of the events.
///
/// Without a token, prints how to set one and exits. The path defaults to `/bitrix24/events`.
pub(crate) fn event_layer(example: &str) -> (String, EventLayer<TokenSet>) {
    let layer = EventConfig::from_env().and_then(|mut config| {
        let path = config
            .path
            .get_or_insert_with(|| "/bitrix24/events".to_owned())
            .clone();
        Ok((path, config.into_layer()?))
    });
    layer.unwrap_or_else(|error| {
        eprintln!("{error}");
        eprintln!("Set the token that the portal shows for your webhook or application,");
        eprintln!("or several tokens separated by commas:");
        eprintln!(
            "  BITRIX24_APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce \
             cargo run --example {example}"
        );
        std::process::exit(2);
    })
}

/// Listens on the address in `BIND` and prints it. Defaults to `127.0.0.1:3000`.
pub(crate) async fn listen() -> io::Result<TcpListener> {
    let bind = std::env::var("BIND").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&bind).await.unwrap_or_else(|error| {
        eprintln!("cannot listen on {bind}: {error}; set BIND to another address");
        std::process::exit(1);
    });
    println!("listening on http://{}", listener.local_addr()?);
    Ok(listener)
}
