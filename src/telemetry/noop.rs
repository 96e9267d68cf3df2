//! Stands in for `span`, `metrics` and `timer` if their features are off, with the same signatures.

#[cfg(not(feature = "tracing"))]
pub(super) mod span {
    #[cfg(feature = "background")]
    use std::future::Future;
    use std::marker::PhantomData;

    use crate::envelope::Envelope;
    use crate::event::Event;
    use crate::rejection::Rejection;
    #[cfg(feature = "portals")]
    use crate::verify::VerifyError;

    use crate::telemetry::labels::Outcome;
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

        pub(in crate::telemetry) fn rejected(&self, _: &Rejection, _: VerificationTimer) {}
    }

    #[cfg(feature = "background")]
    pub(in crate::telemetry) fn in_current_span<F: Future>(work: F) -> F {
        work
    }

    pub(in crate::telemetry) fn mismatch(_: &Event) {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn not_forgotten(_: &str, _: &VerifyError) {}

    #[cfg(feature = "portals")]
    pub(in crate::telemetry) fn accepted_stale(_: &str, _: &VerifyError) {}
}

#[cfg(not(feature = "metrics"))]
pub(super) mod metrics {
    use crate::event::Event;
    use crate::rejection::Rejection;

    use crate::telemetry::labels::Outcome;
    use crate::telemetry::timer::VerificationTimer;

    pub(in crate::telemetry) const ENABLED: bool = false;

    pub(in crate::telemetry) fn unverified(_: Outcome) {}

    pub(in crate::telemetry) fn accepted(_: &Event, _: VerificationTimer) {}

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
