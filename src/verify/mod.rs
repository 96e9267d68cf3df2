//! Verifying application tokens.
//!
//! Bitrix24 signs nothing. The token in the body is the only proof that an event comes from a
//! portal, so a [`VerifyToken`] checks it before the data are parsed. No verifier accepts events
//! if nothing is configured.

mod error;
mod token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::error::{VerifyError, VerifyErrorKind};
pub use self::token::{ApplicationToken, TokenSet};
use crate::envelope::Envelope;

/// Verifies the application token of an envelope.
///
/// [`ApplicationToken`] accepts one token and [`TokenSet`] several. A closure that takes an
/// [`Envelope`] and returns a future can look tokens up elsewhere. Compare tokens in constant time,
/// as [`Secret`](crate::Secret)'s `==` does.
///
/// ```
/// use std::sync::Arc;
/// use tower_bitrix24::{Envelope, Event, Secret, VerifyError};
///
/// # struct PortalVerifier;
/// # impl PortalVerifier {
/// #     async fn token_of(&self, _member_id: &str) -> Result<Option<Secret>, std::io::Error> {
/// #         Ok(Some(Secret::new("51856fefc120afa4b628cc82d3935cce")))
/// #     }
/// # }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let portals = Arc::new(PortalVerifier);
/// let verifier = move |envelope: &Envelope| {
///     let auth = envelope.auth();
///     let portals = portals.clone();
///     async move {
///         let member_id = auth.member_id().ok_or(VerifyError::rejected())?;
///         let known = portals.token_of(member_id).await.map_err(VerifyError::unavailable)?;
///         if known.is_some() && known.as_ref() == auth.application_token() {
///             Ok(())
///         } else {
///             Err(VerifyError::rejected())
///         }
///     }
/// };
///
/// let body = "event=ONAPPTEST&auth[member_id]=a&auth[application_token]=51856fefc120afa4b628cc82d3935cce";
/// assert!(Event::verify(Envelope::scan(body)?, &verifier).await.is_ok());
///
/// let forged = "event=ONAPPTEST&auth[member_id]=a&auth[application_token]=guess";
/// assert!(Event::verify(Envelope::scan(forged)?, &verifier).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot verify application tokens",
    note = "use `ApplicationToken`, `TokenSet`, or a closure `Fn(&Envelope) -> impl Future<Output = Result<(), VerifyError>>`"
)]
pub trait VerifyToken {
    /// The future that [`verify`](Self::verify) returns. It cannot borrow from the envelope, so it
    /// has to own what it needs.
    type Future: Future<Output = Result<(), VerifyError>>;

    /// Verifies the token of `envelope`. Envelopes without a token are rejected before this is
    /// called, unless [`insecure_verify_without_token`](Self::insecure_verify_without_token) returns
    /// `true`.
    ///
    /// # Errors
    ///
    /// Returns [`VerifyError::rejected`] if the token is wrong or the portal is unknown, and
    /// [`VerifyError::unavailable`] if the token could not be checked.
    fn verify(&self, envelope: &Envelope) -> Self::Future;

    /// Returns `true` if [`verify`](Self::verify) also decides over envelopes without a token.
    /// Otherwise they are rejected as [`Missing`](VerifyErrorKind::Missing). No verifier of this
    /// crate returns `true`.
    ///
    /// **Dangerous.** The token is the only proof that Bitrix24 sends. A verifier sees only the
    /// envelope, not the sender's address. Whoever knows the URL can write any `member_id`,
    /// `event_handler_id` or `domain` into it.
    ///
    /// This is for an on-premise portal that posts its events itself, without `auth` (a custom
    /// provider in `Sender::setProvider`). A provider that adds `auth[application_token]` is better
    /// and does not need this method. Otherwise it can add a secret under another key. Addresses and
    /// client certificates are not in the envelope: check them in an outer layer that rejects.
    /// [`EventLayer::when`](crate::EventLayer::when) does not reject.
    ///
    /// An event with two tokens, or with a second spelling of the key, is rejected in any case.
    /// Defaults to `false`.
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, Secret, VerifyError, VerifyToken};
    ///
    /// /// Accepts a cloud portal's events by their token, and an on-premise portal's by a secret.
    /// struct CloudAndBox {
    ///     token: ApplicationToken,
    ///     box_secret: Secret,
    /// }
    ///
    /// impl VerifyToken for CloudAndBox {
    ///     type Future = Ready<Result<(), VerifyError>>;
    ///
    ///     fn verify(&self, envelope: &Envelope) -> Self::Future {
    ///         if envelope.application_token().is_some() {
    ///             return self.token.verify(envelope);
    ///         }
    ///         let mut pairs = envelope.body().split(|&byte| byte == b'&');
    ///         let claimed = pairs.find_map(|pair| pair.strip_prefix(b"box_secret="));
    ///         let claimed = claimed.and_then(|bytes| std::str::from_utf8(bytes).ok());
    ///         let known = claimed.is_some_and(|claimed| Secret::new(claimed) == self.box_secret);
    ///         ready(if known { Ok(()) } else { Err(VerifyError::rejected()) })
    ///     }
    ///
    ///     fn insecure_verify_without_token(&self) -> bool {
    ///         true
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let verifier = CloudAndBox {
    ///     token: ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?,
    ///     box_secret: Secret::new("4d1e9c0f7a"),
    /// };
    /// let deal = "event=ONCRMDEALUPDATE&data[FIELDS][ID]=662&ts=1764600000";
    /// let signed = Envelope::scan(format!("{deal}&box_secret=4d1e9c0f7a"))?;
    /// assert!(Event::verify(signed, &verifier).await.is_ok());
    /// assert!(Event::verify(Envelope::scan(deal)?, &verifier).await.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn insecure_verify_without_token(&self) -> bool {
        false
    }

    /// Returns work to run after the event has been handled successfully.
    ///
    /// The layer runs it if the service responds with a success (2xx), before it returns the
    /// response. The layer of the feature `background` runs it once the queued event is handled. If
    /// the handler fails, the work is dropped. Defaults to `None`.
    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let _ = envelope;
        None
    }

    /// Returns a future that verifies a page of the application, a placement or a settings form by its
    /// **access token**, and with it the user. The layer then calls this instead of
    /// [`verify`](Self::verify), so it must also decide over the application token, if there is one.
    ///
    /// `PageVerifier` of the feature `portals` implements this. Defaults to `None`: the application token
    /// alone decides, and pages without one are rejected.
    ///
    /// # Errors
    ///
    /// The future returns the errors of [`verify`](Self::verify).
    fn introspect(&self, envelope: &Envelope) -> Option<Introspection> {
        let _ = envelope;
        None
    }
}

/// The future of [`VerifyToken::introspect`].
pub type Introspection = Pin<Box<dyn Future<Output = Result<TokenOwner, VerifyError>> + Send>>;

/// The user that an access token acts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenOwner {
    /// The id of the user in the portal.
    pub user: u64,
    /// `true` if the user is an administrator of the portal.
    pub is_admin: bool,
}

pub(crate) fn is_verifiable<V>(envelope: &Envelope, verifier: &V) -> bool
where
    V: VerifyToken + ?Sized,
{
    envelope.has_application_token() || verifier.insecure_verify_without_token()
}

/// Work to run after an event has been handled, from [`VerifyToken::on_handled`].
pub type OnHandled = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F, Fut> VerifyToken for F
where
    F: Fn(&Envelope) -> Fut,
    Fut: Future<Output = Result<(), VerifyError>>,
{
    type Future = Fut;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        self(envelope)
    }
}

impl<V: VerifyToken + ?Sized> VerifyToken for Arc<V> {
    type Future = V::Future;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        (**self).verify(envelope)
    }

    fn insecure_verify_without_token(&self) -> bool {
        (**self).insecure_verify_without_token()
    }

    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        (**self).on_handled(envelope)
    }

    fn introspect(&self, envelope: &Envelope) -> Option<Introspection> {
        (**self).introspect(envelope)
    }
}
