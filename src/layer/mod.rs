//! The middleware: selects requests, collects and verifies their bodies, parses events, injects
//! them and calls the inner service.

mod body;
mod budget;
mod collect;
pub(crate) mod completion;
mod config;
mod future;
mod path;
mod service;
mod shared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tower::Layer;

pub use self::body::EventBody;
use self::budget::Budget;
pub use self::config::EventConfig;
pub use self::future::ResponseFuture;
pub use self::service::EventService;
use self::shared::Shared;
use crate::rejection::Answer;
use crate::rejection::{Rejection, RejectionPolicy};

/// Verifies the Bitrix24 events among the requests and hands them on typed.
///
/// Round a service, the layer takes every request, or those that [`path`](Self::path) and
/// [`when`](Self::when) select, for an event: it reads the body within a
/// [limit](Self::body_limit), a [deadline](Self::body_timeout) and a [budget](Self::body_budget) of
/// all bodies, has the `application_token`
/// verified, and only then reads `data` and calls the service, with an [`Event`](crate::Event) in
/// the request's extensions and the body whole. Everything else that comes on a selected path is
/// rejected; [`RejectionKind`](crate::RejectionKind) lists the answers. What is not selected passes
/// with its body unread.
///
/// The layer needs a tokio runtime with time for bodies that do not come at once.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_bitrix24::{ApplicationToken, Event, EventBody, EventLayer};
///
/// async fn handle(
///     request: Request<EventBody<Full<Bytes>>>,
/// ) -> Result<Response<Full<Bytes>>, Infallible> {
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
pub struct EventLayer<V> {
    shared: Arc<Shared<V>>,
}

/// The default of [`EventLayer::body_limit`]: 1 MiB.
///
/// It is twice the longest body that is documented. A message has at most 20,000 characters. A bot
/// receives each one twice, as `MESSAGE` and `MESSAGE_ORIGINAL`, and an escaped emoji takes 12
/// bytes: 480 KB.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// The default of [`EventLayer::body_budget`]: 64 MiB.
pub const DEFAULT_BODY_BUDGET: usize = 64 * 1024 * 1024;

/// The default of [`EventLayer::body_timeout`]: 10 seconds.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl<V> EventLayer<V> {
    /// A layer that takes every request for an event and asks `verifier` for its proof.
    pub fn new(verifier: V) -> Self {
        Self {
            shared: Arc::new(Shared {
                verifier: Arc::new(verifier),
                paths: Vec::new(),
                predicates: Vec::new(),
                body_limit: DEFAULT_BODY_LIMIT,
                body_timeout: DEFAULT_BODY_TIMEOUT,
                budget: Arc::new(Budget::new(DEFAULT_BODY_BUDGET)),
                pass_other_callbacks: false,
                respond_to_probes: false,
                answer: Answer::Policy(RejectionPolicy::Reject),
            }),
        }
    }

    /// Selects the requests for this path, such as `/bitrix24/events`. Called more than once, it
    /// selects each of the paths.
    ///
    /// Every spelling of the path is selected, so that a service which is less exact than the layer
    /// is not reached unverified: with and without slashes at the end, with doubled slashes, with
    /// `.` and `..` segments, and percent-encoded. Upper and lower case stay different. A middleware
    /// that rewrites the path in another way belongs outside of the layer.
    ///
    /// The path is compared as the layer sees it: a router that nests another strips its prefix.
    ///
    /// # Panics
    ///
    /// Where the path does not begin with `/`: it would select nothing.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = path.into();
        assert!(
            path.starts_with('/'),
            "the path {path:?} does not begin with /"
        );
        self.with(|shared| shared.paths.push(path.into()))
    }

    /// Selects only the requests whose head fulfils `predicate`, beside what
    /// [`path`](Self::path) says. Called more than once, all must be fulfilled.
    ///
    /// ```
    /// # use tower_bitrix24::{ApplicationToken, EventLayer};
    /// let layer = EventLayer::new(ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?)
    ///     .when(|head| head.uri.path().starts_with("/portals/"));
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    pub fn when(self, predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.predicates.push(Arc::new(predicate)))
    }

    /// Sets the maximum size of a body in bytes. A longer body is rejected with 413, immediately if
    /// `Content-Length` exceeds the limit. Defaults to [1 MiB](DEFAULT_BODY_LIMIT).
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|shared| shared.body_limit = bytes)
    }

    /// How long the whole body may take to arrive; [10 seconds](DEFAULT_BODY_TIMEOUT) unless set.
    /// A slower one is answered 408.
    pub fn body_timeout(self, deadline: Duration) -> Self {
        self.with(|shared| shared.body_timeout = deadline)
    }

    /// Sets how many bytes the bodies of unverified requests may hold in memory, all together. The
    /// layer's clones and all their services share the budget. A request that finds no room is
    /// rejected with 503, [`RejectionKind::BodyBudgetExhausted`]. Defaults to
    /// [64 MiB](DEFAULT_BODY_BUDGET).
    ///
    /// Small bodies find room when large ones find none: a body may hold `n` bytes only if there is
    /// still room for 1,024 more of that size, or if a quarter of the budget is free. So bodies of
    /// 16 KiB and more can fill three quarters of the default budget, bodies of 1 KiB all but 1 MiB.
    /// A budget should be at least twice the [`body_limit`](Self::body_limit), since a single body
    /// can hold three quarters of it.
    ///
    /// A body counts whenever its request waits: for more of the body, for the verifier, or, if it is
    /// another callback that passes, for the inner service. It counts with what is allocated for it,
    /// never with what is announced, until it is verified, rejected or dropped. A body that arrives
    /// in one piece and is verified without waiting does not count at all, so it is accepted however
    /// full the budget is. The buffers of connections and the heads of requests do not count: limit
    /// the number of connections in the server.
    ///
    /// There is no `Retry-After`: Bitrix24 does not send an event again.
    pub fn body_budget(self, bytes: usize) -> Self {
        self.with(|shared| shared.budget = Arc::new(Budget::new(bytes)))
    }

    /// Hands on what is no event instead of rejecting it: forms without `event` (placements, the
    /// application's page, robots, SMS providers), other methods and other content types. They
    /// reach the service with their body intact and without an [`Event`](crate::Event), **not
    /// verified**: proving them is the service's work.
    ///
    /// A form must still keep to the limits, and a form with an `event` is still verified or
    /// rejected. Nothing passes that a service may take for the form of an event:
    ///
    /// | request | status |
    /// |---|---|
    /// | a form with a method other than POST | 405 |
    /// | a content type that some reader takes for a form, such as `application/x-www-form-urlencodedX`, and `multipart/form-data` | 415 |
    /// | a form with a nameless key (`[]=ONAPPUNINSTALL`), from which serde_qs fills a struct | 400 |
    /// | a form without `event` in another charset than UTF-8, since UTF-16 hides one | 400 |
    /// | an `event` in the query: axum's `Form` reads it with GET, PHP's `$_REQUEST` always | as without this setting |
    ///
    /// What has another content type or none passes whatever it holds. A service must not take JSON
    /// for an event, nor bytes for a form without a look at the content type: only what comes with
    /// an [`Event`](crate::Event) is verified.
    pub fn pass_other_callbacks(self) -> Self {
        self.with(|shared| shared.pass_other_callbacks = true)
    }

    /// Responds to `GET` and `HEAD` with 200 and an empty body: a portal may probe an address before
    /// it is saved. Such a request never reaches the service, not even with
    /// [`pass_other_callbacks`](Self::pass_other_callbacks), so this is not for an address that
    /// also serves a page. Defaults to 405.
    pub fn respond_to_probes(self) -> Self {
        self.with(|shared| shared.respond_to_probes = true)
    }

    /// How rejected requests are answered: with a [status](RejectionPolicy::Reject) unless set.
    pub fn on_rejection(self, policy: RejectionPolicy) -> Self {
        self.with(|shared| shared.answer = Answer::Policy(policy))
    }

    /// Answers rejected requests with what `answer` makes of the [`Rejection`]. The rejection is
    /// added to the response's extensions.
    ///
    /// ```
    /// # use http::{Response, StatusCode};
    /// # use tower_bitrix24::{ApplicationToken, EventLayer, Rejection};
    /// let layer = EventLayer::new(ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?)
    ///     .with_rejection_response(|rejection: &Rejection| {
    ///         let mut response = Response::new("no event for us");
    ///         *response.status_mut() = rejection.status();
    ///         response
    ///     });
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    pub fn with_rejection_response<F, T>(self, answer: F) -> Self
    where
        F: Fn(&Rejection) -> Response<T> + Send + Sync + 'static,
        T: Into<Bytes>,
    {
        let answer = move |rejection: &Rejection| answer(rejection).map(Into::into);
        self.with(|shared| shared.answer = Answer::Custom(Arc::new(answer)))
    }

    fn with(mut self, set: impl FnOnce(&mut Shared<V>)) -> Self {
        set(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<S, V> Layer<S> for EventLayer<V> {
    type Service = EventService<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        EventService::new(inner, self.shared.clone())
    }
}

impl<V> Clone for EventLayer<V> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<V> fmt::Debug for EventLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}
