//! Answer first, work later (feature `background`): events are answered as soon as they are
//! verified, and handled after it.
//!
//! Bitrix24 sends an event once, whatever the answer, and calls a slow handler less often. Behind a
//! [`BackgroundQueue`]'s layer a handler may take its time: the portal has its 200 already.
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use axum::{Extension, Router, routing::post};
//! use tower::ServiceExt;
//! use tower_bitrix24::background::BackgroundQueue;
//! use tower_bitrix24::{ApplicationToken, Event, EventLayer};
//!
//! async fn on_event(Extension(event): Extension<Event>) {
//!     tokio::time::sleep(Duration::from_millis(20)).await;
//!     println!("{}", event.code());
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let background = BackgroundQueue::builder().concurrency(4).capacity(100).build();
//! // In axum a layer goes round those before it: the event is verified first.
//! let app: Router = Router::new()
//!     .route("/bitrix24/events", post(on_event))
//!     .layer(background.layer())
//!     .layer(EventLayer::new(ApplicationToken::new("192735")?));
//!
//! let status = async |body: &'static str| {
//!     let request = Request::post("/bitrix24/events")
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Body::from(body));
//!     app.clone().oneshot(request.unwrap()).await.unwrap().status()
//! };
//! assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
//! assert_eq!((background.stats().running, background.stats().done), (1, 0));
//!
//! // What is not proven is rejected as ever, and never queued.
//! let forged = "event=ONAPPTEST&auth[application_token]=guess";
//! assert_eq!(status(forged).await, StatusCode::FORBIDDEN);
//!
//! let drained = background.shutdown(Duration::from_secs(10)).await;
//! assert!(drained.is_complete());
//! assert_eq!((background.stats().running, background.stats().done), (0, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of an event
//!
//! | it | the answer | counted as |
//! |---|---|---|
//! | is run, or waits for its turn | 200 | [`running`](Stats::running), [`queued`](Stats::queued) |
//! | finds the queue full, of events or of bytes, or a drain begun | 503 | [`dropped`](Stats::dropped) |
//! | ends with a status below 500 | has been 200 | [`done`](Stats::done) |
//! | ends with 500 or above, an error or a panic | has been 200 | [`failed`](Stats::failed) |
//! | runs too long | has been 200 | [`timed_out`](Stats::timed_out) |
//! | is given up by a drain | has been 200 | [`dropped`](Stats::dropped) |
//!
//! The answers of the handler go nowhere: a layer that logs them, or looks for the
//! [`HandlerError`](crate::handler::HandlerError) of a router in their extensions, stands inside this one.
//! A panic ends the event it happens in and nothing else; the panic hook tells about it.
//!
//! A rejected event is in the [`HandlerError`](crate::handler::HandlerError) in the extensions of its 503,
//! for a layer outside to store. **Bitrix24 does not send it again**, so give the queue room for the
//! largest burst, such as an import of deals, and watch
//! [`oldest_queued_age`](Stats::oldest_queued_age).
//!
//! Other callbacks, which [pass](crate::EventLayer::pass_other_callbacks) without an event, go to the
//! service in the foreground: their answers matter.
//!
//! # What a crash loses
//!
//! The queue is in memory. What waits or runs when the process is killed, or when its runtime ends
//! without a [drain](BackgroundQueue::shutdown), is lost, though it was answered 200. So is what the portal
//! sends while nothing listens. Where nothing may be lost, either
//!
//! - store the event in the handler, in the foreground, and work from the store, or
//! - bind the events as offline ones (`event.bind` with `event_type=offline`): the portal keeps them
//!   until the application fetches them (`event.offline.get`), so it catches up after every start.
//!   [`ONOFFLINEEVENT`](crate::EventKind::OfflineEvent), bound beside them, tells it that there are
//!   some; that one may be lost without harm.

mod queue;
mod service;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use self::queue::{Limits, Pool};
pub use self::service::{BackgroundFuture, BackgroundLayer, BackgroundService};
pub use self::stats::{Stats, Unfinished};

/// The default of [`BackgroundBuilder::concurrency`]: 16 events.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// The default of [`BackgroundBuilder::capacity`]: 1000 events.
pub const DEFAULT_CAPACITY: usize = 1000;

/// The default of [`BackgroundBuilder::capacity_bytes`]: 64 MiB.
pub const DEFAULT_QUEUE_BYTES: usize = 64 * 1024 * 1024;

/// The default of [`BackgroundBuilder::timeout`]: 60 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The queue of events that are answered and not yet handled, with what runs of it: gives out the
/// layer, the counters, and the drain.
///
/// A clone is cheap and is the same queue. Dropping the last one stops nothing.
#[derive(Clone)]
pub struct BackgroundQueue {
    pool: Arc<Pool>,
}

impl BackgroundQueue {
    /// A queue with the defaults.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A queue's limits, to be set one by one.
    pub const fn builder() -> BackgroundBuilder {
        BackgroundBuilder {
            limits: Limits {
                concurrency: DEFAULT_CONCURRENCY,
                queue: DEFAULT_CAPACITY,
                capacity_bytes: DEFAULT_QUEUE_BYTES,
                timeout: DEFAULT_TIMEOUT,
            },
        }
    }

    /// The layer that queues the events. It stands inside the [`EventLayer`](crate::EventLayer),
    /// and needs a tokio runtime with time.
    pub fn layer(&self) -> BackgroundLayer {
        BackgroundLayer {
            pool: self.pool.clone(),
        }
    }

    /// How it stands.
    ///
    /// ```
    /// use tower_bitrix24::background::BackgroundQueue;
    ///
    /// let stats = BackgroundQueue::new().stats();
    /// assert_eq!((stats.queued, stats.running, stats.dropped), (0, 0, 0));
    /// assert_eq!(stats.oldest_queued_age, None);
    /// ```
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }

    /// Takes no more events, for good, and waits until all that were taken have ended, for `limit`
    /// at most. What has not ended by then is stopped and handed back.
    ///
    /// Further events are answered 503 and lost, so drain after the server has stopped to listen
    /// and has answered its last request: after `axum::serve(…).with_graceful_shutdown(…)`, say. A
    /// process that is asked to stop has little time, often 10 or 30 seconds, before it is killed:
    /// let `limit` be well below.
    ///
    /// A handler is stopped at its next await; one that never awaits runs on. An event that ends in
    /// the very moment of the deadline may be handed back though it was handled. Of several drains at
    /// once, the first to reach its deadline gets what is left.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Full;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::background::BackgroundQueue;
    /// use tower_bitrix24::{ApplicationToken, EventBody, EventLayer};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let background = BackgroundQueue::builder().concurrency(1).build();
    /// let service = ServiceBuilder::new()
    ///     .layer(EventLayer::new(ApplicationToken::new("192735")?))
    ///     .layer(background.layer())
    ///     .service(service_fn(async |_: Request<EventBody<Full<Bytes>>>| {
    ///         pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    ///     }));
    /// let send = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Full::from(body));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// send("event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735").await;
    /// send("event=ONCRMDEALDELETE&data[FIELDS][ID]=42&auth[application_token]=192735").await;
    ///
    /// let drained = background.shutdown(Duration::from_millis(10)).await;
    /// assert!(!drained.is_complete());
    /// assert_eq!(drained.interrupted()[0].code(), "ONCRMDEALADD");
    /// assert_eq!(drained.waiting()[0].code(), "ONCRMDEALDELETE");
    /// let to_store: Vec<&Bytes> = drained.unfinished().map(|event| event.body()).collect();
    /// assert_eq!(to_store.len(), 2);
    ///
    /// let late = send("event=ONAPPTEST&auth[application_token]=192735").await;
    /// assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn shutdown(&self, limit: Duration) -> Unfinished {
        self.pool.drain(limit).await
    }
}

impl Default for BackgroundQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BackgroundQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundQueue")
            .field("limits", &self.pool.limits)
            .field("stats", &self.stats())
            .finish()
    }
}

/// Sets the limits of a [`BackgroundQueue`].
///
/// An event that waits or runs is held in memory with its body, which is about one kilobyte for
/// most events and [`body_limit`](crate::EventLayer::body_limit) for the longest.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct BackgroundBuilder {
    limits: Limits,
}

impl BackgroundBuilder {
    /// How many events run at a time; [16](DEFAULT_CONCURRENCY) unless set. Each has a task, and
    /// there are no other tasks.
    ///
    /// # Panics
    ///
    /// Where it is 0: nothing would ever run.
    #[track_caller]
    pub const fn concurrency(mut self, events: usize) -> Self {
        assert!(events > 0, "a concurrency of 0 runs nothing");
        self.limits.concurrency = events;
        self
    }

    /// How many events may wait while others run; [1000](DEFAULT_CAPACITY) unless set. With 0 an event
    /// that cannot run at once is rejected.
    pub const fn capacity(mut self, events: usize) -> Self {
        self.limits.queue = events;
        self
    }

    /// Sets the maximum number of bytes that waiting events hold. An event counts with what it may
    /// hold at most: four times its body, 128 bytes for each pair and one kilobyte. One that does
    /// not fit, and cannot run at once, is rejected as by a [full queue](Self::capacity), so that large
    /// bodies of one portal do not fill the memory.
    ///
    /// Defaults to [64 MiB](DEFAULT_QUEUE_BYTES).
    pub const fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.limits.capacity_bytes = bytes;
        self
    }

    /// How long one event may run; [60 seconds](DEFAULT_TIMEOUT) unless set. The time in the queue
    /// does not count, and the time until the inner service is ready does. A handler is stopped at
    /// its next await.
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.limits.timeout = limit;
        self
    }

    /// The queue, empty.
    pub fn build(self) -> BackgroundQueue {
        BackgroundQueue {
            pool: Pool::new(self.limits),
        }
    }
}
