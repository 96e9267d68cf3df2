//! The middleware: selects requests, collects and verifies their bodies, parses events, injects
//! them and calls the inner service.

mod body;
mod body_mode;
mod budget;
mod collect;
pub(crate) mod completion;
mod config;
mod future;
mod path;
mod service;
pub(crate) mod setting;
mod shared;
mod state;
mod url_secret;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use tower::Layer;

pub use self::body::EventBody;
pub use self::body_mode::{BodyFrom, BodyMode, KeepBody, WrapBody};
use self::budget::Budget;
pub use self::config::EventConfig;
pub use self::future::ResponseFuture;
use self::path::SelectedPath;
pub use self::service::EventService;
use self::shared::Shared;
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
                callbacks: false,
                pass_other_callbacks: false,
                respond_to_probes: false,
                response_policy: ResponsePolicy::Policy(RejectionPolicy::Reject),
            }),
            mode: KeepBody,
        }
    }
}

impl<V, M> EventLayer<V, M> {
    /// Wraps bodies in an [`EventBody`], for a body type that is not `From<Bytes>`.
    ///
    /// By default the layer hands on the body types that it gets: a handler behind it, and a layer around
    /// it, is written as if it were not there. That needs a body that can be made from bytes, in requests
    /// and in the inner service's responses. axum's, salvo's, warp's and `Full<Bytes>` can. hyper's
    /// `Incoming` and the bodies of some layers, such as `RequestBodyLimitLayer`'s, cannot:
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::{Full, Limited};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::{ApplicationToken, EventBody, EventLayer};
    ///
    /// type Body = Limited<Full<Bytes>>;
    ///
    /// async fn handle(_: Request<EventBody<Body>>) -> Result<Response<Full<Bytes>>, Infallible> {
    ///     Ok(Response::default())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let service = ServiceBuilder::new()
    ///     .layer(EventLayer::new(ApplicationToken::new("192735")?).wrap_body())
    ///     .service(service_fn(handle));
    /// let status = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Limited::new(Full::from(body), 1000));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_body(self) -> EventLayer<V, WrapBody> {
        self.with_mode(WrapBody)
    }

    /// Makes bodies with a function, for a body type that is not `From<Bytes>` and is to be kept.
    ///
    /// The requests and the inner service's responses must have this type. `lambda_http::Body`, for
    /// example, is made by `|bytes| bytes.to_vec().into()`, and tonic's by
    /// `|bytes| Body::new(Full::new(bytes))`.
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::{Full, Limited};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// type Body = Limited<Full<Bytes>>;
    ///
    /// async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    ///     Ok(Response::new(request.into_body()))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let events = EventLayer::new(ApplicationToken::new("192735")?)
    ///     .body_from(|bytes| Limited::new(Full::new(bytes), 1000));
    /// let service = ServiceBuilder::new().layer(events).service(service_fn(handle));
    /// let status = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Limited::new(Full::from(body), 1000));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=192735").await, StatusCode::OK);
    /// assert_eq!(status("event=ONAPPTEST&auth[application_token]=guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body_from<B>(self, make: fn(Bytes) -> B) -> EventLayer<V, BodyFrom<B>> {
        self.with_mode(BodyFrom(make))
    }

    fn with_mode<N>(self, mode: N) -> EventLayer<V, N> {
        EventLayer {
            shared: self.shared,
            mode,
        }
    }

    /// Selects the requests for this path, for example `/bitrix24/events`. Further calls select further
    /// paths. Defaults to every path.
    ///
    /// Every spelling of the path is selected: with and without trailing slashes, with doubled slashes,
    /// with `.` and `..` segments, and percent-encoded. Otherwise a request could reach, unverified, a
    /// service that compares paths less strictly than the layer. The case of letters matters. A
    /// middleware that rewrites the path in another way belongs outside of the layer.
    ///
    /// The layer compares the path that it receives: a router that nests another strips its prefix.
    ///
    /// # Panics
    ///
    /// Panics if `path` does not start with `/`.
    #[track_caller]
    pub fn path(self, path: impl Into<String>) -> Self {
        let path = path.into();
        assert!(
            path.starts_with('/'),
            "the path {path:?} does not start with /"
        );
        self.with(|shared| shared.paths.push(SelectedPath::new(path)))
    }

    /// Selects only requests whose head fulfills `predicate`, in addition to [`path`](Self::path). If
    /// called more than once, all predicates must be fulfilled.
    ///
    /// **This is not a check.** A request that is not selected reaches the service unverified, since it
    /// may be for something else. [`require`](Self::require) rejects instead.
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

    /// Rejects selected requests whose head does not fulfill `predicate` with 403
    /// ([`HeadRejected`](crate::RejectionKind::HeadRejected)), before the body is read. If called more
    /// than once, all predicates must be fulfilled.
    ///
    /// | | a head that does not fulfill it |
    /// |---|---|
    /// | [`path`](Self::path), [`when`](Self::when) | is not selected: it reaches the service, **unverified** |
    /// | `require` | is rejected |
    ///
    /// For example the addresses of the platform's queue, which Bitrix24 publishes. They narrow who can
    /// send an event or a robot, but prove no portal. Pages and placements come from the browsers of
    /// employees, so this does not suit their URL. Behind a proxy, the address is that of the proxy.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    ///
    /// use bytes::Bytes;
    /// use http::{Request, StatusCode};
    /// use http_body_util::Full;
    /// use tower::{Layer, ServiceExt};
    /// use tower_bitrix24::{ApplicationToken, Event, EventLayer, EventRouter};
    ///
    /// /// The server's connector puts it into the extensions.
    /// #[derive(Clone, Copy)]
    /// struct Peer(IpAddr);
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let queue = IpAddr::from(Ipv4Addr::new(192, 0, 2, 7));
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?)
    ///     .require(move |head| head.extensions.get::<Peer>().is_some_and(|peer| peer.0 == queue));
    /// let service = layer.layer(EventRouter::builder().fallback(async |_: Event| {}).build()?);
    ///
    /// let status = async |peer: IpAddr| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .extension(Peer(peer))
    ///         .body(Full::new(Bytes::from("event=ONAPPTEST&auth[application_token]=192735")));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status(queue).await, StatusCode::OK);
    /// assert_eq!(status(Ipv4Addr::LOCALHOST.into()).await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn require(self, predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.requirements.push(Arc::new(predicate)))
    }

    /// Demands a secret in the URL. A request without it is rejected with 403
    /// ([`UrlSecretRejected`](crate::RejectionKind::UrlSecretRejected)), before the body is read. If
    /// called more than once, one of the secrets suffices.
    ///
    /// It is a second lock: an event still needs its application token. Together with
    /// [`callbacks`](Self::callbacks), it proves what Bitrix24 sends without one: the Webhook robot, a
    /// message without an author, the error handler of a background worker, pay systems, cashboxes,
    /// deliveries, providers of AI and BI. Their [`proof`](crate::callback::Callback::proof) is
    /// [`UrlSecret`](crate::callback::Proof::UrlSecret), and they may also be sent as JSON. If the URL is
    /// shared with requests that have a token, see
    /// [`only_without_token`](UrlSecret::only_without_token).
    ///
    /// With a secret set, no form passes as [another callback](Self::pass_other_callbacks) any more.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Full;
    /// use std::convert::Infallible;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_bitrix24::callback::{Callback, Proof};
    /// use tower_bitrix24::layer::UrlSecret;
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// async fn handle(
    ///     request: Request<Full<Bytes>>,
    /// ) -> Result<Response<Full<Bytes>>, Infallible> {
    ///     let callback: &Callback = request.extensions().get().expect("no event is sent here");
    ///     assert_eq!(callback.proof(), Proof::UrlSecret);
    ///     assert_eq!(request.uri(), "/hook?secret=redacted");
    ///     Ok(Response::default())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?)
    ///     .callbacks()
    ///     .url_secret(UrlSecret::query("secret", ["9b1c7e02f4a84d55"])?);
    /// let service = layer.layer(service_fn(handle));
    ///
    /// let status = async |uri: &str| {
    ///     let webhook_robot = "document_id[0]=crm&document_id[1]=CCrmDocumentDeal&document_id[2]=DEAL_1";
    ///     let request = Request::post(uri)
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Full::new(Bytes::from(webhook_robot)));
    ///     service.clone().oneshot(request.unwrap()).await.unwrap().status()
    /// };
    /// assert_eq!(status("/hook?secret=9b1c7e02f4a84d55").await, StatusCode::OK);
    /// assert_eq!(status("/hook?secret=guess").await, StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url_secret(self, secret: UrlSecret) -> Self {
        self.with(|shared| shared.url_secrets.push(secret))
    }

    /// Sets the maximum size of a body in bytes. Larger bodies are rejected with 413, immediately if
    /// `Content-Length` exceeds the limit. Defaults to [1 MiB](EventConfig::DEFAULT_BODY_LIMIT).
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

    /// Verifies the platform's other requests too: robots and workflow activities, messages for a
    /// message provider, placements and pages, the settings form. They reach the inner service with a
    /// [`Callback`](crate::Callback) in their extensions, and without an [`Event`](crate::Event).
    /// Defaults to `false`: they are rejected, or [pass](Self::pass_other_callbacks) unverified.
    ///
    /// The token of a callback is `auth[application_token]`, or `APPLICATION_TOKEN` of a placement. It is
    /// verified as that of an event, within the same limits. The module [`callback`](crate::callback) says
    /// what it proves.
    ///
    /// | request | response |
    /// |---|---|
    /// | a callback with a token | 403, unless the verifier accepts it |
    /// | a callback of a kind that always has a token, without one | 403 |
    /// | a callback without the token, but with an access token (a page of a build before 2025) | 403, unless the verifier [introspects](crate::VerifyToken::introspect) it, or the URL has a [secret](Self::url_secret) |
    /// | the keys of two kinds (`event` and `event_token`), or two tokens | 400 |
    /// | a key twice, or in a spelling that some parsers read otherwise | 400 |
    /// | a callback without any proof, such as a message without an author | 403, unless the URL has a [secret](Self::url_secret); or it passes with [`pass_other_callbacks`](Self::pass_other_callbacks) |
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response, StatusCode};
    /// use http_body_util::Full;
    /// use std::convert::Infallible;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    /// use tower_bitrix24::callback::{Callback, CallbackPayload};
    /// use tower_bitrix24::{ApplicationToken, EventLayer};
    ///
    /// async fn handle(
    ///     request: Request<Full<Bytes>>,
    /// ) -> Result<Response<Full<Bytes>>, Infallible> {
    ///     let callback = request.extensions().get::<Callback>();
    ///     let text = match callback.map(Callback::payload) {
    ///         Some(CallbackPayload::Robot(robot)) => format!("robot {}", robot.code),
    ///         _ => "not a robot".to_owned(),
    ///     };
    ///     Ok(Response::new(Full::from(text)))
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?).callbacks();
    /// let service = ServiceBuilder::new().layer(layer).service(service_fn(handle));
    /// let post = |token: &str| {
    ///     let body = format!(
    ///         "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///          &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]={token}",
    ///     );
    ///     Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(Full::new(Bytes::from(body)))
    /// };
    /// assert_eq!(service.clone().oneshot(post("192735")?).await?.status(), StatusCode::OK);
    /// assert_eq!(service.oneshot(post("guess")?).await?.status(), StatusCode::FORBIDDEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn callbacks(self) -> Self {
        self.with(|shared| shared.callbacks = true)
    }

    /// Passes requests that are not events to the inner service instead of rejecting them: forms without
    /// `event` (placements, the application's page, robots, SMS providers), other methods and other
    /// content types. They reach the service with their body intact and without an
    /// [`Event`](crate::Event). They are **not verified**: the service must do that. Defaults to
    /// rejecting them.
    ///
    /// A form must still keep to the limits, and a form with an `event` is still verified or rejected.
    /// Requests that a service may take for the form of an event do not pass:
    ///
    /// | request | status |
    /// |---|---|
    /// | a form with a method other than POST | 405 |
    /// | a content type that some readers treat as a form, for example `application/x-www-form-urlencodedX`, and `multipart/form-data` | 415 |
    /// | a form with a nameless key (`[]=ONAPPUNINSTALL`), from which serde_qs fills a struct | 400 |
    /// | a form without `event` in a charset other than UTF-8, because UTF-16 hides one | 400 |
    /// | an `event` in the query: axum's `Form` reads it with GET, PHP's `$_REQUEST` always | as without this setting |
    ///
    /// A request with another content type, or none, passes whatever it contains. A service must not
    /// take JSON for an event, and it must check the content type before it parses bytes as a form. Only
    /// a request with an [`Event`](crate::Event) is verified.
    pub fn pass_other_callbacks(self) -> Self {
        self.with(|shared| shared.pass_other_callbacks = true)
    }

    /// Responds to `GET` and `HEAD` with 200 and an empty body, because a portal may probe an address
    /// before it is saved. Such a request never reaches the service, not even with
    /// [`pass_other_callbacks`](Self::pass_other_callbacks), so this does not suit an address that also
    /// serves a page. Defaults to 405.
    pub fn respond_to_probes(self) -> Self {
        self.with(|shared| shared.respond_to_probes = true)
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
