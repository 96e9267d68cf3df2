//! The check that verifies a scanned body.

use http::request::Parts;

use super::shared::{Callbacks, Shared, UrlSecretCheck};
use crate::envelope::{CallbackKind, Envelope};
use crate::rejection::{Rejection, RejectionKind};
use crate::verify::{Introspection, VerifyError, VerifyToken, is_verifiable};

/// The check that verifies an envelope.
pub(super) enum Check<F> {
    Token(F),
    /// By the access token of a page, which also decides over its application token.
    User(Introspection),
    /// Has succeeded already.
    UrlSecret,
    Pass,
    Reject(Rejection),
}

impl<V> Shared<V> {
    /// Returns `true` if a form that proves nothing may reach the service.
    pub(super) fn may_pass_unverified(&self, head: &Parts, url_secret: UrlSecretCheck) -> bool {
        url_secret == UrlSecretCheck::Unused && self.may_pass_form(head)
    }
}

impl<V: VerifyToken> Shared<V> {
    pub(super) fn check(
        &self,
        envelope: &Envelope,
        head: &Parts,
        url_secret: UrlSecretCheck,
    ) -> Check<V::Future> {
        if envelope.callback_kind().is_some() {
            return self.check_callback(envelope, head, url_secret);
        }
        if is_verifiable(envelope, &*self.verifier) {
            Check::Token(self.verifier.verify(envelope))
        } else {
            Check::Reject(VerifyError::missing().into())
        }
    }

    // Kept apart, so that the code of the events' way lies close together.
    #[cold]
    #[inline(never)]
    fn check_callback(
        &self,
        envelope: &Envelope,
        head: &Parts,
        url_secret: UrlSecretCheck,
    ) -> Check<V::Future> {
        if self.callbacks == Callbacks::Stored && is_page(envelope) {
            // A form with a token or a code must not pass unverified.
            return if envelope.is_callback_without_proof()
                && self.may_pass_unverified(head, url_secret)
            {
                Check::Pass
            } else {
                Check::Reject(Rejection::new(RejectionKind::NoEvent))
            };
        }
        if envelope.has_token_of_user() {
            if let Some(introspection) = self.verifier.introspect(envelope) {
                return Check::User(introspection);
            }
        }
        if envelope.has_application_token() {
            return Check::Token(self.verifier.verify(envelope));
        }
        let may_lack_token = envelope.may_lack_token();
        match url_secret {
            UrlSecretCheck::Verified if may_lack_token => Check::UrlSecret,
            UrlSecretCheck::Missing if may_lack_token => {
                Check::Reject(Rejection::new(RejectionKind::UrlSecretRejected))
            }
            _ if envelope.is_callback_without_proof()
                && self.may_pass_unverified(head, url_secret) =>
            {
                Check::Pass
            }
            _ if envelope.claims_callback() => Check::Reject(VerifyError::missing().into()),
            _ => Check::Reject(Rejection::new(RejectionKind::NoEvent)),
        }
    }
}

fn is_page(envelope: &Envelope) -> bool {
    matches!(
        envelope.callback_kind(),
        Some(CallbackKind::Placement | CallbackKind::Settings)
    )
}
