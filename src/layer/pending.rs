//! A request until it is handed on, and the memory that it holds meanwhile.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use http::request::Parts;
use tower::Service;

use super::budget::Reservation;
use super::shared::{Content, Shared, UrlSecretCheck};
use crate::rejection::{Rejection, RejectionKind};
use crate::telemetry::{Handling, HandlingOutcome, VerificationTimer};

pub(super) const POLLED_AFTER_COMPLETION: &str = "`ResponseFuture` polled after completion";

/// The rest of the request, held until the inner service is called.
pub(super) struct PendingRequest<S, V> {
    pub(super) parts: Parts,
    service: S,
    pub(super) shared: Arc<Shared<V>>,
    pub(super) timer: VerificationTimer,
    /// The bytes of the complete body in memory.
    pub(super) held: usize,
    pub(super) is_verified: bool,
    pub(super) content: Content,
    pub(super) url_secret: UrlSecretCheck,
    pub(super) reservation: Reservation,
}

impl<S, V> PendingRequest<S, V> {
    pub(super) fn new(
        parts: Parts,
        service: S,
        shared: Arc<Shared<V>>,
        content: Content,
        url_secret: UrlSecretCheck,
    ) -> Self {
        Self {
            parts,
            service,
            shared,
            timer: VerificationTimer::default(),
            held: 0,
            is_verified: false,
            content,
            url_secret,
            reservation: Reservation::default(),
        }
    }

    /// Called only before waiting: a body that never waits needs no reservation.
    fn try_reserve(&mut self) -> bool {
        let budget = if self.is_verified {
            &self.shared.verified_budget
        } else {
            &self.shared.budget
        };
        self.reservation.complete(budget, self.held)
    }

    pub(super) fn may_pass_unverified(&self) -> bool {
        self.shared
            .may_pass_unverified(&self.parts, self.url_secret)
    }

    pub(super) fn release(&mut self) {
        self.is_verified = true;
        self.reservation = Reservation::default();
    }

    pub(super) fn poll_ready<I>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>>
    where
        S: Service<Request<I>>,
    {
        self.service.poll_ready(cx)
    }

    pub(super) fn call<I>(mut self, body: I) -> S::Future
    where
        S: Service<Request<I>>,
    {
        self.service.call(Request::from_parts(self.parts, body))
    }
}

/// Rejects the request instead of waiting if the budget has no room for its complete body.
#[cold]
#[inline(never)]
pub(super) fn wait_or_reject<S, V>(
    request: &mut PendingRequest<S, V>,
    handling: &mut Handling,
) -> Poll<Rejection> {
    if request.try_reserve() {
        return Poll::Pending;
    }
    let rejection = Rejection::new(RejectionKind::BodyBudgetExhausted);
    handling.failed(HandlingOutcome::Overloaded, Some(&rejection));
    Poll::Ready(rejection)
}
