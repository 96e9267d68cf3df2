//! Runs a verifier's completion hook at most once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::request::Parts;

use crate::verify::OnHandled;

/// What is left to do once an event is handled, for the one of the layers that knows when it is:
/// it goes along with the request, and is done once at most.
#[derive(Clone)]
pub(crate) struct Completion(Arc<Mutex<Option<OnHandled>>>);

impl Completion {
    pub(crate) fn new(settle: OnHandled) -> Self {
        Self(Arc::new(Mutex::new(Some(settle))))
    }

    /// Sends it along.
    pub(crate) fn attach(&self, head: &mut Parts) {
        head.extensions.insert(self.clone());
    }

    /// What goes along with the request, which nobody else does then.
    #[cfg(feature = "background")]
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<OnHandled> {
        request.extensions().get::<Self>()?.on_handled().take()
    }

    /// Does it, unless somebody else took it.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut settle = self.on_handled();
        match &mut *settle {
            Some(left) => left.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }

    fn on_handled(&self) -> MutexGuard<'_, Option<OnHandled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
