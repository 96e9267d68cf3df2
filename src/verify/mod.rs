//! Verification: is the `application_token` of an envelope one that this application was given?
//!
//! Bitrix24 signs nothing. The token inside the body is the only proof that an event comes from a
//! portal, so [`VerifyToken`] is asked before anything else of the body is read. There is no
//! verifier that accepts when nothing is configured.

mod error;
mod token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::error::{VerifyError, VerifyErrorKind};
pub use self::token::{ApplicationToken, TokenSet};
use crate::envelope::Envelope;

/// Decides whether an envelope is proven.
///
/// Implemented by [`ApplicationToken`] (one token) and [`TokenSet`] (several), and by every
/// closure that takes an [`Envelope`] and returns a future, for tokens that are looked up
/// elsewhere. Compare tokens in constant time: [`Secret`](crate::Secret)'s `==` does.
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
///         match known.is_some() && known.as_ref() == auth.application_token() {
///             true => Ok(()),
///             false => Err(VerifyError::rejected()),
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
    /// The answer, which may have to be waited for. It borrows nothing from the envelope, so take
    /// what it needs along.
    type Future: Future<Output = Result<(), VerifyError>>;

    /// Verifies the token of `envelope`. Envelopes without a token never get here: they are
    /// rejected before, unless
    /// [`insecure_verify_without_token`](Self::insecure_verify_without_token) says otherwise.
    ///
    /// # Errors
    ///
    /// The future answers [`VerifyError::rejected`] for a wrong token and for an unknown portal
    /// alike, and [`VerifyError::unavailable`] where it could not find out.
    fn verify(&self, envelope: &Envelope) -> Self::Future;

    /// Returns `true` if envelopes without a token are given to [`verify`](Self::verify) too,
    /// instead of being rejected as [`Missing`](VerifyErrorKind::Missing).
    ///
    /// **Dangerous.** The token is the only proof that Bitrix24 sends. A verifier sees the envelope
    /// alone, not the sender's address, and everything in it is a claim: whoever knows the URL can
    /// write any `member_id`, `event_handler_id` or `domain` there. No verifier of this crate does
    /// this.
    ///
    /// It is for an on-premise portal that posts its events itself, without `auth` (a provider of
    /// one's own in `Sender::setProvider`). Better than this is a provider that adds
    /// `auth[application_token]`, and then nothing here is needed. Otherwise it can add a secret
    /// under another key. What is known only outside of the envelope, such as an address or a
    /// client certificate, belongs into a layer outside of this one that rejects by it;
    /// [`EventLayer::when`](crate::EventLayer::when) does not reject.
    ///
    /// Everything else stays as it is: an event with two tokens, or with a second spelling of the
    /// key, is rejected. Defaults to `false`.
    ///
    /// ```
    /// use std::future::{Ready, ready};
    /// use tower_bitrix24::{ApplicationToken, Envelope, Event, Secret, VerifyError, VerifyToken};
    ///
    /// /// Takes the cloud's events by their token, and those of a box by a secret that it adds.
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

    /// What is left to do once the event of an envelope that was verified is handled: nothing,
    /// unless a verifier says otherwise.
    ///
    /// A layer runs it after the service has answered with a success (2xx), and before it hands the
    /// answer on; the layer of the feature `background` runs it once the event is handled. It is
    /// dropped where the event is not handled well.
    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let _ = envelope;
        None
    }
}

/// Returns `true` if `envelope` has a token, or `verifier` wants envelopes without one.
pub(crate) fn is_verifiable<V>(envelope: &Envelope, verifier: &V) -> bool
where
    V: VerifyToken + ?Sized,
{
    envelope.has_application_token() || verifier.insecure_verify_without_token()
}

/// What is left to do once an event is handled; see [`VerifyToken::on_handled`].
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
}
