//! Body modes: a layer hands on bodies as the type that arrived, made by a function, or wrapped.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;

use super::body::EventBody;

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
