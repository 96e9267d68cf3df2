//! The middleware: selects requests, collects and verifies their bodies, parses events, injects
//! them and calls the inner service.

mod body;
mod body_mode;
mod budget;
mod check;
mod collect;
pub(crate) mod completion;
mod config;
mod future;
mod path;
mod pending;
mod select;
mod service;
pub(crate) mod setting;
mod shared;
mod state;
mod step;
mod url_secret;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tower::Layer;

pub use self::body::EventBody;
pub use self::body_mode::{BodyFrom, BodyMode, KeepBody, WrapBody};
use self::budget::Budget;
pub use self::config::EventConfig;
pub use self::future::ResponseFuture;
pub use self::service::EventService;
use self::shared::{Callbacks, Shared};
pub use self::url_secret::UrlSecret;
pub use self::verdict::{Verdict, Verified};
use crate::rejection::{Rejection, RejectionPolicy, ResponsePolicy};

/// Verifies the Bitrix24 events among the requests and passes them to the inner service, typed.
///
/// The layer handles all requests, or those that [`path`](Self::path) and [`when`](Self::when) select.
/// It collects the body within a [limit](Self::body_limit), a [timeout](Self::body_timeout) and a
/// [budget](Self::body_budget) that all bodies share, and verifies the `application_token`. Only then
/// does it parse `data` and call the service, with an [`Event`](crate::Event) in the request's
/// extensions and the complete body. Every other request that is selected is rejected;
/// [`RejectionKind`](crate::RejectionKind) lists the responses. Requests that are not selected pass
/// with their body unread.
///
/// The types of bodies stay as they are, in requests and responses, if they are `From<Bytes>`. For others,
/// see [`wrap_body`](Self::wrap_body).
///
/// The layer needs a tokio runtime with time enabled if a body does not arrive at once, unless it has
/// [no timeout](Self::no_body_timeout).
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_bitrix24::{ApplicationToken, Event, EventLayer};
///
/// async fn handle(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
///     let event: &Event = request.extensions().get().expect("the layer selects every request");
///     Ok(Response::new(Full::from(event.code().to_owned())))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
/// let service = ServiceBuilder::new().layer(EventLayer::new(token)).service(service_fn(handle));
///
/// let post = |body: &'static str| {
///     Request::post("/")
///         .header("content-type", "application/x-www-form-urlencoded")
///         .body(Full::new(Bytes::from_static(body.as_bytes())))
/// };
/// let good = post("event=ONAPPTEST&auth[application_token]=51856fefc120afa4b628cc82d3935cce")?;
/// assert_eq!(service.clone().oneshot(good).await?.status(), StatusCode::OK);
///
/// let bad = post("event=ONAPPTEST&auth[application_token]=guess")?;
/// assert_eq!(service.oneshot(bad).await?.status(), StatusCode::FORBIDDEN);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct EventLayer<V, M = KeepBody> {
    shared: Arc<Shared<V>>,
    mode: M,
}

impl<V> EventLayer<V> {
    /// Creates a layer that selects every request and verifies it with `verifier`.
    pub fn new(verifier: V) -> Self {
        Self {
            shared: Arc::new(Shared {
                verifier: Arc::new(verifier),
                paths: Vec::new(),
                predicates: Vec::new(),
                requirements: Vec::new(),
                url_secrets: Vec::new(),
                body_limit: EventConfig::DEFAULT_BODY_LIMIT,
                body_timeout: Some(EventConfig::DEFAULT_BODY_TIMEOUT),
                budget: Arc::new(Budget::new(EventConfig::DEFAULT_BODY_BUDGET)),
                verified_budget: Arc::new(Budget::new(EventConfig::DEFAULT_BODY_BUDGET)),
                callbacks: Callbacks::Off,
                pass_other_callbacks: false,
                respond_to_probes: false,
                response_policy: ResponsePolicy::Policy(RejectionPolicy::Reject),
            }),
            mode: KeepBody,
        }
    }
}

impl<V, M> EventLayer<V, M> {
    /// Sets the maximum size of a body in bytes. Larger bodies are rejected with 413, immediately if
    /// their exact length is known, or else `Content-Length` exceeds the limit. Defaults to
    /// [1 MiB](EventConfig::DEFAULT_BODY_LIMIT).
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|shared| shared.body_limit = bytes)
    }

    /// Sets the time within which the whole body must arrive. A slower one is rejected with 408.
    /// Defaults to [10 seconds](EventConfig::DEFAULT_BODY_TIMEOUT).
    pub fn body_timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.body_timeout = Some(timeout))
    }

    /// Waits for a body without a timeout, so that the layer needs neither tokio's timer nor a clock.
    ///
    /// This is for targets without a clock, such as `wasm32-unknown-unknown`, and for servers that limit
    /// the time themselves. Otherwise a sender may keep a request open forever.
    pub fn no_body_timeout(self) -> Self {
        self.with(|shared| shared.body_timeout = None)
    }

    /// Sets how many bytes the bodies of all unverified requests may hold in memory together. A request
    /// without room is rejected with 503,
    /// [`RejectionKind::BodyBudgetExhausted`](crate::RejectionKind::BodyBudgetExhausted). The layer's
    /// clones and all their services share the budget. Defaults to
    /// [64 MiB](EventConfig::DEFAULT_BODY_BUDGET).
    ///
    /// **Incomplete bodies** can hold three quarters of the budget. If these are full, a new body is not
    /// rejected: the oldest incomplete body is, and its memory is freed at once. Slow senders therefore
    /// do not keep events out. An event that arrives in several pieces is lost only if its rest takes
    /// longer than others need to send at least 12 MiB after it, with the default budget and while
    /// complete bodies hold at most a quarter of that. Bodies below and above 16 KiB (a 4,096th of the
    /// budget) make room for each other only if their side holds more than the other.
    ///
    /// **Complete bodies** that wait for the verifier are never evicted. Neither are those of other
    /// callbacks that wait for the inner service. They may use the whole budget, and incomplete bodies
    /// are evicted for them. A complete body of `n` bytes is admitted if there is room for 1,024 more of
    /// that size beside the complete bodies, or if these leave a quarter of the budget free. Small
    /// bodies thus still find room when large ones do not.
    ///
    /// **Verified bodies** that wait for the inner service have a second budget of the same size, and
    /// are admitted like complete ones. A verified event without room gets the same 503.
    ///
    /// A body counts with its allocated size, not with its announced size, and only while its request
    /// waits. While a thread polls a request, what its body grows by in this poll is not yet counted: up
    /// to the [`body_limit`](Self::body_limit) for each thread, and twice that while the buffer is moved
    /// to a larger one. A body that arrives in one piece and is verified without waiting does not count,
    /// so it is accepted even if the budget is full. If it waits, it stays in the buffer of its
    /// connection and counts with its own length. The buffers of connections and the heads of requests
    /// do not count: limit the number of connections in the server. The budget should be at least twice
    /// the [`body_limit`](Self::body_limit).
    ///
    /// There is no `Retry-After`, because Bitrix24 does not send an event again.
    pub fn body_budget(self, bytes: usize) -> Self {
        self.with(|shared| {
            shared.budget = Arc::new(Budget::new(bytes));
            shared.verified_budget = Arc::new(Budget::new(bytes));
        })
    }

    /// Sets the response to rejected requests. Defaults to [`RejectionPolicy::Reject`].
    pub fn on_rejection(self, policy: RejectionPolicy) -> Self {
        self.with(|shared| shared.response_policy = ResponsePolicy::Policy(policy))
    }

    /// Responds to rejected requests with the return value of `respond`. The [`Rejection`] is added to
    /// the response's extensions. Replaces [`on_rejection`](Self::on_rejection).
    ///
    /// ```
    /// # use http::{Response, StatusCode};
    /// # use tower_bitrix24::{ApplicationToken, EventLayer, Rejection};
    /// let layer = EventLayer::new(ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?)
    ///     .with_rejection_response(|rejection: &Rejection| {
    ///         let mut response = Response::new("not an event for us");
    ///         *response.status_mut() = rejection.status();
    ///         response
    ///     });
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    pub fn with_rejection_response<F, T>(self, respond: F) -> Self
    where
        F: Fn(&Rejection) -> Response<T> + Send + Sync + 'static,
        T: Into<Bytes>,
    {
        let respond = move |rejection: &Rejection| respond(rejection).map(Into::into);
        self.with(|shared| shared.response_policy = ResponsePolicy::Custom(Arc::new(respond)))
    }

    fn with(mut self, set: impl FnOnce(&mut Shared<V>)) -> Self {
        set(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<S, V, M: Clone> Layer<S> for EventLayer<V, M> {
    type Service = EventService<S, V, M>;

    fn layer(&self, inner: S) -> Self::Service {
        EventService::new(inner, self.shared.clone(), self.mode.clone())
    }
}

impl<V, M: Clone> Clone for EventLayer<V, M> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            mode: self.mode.clone(),
        }
    }
}

impl<V, M> fmt::Debug for EventLayer<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
