use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;

use crate::verify::Settle;

/// What is left to do once an event is handled, for the one of the layers that knows when it is:
/// it goes along with the request, and is done once at most.
#[derive(Clone)]
pub(crate) struct Settlement(Arc<Mutex<Option<Settle>>>);

impl Settlement {
    pub(crate) fn new(settle: Settle) -> Self {
        Self(Arc::new(Mutex::new(Some(settle))))
    }

    /// What the request that goes along has left, which nobody else does then.
    #[cfg(feature = "background")]
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<Settle> {
        request.extensions().get::<Self>()?.take()
    }

    /// Sends it along.
    pub(crate) fn attach(&self, head: &mut Parts) {
        head.extensions.insert(self.clone());
    }

    pub(crate) fn take(&self) -> Option<Settle> {
        // Nothing that may panic happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
