//! The worker: hands stored entries to a service.

mod attempt;
mod handler;
mod housekeeping;
mod run;
mod running;
mod turn;
mod verdict;

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tower::Service;

pub use self::handler::EntryHandler;
use self::run::Run;
use super::backoff::Backoff;
use super::delivery::WorkerRequest;
use super::request::StoredRequest;
use super::service::Inbox;
use super::store::{Accept, InboxStore};
use crate::handler::EventRouter;
use crate::verify::VerifyToken;

type Hook = Arc<dyn Fn(StoredRequest) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The longest lease and shutdown, a year: times beyond that may not exist.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The settings of a worker.
#[derive(Clone)]
struct Settings {
    concurrency: usize,
    portal_limit: Option<usize>,
    timeout: Duration,
    lease: Duration,
    poll_interval: Duration,
    backoff: Backoff,
    keep_done: Duration,
    keep_dead: Duration,
    on_handled: Option<Hook>,
}

impl<S: Accept + 'static> Inbox<S> {
    /// Returns a builder of a worker that hands the entries to a service: an
    /// [`EventRouter`](crate::EventRouter), an axum `Router`, or any other.
    ///
    /// The service is called with each request as the portal made it: POST, the path and query it came
    /// by, the content type of a form and the whole body, with the
    /// [`Event`](crate::Event) or the [`Callback`](crate::Callback), and the
    /// [`Delivery`](super::Delivery), in its extensions.
    ///
    /// # Panics
    ///
    /// Panics if the service is an [`EventRouter`] with a handler of a placement or of the settings form.
    /// A worker would never call it, since an inbox stores neither: give these handlers a router of their
    /// own, for [`Receive::pages`](super::Receive::pages).
    ///
    /// ```should_panic
    /// use tower_bitrix24::callback::{Callback, Placement, PlacementCode, html_response};
    /// use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
    /// use tower_bitrix24::EventRouter;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # let _guard = runtime.enter();
    /// let router = EventRouter::builder()
    ///     .on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {
    ///         html_response("never shown")
    ///     })
    ///     .build()
    ///     .expect("one handler");
    /// let inbox = Inbox::builder(MemoryInbox::new(), InboxKey::generate()).build();
    /// let worker = inbox.worker(router); // panics
    /// ```
    #[track_caller]
    pub fn worker<H: 'static>(&self, service: H) -> WorkerBuilder<S, H> {
        let router = (&service as &dyn Any).downcast_ref::<EventRouter>();
        assert!(
            !router.is_some_and(EventRouter::has_pages),
            "a worker never calls a handler of a placement or of the settings form, since an inbox \
             stores neither: give them a router of their own, for `Receive::pages`"
        );
        WorkerBuilder::new(self.clone(), service)
    }
}

/// A builder of a [`Worker`]. [`Inbox::worker`] returns it.
#[must_use = "a worker does nothing until it is spawned"]
pub struct WorkerBuilder<S, H> {
    inbox: Inbox<S>,
    service: H,
    settings: Settings,
}

impl<S: Accept + 'static, H> WorkerBuilder<S, H> {
    fn new(inbox: Inbox<S>, service: H) -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            inbox,
            service,
            settings: Settings {
                concurrency: 16,
                portal_limit: None,
                timeout: Duration::from_secs(60),
                lease: Duration::from_secs(20),
                poll_interval: Duration::from_millis(500),
                backoff: Backoff::new(),
                keep_done: day,
                keep_dead: day * 30,
                on_handled: None,
            },
        }
    }

    /// Runs the [completion hook](VerifyToken::on_handled) of this verifier after an event is handled
    /// with a 2xx status. `PortalVerifier` removes the tokens of an uninstalled portal there, so give
    /// the worker the verifier that the layer has.
    pub fn verifier<V>(mut self, verifier: V) -> Self
    where
        V: VerifyToken + Send + Sync + 'static,
    {
        let verifier = Arc::new(verifier);
        self.settings.on_handled = Some(Arc::new(move |stored: StoredRequest| {
            let verifier = verifier.clone();
            Box::pin(async move { stored.mark_handled(&*verifier).await })
        }));
        self
    }

    /// Sets the maximum number of entries that run at the same time, each in a task of its own.
    /// Defaults to 16.
    ///
    /// # Panics
    ///
    /// Panics if `entries` is 0.
    #[track_caller]
    pub fn concurrency(mut self, entries: usize) -> Self {
        assert!(entries > 0, "a concurrency of 0 runs nothing");
        self.settings.concurrency = entries;
        self
    }

    /// Sets the maximum number of entries of one portal that run at the same time, so that others find
    /// a place. Beside others, a portal may take three quarters of the places that they leave, or the
    /// share that this limit is of all places if that is more: with the default and a concurrency of 16,
    /// a portal whose handlers hang takes 12 places, a second one 3, and a third one the last. Defaults to
    /// three quarters of the [concurrency](Self::concurrency), so that at least one place is left for
    /// another portal if there are two.
    ///
    /// # Panics
    ///
    /// Panics if `entries` is 0.
    #[track_caller]
    pub fn portal_limit(mut self, entries: usize) -> Self {
        assert!(entries > 0, "a portal needs at least 1 place");
        self.settings.portal_limit = Some(entries);
        self
    }

    /// Sets the maximum time of one attempt. The handler is dropped at its next await, and the entry
    /// is retried. Defaults to 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Sets the time after which others may take the entries of a worker that vanished. The worker
    /// extends a lease after each third of this time, however long a handler runs. If the store cannot be
    /// reached, the handler is stopped as its lease ends, or a tenth of it later, a second at most.
    /// Defaults to 20 seconds. A year at most.
    ///
    /// # Panics
    ///
    /// Panics if the lease is shorter than 100 milliseconds.
    #[track_caller]
    pub fn lease(mut self, lease: Duration) -> Self {
        assert!(lease.as_millis() >= 100, "a lease is at least 100 ms");
        self.settings.lease = lease.min(LONGEST);
        self
    }

    /// Sets the interval between two claims, for entries that other processes have stored or whose next
    /// attempt is due. Entries that this process stores are claimed at once. Defaults to 500
    /// milliseconds.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets the pauses between attempts, and the number of attempts. Defaults to [`Backoff::new`].
    pub fn retry(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// Sets the times after which done and dead entries are deleted. Defaults to a day and 30 days.
    ///
    /// Until it is deleted, a done entry of an addition or a deletion makes an equal event a duplicate.
    pub fn retention(mut self, done: Duration, dead: Duration) -> Self {
        self.settings.keep_done = done;
        self.settings.keep_dead = dead;
        self
    }
}

impl<S: InboxStore + 'static, H> WorkerBuilder<S, H> {
    /// Starts the worker.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn spawn<R>(self) -> Worker
    where
        H: Service<WorkerRequest, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        R: Send + 'static,
    {
        self.spawn_with()
    }

    /// Starts a worker for a service of requests with another body: one that is made from bytes, such
    /// as an [`EventBody`](crate::EventBody) of any body.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn spawn_with<B, R>(self) -> Worker
    where
        H: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        H::Future: Send,
        H::Error: Into<Box<dyn Error + Send + Sync>>,
        B: From<Bytes> + Send + 'static,
        R: Send + 'static,
    {
        let (stop, stopped) = watch::channel(None);
        let housekeeping = housekeeping::spawn(self.inbox.clone(), self.settings.clone());
        let run = Run::new(self.inbox, self.settings, stopped);
        let service = self.service;
        let task = tokio::spawn(async move {
            // Dropped as the worker ends.
            let _housekeeping = housekeeping;
            run.run(service).await
        });
        Worker { stop, task }
    }
}

/// A running worker. Dropping it does not stop the worker.
#[derive(Debug)]
pub struct Worker {
    stop: watch::Sender<Option<Instant>>,
    task: JoinHandle<usize>,
}

impl Worker {
    /// Stops claiming, waits for the running handlers, at most for `timeout`, then drops the others
    /// and releases their entries: they are due at once, and the attempt does not count. Returns
    /// their number.
    ///
    /// Call this after the server has stopped and responded to its last request.
    pub async fn shutdown(self, timeout: Duration) -> usize {
        let deadline = Instant::now() + timeout.min(LONGEST);
        self.stop.send_replace(Some(deadline));
        self.task.await.unwrap_or_default()
    }
}

impl<S: fmt::Debug, H> fmt::Debug for WorkerBuilder<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder")
            .field("inbox", &self.inbox)
            .field("concurrency", &self.settings.concurrency)
            .field("timeout", &self.settings.timeout)
            .field("lease", &self.settings.lease)
            .field("backoff", &self.settings.backoff)
            .finish_non_exhaustive()
    }
}
