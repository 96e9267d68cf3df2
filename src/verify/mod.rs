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
use crate::Envelope;

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
/// # struct Portals;
/// # impl Portals {
/// #     async fn token_of(&self, _member_id: &str) -> Result<Option<Secret>, std::io::Error> {
/// #         Ok(Some(Secret::new("51856fefc120afa4b628cc82d3935cce")))
/// #     }
/// # }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let portals = Arc::new(Portals);
/// let verifier = move |envelope: &Envelope| {
///     let auth = envelope.auth();
///     let portals = portals.clone();
///     async move {
///         let member_id = auth.member_id().ok_or(VerifyError::refused())?;
///         let known = portals.token_of(member_id).await.map_err(VerifyError::unavailable)?;
///         match known.is_some() && known.as_ref() == auth.application_token() {
///             true => Ok(()),
///             false => Err(VerifyError::refused()),
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
    /// refused before.
    ///
    /// # Errors
    ///
    /// The future answers [`VerifyError::refused`] for a wrong token and for an unknown portal
    /// alike, and [`VerifyError::unavailable`] where it could not find out.
    fn verify(&self, envelope: &Envelope) -> Self::Future;

    /// What is left to do once the event of an envelope that was verified is handled: nothing,
    /// unless a verifier says otherwise.
    ///
    /// A layer runs it after the service has answered with a success (2xx), and before it hands the
    /// answer on; the layer of the feature `background` runs it once the event is handled. It is
    /// dropped where the event is not handled well.
    fn settle(&self, envelope: &Envelope) -> Option<Settle> {
        let _ = envelope;
        None
    }
}

/// What is left to do once an event is handled; see [`VerifyToken::settle`].
pub type Settle = Pin<Box<dyn Future<Output = ()> + Send>>;

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

    fn settle(&self, envelope: &Envelope) -> Option<Settle> {
        (**self).settle(envelope)
    }
}
