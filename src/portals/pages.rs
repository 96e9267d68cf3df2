//! `PageVerifier`: verifies the user of a page by its access token.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::claim::MAX_MEMBER_ID_LEN;
use super::introspection::{Introspect, TokenIntrospection};
use super::owners::Owners;
use crate::envelope::Envelope;
use crate::event::EventKind;
use crate::verify::{Introspection, OnHandled, TokenOwner, VerifyError, VerifyToken};

/// A verifier that also proves the **user** of a placement, of the application's page and of its settings
/// form: it [introspects](VerifyToken::introspect) the access token.
///
/// Everything else is verified by the verifier within, for example an
/// [`ApplicationToken`](crate::ApplicationToken) or a [`PortalVerifier`](super::PortalVerifier).
///
/// 1. If the page has an application token (builds since 2025), the verifier within must accept it.
/// 2. `app.info` of the [authorization server](TokenIntrospection) must name this application, and the
///    portal that the page claims.
/// 3. `profile` of the portal's address **in that response** names the user, and tells an
///    administrator. An address of the page is never called.
///
/// The callback then has the proof [`Introspected`](crate::callback::Proof::Introspected). A page whose
/// access token is not confirmed is rejected with 403. If the authorization server or the portal cannot
/// be asked, it gets 503, and the user can load it again. A page without an access token, which a user
/// without access to the application sees, has the proof of its application token alone.
///
/// A response is remembered until the token expires, at most for [`cache_ttl`](Self::cache_ttl), under a
/// keyed hash of the token. A former administrator is one for that long. Those of a portal are forgotten once
/// its ONAPPUNINSTALL was handled, in the process that handles it, and by
/// [`remove_portal`](Self::remove_portal). The calls are limited as those of an installation: see
/// [`TokenIntrospection`].
///
/// ```
/// use std::convert::Infallible;
///
/// use http::{Request, Response};
/// use tower_bitrix24::callback::{Callback, CallbackEnvelope, Proof};
/// use tower_bitrix24::portals::{PageVerifier, TokenIntrospection};
/// use tower_bitrix24::rest::AuthorizationServer;
/// use tower_bitrix24::ApplicationToken;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// // In place of a real client.
/// let client = tower::service_fn(|request: Request<String>| async move {
///     let json = match &*request.uri().to_string() {
///         "https://oauth.bitrix.info/rest/app.info?auth=c7ae9a66" => {
///             r#"{"result": {"client_id": "app.5f1a", "install": {"member_id": "a223c6b3",
///                 "client_endpoint": "https://some-domain.bitrix24.com/rest/"}}}"#
///         }
///         "https://some-domain.bitrix24.com/rest/profile?auth=c7ae9a66" => {
///             r#"{"result": {"ID": "7", "ADMIN": true}}"#
///         }
///         _ => r#"{"error": "invalid_token"}"#,
///     };
///     Ok::<_, Infallible>(Response::new(json.to_owned()))
/// });
/// let introspection = TokenIntrospection::new("app.5f1a", AuthorizationServer::default(), client)?;
/// let verifier = PageVerifier::new(ApplicationToken::new("192735")?, introspection);
///
/// let page = "member_id=a223c6b3&PLACEMENT=DEFAULT&APPLICATION_TOKEN=192735&AUTH_ID=";
/// let good = CallbackEnvelope::scan(format!("{page}c7ae9a66"))?;
/// let callback = Callback::verify(good, &verifier).await?;
/// assert_eq!(callback.proof(), Proof::Introspected { user: 7, is_admin: true });
///
/// let forged = CallbackEnvelope::scan(format!("{page}guess"))?;
/// assert!(Callback::verify(forged, &verifier).await.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct PageVerifier<V> {
    within: V,
    has_tokens: bool,
    introspection: Arc<dyn Introspect>,
    owners: Arc<Owners>,
    capacity: usize,
    ttl: Duration,
}

/// A verifier without application tokens, which rejects every event. See [`PageVerifier::install_page`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NoTokens;

impl VerifyToken for NoTokens {
    type Future = Ready<Result<(), VerifyError>>;

    fn verify(&self, _: &Envelope) -> Self::Future {
        ready(Err(VerifyError::rejected()))
    }
}

impl PageVerifier<NoTokens> {
    /// The default of [`cache_capacity`](PageVerifier::cache_capacity): 10,000 tokens.
    pub const DEFAULT_CACHE_CAPACITY: usize = 10_000;

    /// The default of [`cache_ttl`](PageVerifier::cache_ttl): 1 hour, the lifetime of an access token.
    pub const DEFAULT_CACHE_TTL: Duration = Duration::from_secs(60 * 60);

    /// Creates a verifier for the application's **install page**, whose portal is not known yet. Give the
    /// page a layer of its own with it: events and robots are rejected.
    ///
    /// The access token alone proves the page; **the application token in it is a claim** of the proven
    /// user. Hand the page to [`PortalVerifier::install`](super::PortalVerifier::install), and demand an
    /// [administrator](crate::callback::ProofLevel::Administrator), since only an administrator installs
    /// an application.
    pub fn install_page<C, B>(introspection: TokenIntrospection<C>) -> Self
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self {
            has_tokens: false,
            ..PageVerifier::new(NoTokens, introspection)
        }
    }
}

impl<V> PageVerifier<V> {
    /// Creates a verifier of pages around the verifier of everything else.
    pub fn new<C, B>(within: V, introspection: TokenIntrospection<C>) -> Self
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let capacity = PageVerifier::DEFAULT_CACHE_CAPACITY;
        let ttl = PageVerifier::DEFAULT_CACHE_TTL;
        Self {
            within,
            has_tokens: true,
            introspection: Arc::new(introspection),
            owners: Arc::new(Owners::new(capacity, ttl)),
            capacity,
            ttl,
        }
    }

    /// Sets the maximum number of remembered tokens, which later clones share. Each takes about 100
    /// bytes. If 0, none is remembered. Defaults to
    /// [10,000](PageVerifier::DEFAULT_CACHE_CAPACITY).
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.capacity = tokens;
        self.owners = Arc::new(Owners::new(self.capacity, self.ttl));
        self
    }

    /// Sets how long a token is remembered at most, which later clones share. Defaults to
    /// [1 hour](PageVerifier::DEFAULT_CACHE_TTL).
    pub fn cache_ttl(mut self, time: Duration) -> Self {
        self.ttl = time;
        self.owners = Arc::new(Owners::new(self.capacity, self.ttl));
        self
    }

    /// Forgets the users of a portal's tokens, in this process. Call it together with
    /// [`PortalVerifier::remove_portal`](super::PortalVerifier::remove_portal).
    pub fn remove_portal(&self, member_id: &str) {
        self.owners.remove_portal(member_id);
    }

    /// Returns the verifier within.
    pub const fn get_ref(&self) -> &V {
        &self.within
    }
}

impl<V> VerifyToken for PageVerifier<V>
where
    V: VerifyToken<Future: Send + 'static>,
{
    type Future = V::Future;

    fn verify(&self, envelope: &Envelope) -> V::Future {
        self.within.verify(envelope)
    }

    fn insecure_verify_without_token(&self) -> bool {
        self.within.insecure_verify_without_token()
    }

    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let within = self.within.on_handled(envelope);
        let member_id = envelope.member_id().map(Cow::into_owned);
        let is_uninstall = EventKind::from_code(&envelope.code()) == Some(EventKind::AppUninstall);
        let Some(member_id) = member_id.filter(|_| is_uninstall) else {
            return within;
        };
        let owners = self.owners.clone();
        Some(Box::pin(async move {
            owners.remove_portal(&member_id);
            if let Some(within) = within {
                within.await;
            }
        }))
    }

    fn introspect(&self, envelope: &Envelope) -> Option<Introspection> {
        let is_checked = self.has_tokens && envelope.has_application_token();
        let verify = is_checked.then(|| self.within.verify(envelope));
        let (introspection, owners) = (self.introspection.clone(), self.owners.clone());
        let auth = envelope.auth();
        Some(Box::pin(async move {
            let removals = owners.removals();
            if let Some(verify) = verify {
                verify.await?;
            }
            let (Some(member_id), Some(token)) = (auth.member_id(), auth.access_token()) else {
                return Err(VerifyError::rejected());
            };
            if member_id.len() > MAX_MEMBER_ID_LEN {
                return Err(VerifyError::rejected());
            }
            let key = owners.key(member_id, token);
            if let Some(owner) = owners.get(key) {
                return Ok(owner);
            }
            let owned = introspection.owner(member_id, token).await?;
            owners.insert(key, &owned, removals);
            Ok::<TokenOwner, _>(owned.owner)
        }))
    }
}

/// Omits the verifier within, which may hold tokens, and the client.
impl<V> fmt::Debug for PageVerifier<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageVerifier")
            .field("cache_capacity", &self.capacity)
            .field("cache_ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
