//! Stands in for `span`, `metrics` and `timer` if their features are off, with the same signatures.

#[cfg(not(feature = "tracing"))]
pub(super) mod span {
    use std::error::Error;
    #[cfg(feature = "background")]
    use std::future::Future;
    use std::marker::PhantomData;

    use crate::callback::Callback;
    use crate::envelope::Envelope;
    use crate::event::Event;
    use crate::rejection::Rejection;
    #[cfg(feature = "portals")]
    use crate::verify::VerifyError;

    use crate::telemetry::labels::{HandlingOutcome, Outcome};
    use crate::telemetry::timer::VerificationTimer;

    pub(in crate::telemetry) struct RequestSpan;

    pub(crate) struct SpanGuard<'a>(PhantomData<&'a RequestSpan>);

    impl RequestSpan {
        pub(in crate::telemetry) fn disabled() -> Self {
            Self
        }

        pub(in crate::telemetry) fn new() -> Self {
            Self
        }

        pub(in crate::telemetry) fn is_disabled(&self) -> bool {
            true
        }

        pub(in crate::telemetry) fn enter(&self) -> SpanGuard<'_> {
            SpanGuard(PhantomData)
        }

        pub(in crate::telemetry) fn record_body_bytes(&self, _: usize) {}

        pub(in crate::telemetry) fn record_code(&self, _: &Envelope) {}

        pub(in crate::telemetry) fn record_outcome(&self, _: Outcome) {}

        pub(in crate::telemetry) fn accepted(&self, _: &Event, _: VerificationTimer) {}

        pub(in crate::telemetry) fn callback_accepted(&self, _: &Callback, _: VerificationTimer) {}

        pub(in crate::telemetry) fn rejected(&self, _: &Rejection, _: VerificationTimer) {}
    }

    #[cfg(feature = "background")]
    pub(in crate::telemetry) fn in_current_span<F: Future>(work: F) -> F {
        work
    }

    pub(in crate::telemetry) fn mismatch(_: &Event) {}

    pub(in crate::telemetry) fn not_handled(_: &Event, _: HandlingOutcome, _: Option<&dyn Error>) {}

    #[cfg(feature = "metrics")]
    pub(in crate::telemetry) fn bad_status(_: &Event, _: http::StatusCode) {}

    pub(in crate::telemetry) fn callback_not_handled(_: &Callback, _: &dyn Error) {}

    pub(in crate::telemetry) fn no_event(_: &dyn Error) {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn not_forgotten(_: &str, _: &VerifyError) {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn accepted_stale(_: &str, _: &VerifyError) {}
}

#[cfg(not(feature = "metrics"))]
pub(super) mod metrics {
    use crate::callback::Callback;
    use crate::event::Event;
    use crate::rejection::Rejection;

    use crate::telemetry::labels::Outcome;
    use crate::telemetry::timer::VerificationTimer;

    pub(in crate::telemetry) const ENABLED: bool = false;

    #[cfg(feature = "tracing")]
    pub(in crate::telemetry) fn handled(
        _: crate::telemetry::HandlingOutcome,
        _: Option<std::time::Duration>,
    ) {
    }

    #[cfg(feature = "background")]
    pub(in crate::telemetry) fn queue_changed(_: crate::telemetry::QueueChange) {}

    #[cfg(feature = "background")]
    pub(in crate::telemetry) fn queue_waited(_: std::time::Duration) {}

    pub(in crate::telemetry) fn unverified(_: Outcome) {}

    pub(in crate::telemetry) fn accepted(_: &Event, _: VerificationTimer) {}

    pub(in crate::telemetry) fn callback_accepted(_: &Callback, _: VerificationTimer) {}

    pub(in crate::telemetry) fn rejected(_: &Rejection, _: VerificationTimer) {}

    pub(in crate::telemetry) fn mismatch(_: &Event) {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn not_forgotten() {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn accepted_stale() {}
}

#[cfg(not(any(feature = "tracing", feature = "metrics")))]
pub(super) mod timer {
    #[derive(Clone, Copy, Default)]
    pub(crate) struct VerificationTimer {}

    impl VerificationTimer {
        pub(in crate::telemetry) fn start() -> Self {
            Self {}
        }

        pub(crate) fn stop(&mut self) {}
    }
}

#[cfg(not(any(feature = "tracing", feature = "metrics")))]
pub(super) mod handling {
    use std::error::Error;

    use http::{Extensions, Response};

    use crate::event::Event;
    use crate::telemetry::labels::HandlingOutcome;

    #[derive(Default)]
    pub(crate) struct Handling {}

    impl Handling {
        pub(crate) fn start(_: &Event) -> Self {
            Self {}
        }

        pub(crate) fn polling(&mut self, _: bool) {}

        pub(crate) fn responded<B>(&mut self, _: &Response<B>) {}

        pub(crate) fn failed(&mut self, _: HandlingOutcome, _: Option<&dyn Error>) {}

        pub(crate) fn completed(&mut self) {}
    }

    #[cfg(any(feature = "background", feature = "inbox"))]
    pub(crate) fn log_response<B>(_: &Event, response: &Response<B>) -> HandlingOutcome {
        if response.status().is_success() {
            HandlingOutcome::Completed
        } else {
            HandlingOutcome::Failed
        }
    }

    pub(crate) fn mark_recorded(_: &mut Extensions, _: HandlingOutcome) {}

    #[cfg(any(feature = "background", feature = "inbox"))]
    pub(crate) fn log_failure(_: &Event, _: HandlingOutcome, _: Option<&dyn Error>) {}

    #[cfg(any(feature = "background", feature = "inbox"))]
    pub(crate) fn count_handled(_: HandlingOutcome, _: Option<std::time::Duration>) {}
}
