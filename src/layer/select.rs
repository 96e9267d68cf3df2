//! The settings of `EventLayer` that decide by what a request is: its path, its head, its kind.

use std::sync::Arc;

use http::request::Parts;

use super::path::SelectedPath;
use super::shared::Callbacks;
use super::{EventLayer, UrlSecret};

impl<V, M> EventLayer<V, M> {
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
    /// With a secret set, no form passes as [another callback](Self::pass_other_callbacks) any more, nor,
    /// with [`callbacks`](Self::callbacks), does JSON.
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

    /// Verifies the platform's other requests too: robots and workflow activities, messages for a
    /// message provider, placements and pages, the settings form. They reach the inner service with a
    /// [`Callback`](crate::Callback) in their extensions, and without an [`Event`](crate::Event).
    /// Defaults to `false`: they are rejected, or [pass](Self::pass_other_callbacks) unverified.
    ///
    /// The token of a callback is `auth[application_token]`, or `APPLICATION_TOKEN` of a placement. It is
    /// verified as that of an event, within the same limits. The module [`callback`](crate::callback) says
    /// what it proves.
    ///
    /// An inbox does not store pages. Before one without a service for pages, set
    /// [`stored_callbacks`](Self::stored_callbacks) instead.
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
        self.with(|shared| shared.callbacks = Callbacks::All)
    }

    /// Verifies only those [`callbacks`](Self::callbacks) whose response nobody waits for: robots and
    /// workflow activities, messages and, with a [secret in the URL](Self::url_secret), what has no type,
    /// as a form. What [wants its response now](crate::Callback::wants_response) is rejected with 400, with
    /// or without a token: placements, pages, the settings form, pay systems and their like. Only a page
    /// without any token [passes](Self::pass_other_callbacks) unverified, if that is set.
    ///
    /// This is for an inbox (module `inbox`) without a service for pages.
    ///
    /// ```
    /// use http::{Request, StatusCode};
    /// use tower_bitrix24::layer::Verdict;
    /// use tower_bitrix24::{ApplicationToken, Callback, EventLayer};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let layer = EventLayer::new(ApplicationToken::new("192735")?).stored_callbacks();
    /// let verify = async |body: &'static str| {
    ///     let request = Request::post("/")
    ///         .header("content-type", "application/x-www-form-urlencoded")
    ///         .body(body.as_bytes());
    ///     layer.verify(request.unwrap()).await
    /// };
    /// let robot = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    ///              &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]=192735";
    /// let Verdict::Pass(robot) = verify(robot).await else { panic!() };
    /// assert!(robot.extensions().get::<Callback>().is_some());
    ///
    /// let Verdict::Respond(page) = verify("AUTH_ID=4d&APPLICATION_TOKEN=192735").await else { panic!() };
    /// assert_eq!(page.status(), StatusCode::BAD_REQUEST);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stored_callbacks(self) -> Self {
        self.with(|shared| shared.callbacks = Callbacks::Stored)
    }

    #[cfg(feature = "inbox")]
    pub(crate) fn lets_pages_through(&self) -> bool {
        self.shared.callbacks == Callbacks::All || self.shared.pass_other_callbacks
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
}
