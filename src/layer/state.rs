//! The states of the response future, and the transitions between them.

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::completion::Completion;
use super::pending::{POLLED_AFTER_COMPLETION, PendingRequest};
use super::shared::Shared;
use super::step::{Admitted, Step};
use crate::rejection::Rejection;
use crate::telemetry::{Handling, Telemetry};

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    pub(super) enum State<S, B, I, V, F, C, T> {
        /// Until the inner service is called. The request stays in place while the steps change.
        Before { #[pin] step: Step<B, I, F>, request: PendingRequest<S, V> },
        Call { #[pin] call: C, completion: Option<Completion> },
        OnHandled { completion: Completion, response: Option<T> },
        Rejected { response: Option<Response<Bytes>> },
        Done,
    }
}

impl<S, B, I, V, F, C, T> State<S, B, I, V, F, C, T> {
    pub(super) fn rejected(shared: &Shared<V>, rejection: Rejection, head: Parts) -> Self {
        Self::Rejected {
            response: Some(shared.response_policy.respond(rejection, head.extensions)),
        }
    }

    /// Leaves nothing behind: if what follows panics, polling again must panic too.
    fn take_request(self: Pin<&mut Self>) -> PendingRequest<S, V> {
        match self.project_replace(Self::Done) {
            StateOwned::Before { request, .. } => request,
            _ => panic!("{POLLED_AFTER_COMPLETION}"),
        }
    }

    /// Calls the inner service, which is ready.
    // Not inlined, as the steps are not.
    #[inline(never)]
    pub(super) fn call(mut self: Pin<&mut Self>, handling: &mut Handling, admitted: Admitted<I>)
    where
        S: Service<Request<I>, Future = C>,
    {
        let request = self.as_mut().take_request();
        handling.polling(true);
        let call = request.call(admitted.body);
        handling.polling(false);
        let completion = admitted.completion;
        self.set(Self::Call { call, completion });
    }

    #[cold]
    #[inline(never)]
    pub(super) fn reject(mut self: Pin<&mut Self>, telemetry: &Telemetry, rejection: Rejection) {
        let request = self.as_mut().take_request();
        // A verified event counts as accepted already.
        if !request.is_verified {
            telemetry.rejected(&rejection, request.timer);
        }
        self.set(Self::rejected(&request.shared, rejection, request.parts));
    }
}
