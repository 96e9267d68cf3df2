//! Receives and works in one process, or does one of the two.

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use axum::middleware::map_response;
use axum::response::Response;
use axum::{Extension, Router};
use tower_bitrix24::callback::CallbackPayload;
use tower_bitrix24::handler::HandlerError;
use tower_bitrix24::inbox::{Delivery, Inbox, InboxStore};
use tower_bitrix24::{Callback, Event, EventConfig, Rejection};

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
        let path = path.clone();
        if config.pass_other_callbacks {
            return Err(
                "an inbox stores only what is verified: unset BITRIX24_EVENT_PASS_OTHER_CALLBACKS"
                    .into(),
            );
        }
        let has_callbacks = config.callbacks;
        let mut layer = config.into_layer()?;
        if has_callbacks {
            // Nothing here serves pages.
            layer = layer.stored_callbacks();
        }
        let app = Router::new()
            .route_service(&path, inbox.receive().behind(layer))
            .layer(map_response(report));
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

/// Says why an event was not stored, or a request was rejected.
async fn report(response: Response) -> Response {
    let extensions = response.extensions();
    if let Some(error) = extensions.get::<HandlerError>() {
        complain(error);
    }
    if let Some(rejection) = extensions.get::<Rejection>() {
        complain(rejection);
    }
    response
}

/// Writes the error and its sources in one line.
fn complain(mut error: &dyn Error) {
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        text += &format!(": {source}");
        error = source;
    }
    eprintln!("{text}");
}

/// Each entry is one of the two.
async fn handle(
    event: Option<Extension<Event>>,
    callback: Option<Extension<Callback>>,
    Extension(delivery): Extension<Delivery>,
) {
    let attempt = delivery.attempt;
    if let Some(Extension(event)) = event {
        let (entity, id) = match event.subject() {
            Some(subject) => (subject.entity, subject.id.to_string()),
            None => ("-", "-".to_owned()),
        };
        let (code, id) = (event.code().escape_debug(), id.escape_debug());
        say(&format!("handled {code} {entity} {id} attempt {attempt}"));
    } else if let Some(Extension(callback)) = callback {
        let (kind, name) = (callback.kind(), name_of(&callback).escape_debug());
        say(&format!("handled {kind} {name} attempt {attempt}"));
    }
}

fn name_of(callback: &Callback) -> &str {
    match callback.payload() {
        CallbackPayload::Robot(robot) => &robot.code,
        CallbackPayload::Message(message) => &message.code,
        _ => callback.unknown_kind().map_or("-", |kind| kind.as_str()),
    }
}

/// Writes a line at once, also into a pipe. A reader that is gone is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
