//! `PortalVerifier`: its settings, and the calls of the application.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::access::TokenAccess;
use super::claim;
use super::clock::unix_now;
use super::error::{PortalsError, PortalsErrorKind};
use super::install_page::Installation;
use super::lifecycle;
use super::policy::InstallPolicy;
use super::store::TokenStore;
#[cfg(feature = "cache")]
use super::store::cache::{Cache, TokenCache};
use super::store::hash::{PresentedToken, TokenKey};
use super::store::token::{PortalToken, TokenKind, upsert};
use crate::secret::Secret;

/// A verifier for the events of many portals, by the tokens in a store. See the
/// [module](super).
///
/// Clones are cheap and share everything. The application keeps one to report what happens outside
/// of events: [`install`](Self::install) from its install page,
/// [`remove_portal`](Self::remove_portal), and so on.
///
/// It runs on a tokio runtime with time enabled.
#[must_use]
pub struct PortalVerifier<S> {
    pub(super) shared: Arc<Shared<S>>,
}

pub(super) struct Shared<S> {
    pub(super) access: TokenAccess<S>,
    pub(super) policy: InstallPolicy,
    key: Option<TokenKey>,
    pub(super) grace: Duration,
}

// Not of every `S`, so that the constants can be named without one.
impl PortalVerifier<()> {
    /// The maximum length of a `member_id`, in bytes. Real ones have 32.
    ///
    /// Requests with a longer one, or with control characters in it, are rejected without a call of
    /// the store.
    pub const MAX_MEMBER_ID_LEN: usize = claim::MAX_MEMBER_ID_LEN;

    /// The maximum length of an application token, in bytes. Real ones have 32.
    ///
    /// Requests with a longer one, or with control characters in it, are rejected without a call of
    /// the store.
    pub const MAX_TOKEN_LEN: usize = claim::MAX_TOKEN_LEN;

    /// The default of [`grace_period`](PortalVerifier::grace_period): one day.
    pub const DEFAULT_GRACE_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

    /// The default of [`store_timeout`](PortalVerifier::store_timeout): 2 seconds.
    pub const DEFAULT_STORE_TIMEOUT: Duration = Duration::from_secs(2);
}

impl<S> PortalVerifier<S> {
    /// Creates a verifier by the tokens in `store`. It [rejects](InstallPolicy::reject) every
    /// installation until [`install_policy`](Self::install_policy) is called.
    pub fn new(store: S) -> Self {
        Self {
            shared: Arc::new(Shared {
                access: TokenAccess::new(store, PortalVerifier::DEFAULT_STORE_TIMEOUT),
                policy: InstallPolicy::reject(),
                key: None,
                grace: PortalVerifier::DEFAULT_GRACE_PERIOD,
            }),
        }
    }

    /// Sets the policy for the tokens of new installations. Defaults to
    /// [`InstallPolicy::reject`].
    pub fn install_policy(self, policy: InstallPolicy) -> Self {
        self.with(|shared| shared.policy = policy)
    }

    /// Sets how long a token stays valid after another one replaces it, in whole seconds. Events
    /// that were queued before still have the previous one.
    ///
    /// A portal has at most 8 previous tokens. Of more, the youngest unused one is removed, then the
    /// youngest of all, and never the oldest. So many verified installations do not end the grace
    /// period of the token from before them. The first event with a token stores that it is used.
    ///
    /// Defaults to [one day](PortalVerifier::DEFAULT_GRACE_PERIOD).
    pub fn grace_period(self, grace: Duration) -> Self {
        self.with(|shared| shared.grace = grace)
    }

    /// Hashes every token with this key before the store gets it. Tokens that were stored before
    /// are still recognized. Defaults to no hashing.
    pub fn hash_tokens(self, key: TokenKey) -> Self {
        self.with(|shared| shared.key = Some(key))
    }

    /// Sets the maximum time of each call of the store. After it the event is rejected with 503.
    ///
    /// A change of a portal's tokens takes at most five times as long. That includes the wait for
    /// other changes of the same portal, which are made one at a time, and its repetitions while other
    /// processes change the portal. At most 256 changes of a portal run or wait. After that time, and
    /// beyond that number, the change is [unavailable](PortalsErrorKind::Unavailable), and an
    /// installation is rejected with 503. Changes of one portal delay those of no other.
    ///
    /// Defaults to [2 seconds](PortalVerifier::DEFAULT_STORE_TIMEOUT).
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.access.timeout = timeout)
    }

    /// Caches the tokens of the store. Clones from before this call do not use the cache. Defaults
    /// to no cache.
    #[cfg(feature = "cache")]
    pub fn cache(self, cache: TokenCache) -> Self {
        self.with(|shared| shared.access.cache = Some(Arc::new(Cache::new(cache))))
    }

    fn with(mut self, set: impl FnOnce(&mut Shared<S>)) -> Self {
        set(Arc::make_mut(&mut self.shared));
        self
    }

    pub(super) fn present(&self, member_id: &str, token: &Secret) -> PresentedToken {
        PresentedToken::new(self.shared.key.as_ref(), member_id, token)
    }

    fn validate(&self, member_id: &str, token: &Secret) -> Result<PresentedToken, PortalsError> {
        validate_member_id(member_id)?;
        if !claim::is_storable(token.expose(), claim::MAX_TOKEN_LEN) {
            return Err(PortalsError::new(PortalsErrorKind::InvalidToken));
        }
        Ok(self.present(member_id, token))
    }
}

fn validate_member_id(member_id: &str) -> Result<(), PortalsError> {
    if claim::is_storable(member_id, claim::MAX_MEMBER_ID_LEN) {
        Ok(())
    } else {
        Err(PortalsError::new(PortalsErrorKind::InvalidMemberId))
    }
}

impl<S: TokenStore> PortalVerifier<S> {
    /// Stores a token from the application's own install page, if the
    /// [policy](Self::install_policy) accepts it as it would from ONAPPINSTALL.
    ///
    /// Applications with a user interface get no ONAPPINSTALL. Instead the administrator's browser
    /// opens their install page by a POST. Newer builds of the platform send `APPLICATION_TOKEN` in
    /// it, beside `member_id` and `AUTH_ID`. [`Installation`] deserializes from it.
    ///
    /// Anybody can send such a POST. Only [`InstallPolicy::introspect`] verifies the sender.
    /// Documentation page: *Application installation*.
    ///
    /// ```
    /// use tower_bitrix24::portals::{Installation, InstallPolicy, MemoryStore, PortalVerifier};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let portals = PortalVerifier::new(MemoryStore::new()).install_policy(InstallPolicy::complete_pending());
    ///
    /// // The application itself knows which portal to expect, for example from an order. The page
    /// // only claims one.
    /// let ordered = "a223c6b3710f85df22e9377d6c4f7553";
    ///
    /// let page: Installation = serde_urlencoded::from_str(
    ///     "AUTH_ID=s6p6eclrvim6da22ft9ch94ekreb52lv&member_id=a223c6b3710f85df22e9377d6c4f7553\
    ///      &APPLICATION_TOKEN=51856fefc120afa4b628cc82d3935cce&PLACEMENT=DEFAULT",
    /// )?;
    /// assert!(portals.install(page.clone()).await.is_err());
    /// portals.expect_install(ordered, std::time::Duration::from_secs(600)).await?;
    /// portals.install(page).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`](PortalsErrorKind::Rejected) if the policy rejects the installation, and
    /// any other of the [kinds](PortalsErrorKind).
    pub async fn install(&self, installation: Installation) -> Result<(), PortalsError> {
        let member_id = &*installation.member_id;
        let presented = self.validate(member_id, &installation.application_token)?;
        self.verify_install(member_id, &presented, &installation.claim())
            .await
            .map_err(PortalsError::from_verify)
    }

    /// Stores a token of the application, whatever the policy. **The caller must have verified
    /// that it is the portal's**, for example by an OAuth response of the authorization server.
    ///
    /// The previous token stays valid for the [grace period](Self::grace_period). The token counts
    /// as issued a minute ago, so an uninstallation from before that is late. The clock of a portal
    /// may be a minute behind.
    ///
    /// # Errors
    ///
    /// Returns any of the [kinds](PortalsErrorKind) except `Rejected`.
    pub async fn set_token(
        &self,
        member_id: &str,
        application_token: &Secret,
    ) -> Result<(), PortalsError> {
        let presented = self.validate(member_id, application_token)?;
        self.change(member_id, |tokens| {
            lifecycle::set_token(tokens, presented.to_store(), self.shared.grace);
        })
        .await
    }

    /// Stores the token of an outgoing webhook of the portal, beside its other tokens. A token that
    /// is stored already stays what it is.
    ///
    /// # Errors
    ///
    /// Returns any of the [kinds](PortalsErrorKind) except `Rejected`.
    pub async fn add_webhook(&self, member_id: &str, token: &Secret) -> Result<(), PortalsError> {
        let presented = self.validate(member_id, token)?;
        self.change(member_id, |tokens| {
            if presented.find(tokens, unix_now()).is_none() {
                let token = PortalToken::new(TokenKind::Webhook, presented.to_store());
                upsert(tokens, token);
            }
        })
        .await
    }

    /// Removes one token of the portal, for example that of a webhook. Returns `true` if it was
    /// stored.
    ///
    /// # Errors
    ///
    /// Returns any of the [kinds](PortalsErrorKind) except `Rejected`.
    pub async fn remove_token(
        &self,
        member_id: &str,
        token: &Secret,
    ) -> Result<bool, PortalsError> {
        let presented = self.validate(member_id, token)?;
        let removal = |tokens: &mut Vec<PortalToken>| {
            let before = tokens.len();
            tokens.retain(|token| !presented.forms().any(|form| form == token.encoded()));
            tokens.len() < before
        };
        let removed = self.shared.access.remove(member_id, removal).await;
        removed.map_err(PortalsError::from_verify)
    }

    /// Expects one installation of the portal within this time, for
    /// [`InstallPolicy::complete_pending`].
    ///
    /// **The first installation is accepted**, and its token replaces that of a known portal. Take
    /// the member id from somebody who is verified to be of that portal, and keep the time short.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidMemberId`](PortalsErrorKind::InvalidMemberId) or
    /// [`Unavailable`](PortalsErrorKind::Unavailable).
    pub async fn expect_install(
        &self,
        member_id: &str,
        within: Duration,
    ) -> Result<(), PortalsError> {
        validate_member_id(member_id)?;
        self.change(member_id, |tokens| {
            lifecycle::expect_install(tokens, within);
        })
        .await
    }

    /// Removes the portal with all its tokens, also those of webhooks. Returns `true` if it was
    /// known.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidMemberId`](PortalsErrorKind::InvalidMemberId) or
    /// [`Unavailable`](PortalsErrorKind::Unavailable).
    pub async fn remove_portal(&self, member_id: &str) -> Result<bool, PortalsError> {
        validate_member_id(member_id)?;
        let removal = |tokens: &mut Vec<PortalToken>| {
            let was_known = !tokens.is_empty();
            tokens.clear();
            was_known
        };
        let removed = self.shared.access.remove(member_id, removal).await;
        removed.map_err(PortalsError::from_verify)
    }

    async fn change<T>(
        &self,
        member_id: &str,
        change: impl Fn(&mut Vec<PortalToken>) -> T,
    ) -> Result<T, PortalsError> {
        let changed = self.shared.access.change(member_id, change).await;
        changed.map_err(PortalsError::from_verify)
    }
}

impl<S> Clone for PortalVerifier<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self {
            access: self.access.clone(),
            policy: self.policy.clone(),
            key: self.key.clone(),
            grace: self.grace,
        }
    }
}

/// Omits the store, which may be the application's own and hold tokens.
impl<S> fmt::Debug for PortalVerifier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalVerifier")
            .field("install_policy", &self.shared.policy)
            .field("hash_tokens", &self.shared.key.is_some())
            .field("grace_period", &self.shared.grace)
            .field("store_timeout", &self.shared.access.timeout)
            .finish_non_exhaustive()
    }
}
