//! The table of a router's handlers for callbacks, and the dispatch of a callback to one of them.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::error::{HandlerError, HandlerErrorKind};
use super::response::IntoEventResponse;
use super::routes::BoxFuture;
use crate::callback::{Callback, CallbackKind, CallbackPayload, PlacementCode, ProofLevel};

/// A handler without its types. Returns `None` if the callback has another payload.
type Call = dyn Fn(&Callback) -> Option<BoxFuture> + Send + Sync;

pub(super) struct CallbackHandler {
    pub(super) level: Option<ProofLevel>,
    pub(super) call: Box<Call>,
}

#[derive(Default)]
pub(super) struct CallbackRoutes {
    pub(super) robots: HashMap<String, CallbackHandler>,
    pub(super) messages: HashMap<String, CallbackHandler>,
    pub(super) placements: HashMap<String, CallbackHandler>,
    pub(super) settings: Option<CallbackHandler>,
    pub(super) fallback: Option<CallbackHandler>,
}

pub(super) fn run<F>(handling: F, callback: Callback) -> BoxFuture
where
    F: Future<Output: IntoEventResponse> + Send + 'static,
{
    Box::pin(async move {
        match handling.await.into_event_response() {
            Ok(response) => response,
            Err(source) => HandlerError::of_callback(HandlerErrorKind::HandlerFailed, callback)
                .with_source(source)
                .into_event_response(),
        }
    })
}

impl CallbackRoutes {
    pub(super) fn dispatch(&self, callback: Callback, unhandled: StatusCode) -> BoxFuture {
        let registered = self.registered(callback.payload());
        let Some(handler) = registered.or(self.fallback.as_ref()) else {
            return Box::pin(ready(no_handler(callback, unhandled)));
        };
        if let Some(level) = handler.level {
            if callback.proof().level() < level {
                let error = HandlerError::weak_proof(callback, level);
                return Box::pin(ready(error.into_event_response()));
            }
        }
        (handler.call)(&callback).unwrap_or_else(|| {
            let kind = HandlerErrorKind::PayloadMismatch;
            Box::pin(ready(
                HandlerError::of_callback(kind, callback).into_event_response(),
            ))
        })
    }

    fn registered(&self, payload: &CallbackPayload) -> Option<&CallbackHandler> {
        match payload {
            CallbackPayload::Robot(robot) => self.robots.get(&robot.code),
            CallbackPayload::Message(message) => self.messages.get(&message.code),
            CallbackPayload::Placement(page) => self.placements.get(page.placement.as_str()),
            CallbackPayload::Settings(_) => self.settings.as_ref(),
            CallbackPayload::Unknown => None,
        }
    }

    #[cfg(feature = "inbox")]
    pub(super) fn has_pages(&self) -> bool {
        !self.placements.is_empty() || self.settings.is_some()
    }

    pub(super) fn placement_key(code: PlacementCode) -> String {
        code.as_str().to_owned()
    }

    pub(super) fn debug<'a, 'b, 'f>(
        &self,
        debug: &'a mut fmt::DebugStruct<'b, 'f>,
    ) -> &'a mut fmt::DebugStruct<'b, 'f> {
        let is_empty = self.robots.is_empty()
            && self.messages.is_empty()
            && self.placements.is_empty()
            && self.settings.is_none()
            && self.fallback.is_none();
        if is_empty {
            return debug;
        }
        debug
            .field("robots", &self.robots.keys())
            .field("messages", &self.messages.keys())
            .field("placements", &self.placements.keys())
            .field("settings", &self.settings.is_some())
            .field("callback_fallback", &self.fallback.is_some())
    }
}

/// A person waits for a page or a form, which an empty 200 is not.
fn no_handler(callback: Callback, unhandled: StatusCode) -> Response<Bytes> {
    let kind = match callback.kind() {
        _ if callback.mismatch().is_some() => HandlerErrorKind::PayloadMismatch,
        CallbackKind::Placement | CallbackKind::Settings => HandlerErrorKind::NoHandler,
        _ => {
            let mut response = Response::default();
            *response.status_mut() = unhandled;
            return response;
        }
    };
    HandlerError::of_callback(kind, callback).into_event_response()
}
