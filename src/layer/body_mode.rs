//! Body modes: a layer hands on bodies as the type that arrived, made by a function, or wrapped.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use super::EventLayer;
use super::body::EventBody;

impl<V, M> EventLayer<V, M> {
    /// Wraps bodies in an [`EventBody`], for a body type that is not `From<Bytes>`.
    ///
    /// By default the layer hands on the body types that it gets: a handler behind it, and a layer around
    /// it, is written as if it were not there. That needs a body that can be made from bytes, in requests
    /// and in the inner service's responses. axum's, salvo's, warp's and `Full<Bytes>` can. hyper's
    /// `Incoming` and the bodies of some layers, such as `RequestBodyLimitLayer`'s, cannot:
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::{Full, Limited};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::{ApplicationToken, EventBody, EventLayer};
    ///
    /// type Body = Limited<Full<Bytes>>;
    ///
    /// async fn handle(_: Request<EventBody<Body>>) -> Result<Response<Full<Bytes>>, Infallible> {
    ///     Ok(Response::default())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let service = ServiceBuilder::new()
    ///     .layer(EventLayer::new(ApplicationToken::new("192735")?).wrap_body())
    ///     .service(service_fn(handle));
    /// let status = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Limited::new(Full::from(body), 1000));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_body(self) -> EventLayer<V, WrapBody> {
        self.with_mode(WrapBody)
    }

    /// Makes bodies with a function, for a body type that is not `From<Bytes>` and is to be kept.
    ///
    /// The requests and the inner service's responses must have this type. `lambda_http::Body`, for
    /// example, is made by `|bytes| bytes.to_vec().into()`, and tonic's by
    /// `|bytes| Body::new(Full::new(bytes))`.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::{Full, Limited};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// type Body = Limited<Full<Bytes>>;
    ///
    /// async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    ///     Ok(Response::new(request.into_body()))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let events = EventLayer::new(ApplicationToken::new("192735")?)
    ///     .body_from(|bytes| Limited::new(Full::new(bytes), 1000));
    /// let service = ServiceBuilder::new().layer(events).service(service_fn(handle));
    /// let status = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Limited::new(Full::from(body), 1000));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body_from<B>(self, make: fn(Bytes) -> B) -> EventLayer<V, BodyFrom<B>> {
        self.with_mode(BodyFrom(make))
    }

    fn with_mode<N>(self, mode: N) -> EventLayer<V, N> {
        EventLayer {
            shared: self.shared,
            mode,
        }
    }
}

/// A way in which an [`EventLayer`](crate::EventLayer) hands on a body of the type `B`, in requests and
/// responses.
///
/// | mode | a body is handed on as | chosen by |
/// |---|---|---|
/// | [`KeepBody`] | `B`, which must be `From<Bytes>` | the default |
/// | [`BodyFrom`] | `B`, made by a function | [`EventLayer::body_from`](crate::EventLayer::body_from) |
/// | [`WrapBody`] | [`EventBody<B>`](EventBody), for any `B` | [`EventLayer::wrap_body`](crate::EventLayer::wrap_body) |
///
/// The trait is sealed. A service that is generic over the body states it as a bound:
/// `KeepBody: BodyMode<B, Body = B>`, which holds for every `B: From<Bytes>`.
#[diagnostic::on_unimplemented(
    message = "the layer cannot make a `{B}` from bytes",
    label = "`{B}` is not `From<Bytes>`",
    note = "call `.wrap_body()` on the `EventLayer`: the bodies behind it and those of its responses are \
            then `EventBody<_>`, made from any body",
    note = "or call `.body_from(…)` with a function from `Bytes` to `{B}`"
)]
pub trait BodyMode<B>: sealed::Sealed {
    /// The type of the body that is handed on.
    type Body;

    #[doc(hidden)]
    fn original(body: B) -> Self::Body;

    #[doc(hidden)]
    fn whole(&self, bytes: Bytes, trailers: Option<Box<HeaderMap>>) -> Self::Body;
}

mod sealed {
    pub trait Sealed {}
}

/// Hands on the body type that the layer got, if that is `From<Bytes>`.
///
/// Those of axum, salvo and warp are, and so is `Full<Bytes>`. Trailers of a collected body are not kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepBody;

/// Wraps every body in an [`EventBody`], which keeps trailers.
#[derive(Clone, Copy, Debug, Default)]
pub struct WrapBody;

/// Hands on the body type that the layer got, made by a function.
pub struct BodyFrom<B>(pub(super) fn(Bytes) -> B);

impl sealed::Sealed for KeepBody {}
impl sealed::Sealed for WrapBody {}
impl<B> sealed::Sealed for BodyFrom<B> {}

#[diagnostic::do_not_recommend]
impl<B: From<Bytes>> BodyMode<B> for KeepBody {
    type Body = B;

    fn original(body: B) -> B {
        body
    }

    fn whole(&self, bytes: Bytes, _: Option<Box<HeaderMap>>) -> B {
        bytes.into()
    }
}

impl<B> BodyMode<B> for WrapBody {
    type Body = EventBody<B>;

    fn original(body: B) -> EventBody<B> {
        EventBody::stream(body)
    }

    fn whole(&self, bytes: Bytes, trailers: Option<Box<HeaderMap>>) -> EventBody<B> {
        EventBody::whole(bytes, trailers)
    }
}

impl<B> BodyMode<B> for BodyFrom<B> {
    type Body = B;

    fn original(body: B) -> B {
        body
    }

    fn whole(&self, bytes: Bytes, _: Option<Box<HeaderMap>>) -> B {
        self.0(bytes)
    }
}

impl<B> Clone for BodyFrom<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for BodyFrom<B> {}

impl<B> fmt::Debug for BodyFrom<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyFrom")
    }
}
