//! `Delivery`: the attempt that a handler runs.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};

use super::request::StoredRequest;
use crate::event::DedupKey;
use crate::handler::ResponseBody;
use crate::layer::EventBody;

/// The request that a worker calls a service with.
pub type WorkerRequest = Request<EventBody<ResponseBody>>;

/// One attempt to handle an entry. A worker puts it into the extensions of the request; with the
/// feature `axum` it is an extractor.
///
/// ```
/// use std::sync::Mutex;
/// use std::collections::HashSet;
///
/// use tower_bitrix24::event::DedupKey;
/// use tower_bitrix24::inbox::Delivery;
///
/// /// In a database this is `INSERT … ON CONFLICT DO NOTHING` into a table with a unique key, in the
/// /// transaction of the effect.
/// fn is_first(handled: &Mutex<HashSet<DedupKey>>, delivery: &Delivery) -> bool {
///     handled.lock().unwrap().insert(delivery.key)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The [identity of the delivery](crate::Event::dedup_key), the same for a retry and a replay.
    pub key: DedupKey,
    /// The sequence number of the entry; 0 in a [fallback](super::Receive::fallback), since there is
    /// no entry.
    pub seq: i64,
    /// The attempt, the first being 1.
    pub attempt: u32,
    /// The time of the first receipt in unix milliseconds.
    pub first_received: i64,
    /// The number of earlier events that were merged into this one.
    pub merged: u32,
    /// `true` if an operator replayed the entry.
    pub replayed: bool,
}

impl Delivery {
    /// Returns the time of the first receipt.
    pub fn first_received_at(&self) -> SystemTime {
        let millis = u64::try_from(self.first_received).unwrap_or_default();
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// Makes the request as the portal did, with the event or the callback and the delivery in its extensions.
    pub(super) fn into_request<B: From<Bytes>>(
        self,
        stored: StoredRequest,
        target: Uri,
    ) -> Request<B> {
        let body = stored.body().clone();
        let length = HeaderValue::from(body.len());
        let mut request = Request::new(B::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
        request.headers_mut().insert(CONTENT_LENGTH, length);
        stored.insert_into(request.extensions_mut());
        request.extensions_mut().insert(self);
        request
    }
}

#[cfg(feature = "axum")]
mod extract {
    use std::convert::Infallible;
    use std::future::{Future, ready};

    use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
    use http::request::Parts;

    use super::Delivery;
    use crate::handler::{HandlerError, HandlerErrorKind};

    impl<S: Send + Sync> FromRequestParts<S> for Delivery {
        type Rejection = HandlerError;

        fn from_request_parts(
            parts: &mut Parts,
            _: &S,
        ) -> impl Future<Output = Result<Self, HandlerError>> + Send {
            let delivery = parts.extensions.get::<Self>().copied();
            ready(delivery.ok_or_else(|| HandlerError::new(HandlerErrorKind::NoDelivery, None)))
        }
    }

    /// Extracts `None` if the request comes from a portal.
    impl<S: Send + Sync> OptionalFromRequestParts<S> for Delivery {
        type Rejection = Infallible;

        fn from_request_parts(
            parts: &mut Parts,
            _: &S,
        ) -> impl Future<Output = Result<Option<Self>, Infallible>> + Send {
            ready(Ok(parts.extensions.get::<Self>().copied()))
        }
    }
}
