//! Taking in a whole body, of bounded size and within bounded time.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{LengthLimitError, Limited};
use pin_project_lite::pin_project;
use tower_http::timeout::DeadlineBody;

use crate::rejection::RejectionKind;

pin_project! {
    /// Collects a body. Unlike `http_body_util`'s it has no bounds on the struct, does not copy a
    /// body of one frame, and knows a deadline.
    pub(super) struct Collect<B> {
        #[pin]
        body: Limited<B>,
        // Armed when the body first makes us wait: most are there already, and a timer costs more
        // than the verification. By then the body is pinned and cannot move into a `DeadlineBody`,
        // so that one guards a body beside it that never ends.
        #[pin]
        timer: Option<DeadlineBody<Endless>>,
        limit: usize,
        deadline: Duration,
        data: Data,
        trailers: Option<Box<HeaderMap>>,
    }
}

/// How many frames one poll takes in before it lets others run and looks at the time: a body that
/// always has another, perhaps empty, must neither keep a thread nor escape the deadline.
const FRAMES_A_POLL: usize = 64;

/// A body in memory.
pub(super) struct Collected {
    pub(super) bytes: Bytes,
    pub(super) trailers: Option<Box<HeaderMap>>,
}

/// What has arrived. The room grows with what is there, never with what is announced, and to no
/// more than the limit.
enum Data {
    None,
    /// A frame as it came: it may keep a larger buffer of the connection alive.
    One(Bytes),
    Many(Vec<u8>),
}

impl<B> Collect<B> {
    /// Collects up to `limit` bytes within `deadline`.
    pub(super) fn new(body: B, limit: usize, deadline: Duration) -> Self {
        Self {
            body: Limited::new(body, limit),
            timer: None,
            limit,
            deadline,
            data: Data::None,
            trailers: None,
        }
    }

    /// The bytes that the body takes in memory while it waits.
    pub(super) fn held(&self) -> usize {
        self.data.held()
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
        // Looked at before the body, or one that always has another byte would never be late.
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            if timer.poll_frame(cx).is_ready() {
                return Poll::Ready(Err(RejectionKind::BodyTimeout));
            }
        }
        let mut waits = false;
        for _ in 0..FRAMES_A_POLL {
            let Poll::Ready(frame) = this.body.as_mut().poll_frame(cx) else {
                waits = true;
                break;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.data.push(data, *this.limit);
                        // Most bodies end with their first frame: they need not wait for the end.
                        if this.body.is_end_stream() {
                            return Poll::Ready(Ok(Collected::of(this.data, this.trailers)));
                        }
                    }
                    Err(frame) => *this.trailers = frame.into_trailers().ok().map(Box::new),
                },
                Some(Err(error)) => {
                    return Poll::Ready(Err(match is_length_limit(&*error) {
                        true => RejectionKind::BodyTooLarge,
                        false => RejectionKind::BodyIncomplete,
                    }));
                }
                None => return Poll::Ready(Ok(Collected::of(this.data, this.trailers))),
            }
        }
        if !waits {
            cx.waker().wake_by_ref();
        }
        if this.timer.is_none() {
            this.timer
                .set(Some(DeadlineBody::new(*this.deadline, Endless)));
        }
        if let Some(timer) = this.timer.as_pin_mut() {
            // Polled for its waker; a deadline of zero is over already.
            let _: Option<_> = ready!(timer.poll_frame(cx));
            return Poll::Ready(Err(RejectionKind::BodyTimeout));
        }
        this.data.detach();
        Poll::Pending
    }
}

impl Collected {
    fn of(data: &mut Data, trailers: &mut Option<Box<HeaderMap>>) -> Self {
        Self {
            bytes: std::mem::replace(data, Data::None).into_bytes(),
            trailers: trailers.take(),
        }
    }
}

impl Data {
    fn push(&mut self, mut frame: impl Buf, limit: usize) {
        if !frame.has_remaining() {
            return;
        }
        match self {
            Self::None => *self = Self::One(frame.copy_to_bytes(frame.remaining())),
            Self::One(first) => {
                let mut many = Vec::new();
                make_room(&mut many, first.len() + frame.remaining(), limit);
                many.put_slice(first);
                many.put(frame);
                *self = Self::Many(many);
            }
            Self::Many(many) => {
                make_room(many, frame.remaining(), limit);
                many.put(frame);
            }
        }
    }

    /// Copies a frame that stays while others are waited for, so that what it takes is known.
    fn detach(&mut self) {
        if let Self::One(bytes) = self {
            *self = Self::Many(bytes.to_vec());
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(bytes) => bytes.len(),
            Self::Many(bytes) => bytes.capacity(),
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::One(bytes) => bytes,
            Self::Many(bytes) => bytes.into(),
        }
    }
}

/// Makes room for `more` bytes, and at least doubles it within the limit.
fn make_room(bytes: &mut Vec<u8>, more: usize, limit: usize) {
    let length = bytes.len() + more;
    if length > bytes.capacity() {
        let room = length.max((2 * length).min(limit));
        bytes.reserve_exact(room - bytes.len());
    }
}

/// Whether the body is over our limit, or over that of a layer outside, which frameworks wrap.
fn is_length_limit(error: &(dyn Error + 'static)) -> bool {
    let mut errors = std::iter::successors(Some(error), |&error| error.source());
    errors.any(|error| error.is::<LengthLimitError>())
}

/// A body that never has anything.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}
