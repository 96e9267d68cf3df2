//! Many portals (feature `portals`): the tokens of each looked up, learned and forgotten.
//!
//! An application that is installed on many portals gets the events of all at one address, and each
//! portal has a token of its own. [`PortalVerifier`] is the verifier for that. It keeps the tokens in a
//! [`TokenStore`], in memory or in a database, and knows the life cycle of an installation:
//!
//! | event | what happens |
//! |---|---|
//! | ONAPPINSTALL, ONAPPUPDATE with the current token | accepted |
//! | ONAPPINSTALL, ONAPPUPDATE with another token | the [`InstallPolicy`] decides; a token that takes the place of another leaves that valid for a [grace](PortalVerifier::grace_period), and so is one that comes later than a newer one |
//! | ONAPPUSERREADY with another token | accepted once, without the token becoming known, if it is proven or an installation is expected; it may come before ONAPPINSTALL and is never repeated. See [`InstallPolicy`] |
//! | ONAPPUNINSTALL with the current token | accepted; once the handler has succeeded, the application's tokens are forgotten. Of several handlers that are registered for it at this address, the later ones may be rejected |
//! | ONAPPUNINSTALL with an earlier token, or from before the installation | rejected: it is late, or repeated by somebody who read it |
//! | any other with a known token | accepted |
//! | any other | rejected, whether the portal is known or not |
//!
//! Every decision that changes tokens is made in one step of the store, by what the store then has.
//! Of two installations that reach two instances at once, the one that was issued later stays the
//! current one; an installation that comes while an earlier uninstallation is being dealt with is
//! not forgotten.
//!
//! The three outcomes stay apart. What is rejected is answered 403, and so is an event that arrives
//! after its portal was forgotten. Where the store cannot say, or does not in
//! [time](PortalVerifier::store_timeout), the answer is 503
//! ([`Unavailable`](crate::RejectionKind::Unavailable)). An unknown portal takes the same work as
//! a wrong token and gets the same answer.
//!
//! ```
//! use tower_bitrix24::portals::{InstallPolicy, MemoryStore, PortalVerifier};
//! use tower_bitrix24::{Envelope, Event, EventLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let portals = PortalVerifier::new(MemoryStore::new()).install_policy(InstallPolicy::trust_on_first_use());
//! let layer = EventLayer::new(portals.clone()).path("/bitrix24/events");
//!
//! // What the layer does with a body:
//! let receive = async |body: &'static str| -> Result<Event, Box<dyn std::error::Error>> {
//!     Ok(Event::verify(Envelope::scan(body)?, &portals).await?)
//! };
//! let event = "event=ONCRMDEALADD&data[FIELDS][ID]=1&auth[member_id]=a&auth[application_token]=1";
//! assert!(receive(event).await.is_err());
//! receive("event=ONAPPINSTALL&auth[member_id]=a&auth[application_token]=1").await?;
//! assert!(receive(event).await.is_ok());
//! // Nobody takes the portal over.
//! let forged = "event=ONAPPINSTALL&auth[member_id]=a&auth[application_token]=2";
//! assert!(receive(forged).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod introspection;
mod lifecycle;
mod policy;
pub mod store;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::error::{PortalsError, PortalsErrorKind};
pub use self::introspection::{
    DEFAULT_PROOF_ANSWER_LIMIT, DEFAULT_PROOF_CONCURRENCY, DEFAULT_PROOF_DEADLINE,
    TokenIntrospection,
};
use self::lifecycle::Marked;
pub use self::policy::{InstallPolicy, Installation};
#[cfg(feature = "cache")]
pub use self::store::TokenCache;
#[cfg(feature = "cache")]
use self::store::cache::Cache;
use self::store::token::{self, Claimed};
pub use self::store::{MemoryStore, PortalToken, TokenKey, TokenKind, TokenStore};
#[cfg(feature = "postgres")]
pub use self::store::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "sqlite")]
pub use self::store::{SqliteStore, SqliteStoreBuilder};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::store::{StoreError, StoreErrorKind};
use crate::secret::Secret;

/// Verifies the events of many portals by the tokens in a store; see the [module](self).
///
/// A clone is cheap and shares everything, so that the application can tell it what happens outside
/// of the events: [`install`](Self::install) from its install page, [`forget`](Self::remove_portal), and
/// so on. It needs a tokio runtime with time.
#[must_use]
pub struct PortalVerifier<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    store: Arc<S>,
    policy: InstallPolicy,
    key: Option<TokenKey>,
    grace: Duration,
    store_timeout: Duration,
    marking: Marked,
    #[cfg(feature = "cache")]
    cache: Option<Arc<Cache>>,
}

impl<S> PortalVerifier<S> {
    /// How long a `member_id` may be, in bytes. Those of the platform have 32 letters; a longer one,
    /// or one with control characters, is rejected without asking the store.
    pub const MAX_MEMBER_ID_LEN: usize = 128;

    /// How long an application token may be, in bytes. Those of the platform have 32 letters; a
    /// longer one, or one with control characters, is rejected without asking the store.
    pub const MAX_TOKEN_LEN: usize = 256;

    /// The default of [`grace`](Self::grace_period): a day.
    pub const DEFAULT_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

    /// The default of [`store_timeout`](Self::store_timeout): 2 seconds.
    pub const DEFAULT_STORE_TIMEOUT: Duration = Duration::from_secs(2);

    /// A verifier with the tokens of this store, which [rejects](InstallPolicy::reject) every
    /// installation until it is told otherwise.
    pub fn new(store: S) -> Self {
        Self {
            shared: Arc::new(Shared {
                store: Arc::new(store),
                policy: InstallPolicy::reject(),
                key: None,
                grace: Self::DEFAULT_GRACE,
                store_timeout: Self::DEFAULT_STORE_TIMEOUT,
                marking: Marked::default(),
                #[cfg(feature = "cache")]
                cache: None,
            }),
        }
    }

    /// What is done with the token that an installation brings.
    pub fn install_policy(self, policy: InstallPolicy) -> Self {
        self.with(|shared| shared.policy = policy)
    }

    /// How long the token that another takes the place of stays valid, in whole seconds;
    /// [a day](Self::DEFAULT_GRACE) unless set. Events that were queued before still have the
    /// earlier one.
    ///
    /// A portal may have 8 earlier tokens. Of more, the youngest that no event came with is
    /// forgotten, then the youngest of all, and never the oldest: somebody who proves many
    /// installations does not end the grace of the token that was there before. That events come
    /// with a token is noted down in the store once, with the first of them.
    pub fn grace_period(self, grace: Duration) -> Self {
        self.with(|shared| shared.grace = grace)
    }

    /// Hashes every token with this key before the store gets it. Those that the store has from
    /// before are recognised as they are.
    pub fn hash_tokens(self, key: TokenKey) -> Self {
        self.with(|shared| shared.key = Some(key))
    }

    /// How long each call of the store may take; [2 seconds](Self::DEFAULT_STORE_TIMEOUT) unless
    /// set. After it the event is answered 503.
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.store_timeout = timeout)
    }

    /// Remembers what the store says. The clones made before do not.
    #[cfg(feature = "cache")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
    pub fn cache(self, cache: TokenCache) -> Self {
        self.with(|shared| shared.cache = Some(Arc::new(Cache::new(cache))))
    }

    fn with(mut self, set: impl FnOnce(&mut Shared<S>)) -> Self {
        set(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<S: TokenStore> PortalVerifier<S> {
    /// Records a token of the application from its own install page, as the
    /// [policy](Self::install_policy) has it for ONAPPINSTALL.
    ///
    /// Applications with a user interface get no ONAPPINSTALL. Their install page is opened in the
    /// administrator's browser by a POST, which in newer builds of the platform has
    /// `APPLICATION_TOKEN` beside `member_id` and `AUTH_ID`; an [`Installation`] is read from it.
    /// Anybody can send such a POST, so only the policy
    /// [`prove`](InstallPolicy::introspect) makes sure whom it is from. Documentation page: *Application installation*.
    ///
    /// ```
    /// use tower_bitrix24::portals::{Installation, InstallPolicy, MemoryStore, PortalVerifier};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let portals = PortalVerifier::new(MemoryStore::new()).install_policy(InstallPolicy::complete_pending());
    ///
    /// // Which portal is expected is what the application itself knows, from an order say; never
    /// // what the page claims.
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
    /// [`Rejected`](PortalsErrorKind::Rejected) by the policy, and any other of the
    /// [kinds](PortalsErrorKind).
    pub async fn install(&self, installation: Installation) -> Result<(), PortalsError> {
        let member_id = valid_member_id(&installation.member_id)?;
        let claimed = self.claimed(member_id, &installation.application_token)?;
        Ok(self
            .admit_installation(member_id, &claimed, &installation.brought())
            .await?)
    }

    /// Records a token of the application without asking the policy: **the caller has made sure
    /// that it is the portal's**, by an OAuth answer of the authorization server say. The earlier
    /// one stays valid for the [grace](Self::grace_period). The token counts as issued now: an
    /// uninstallation from before is late.
    ///
    /// # Errors
    ///
    /// Any of the [kinds](PortalsErrorKind) but `Rejected`.
    pub async fn set_token(
        &self,
        member_id: &str,
        application_token: &Secret,
    ) -> Result<(), PortalsError> {
        let claimed = self.claimed(valid_member_id(member_id)?, application_token)?;
        let changed = self.change(member_id, |tokens| {
            let now = now();
            // Not late, even if the clock of the portal is ahead.
            let issued = lifecycle::latest_issued(tokens).map_or(now, |latest| latest.max(now));
            let token = PortalToken::new(TokenKind::Application, claimed.to_store());
            let end = later(now, self.shared.grace);
            lifecycle::install(tokens, token.with_issued_at(issued), now, end);
        });
        Ok(changed.await?)
    }

    /// Records the token of an outgoing webhook of the portal, beside all others. One that is known
    /// already, as the application's too, stays what it is.
    ///
    /// # Errors
    ///
    /// Any of the [kinds](PortalsErrorKind) but `Rejected`.
    pub async fn add_webhook(&self, member_id: &str, token: &Secret) -> Result<(), PortalsError> {
        let claimed = self.claimed(valid_member_id(member_id)?, token)?;
        let changed = self.change(member_id, |tokens| {
            let now = now();
            if claimed.find(tokens, now).is_none() {
                let token = PortalToken::new(TokenKind::Webhook, claimed.to_store());
                token::put(tokens, token);
            }
        });
        Ok(changed.await?)
    }

    /// Removes one token of the portal, of a webhook say, and says whether it was there.
    ///
    /// # Errors
    ///
    /// Any of the [kinds](PortalsErrorKind) but `Rejected`.
    pub async fn remove_token(
        &self,
        member_id: &str,
        token: &Secret,
    ) -> Result<bool, PortalsError> {
        let claimed = self.claimed(valid_member_id(member_id)?, token)?;
        let changed = self.change(member_id, |tokens| {
            let before = tokens.len();
            tokens.retain(|token| !claimed.forms().any(|form| form == token.encoded()));
            tokens.len() < before
        });
        Ok(changed.await?)
    }

    /// Lets one installation of the portal be completed within this time, for the policy
    /// [`complete_pending`](InstallPolicy::complete_pending). **The first to come is taken**, in
    /// place of the token of a portal that is known: take the member id from somebody who has
    /// proven to be of that portal, and keep the time short.
    ///
    /// # Errors
    ///
    /// [`InvalidMemberId`](PortalsErrorKind::InvalidMemberId) and
    /// [`Unavailable`](PortalsErrorKind::Unavailable).
    pub async fn expect_install(
        &self,
        member_id: &str,
        within: Duration,
    ) -> Result<(), PortalsError> {
        let changed = self.change(valid_member_id(member_id)?, |tokens| {
            token::put(tokens, token::pending(later(now(), within)));
        });
        Ok(changed.await?)
    }

    /// Forgets the portal with all its tokens, those of webhooks too, and says whether it was
    /// known.
    ///
    /// # Errors
    ///
    /// [`InvalidMemberId`](PortalsErrorKind::InvalidMemberId) and
    /// [`Unavailable`](PortalsErrorKind::Unavailable).
    pub async fn remove_portal(&self, member_id: &str) -> Result<bool, PortalsError> {
        let changed = self.change(valid_member_id(member_id)?, |tokens| {
            let was_known = !tokens.is_empty();
            tokens.clear();
            was_known
        });
        Ok(changed.await?)
    }

    fn claimed(&self, member_id: &str, token: &Secret) -> Result<Claimed, PortalsError> {
        match is_plain(token.expose(), Self::MAX_TOKEN_LEN) {
            true => Ok(Claimed::new(self.shared.key.as_ref(), member_id, token)),
            false => Err(PortalsErrorKind::InvalidToken.into()),
        }
    }
}

fn valid_member_id(member_id: &str) -> Result<&str, PortalsError> {
    match is_plain(member_id, PortalVerifier::<()>::MAX_MEMBER_ID_LEN) {
        true => Ok(member_id),
        false => Err(PortalsErrorKind::InvalidMemberId.into()),
    }
}

/// Whether a text is one that a store has to be able to keep.
fn is_plain(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Unix seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}

fn later(now: i64, by: Duration) -> i64 {
    now.saturating_add(by.as_secs().try_into().unwrap_or(i64::MAX))
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
            store: self.store.clone(),
            policy: self.policy.clone(),
            key: self.key.clone(),
            grace: self.grace,
            store_timeout: self.store_timeout,
            marking: self.marking.clone(),
            #[cfg(feature = "cache")]
            cache: self.cache.clone(),
        }
    }
}

/// Shows no store: a user's own may hold tokens.
impl<S> fmt::Debug for PortalVerifier<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalVerifier")
            .field("installs", &self.shared.policy)
            .field("hash_tokens", &self.shared.key.is_some())
            .field("grace", &self.shared.grace)
            .field("store_timeout", &self.shared.store_timeout)
            .finish_non_exhaustive()
    }
}
