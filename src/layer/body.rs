//! `EventBody`: wraps the bodies that cannot be made from bytes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of requests behind a layer that [wraps](crate::EventLayer::wrap_body) them, and of
    /// responses from it.
    ///
    /// It is either the original body `B` or bytes in memory. A request that was not selected and a
    /// response of the inner service have their original body. A request that was collected and the
    /// response to a rejected request are in memory.
    ///
    /// As a [`Body`] it yields [`Bytes`] and the trailers of the original body, if it had some.
    #[derive(Debug)]
    pub struct EventBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<B> {
        Stream { #[pin] body: B },
        Whole { bytes: Option<Bytes>, trailers: Option<Box<HeaderMap>> },
    }
}

impl<B> EventBody<B> {
    pub(crate) fn stream(body: B) -> Self {
        Self {
            kind: Kind::Stream { body },
        }
    }

    pub(crate) fn whole(bytes: Bytes, trailers: Option<Box<HeaderMap>>) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self {
            kind: Kind::Whole { bytes, trailers },
        }
    }

    /// Returns the bytes of a body that is known to be in memory.
    pub(super) fn into_bytes(self) -> Bytes {
        match self.kind {
            Kind::Stream { .. } => Bytes::new(),
            Kind::Whole { bytes, .. } => bytes.unwrap_or_default(),
        }
    }

    /// Returns the original body, or `None` if the body is in memory.
    pub fn into_inner(self) -> Option<B> {
        match self.kind {
            Kind::Stream { body } => Some(body),
            Kind::Whole { .. } => None,
        }
    }
}

/// Creates an empty body.
impl<B> Default for EventBody<B> {
    fn default() -> Self {
        Self::whole(Bytes::new(), None)
    }
}

/// Creates a body in memory.
impl<B> From<Bytes> for EventBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes, None)
    }
}

impl<B: Body> Body for EventBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            // `copy_to_bytes` does not copy if the data are `Bytes` already.
            KindProj::Stream { body } => body
                .poll_frame(cx)
                .map_ok(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
            KindProj::Whole { bytes, trailers } => {
                let frame = match bytes.take() {
                    Some(bytes) => Some(Frame::data(bytes)),
                    None => trailers.take().map(|trailers| Frame::trailers(*trailers)),
                };
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Stream { body } => body.is_end_stream(),
            Kind::Whole { bytes, trailers } => bytes.is_none() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Stream { body } => body.size_hint(),
            Kind::Whole { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
        }
    }
}
