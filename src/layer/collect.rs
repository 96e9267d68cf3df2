//! Collects a body within a size limit and a timeout.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::LengthLimitError;
use pin_project_lite::pin_project;
use tower_http::timeout::DeadlineBody;

use crate::rejection::RejectionKind;

pin_project! {
    /// Unlike `http_body_util`'s future, it does not copy a body of one frame, and it has a timeout.
    pub(super) struct Collect<B> {
        #[pin]
        body: B,
        // Armed when the body is first pending: most are complete at once, and a timer costs more
        // than the verification. By then the body is pinned and cannot move into a `DeadlineBody`,
        // so the timer wraps a body that never ends instead. Boxed, so that a request without one is
        // smaller by it.
        timer: Timer,
        buffer: Buffer,
        trailers: Option<Box<HeaderMap>>,
    }
}

/// A body that always has another frame, perhaps an empty one, must neither occupy a thread nor escape
/// the timeout. After this many frames, a poll yields and checks the time.
const MAX_FRAMES_PER_POLL: usize = 64;

pub(super) struct Collected {
    pub(super) bytes: Bytes,
    /// The allocated bytes, which may be more than those that have arrived.
    pub(super) allocated: usize,
    pub(super) trailers: Option<Box<HeaderMap>>,
}

/// Grows with what has arrived, never with what is announced, and never beyond the limit.
enum Buffer {
    Empty,
    /// The only frame so far, uncopied. It may keep a larger buffer of the connection alive.
    Single(Bytes),
    Joined(Vec<u8>),
}

impl<B> Collect<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            timer: None,
            buffer: Buffer::Empty,
            trailers: None,
        }
    }

    /// Takes what has arrived out of a body that waits.
    pub(super) fn detach(self: Pin<&mut Self>) -> Vec<u8> {
        self.project().buffer.detach()
    }

    /// Puts back what [`detach`](Self::detach) has taken.
    pub(super) fn attach(self: Pin<&mut Self>, bytes: Vec<u8>) {
        if bytes.capacity() > 0 {
            *self.project().buffer = Buffer::Joined(bytes);
        }
    }
}

impl<B> Collect<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Returns the body, or an error if it is longer than `limit` bytes or takes longer than `timeout`.
    pub(super) fn poll(
        self: Pin<&mut Self>,
        limit: usize,
        timeout: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Collected, RejectionKind>> {
        let mut this = self.project();
        // Checked before the body: otherwise one that always has another byte would never time out.
        if is_over(this.timer, cx) {
            return Poll::Ready(Err(RejectionKind::BodyTimeout));
        }
        let mut is_pending = false;
        for _ in 0..MAX_FRAMES_PER_POLL {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                is_pending = true;
                break;
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(kind_of(&*error.into()))),
                None => return Poll::Ready(Ok(Collected::take(this.buffer, this.trailers))),
            };
            let mut data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    *this.trailers = frame.into_trailers().ok().map(Box::new);
                    continue;
                }
            };
            let length = data.remaining();
            if length > limit - this.buffer.len() {
                return Poll::Ready(Err(RejectionKind::BodyTooLarge));
            }
            // Most bodies end with their first frame, so this saves a poll, and the buffer.
            if !this.body.is_end_stream() {
                this.buffer.push(data, limit);
            } else if this.buffer.is_empty() {
                return Poll::Ready(Ok(Collected {
                    bytes: data.copy_to_bytes(length),
                    allocated: length,
                    trailers: this.trailers.take(),
                }));
            } else {
                this.buffer.push(data, limit);
                return Poll::Ready(Ok(Collected::take(this.buffer, this.trailers)));
            }
        }
        if !is_pending {
            cx.waker().wake_by_ref();
        }
        poll_timer(this.timer, timeout, cx)
    }
}

type Timer = Option<Pin<Box<DeadlineBody<NeverBody>>>>;

fn is_over(timer: &mut Timer, cx: &mut Context<'_>) -> bool {
    let timer = timer.as_mut();
    timer.is_some_and(|timer| timer.as_mut().poll_frame(cx).is_ready())
}

/// Waits for the body no longer than the timeout.
#[cold]
#[inline(never)]
fn poll_timer(
    timer: &mut Timer,
    timeout: Option<Duration>,
    cx: &mut Context<'_>,
) -> Poll<Result<Collected, RejectionKind>> {
    if let Some(timeout) = timeout.filter(|_| timer.is_none()) {
        *timer = Some(Box::pin(DeadlineBody::new(timeout, NeverBody)));
    }
    // Polled to register the waker. A timeout of zero is over already.
    if is_over(timer, cx) {
        return Poll::Ready(Err(RejectionKind::BodyTimeout));
    }
    Poll::Pending
}

impl Collected {
    #[cold]
    #[inline(never)]
    fn take(buffer: &mut Buffer, trailers: &mut Option<Box<HeaderMap>>) -> Self {
        Self {
            allocated: buffer.allocated(),
            bytes: std::mem::replace(buffer, Buffer::Empty).into_bytes(),
            trailers: trailers.take(),
        }
    }
}

impl Buffer {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Single(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    #[cold]
    #[inline(never)]
    fn push(&mut self, mut frame: impl Buf, limit: usize) {
        if !frame.has_remaining() {
            return;
        }
        match self {
            Self::Empty => *self = Self::Single(frame.copy_to_bytes(frame.remaining())),
            Self::Single(first) => {
                let mut joined = Vec::new();
                reserve(&mut joined, first.len() + frame.remaining(), limit);
                joined.put_slice(first);
                joined.put(frame);
                *self = Self::Joined(joined);
            }
            Self::Joined(joined) => {
                reserve(joined, frame.remaining(), limit);
                joined.put(frame);
            }
        }
    }

    /// Copies a single frame, so that its size is known and a larger buffer is freed.
    fn detach(&mut self) -> Vec<u8> {
        match std::mem::replace(self, Self::Empty) {
            Self::Empty => Vec::new(),
            Self::Single(bytes) => bytes.to_vec(),
            Self::Joined(bytes) => bytes,
        }
    }

    fn allocated(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Single(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.capacity(),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Single(bytes) => bytes,
            Self::Joined(bytes) => bytes.into(),
        }
    }
}

/// Reserves room for `more` bytes and at least doubles the capacity, within the limit.
fn reserve(bytes: &mut Vec<u8>, more: usize, limit: usize) {
    let length = bytes.len() + more;
    if length > bytes.capacity() {
        let capacity = length.max((2 * length).min(limit));
        bytes.reserve_exact(capacity - bytes.len());
    }
}

#[cold]
fn kind_of(error: &(dyn Error + 'static)) -> RejectionKind {
    if is_length_limit(error) {
        RejectionKind::BodyTooLarge
    } else {
        RejectionKind::BodyIncomplete
    }
}

/// Returns `true` if the body exceeds our limit, or that of an outer layer, whose error frameworks wrap.
fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    let mut errors = std::iter::successors(Some(error), |&error| error.source());
    errors.any(<dyn Error>::is::<LengthLimitError>)
}

struct NeverBody;

impl Body for NeverBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}
