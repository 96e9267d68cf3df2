//! Receives and works in one process, or does one of the two.

use std::io::Write;
use std::time::Duration;

use axum::routing::post_service;
use axum::{Extension, Router};
use tower_bitrix24::inbox::{Delivery, Inbox, InboxStore};
use tower_bitrix24::{Event, EventConfig};

use super::BoxError;
use super::graceful::{listen, serve as serve_http, stopped};

const SHUTDOWN: Duration = Duration::from_secs(10);

pub(crate) async fn serve<S>(inbox: Inbox<S>, receives: bool, works: bool) -> Result<(), BoxError>
where
    S: InboxStore + 'static,
{
    let worker = works.then(|| {
        let handlers = Router::new().fallback(handle);
        inbox.worker(handlers).spawn()
    });
    if receives {
        let mut config = EventConfig::from_env()?;
        let path = config
            .path
            .get_or_insert_with(|| "/bitrix24/events".to_owned());
        let route = Router::new().route(path, post_service(inbox.receive()));
        let app = route.layer(config.into_layer()?);
        let listener = listen().await?;
        say(&format!("listening on http://{}", listener.local_addr()?));
        serve_http(listener, app, stopped()).await;
    } else {
        stopped().await;
    }
    if let Some(worker) = worker {
        let released = worker.shutdown(SHUTDOWN).await;
        if released > 0 {
            eprintln!("released {released} entries for the next process");
        }
    }
    Ok(())
}

async fn handle(Extension(event): Extension<Event>, Extension(delivery): Extension<Delivery>) {
    let (entity, id) = match event.subject() {
        Some(subject) => (subject.entity, subject.id.to_string()),
        None => ("-", "-".to_owned()),
    };
    let (code, attempt) = (event.code().escape_debug(), delivery.attempt);
    let id = id.escape_debug();
    say(&format!("handled {code} {entity} {id} attempt {attempt}"));
}

/// Writes a line at once, also into a pipe. A reader that is gone is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
