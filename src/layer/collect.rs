//! Collects a body within a size limit and a timeout.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{LengthLimitError, Limited};
use pin_project_lite::pin_project;
use tower_http::timeout::DeadlineBody;

use crate::rejection::RejectionKind;

pin_project! {
    /// Unlike `http_body_util`'s future, it does not copy a body of one frame, and it has a timeout.
    pub(super) struct Collect<B> {
        #[pin]
        body: Limited<B>,
        // Armed when the body is first pending: most are complete at once, and a timer costs more
        // than the verification. By then the body is pinned and cannot move into a `DeadlineBody`,
        // so the timer wraps a body that never ends instead.
        #[pin]
        timer: Option<DeadlineBody<NeverBody>>,
        limit: usize,
        timeout: Option<Duration>,
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
    pub(super) fn new(body: B, limit: usize, timeout: Option<Duration>) -> Self {
        Self {
            body: Limited::new(body, limit),
            timer: None,
            limit,
            timeout,
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

impl<B> Future for Collect<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Collected, RejectionKind>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Checked before the body: otherwise one that always has another byte would never time out.
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            if timer.poll_frame(cx).is_ready() {
                return Poll::Ready(Err(RejectionKind::BodyTimeout));
            }
        }
        let mut is_pending = false;
        for _ in 0..MAX_FRAMES_PER_POLL {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                is_pending = true;
                break;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.buffer.push(data, *this.limit);
                        // Most bodies end with their first frame, so this saves a poll.
                        if this.body.is_end_stream() {
                            return Poll::Ready(Ok(Collected::take(this.buffer, this.trailers)));
                        }
                    }
                    Err(frame) => *this.trailers = frame.into_trailers().ok().map(Box::new),
                },
                Some(Err(error)) => {
                    return Poll::Ready(Err(kind_of(&*error)));
                }
                None => return Poll::Ready(Ok(Collected::take(this.buffer, this.trailers))),
            }
        }
        if !is_pending {
            cx.waker().wake_by_ref();
        }
        Self::poll_timer(this.timer, *this.timeout, cx)
    }
}

impl<B> Collect<B> {
    /// Waits for the body no longer than the timeout.
    #[cold]
    fn poll_timer(
        mut timer: Pin<&mut Option<DeadlineBody<NeverBody>>>,
        timeout: Option<Duration>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Collected, RejectionKind>> {
        if let Some(timeout) = timeout.filter(|_| timer.is_none()) {
            timer.set(Some(DeadlineBody::new(timeout, NeverBody)));
        }
        // Polled to register the waker. A timeout of zero is over already.
        let timer = timer.as_pin_mut();
        if timer.is_some_and(|timer| timer.poll_frame(cx).is_ready()) {
            return Poll::Ready(Err(RejectionKind::BodyTimeout));
        }
        Poll::Pending
    }
}

impl Collected {
    fn take(buffer: &mut Buffer, trailers: &mut Option<Box<HeaderMap>>) -> Self {
        Self {
            allocated: buffer.allocated(),
            bytes: std::mem::replace(buffer, Buffer::Empty).into_bytes(),
            trailers: trailers.take(),
        }
    }
}

impl Buffer {
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
