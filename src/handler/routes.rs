//! The table of a router's handlers, and the dispatch of an event to one of them.

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::error::{HandlerError, HandlerErrorKind};
use super::response::IntoEventResponse;
use crate::event::{Event, EventKind};

pub(super) type BoxFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// A handler without its types. Returns `None` if the event's data do not fit its payload.
pub(super) type ErasedHandler = Arc<dyn Fn(&Event) -> Option<BoxFuture> + Send + Sync>;

pub(super) fn run<F>(handling: F, event: Event) -> BoxFuture
where
    F: Future<Output: IntoEventResponse> + Send + 'static,
{
    Box::pin(async move {
        match handling.await.into_event_response() {
            Ok(response) => response,
            Err(source) => HandlerError::new(HandlerErrorKind::HandlerFailed, Some(event))
                .with_source(source)
                .into_event_response(),
        }
    })
}

#[derive(Default)]
pub(super) struct Routes {
    /// By code in upper case. The handler of a kind is under the kind's code.
    pub(super) codes: HashMap<String, ErasedHandler>,
    pub(super) entities: HashMap<&'static str, ErasedHandler>,
    /// In upper case, longest first once the router is built.
    pub(super) prefixes: Vec<(String, ErasedHandler)>,
    pub(super) scopes: HashMap<&'static str, ErasedHandler>,
    pub(super) fallback: Option<ErasedHandler>,
    pub(super) unhandled: StatusCode,
}

impl Routes {
    pub(super) fn dispatch(&self, event: Event) -> BoxFuture {
        let mut candidates = self.candidates(&event).peekable();
        let has_candidates = candidates.peek().is_some();
        if let Some(response) = candidates.find_map(|handler| handler(&event)) {
            return response;
        }
        let response = if has_candidates {
            HandlerError::new(HandlerErrorKind::PayloadMismatch, Some(event)).into_event_response()
        } else {
            let mut response = Response::default();
            *response.status_mut() = self.unhandled;
            response
        };
        Box::pin(ready(response))
    }

    /// Returns the handlers of an event in the order in which they are tried.
    fn candidates<'a>(
        &'a self,
        event: &Event,
    ) -> impl Iterator<Item = &'a ErasedHandler> + use<'a> {
        let code = event.code().to_ascii_uppercase();
        let by_code = self.codes.get(&code);
        // A code may be that of a kind, followed by the id of an object type.
        let by_kind = match event.kind().map(EventKind::as_str) {
            Some(kind) if kind != code => self.codes.get(kind),
            _ => None,
        };
        let entity = event.kind().and_then(EventKind::entity);
        let by_entity = entity.and_then(|entity| self.entities.get(entity));
        let by_prefix = self
            .prefixes
            .iter()
            .filter(move |(prefix, _)| code.starts_with(prefix.as_str()))
            .map(|(_, handler)| handler);
        by_code
            .into_iter()
            .chain(by_kind)
            .chain(by_entity)
            .chain(by_prefix)
            .chain(self.by_scope(event))
            .chain(&self.fallback)
    }

    fn by_scope(&self, event: &Event) -> Option<&ErasedHandler> {
        if self.scopes.is_empty() {
            return None;
        }
        self.scopes.get(EventKind::scope_of(event.code())?)
    }

    pub(super) fn debug<'a, 'b, 'f>(
        &self,
        debug: &'a mut fmt::DebugStruct<'b, 'f>,
    ) -> &'a mut fmt::DebugStruct<'b, 'f> {
        let prefixes: Vec<_> = self.prefixes.iter().map(|(prefix, _)| prefix).collect();
        debug
            .field("codes", &self.codes.keys())
            .field("entities", &self.entities.keys())
            .field("prefixes", &prefixes)
            .field("scopes", &self.scopes.keys())
            .field("fallback", &self.fallback.is_some())
            .field("unhandled", &self.unhandled)
    }
}
