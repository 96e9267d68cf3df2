//! How [`PortalVerifier`] decides over an event.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::timeout;

use super::policy::{Policy, Prove};
#[cfg(feature = "cache")]
use super::store::cache::{Cache, Use};
use super::store::token::{self, Claimed};
use super::{PortalToken, PortalVerifier, TokenKind, TokenStore, is_plain, later, now};
use crate::envelope::Envelope;
use crate::event::EventKind;
use crate::secret::Secret;
use crate::verify::{OnHandled, VerifyError, VerifyErrorKind, VerifyToken};

/// What an envelope claims, as far as it matters here.
struct Claim {
    member_id: Box<str>,
    token: Secret,
    occasion: Occasion,
}

enum Occasion {
    Event,
    Installation(Brought),
    /// ONAPPUSERREADY: it comes with an installation, perhaps before ONAPPINSTALL.
    UserReady(Brought),
    Uninstallation {
        ts: Option<i64>,
    },
}

/// What an installation brings beside the token.
pub(super) struct Brought {
    pub(super) ts: Option<i64>,
    pub(super) access_token: Option<Secret>,
    /// Not an update of an installation that was there before.
    pub(super) is_first: bool,
}

/// What the store knows of a portal.
struct Known {
    tokens: Arc<[PortalToken]>,
    /// The token that is the claimed one.
    found: Option<PortalToken>,
}

impl Known {
    fn new(tokens: Arc<[PortalToken]>, claimed: &Claimed) -> Self {
        let found = claimed.find(&tokens, now()).cloned();
        Self { tokens, found }
    }

    /// The claimed token, where it is one of the application.
    fn application(&self) -> Option<&PortalToken> {
        let is_application = |token: &&PortalToken| token.kind() == TokenKind::Application;
        self.found.as_ref().filter(is_application)
    }
}

impl Claim {
    /// `None` where no portal can be meant.
    fn read<S>(envelope: &Envelope) -> Option<Self> {
        // What is not UTF-8 was replaced: it could be another portal's too.
        let member_id = envelope.member_id().filter(|id| !id.contains('\u{FFFD}'))?;
        let token = envelope.application_token()?;
        let token = std::str::from_utf8(&token).ok()?;
        let can_be = is_plain(&member_id, PortalVerifier::<S>::MAX_MEMBER_ID_LEN)
            && is_plain(token, PortalVerifier::<S>::MAX_TOKEN_LEN);
        can_be.then(|| Self {
            member_id: member_id.into(),
            token: Secret::new(token),
            occasion: Occasion::read(envelope),
        })
    }
}

impl Occasion {
    fn read(envelope: &Envelope) -> Self {
        let ts = envelope.timestamp();
        // What stands in `data` is of another endpoint: `auth` alone counts.
        let brought = |is_first| Brought {
            ts,
            access_token: envelope.auth().access_token().cloned(),
            is_first,
        };
        match EventKind::from_code(&envelope.code()) {
            Some(EventKind::AppUserReady) => Self::UserReady(brought(true)),
            Some(EventKind::AppInstall) => Self::Installation(brought(true)),
            Some(EventKind::AppUpdate) => Self::Installation(brought(false)),
            Some(EventKind::AppUninstall) => Self::Uninstallation { ts },
            _ => Self::Event,
        }
    }
}

impl<S> VerifyToken for PortalVerifier<S>
where
    S: TokenStore + 'static,
{
    type Future = Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        let (portals, claim) = (self.clone(), Claim::read::<S>(envelope));
        Box::pin(async move {
            match claim {
                Some(claim) => portals.admit(claim).await,
                None => Err(VerifyError::rejected()),
            }
        })
    }

    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let Claim {
            member_id,
            occasion: Occasion::Uninstallation { ts },
            ..
        } = Claim::read::<S>(envelope)?
        else {
            return None;
        };
        let (portals, portal) = (self.clone(), member_id.clone());
        let forget = async move { portals.forget_installation(&portal, ts).await };
        Some(Box::pin(async move {
            // A task of its own: the sender may hang up, and the handler has succeeded.
            if let Ok(Err(error)) = tokio::spawn(forget).await {
                crate::telemetry::not_forgotten(&member_id, &error);
            }
        }))
    }
}

/// What is to be done about an installation.
enum Decision<'a> {
    Accept,
    Reject,
    Prove(&'a dyn Prove, &'a Secret),
    /// Accept it if the portal's tokens become these.
    Change(Vec<PortalToken>),
}

/// How often a decision is made anew because the portal's tokens have changed meanwhile.
const ATTEMPTS: usize = 32;

impl<S: TokenStore + 'static> PortalVerifier<S> {
    async fn admit(&self, claim: Claim) -> Result<(), VerifyError> {
        let Claim {
            member_id,
            token,
            occasion,
        } = claim;
        let claimed = Claimed::new(self.shared.key.as_ref(), &member_id, &token);
        match occasion {
            Occasion::Event => self.admit_event(&member_id, &claimed).await,
            Occasion::Installation(brought) => {
                self.admit_installation(&member_id, &claimed, &brought)
                    .await
            }
            Occasion::UserReady(brought) => {
                self.admit_user_ready(&member_id, &claimed, &brought).await
            }
            Occasion::Uninstallation { ts } => {
                let known = Known::new(self.load(&member_id).await?, &claimed);
                let is_in_time = |token: &PortalToken| is_current(token) && !is_before(ts, token);
                proven_if(known.application().is_some_and(is_in_time))
            }
        }
    }

    async fn admit_event(&self, member_id: &str, claimed: &Claimed) -> Result<(), VerifyError> {
        let known = self.known(member_id, claimed).await?;
        self.note_use(member_id, &known);
        proven_if(known.found.is_some())
    }

    /// An unknown token is accepted for this one event if the policy would take it from an
    /// installation now. It takes the place of none: ONAPPINSTALL does that.
    async fn admit_user_ready(
        &self,
        member_id: &str,
        claimed: &Claimed,
        brought: &Brought,
    ) -> Result<(), VerifyError> {
        let known = self.admit_event(member_id, claimed).await;
        if known.is_ok() {
            return Ok(());
        }
        match &self.shared.policy.0 {
            Policy::Reject => known,
            // Trusted as the first is, and kept as the first is: a stranger gets no more of it than
            // of ONAPPINSTALL.
            Policy::TrustOnFirstUse => self.admit_installation(member_id, claimed, brought).await,
            Policy::CompletePending => {
                let known = Known::new(self.load(member_id).await?, claimed);
                proven_if(known.found.is_some() || known.tokens.iter().any(is_pending))
            }
            Policy::Prove(prover) => {
                let Some(access_token) = &brought.access_token else {
                    return known;
                };
                match prover.prove(member_id, access_token).await {
                    // The token may be the portal's, if the store could not say.
                    Err(error) if error.kind() == VerifyErrorKind::Rejected => known,
                    proven => proven,
                }
            }
        }
    }

    /// Notes down, once for each token, that events come with it. The event does not wait for it,
    /// and if it fails the next one does it.
    fn note_use(&self, member_id: &str, known: &Known) {
        let Some(found) = known.application().filter(|token| token.used().is_none()) else {
            return;
        };
        let Some(marking) = Marking::begin(&self.shared.marking, member_id) else {
            return;
        };
        let (portals, tokens) = (self.clone(), known.tokens.clone());
        let used = tokens
            .iter()
            .map(|token| match token.encoded() == found.encoded() {
                true => token.clone().used_at(now()),
                false => token.clone(),
            })
            .collect::<Vec<_>>();
        tokio::spawn(async move {
            let noted = portals.exchange(&marking.member_id, &tokens, &used).await;
            portals.remember(&marking.member_id, &tokens, used, noted);
        });
    }
}

impl<S: TokenStore> PortalVerifier<S> {
    /// Decides by what the store has now: a cache may know of no other process's uninstallation.
    pub(super) async fn admit_installation(
        &self,
        member_id: &str,
        claimed: &Claimed,
        brought: &Brought,
    ) -> Result<(), VerifyError> {
        let mut is_proven = false;
        for _ in 0..ATTEMPTS {
            let known = Known::new(self.load(member_id).await?, claimed);
            let changed = match self.decide(&known, claimed, brought, is_proven) {
                Decision::Accept => return Ok(()),
                Decision::Reject => return Err(VerifyError::rejected()),
                Decision::Prove(prover, access_token) => {
                    match prover.prove(member_id, access_token).await {
                        Ok(()) => {
                            is_proven = true;
                            continue;
                        }
                        Err(error)
                            if error.kind() == VerifyErrorKind::Rejected
                                && known.application().is_some() =>
                        {
                            return Ok(());
                        }
                        Err(error) => return Err(error),
                    }
                }
                Decision::Change(changed) => changed,
            };
            let _changing = self.changing(member_id);
            match self.exchange(member_id, &known.tokens, &changed).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Verified by the current token, whether that can be noted down or not.
                Err(_) if known.application().is_some_and(is_current) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(overtaken())
    }

    fn decide<'a>(
        &'a self,
        known: &Known,
        claimed: &Claimed,
        brought: &'a Brought,
        is_proven: bool,
    ) -> Decision<'a> {
        let now = now();
        // By the portal's clock, but not ahead of ours: a later token could never replace it.
        let issued = brought.ts.map(|ts| ts.min(now));
        let token =
            PortalToken::new(TokenKind::Application, claimed.to_store()).with_issued_at(issued);
        let found = known.application();
        let is_allowed = if let Some(current) = found.filter(|found| is_current(found)) {
            if token.issued_at() <= current.issued_at() {
                return Decision::Accept;
            }
            // From now on an uninstallation that was before it is late.
            true
        } else {
            match &self.shared.policy.0 {
                Policy::Reject => false,
                Policy::TrustOnFirstUse => brought.is_first && known.tokens.is_empty(),
                Policy::CompletePending => known.tokens.iter().any(is_pending),
                Policy::Prove(prover) => match &brought.access_token {
                    Some(access_token) if !is_proven => {
                        return Decision::Prove(&**prover, access_token);
                    }
                    access_token => access_token.is_some(),
                },
            }
        };
        if is_allowed {
            let mut tokens = known.tokens.to_vec();
            let is_current = found.is_some_and(is_current);
            if matches!(self.shared.policy.0, Policy::CompletePending) && !is_current {
                tokens.retain(|token| !is_pending(token));
            }
            install(&mut tokens, token, now, later(now, self.shared.grace));
            Decision::Change(tokens)
        } else if found.is_some() {
            // Another has taken its place, but it is still valid.
            Decision::Accept
        } else {
            Decision::Reject
        }
    }

    /// Removes the application's tokens but those of a later installation.
    async fn forget_installation(
        &self,
        member_id: &str,
        ts: Option<i64>,
    ) -> Result<(), VerifyError> {
        self.change(member_id, |tokens| {
            tokens.retain(|token| token.kind() != TokenKind::Application || is_before(ts, token));
        })
        .await
    }

    /// Changes the portal's tokens in one step: anew, if others have changed them meanwhile.
    pub(super) async fn change<T>(
        &self,
        member_id: &str,
        change: impl Fn(&mut Vec<PortalToken>) -> T,
    ) -> Result<T, VerifyError> {
        let _changing = self.changing(member_id);
        for _ in 0..ATTEMPTS {
            let known = self.load(member_id).await?;
            let mut tokens = known.to_vec();
            let outcome = change(&mut tokens);
            if self.exchange(member_id, &known, &tokens).await? {
                return Ok(outcome);
            }
        }
        Err(overtaken())
    }

    async fn exchange(
        &self,
        member_id: &str,
        expected: &[PortalToken],
        tokens: &[PortalToken],
    ) -> Result<bool, VerifyError> {
        if PortalToken::are_same(expected, tokens) {
            return Ok(true);
        }
        let store = &self.shared.store;
        self.ask(store.compare_exchange(member_id, expected, tokens))
            .await
    }

    /// What is known of the portal, from the cache if it says that the claimed token is right.
    async fn known(&self, member_id: &str, claimed: &Claimed) -> Result<Known, VerifyError> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.shared.cache {
            let tokens = |to| cache.tokens(member_id, to, || self.load(member_id));
            let known = match tokens(Use::Accept).await {
                Ok(tokens) => Known::new(tokens, claimed),
                Err(error) => {
                    let stale = cache.stale(member_id);
                    let known = stale.map(|tokens| Known::new(tokens, claimed));
                    let known = known.filter(|known| known.found.is_some());
                    let Some(known) = known else {
                        return Err(error);
                    };
                    crate::telemetry::accepted_stale(member_id, &error);
                    return Ok(known);
                }
            };
            if known.found.is_some() {
                return Ok(known);
            }
            return Ok(Known::new(tokens(Use::Reject).await?, claimed));
        }
        Ok(Known::new(self.load(member_id).await?, claimed))
    }

    /// Tells the cache what became of a change that changes nothing for the events.
    fn remember(
        &self,
        _member_id: &str,
        _before: &Arc<[PortalToken]>,
        _after: Vec<PortalToken>,
        _outcome: Result<bool, VerifyError>,
    ) {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.shared.cache {
            match _outcome {
                Ok(true) => cache.renew(_member_id, _before, _after.into()),
                Ok(false) => cache.outdate(_member_id),
                // It may be needed while the store is down, and is right otherwise.
                Err(_) => {}
            }
        }
    }

    /// The tokens of the portal, from the store.
    async fn load(&self, member_id: &str) -> Result<Arc<[PortalToken]>, VerifyError> {
        let tokens = self.ask(self.shared.store.tokens(member_id)).await?;
        Ok(tokens.into())
    }

    /// While it lives, the store's tokens of the portal may change; however it ends, even given up
    /// half way, the cache asks again.
    fn changing<'a>(&'a self, member_id: &'a str) -> Changing<'a> {
        Changing {
            #[cfg(feature = "cache")]
            cache: self.shared.cache.as_deref(),
            _member_id: member_id,
        }
    }

    /// Waits for the store, as long as it may take.
    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, S::Error>>,
    ) -> Result<T, VerifyError> {
        let limit = self.shared.store_timeout;
        match timeout(limit, call).await {
            Ok(answer) => answer.map_err(VerifyError::unavailable),
            Err(_) => Err(VerifyError::unavailable(format!(
                "the token store did not answer within {limit:?}"
            ))),
        }
    }
}

/// See [`PortalVerifier::changing`].
struct Changing<'a> {
    #[cfg(feature = "cache")]
    cache: Option<&'a Cache>,
    /// Without a cache nobody asks which.
    _member_id: &'a str,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        #[cfg(feature = "cache")]
        if let Some(cache) = self.cache {
            cache.outdate(self._member_id);
        }
    }
}

fn proven_if(is_proven: bool) -> Result<(), VerifyError> {
    is_proven.then_some(()).ok_or(VerifyError::rejected())
}

/// Whether something of this time was before the token was issued.
fn is_before(ts: Option<i64>, token: &PortalToken) -> bool {
    ts.zip(token.issued_at())
        .is_some_and(|(ts, issued)| ts < issued)
}

fn is_current(token: &PortalToken) -> bool {
    token.kind() == TokenKind::Application && token.expires_at().is_none()
}

fn is_pending(token: &PortalToken) -> bool {
    token.kind() == TokenKind::Pending && token.is_valid(now())
}

fn overtaken() -> VerifyError {
    VerifyError::unavailable("the portal's tokens were changed by others again and again")
}

/// The portals of which it is being noted down that a token is used.
pub(super) type Marked = Arc<Mutex<HashSet<Box<str>>>>;

/// One of them.
struct Marking {
    all: Marked,
    member_id: Box<str>,
}

impl Marking {
    /// `None` if another does it.
    fn begin(all: &Marked, member_id: &str) -> Option<Self> {
        let is_first = all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(member_id.into());
        is_first.then(|| Self {
            all: all.clone(),
            member_id: member_id.into(),
        })
    }
}

impl Drop for Marking {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.member_id);
    }
}

/// Makes a verified token of the application the current one, and lets the others end at `end`. If
/// one that was issued later is there, it is the verified token that ends: it comes late.
pub(super) fn install(tokens: &mut Vec<PortalToken>, token: PortalToken, now: i64, end: i64) {
    let same = tokens
        .iter()
        .find(|other| other.encoded() == token.encoded() && other.kind() == token.kind());
    let (added, used) = match same {
        Some(same) => (same.added(), same.used()),
        None => (Some(next_added(tokens, now)), None),
    };
    let token = token.added_at(added).used_at(used);
    let is_late = tokens
        .iter()
        .any(|other| is_current(other) && is_before(token.issued_at(), other));
    if is_late {
        token::put(tokens, token.with_expires_at(end));
    } else {
        for other in tokens
            .iter_mut()
            .filter(|other| other.kind() == TokenKind::Application)
        {
            let ends = other.expires_at().map_or(end, |earlier| earlier.min(end));
            *other = other.clone().with_expires_at(ends);
        }
        token::put(tokens, token);
    }
    tokens.retain(|token| token.is_valid(now));
    evict(tokens);
}

/// When a token becomes known that does so now. No two tokens of a portal have the same time, so
/// that the older is told from the younger even if both come within a second.
fn next_added(tokens: &[PortalToken], now: i64) -> i64 {
    let latest = tokens.iter().filter_map(PortalToken::added).max();
    latest.map_or(now, |latest| now.max(latest.saturating_add(1)))
}

/// The latest time at which one of the current tokens was issued.
pub(super) fn latest_issued(tokens: &[PortalToken]) -> Option<i64> {
    let current = tokens.iter().filter(|token| is_current(token));
    current.filter_map(PortalToken::issued_at).max()
}

/// How many earlier tokens of the application a portal may have: a sender that proves itself again
/// and again must not fill the store.
const EARLIER_TOKENS: usize = 8;

/// Removes the earlier tokens that are too many: first those that no event came with, and of these
/// the youngest. The oldest is never removed, so a token that was there before somebody brings many
/// stays for its grace, whatever events come with the others.
fn evict(tokens: &mut Vec<PortalToken>) {
    let is_earlier = |token: &PortalToken| {
        token.kind() == TokenKind::Application && token.expires_at().is_some()
    };
    let mut earlier: Vec<PortalToken> = tokens
        .iter()
        .filter(|token| is_earlier(token))
        .cloned()
        .collect();
    // By our own clock: whatever time an event claims makes no token older.
    earlier.sort_by_key(PortalToken::added);
    if let Some(younger) = earlier.get_mut(1..) {
        younger.sort_by_key(|token| token.used().is_none());
    }
    for evicted in earlier.iter().skip(EARLIER_TOKENS) {
        tokens.retain(|token| token.encoded() != evicted.encoded());
    }
}
