//! An in-memory queue that responds to events at once and handles them in background tasks
//! (feature `background`).
//!
//! Bitrix24 sends an event once, whatever the response, and calls a slow handler less often. Behind
//! the layer of a [`BackgroundQueue`] a handler may take its time, because the portal already has
//! its 200.
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
//! let queue = BackgroundQueue::builder().concurrency(4).capacity(100).build();
//! // In axum the layer added last runs first, so the event is verified before it is queued.
//! let app: Router = Router::new()
//!     .route("/bitrix24/events", post(on_event))
//!     .layer(queue.layer())
//!     .layer(EventLayer::new(ApplicationToken::new("192735")?));
//!
//! let status = async |body: &'static str| {
//!     let request = Request::post("/bitrix24/events")
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Body::from(body));
//!     app.clone().oneshot(request.unwrap()).await.unwrap().status()
//! };
//! assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
//! assert_eq!((queue.stats().running, queue.stats().completed), (1, 0));
//!
//! // A request that fails verification is rejected and never queued.
//! let forged = "event=ONAPPTEST&auth[application_token]=guess";
//! assert_eq!(status(forged).await, StatusCode::FORBIDDEN);
//!
//! let unfinished = queue.shutdown(Duration::from_secs(10)).await;
//! assert!(unfinished.is_empty());
//! assert_eq!((queue.stats().running, queue.stats().completed), (0, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Outcomes
//!
//! | an event | response | counted as |
//! |---|---|---|
//! | runs or is queued | 200 | [`running`](Stats::running), [`queued`](Stats::queued) |
//! | arrives when the queue is full, or after a shutdown began | 503 | [`dropped`](Stats::dropped) |
//! | ends with a 2xx status | was 200 | [`completed`](Stats::completed) |
//! | ends with another status, an error or a panic | was 200 | [`failed`](Stats::failed) |
//! | exceeds the timeout | was 200 | [`timed_out`](Stats::timed_out) |
//! | is aborted by a shutdown or by the end of the runtime | was 200 | [`dropped`](Stats::dropped) |
//!
//! Only an event that completes runs the [completion hook](crate::VerifyToken::on_handled) of the
//! verifier. A 4xx is a failure: a router, for example, responds with 422 to an event whose data do
//! not fit its handler, and that event was not handled.
//!
//! The handler's response is discarded. A layer that logs it, or that reads a
//! [`HandlerError`](crate::handler::HandlerError) from its extensions, belongs inside this one. A
//! panic ends only the event it happens in, and the panic hook reports it.
//!
//! A rejected event is available in the [`HandlerError`](crate::handler::HandlerError) in the
//! extensions of its 503, so that an outer layer can store it. **Bitrix24 does not send it again.**
//! Make the queue large enough for the largest burst, such as an import of deals, and monitor
//! [`oldest_queued_age`](Stats::oldest_queued_age).
//!
//! Other callbacks, which [pass](crate::EventLayer::pass_other_callbacks) without an event, are
//! handled in the foreground, because their responses matter.
//!
//! # What a crash loses
//!
//! The queue is in memory. Events that are queued or running are lost if the process is killed, or
//! if its runtime ends without a [shutdown](BackgroundQueue::shutdown), although their response was
//! 200. Events that a portal sends while the application is down are lost too. Take this queue for
//! events that may be lost, such as those that only refresh a cache. If no event may be lost, either
//!
//! - use the module `inbox` (feature `inbox`), which responds after the commit, or
//! - bind the events as offline events (`event.bind` with `event_type=offline`). The portal keeps
//!   them until the application fetches them (`event.offline.get`), so that it catches up after each
//!   start. Bind [`ONOFFLINEEVENT`](crate::EventKind::OfflineEvent) as well: it signals that there
//!   are events to fetch, and losing it does no harm.

mod config;
mod queue;
mod service;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::config::BackgroundConfig;
use self::queue::{Limits, Queue};
pub use self::service::{BackgroundFuture, BackgroundLayer, BackgroundService};
pub use self::stats::{Stats, Unfinished};
use crate::layer::KeepBody;

/// An in-memory queue that responds to events at once and handles them in background tasks.
///
/// A clone is cheap and shares the queue. Dropping the last clone stops nothing.
#[derive(Clone)]
pub struct BackgroundQueue {
    queue: Arc<Queue>,
}

impl BackgroundQueue {
    /// The default of [`concurrency`](BackgroundBuilder::concurrency): 16 events.
    pub const DEFAULT_CONCURRENCY: usize = 16;

    /// The default of [`capacity`](BackgroundBuilder::capacity): 1000 events.
    pub const DEFAULT_CAPACITY: usize = 1000;

    /// The default of [`capacity_bytes`](BackgroundBuilder::capacity_bytes): 64 MiB.
    pub const DEFAULT_CAPACITY_BYTES: usize = 64 * 1024 * 1024;

    /// The default of [`timeout`](BackgroundBuilder::timeout): 60 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

    /// Creates a queue with the default limits.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Returns a builder with the default limits.
    pub const fn builder() -> BackgroundBuilder {
        BackgroundBuilder {
            limits: Limits {
                concurrency: Self::DEFAULT_CONCURRENCY,
                capacity: Self::DEFAULT_CAPACITY,
                capacity_bytes: Self::DEFAULT_CAPACITY_BYTES,
                timeout: Self::DEFAULT_TIMEOUT,
            },
        }
    }

    /// Returns the layer that queues events.
    ///
    /// It belongs inside the [`EventLayer`](crate::EventLayer). Its services panic outside a tokio
    /// runtime, and running an event needs the runtime's timer.
    pub fn layer(&self) -> BackgroundLayer {
        BackgroundLayer {
            queue: self.queue.clone(),
            mode: KeepBody,
        }
    }

    /// Returns the current counters.
    ///
    /// ```
    /// use tower_bitrix24::background::BackgroundQueue;
    ///
    /// let stats = BackgroundQueue::new().stats();
    /// assert_eq!((stats.queued, stats.running, stats.dropped), (0, 0, 0));
    /// assert_eq!(stats.oldest_queued_age, None);
    /// ```
    pub fn stats(&self) -> Stats {
        self.queue.stats()
    }

    /// Rejects further events and waits for those already accepted, at most for `timeout`.
    ///
    /// Events that have not ended by then are aborted and returned. The queue never accepts events
    /// again.
    ///
    /// Further events are rejected with 503 and lost. So call this after the server has stopped
    /// listening and has responded to its last request, for example after
    /// `axum::serve(…).with_graceful_shutdown(…)`. A process that is being stopped is often killed
    /// after 10 or 30 seconds, so choose a `timeout` well below that.
    ///
    /// A handler is aborted at its next await; one that never awaits runs on. An event that ends at
    /// the very moment of the timeout may be returned although it was handled. If several calls
    /// run at once, the first to time out returns the unfinished events.
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
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let queue = BackgroundQueue::builder().concurrency(1).build();
    /// let service = ServiceBuilder::new()
    ///     .layer(EventLayer::new(ApplicationToken::new("192735")?))
    ///     .layer(queue.layer())
    ///     .service(service_fn(async |_: Request<Full<Bytes>>| {
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
    /// let unfinished = queue.shutdown(Duration::from_millis(10)).await;
    /// assert!(!unfinished.is_empty());
    /// assert_eq!(unfinished.interrupted()[0].code(), "ONCRMDEALADD");
    /// assert_eq!(unfinished.queued()[0].code(), "ONCRMDEALDELETE");
    /// let to_store: Vec<&Bytes> = unfinished.events().map(|event| event.body()).collect();
    /// assert_eq!(to_store.len(), 2);
    ///
    /// let late = send("event=ONAPPTEST&auth[application_token]=192735").await;
    /// assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn shutdown(&self, timeout: Duration) -> Unfinished {
        self.queue.shutdown(timeout).await
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
            .field("limits", &self.queue.limits)
            .field("stats", &self.stats())
            .finish()
    }
}

/// A builder of a [`BackgroundQueue`].
///
/// An event that is queued or running is held in memory with its body. Most bodies are about one
/// kilobyte; the largest have [`body_limit`](crate::EventLayer::body_limit) bytes.
#[derive(Clone, Copy, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct BackgroundBuilder {
    limits: Limits,
}

impl BackgroundBuilder {
    /// Sets the maximum number of events that run at the same time, each in a task of its own.
    ///
    /// Defaults to [16](BackgroundQueue::DEFAULT_CONCURRENCY).
    ///
    /// # Panics
    ///
    /// Panics if `events` is 0.
    #[track_caller]
    pub const fn concurrency(mut self, events: usize) -> Self {
        assert!(events > 0, "a concurrency of 0 runs nothing");
        self.limits.concurrency = events;
        self
    }

    /// Sets the maximum number of events that are queued while others run.
    ///
    /// With 0, an event that cannot run at once is rejected. Defaults to
    /// [1000](BackgroundQueue::DEFAULT_CAPACITY).
    pub const fn capacity(mut self, events: usize) -> Self {
        self.limits.capacity = events;
        self
    }

    /// Sets the maximum number of bytes that queued events hold.
    ///
    /// An event counts as the most memory it may hold: four times its body, 128 bytes for each
    /// pair, 320 bytes for each array that its keys may make and four kilobytes. An event that does not fit, and cannot run at once, is rejected as if
    /// the [queue were full](Self::capacity). Large bodies from one portal thus cannot exhaust the
    /// memory. Defaults to [64 MiB](BackgroundQueue::DEFAULT_CAPACITY_BYTES).
    pub const fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.limits.capacity_bytes = bytes;
        self
    }

    /// Sets the maximum time that one event may run.
    ///
    /// The time in the queue does not count; the time until the inner service is ready does. A
    /// handler is aborted at its next await. Defaults to
    /// [60 seconds](BackgroundQueue::DEFAULT_TIMEOUT).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Returns the queue.
    pub fn build(self) -> BackgroundQueue {
        BackgroundQueue {
            queue: Queue::new(self.limits),
        }
    }
}
