//! `TokenIntrospection`: verifies an access token with the authorization server, and its user with the
//! portal.

mod error;
mod permits;
mod response;

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower::Service;

use self::error::{IntrospectionError, ProfileError, Redaction};
use self::permits::{Permit, Permits};
use self::response::{AppInfo, Introspected, Profile, check_status};
use crate::error::ConfigError;
use crate::rest::AuthorizationServer;
use crate::secret::Secret;
use crate::verify::{TokenOwner, VerifyError};

/// Real ones have about 70 bytes.
const MAX_TOKEN_LEN: usize = 512;

/// Verifies an installation by its access token: the authorization server responds with the
/// application and the portal that the token belongs to.
///
/// It calls `GET https://<authorization server>/rest/app.info?auth=<access token>` (the
/// documentation's page "app.info"). The installation is verified if the response has the
/// application's own `client_id` and, as `install.member_id`, the portal that the event claims. Both
/// are compared exactly. `install.installed` is ignored, since the event may come before it is set.
///
/// Three outcomes stay apart:
///
/// - **Verified**: both are as they should be.
/// - **Rejected**: one is not, or the server responds that the token is unknown, has expired or has
///   too little scope. An empty member id is rejected without a call, and so is an access token that
///   is empty, above 512 bytes or has a control character.
/// - **Unavailable**: the server is not reached or does not respond in time, or it responds with a
///   redirect, 429 or 5xx, with an error that is not about the token (the page "Error codes"), with
///   too many bytes, or with something else than `app.info` does.
///
/// Only the given server is called, never an address from the event. A forged installation costs it
/// one request.
///
/// # Limits
///
/// At most [`concurrency`](Self::concurrency) calls run at a time. Others wait for a permit, at most
/// for the [`timeout`](Self::timeout) of a call. One portal has at most a quarter of the permits, but
/// at least one. The portals that wait take turns, with one call each. At most 64 calls of one portal
/// and 4,096 of all run or wait. Calls beyond either number are unavailable at once.
///
/// So a flood of installations that claim one portal delays no other portal. If `concurrency` is 1,
/// it delays others by one call: by one timeout at most, which the call itself then still has. A
/// flood that claims many portals delays all: put a limit on how often strangers may call the
/// application in front of it.
///
/// # What it verifies
///
/// The sender holds an access token of the application for the portal. Every portal user with access
/// to the application can obtain such a token from the browser.
///
/// # The client
///
/// Requests go through any `tower` service: the `HttpsClient` of the feature `https-client`, or one
/// of the application's own, for example with a proxy. It must not follow redirects, which would
/// send the access token elsewhere. The timeout and the size limit are applied here. The request has
/// an empty `String` for its body. Calls run on a tokio runtime with time enabled.
///
/// ```
/// use hyper_util::client::legacy::{Client, connect::HttpConnector};
/// use hyper_util::rt::TokioExecutor;
/// use tower_bitrix24::portals::{InstallPolicy, TokenIntrospection};
/// use tower_bitrix24::rest::AuthorizationServer;
///
/// // In place of a connector with TLS, for example through a proxy.
/// let connector = HttpConnector::new();
/// let client = Client::builder(TokioExecutor::new()).build(connector);
/// let server = AuthorizationServer::default();
/// let introspection = TokenIntrospection::new("app.5f1a", server, client)?;
/// let policy = InstallPolicy::introspect(introspection);
/// # let _ = policy;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # On the application's own install page
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response, StatusCode, Uri};
/// use tower_bitrix24::portals::TokenIntrospection;
/// use tower_bitrix24::rest::AuthorizationServer;
/// use tower_bitrix24::Secret;
/// use tower_bitrix24::verify::VerifyErrorKind;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// // In place of a real client.
/// let client = tower::service_fn(|request: Request<String>| async move {
///     assert_eq!(request.uri(), "https://oauth.bitrix.info/rest/app.info?auth=c7ae9a66");
///     let install = r#"{"client_id": "app.5f1a", "install": {"member_id": "a223c6b3"}}"#;
///     Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
/// });
/// let server = AuthorizationServer::default();
/// let introspection = TokenIntrospection::new("app.5f1a", server, client)?;
///
/// let access_token = Secret::new("c7ae9a66");
/// assert!(introspection.verify("a223c6b3", &access_token).await.is_ok());
///
/// let error = introspection.verify("another portal", &access_token).await.unwrap_err();
/// assert_eq!(error.kind(), VerifyErrorKind::Rejected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct TokenIntrospection<C> {
    client_id: Box<str>,
    server: AuthorizationServer,
    client: C,
    timeout: Duration,
    response_limit: usize,
    permits: Arc<Permits>,
}

// Not of every `C`, so that the constants can be named without one.
impl TokenIntrospection<()> {
    /// The default of [`timeout`](TokenIntrospection::timeout): 5 seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// The default of [`response_limit`](TokenIntrospection::response_limit): 64 KiB. Real responses
    /// have about 1 KiB.
    pub const DEFAULT_RESPONSE_LIMIT: usize = 64 * 1024;

    /// The default of [`concurrency`](TokenIntrospection::concurrency): 16 calls.
    pub const DEFAULT_CONCURRENCY: usize = 16;
}

impl<C> TokenIntrospection<C> {
    /// Creates an introspection that calls `server` through `client`.
    ///
    /// The `client_id` is the application's code, `local.5f1a…` or `app.5f1a…`, which its page in
    /// Bitrix24 shows.
    ///
    /// # Errors
    ///
    /// Returns an error if the client id is empty.
    pub fn new(
        client_id: impl Into<String>,
        server: AuthorizationServer,
        client: C,
    ) -> Result<Self, ConfigError> {
        let client_id = client_id.into().into_boxed_str();
        if client_id.is_empty() {
            return Err(ConfigError::new("the application's client id is empty"));
        }
        Ok(Self {
            client_id,
            server,
            client,
            timeout: TokenIntrospection::DEFAULT_TIMEOUT,
            response_limit: TokenIntrospection::DEFAULT_RESPONSE_LIMIT,
            permits: Arc::new(Permits::new(TokenIntrospection::DEFAULT_CONCURRENCY)),
        })
    }

    /// Sets the maximum time of a call, from the connection to the last byte of the response. The wait
    /// for a permit before it takes at most as long again. Defaults to [5 seconds](TokenIntrospection::DEFAULT_TIMEOUT).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the maximum size of the response in bytes. No more of a larger one is read. Defaults to
    /// [64 KiB](TokenIntrospection::DEFAULT_RESPONSE_LIMIT).
    pub const fn response_limit(mut self, bytes: usize) -> Self {
        self.response_limit = bytes;
        self
    }

    /// Sets the maximum number of calls at a time, which later clones share. A quarter of it, but at
    /// least one, can be of the same portal. With 1, a flood that claims one portal delays every other
    /// portal by one call. Defaults to
    /// [16](TokenIntrospection::DEFAULT_CONCURRENCY).
    ///
    /// # Panics
    ///
    /// Panics if `calls` is 0.
    #[track_caller]
    pub fn concurrency(mut self, calls: usize) -> Self {
        assert!(calls > 0, "the concurrency must be at least 1");
        self.permits = Arc::new(Permits::new(calls));
        self
    }
}

impl<C, B> TokenIntrospection<C>
where
    C: Service<Request<String>, Response = Response<B>> + Clone,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Verifies that the access token belongs to the application's installation in this portal.
    ///
    /// # Errors
    ///
    /// Returns a [rejected](crate::verify::VerifyErrorKind::Rejected) error if it does not, and an
    /// [unavailable](crate::verify::VerifyErrorKind::Unavailable) one if there is no usable
    /// response. The source of the latter gives the reason, without the access token.
    pub async fn verify(&self, member_id: &str, access_token: &Secret) -> Result<(), VerifyError> {
        self.installation(member_id, access_token).await.map(drop)
    }

    /// Verifies the installation, and then the user, by `profile` of the portal that the authorization
    /// server names. The permit covers both calls.
    async fn owner(&self, member_id: &str, access_token: &Secret) -> Result<Owned, VerifyError> {
        let (app_info, _permit) = self.installation(member_id, access_token).await?;
        let endpoint = app_info.install.client_endpoint.unwrap_or_default();
        let profile = match self.profile_uri(&endpoint) {
            Some(uri) => {
                let token = Redaction::new(access_token.expose());
                self.within(self.call(&uri, "profile", &token)).await
            }
            None => Err(IntrospectionError::NoEndpoint),
        };
        match profile.map_err(|error| VerifyError::unavailable(ProfileError(error)))? {
            Introspected::Valid(Profile { user, is_admin }) => Ok(Owned {
                owner: TokenOwner { user, is_admin },
                expires: app_info.expires,
            }),
            Introspected::NotValid => Err(VerifyError::rejected()),
        }
    }

    async fn installation(
        &self,
        member_id: &str,
        access_token: &Secret,
    ) -> Result<(AppInfo, Permit<'_>), VerifyError> {
        let token = access_token.expose();
        let is_plausible =
            (1..=MAX_TOKEN_LEN).contains(&token.len()) && !token.contains(char::is_control);
        if member_id.is_empty() || !is_plausible {
            return Err(VerifyError::rejected());
        }
        let token = Redaction::new(token);
        let uri = format!("{}/rest/app.info", self.server);
        let introspected = async {
            let permit = self.within(self.permits.acquire(member_id)).await?;
            // With a time of its own, whatever the calls of other portals have taken.
            let call = self.call::<AppInfo>(&uri, "app.info", &token);
            Ok::<_, IntrospectionError>((self.within(call).await?, permit))
        };
        match introspected.await.map_err(VerifyError::unavailable)? {
            (Introspected::Valid(app_info), permit)
                if *app_info.client_id == *self.client_id
                    && app_info.install.member_id == member_id =>
            {
                Ok((app_info, permit))
            }
            _ => Err(VerifyError::rejected()),
        }
    }

    /// Without TLS only if the authorization server, a stand-in, has none either.
    fn profile_uri(&self, client_endpoint: &str) -> Option<String> {
        let uri: Uri = client_endpoint.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let is_allowed = scheme == "https" || scheme == "http" && self.server.is_without_tls();
        if !is_allowed || authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        let path = uri.path().trim_end_matches('/');
        Some(format!("{scheme}://{authority}{path}/profile"))
    }

    async fn within<T>(
        &self,
        step: impl Future<Output = Result<T, IntrospectionError>>,
    ) -> Result<T, IntrospectionError> {
        let result = timeout(self.timeout, step).await;
        result.unwrap_or(Err(IntrospectionError::Timeout))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        uri: &str,
        method: &'static str,
        token: &Redaction<'_>,
    ) -> Result<Introspected<T>, IntrospectionError> {
        let (status, body) = self.get(uri, token).await?;
        Introspected::read(method, status, &body).map_err(|error| match error {
            IntrospectionError::OAuth(code) => IntrospectionError::OAuth(token.string(code)),
            error => error,
        })
    }

    async fn get(
        &self,
        uri: &str,
        token: &Redaction<'_>,
    ) -> Result<(StatusCode, Vec<u8>), IntrospectionError> {
        let request = Request::get(format!("{uri}?auth={}", token.encoded))
            .header(ACCEPT, "application/json")
            .header(
                USER_AGENT,
                concat!("tower-bitrix24/", env!("CARGO_PKG_VERSION")),
            )
            .body(String::new())
            .expect("an origin, a path and an encoded token are a URI");

        let failed = |error: C::Error| IntrospectionError::Client(token.error(&*error.into()));
        let mut client = self.client.clone();
        poll_fn(|cx| client.poll_ready(cx)).await.map_err(failed)?;
        let response = client.call(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        check_status(head.status)?;
        Ok((head.status, self.collect(body, token).await?))
    }

    async fn collect(
        &self,
        body: B,
        redaction: &Redaction<'_>,
    ) -> Result<Vec<u8>, IntrospectionError> {
        let mut body = pin!(body);
        let limit = self.response_limit;
        let mut collected = Vec::new();
        if body.size_hint().lower() > limit as u64 {
            return Err(IntrospectionError::TooLarge(limit));
        }
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| IntrospectionError::Incomplete(redaction.error(&*error.into())))?;
            let Ok(mut data) = frame.into_data() else {
                continue;
            };
            if data.remaining() > limit - collected.len() {
                return Err(IntrospectionError::TooLarge(limit));
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                collected.extend_from_slice(chunk);
                let read = chunk.len();
                data.advance(read);
            }
        }
        Ok(collected)
    }
}

/// Omits the client.
impl<C> fmt::Debug for TokenIntrospection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIntrospection")
            .field("client_id", &self.client_id)
            .field("server", &self.server)
            .field("timeout", &self.timeout)
            .field("response_limit", &self.response_limit)
            .finish_non_exhaustive()
    }
}

/// The user of an access token, and when the token expires, in unix seconds.
pub(super) struct Owned {
    pub(super) owner: TokenOwner,
    pub(super) expires: Option<i64>,
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, VerifyError>> + Send + 'a>>;

/// A [`TokenIntrospection`] of any client.
pub(super) trait Introspect: Send + Sync {
    fn introspect<'a>(&'a self, member_id: &'a str, access_token: &'a Secret) -> Boxed<'a, ()>;

    fn owner<'a>(&'a self, member_id: &'a str, access_token: &'a Secret) -> Boxed<'a, Owned>;
}

impl<C, B> Introspect for TokenIntrospection<C>
where
    C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    C::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn introspect<'a>(&'a self, member_id: &'a str, access_token: &'a Secret) -> Boxed<'a, ()> {
        Box::pin(self.verify(member_id, access_token))
    }

    fn owner<'a>(&'a self, member_id: &'a str, access_token: &'a Secret) -> Boxed<'a, Owned> {
        Box::pin(self.owner(member_id, access_token))
    }
}
