//! Extractors of callbacks for axum.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use super::error::{HandlerError, HandlerErrorKind};
use crate::callback::{
    Callback, CallbackKind, CallbackPayload, Message, Placement, ProofLevel, Robot, Settings,
};

/// A type of callback that [`OnCallback`] extracts: [`Robot`], [`Message`], [`Placement`] or [`Settings`].
pub trait CallbackType: Clone + Send + Sync + sealed::Sealed {
    /// The kind of callback.
    const KIND: CallbackKind;

    /// Returns the payload if it is of this type.
    fn of(payload: &CallbackPayload) -> Option<&Self>;
}

/// The weakest [proof](crate::callback::Proof) that [`OnCallback`] takes: [`AnyProof`], [`User`] or
/// [`Administrator`].
pub trait AtLeast: sealed::Sealed {
    /// The level. `None` takes every proof.
    const LEVEL: Option<ProofLevel>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! callback_types {
    ($($type:ident)+) => {$(
        impl sealed::Sealed for $type {}

        impl CallbackType for $type {
            const KIND: CallbackKind = CallbackKind::$type;

            fn of(payload: &CallbackPayload) -> Option<&Self> {
                match payload {
                    CallbackPayload::$type(payload) => Some(payload),
                    _ => None,
                }
            }
        }
    )+};
}

callback_types! { Robot Message Placement Settings }

macro_rules! levels {
    ($($(#[$doc:meta])* $name:ident = $level:expr,)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl sealed::Sealed for $name {}

        impl AtLeast for $name {
            const LEVEL: Option<ProofLevel> = $level;
        }
    )+};
}

levels! {
    /// Takes a callback with any proof.
    AnyProof = None,
    /// Takes a callback whose user is [introspected](crate::callback::Proof::Introspected).
    User = Some(ProofLevel::User),
    /// Takes a callback whose user is introspected and an administrator.
    Administrator = Some(ProofLevel::Administrator),
}

/// An extractor for one type of callback, with a proof of at least the level `L`.
///
/// It dereferences to the payload, so that `robot.code` is the code of an `OnCallback<Robot>`.
///
/// | argument | no callback | another type | data that do not fit | a weaker proof |
/// |---|---|---|---|---|
/// | [`Callback`] | 500 | | | |
/// | `Option<Callback>` | `None` | | | |
/// | `OnCallback<T, L>` | 500 | 422 | 422 | 403 |
/// | `Option<OnCallback<T, L>>` | `None` | `None` | 422 | 403 |
///
/// ```
/// use axum::body::Body;
/// use axum::http::{Request, StatusCode};
/// use axum::response::Html;
/// use axum::{Router, routing::post};
/// use tower::ServiceExt;
/// use tower_bitrix24::callback::{Placement, Robot};
/// use tower_bitrix24::handler::extract::{Administrator, OnCallback};
/// use tower_bitrix24::{ApplicationToken, EventLayer};
///
/// async fn ship(robot: OnCallback<Robot>) -> String {
///     format!("ship {}", robot.document.id)
/// }
///
/// async fn settings(_: OnCallback<Placement, Administrator>) -> Html<&'static str> {
///     Html("for administrators")
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let app: Router = Router::new()
///     .route("/robot", post(ship))
///     .route("/settings", post(settings))
///     .layer(EventLayer::new(ApplicationToken::new("192735")?).callbacks());
///
/// let status = async |path: &str, body: &'static str| {
///     let request = Request::post(path)
///         .header("content-type", "application/x-www-form-urlencoded")
///         .body(Body::from(body));
///     app.clone().oneshot(request.unwrap()).await.unwrap().status()
/// };
/// let robot = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
///              &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]=192735";
/// assert_eq!(status("/robot", robot).await, StatusCode::OK);
/// // The token of the application proves no administrator.
/// let page = "AUTH_ID=4d&member_id=a&APPLICATION_TOKEN=192735";
/// assert_eq!(status("/settings", page).await, StatusCode::FORBIDDEN);
/// assert_eq!(status("/settings", robot).await, StatusCode::UNPROCESSABLE_ENTITY);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct OnCallback<T, L = AnyProof> {
    /// The typed callback.
    pub payload: T,
    /// The callback itself.
    pub callback: Callback,
    level: PhantomData<fn() -> L>,
}

impl<T: CallbackType, L: AtLeast> OnCallback<T, L> {
    /// Returns the payload without the callback.
    pub fn into_inner(self) -> T {
        self.payload
    }

    fn from_callback(callback: Callback) -> Result<Self, HandlerError> {
        if callback.kind() != T::KIND {
            return Err(HandlerError::unexpected_callback(callback, T::KIND));
        }
        if let Some(level) = L::LEVEL {
            if callback.proof().level() < level {
                return Err(HandlerError::weak_proof(callback, level));
            }
        }
        match T::of(callback.payload()).cloned() {
            Some(payload) => Ok(Self {
                payload,
                callback,
                level: PhantomData,
            }),
            None => {
                let kind = HandlerErrorKind::PayloadMismatch;
                Err(HandlerError::of_callback(kind, callback))
            }
        }
    }
}

impl<T, L> Deref for OnCallback<T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.payload
    }
}

impl<T: Clone, L> Clone for OnCallback<T, L> {
    fn clone(&self) -> Self {
        Self {
            payload: self.payload.clone(),
            callback: self.callback.clone(),
            level: PhantomData,
        }
    }
}

impl<T: fmt::Debug, L> fmt::Debug for OnCallback<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCallback")
            .field("payload", &self.payload)
            .field("callback", &self.callback)
            .finish()
    }
}

fn find_callback(parts: &Parts) -> Option<Callback> {
    parts.extensions.get().cloned()
}

fn require_callback(parts: &Parts) -> Result<Callback, HandlerError> {
    let callback = find_callback(parts);
    callback.ok_or_else(|| HandlerError::new(HandlerErrorKind::NoCallback, None))
}

/// Extracts the callback that the layer verified.
impl<S: Send + Sync> FromRequestParts<S> for Callback {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        ready(require_callback(parts))
    }
}

/// Extracts the callback if the layer verified one.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Callback {
    type Rejection = Infallible;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, Infallible>> + Send {
        ready(Ok(find_callback(parts)))
    }
}

/// Extracts the callback if it is of the type `T`, its data fit and its proof is strong enough.
impl<S: Send + Sync, T: CallbackType, L: AtLeast> FromRequestParts<S> for OnCallback<T, L> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
        ready(require_callback(parts).and_then(Self::from_callback))
    }
}

/// Extracts `None` if there is no callback or one of another type. Data that do not fit and a weaker
/// proof are errors, because the callback is meant for this handler.
impl<S: Send + Sync, T: CallbackType, L: AtLeast> OptionalFromRequestParts<S> for OnCallback<T, L> {
    type Rejection = HandlerError;

    fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> impl Future<Output = Result<Option<Self>, HandlerError>> + Send {
        let callback = find_callback(parts).filter(|callback| callback.kind() == T::KIND);
        ready(callback.map(Self::from_callback).transpose())
    }
}
