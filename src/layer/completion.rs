//! Runs a verifier's completion hook at most once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::request::Parts;

use crate::verify::OnHandled;

/// A completion hook that travels with the request. Whichever layer learns that the event was
/// handled runs it, at most once.
#[derive(Clone)]
pub(crate) struct Completion(Arc<Mutex<Option<OnHandled>>>);

impl Completion {
    pub(crate) fn new(hook: OnHandled) -> Self {
        Self(Arc::new(Mutex::new(Some(hook))))
    }

    pub(crate) fn insert_into(&self, head: &mut Parts) {
        head.extensions.insert(self.clone());
    }

    /// Takes the hook out of the request so that no other layer runs it.
    pub(crate) fn take_from<B>(request: &http::Request<B>) -> Option<OnHandled> {
        request.extensions().get::<Self>()?.lock().take()
    }

    /// Runs the hook unless it has been taken.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.lock() {
            Some(hook) => hook.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<OnHandled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
