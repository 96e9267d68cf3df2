//! How [`Portals`] decides over an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::timeout;

#[cfg(feature = "cache")]
use super::cache::{Cache, Use};
use super::install::Policy;
use super::token::Claimed;
use super::{PortalToken, Portals, TokenKind, TokenStore, is_plain, later, now};
use crate::{Envelope, EventKind, Secret, Settle, VerifyError, VerifyErrorKind, VerifyToken};

/// What an envelope claims, as far as it matters here.
struct Claim {
    member_id: Box<str>,
    token: Secret,
    occasion: Occasion,
}

enum Occasion {
    Event,
    Installation(Brought),
    Uninstallation { ts: Option<i64> },
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
        let can_be = is_plain(&member_id, Portals::<S>::MAX_MEMBER_ID)
            && is_plain(token, Portals::<S>::MAX_TOKEN);
        can_be.then(|| Self {
            member_id: member_id.into(),
            token: Secret::new(token),
            occasion: Occasion::read(envelope),
        })
    }
}

impl Occasion {
    fn read(envelope: &Envelope) -> Self {
        let ts = envelope.ts();
        match EventKind::from_code(&envelope.code()) {
            Some(kind @ (EventKind::AppInstall | EventKind::AppUpdate)) => {
                Self::Installation(Brought {
                    ts,
                    access_token: envelope.auth().access_token().cloned(),
                    is_first: kind == EventKind::AppInstall,
                })
            }
            Some(EventKind::AppUninstall) => Self::Uninstallation { ts },
            _ => Self::Event,
        }
    }
}

impl<S> VerifyToken for Portals<S>
where
    S: TokenStore + 'static,
{
    type Future = Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        let (portals, claim) = (self.clone(), Claim::read::<S>(envelope));
        Box::pin(async move {
            match claim {
                Some(claim) => portals.admit(claim).await,
                None => Err(VerifyError::refused()),
            }
        })
    }

    fn settle(&self, envelope: &Envelope) -> Option<Settle> {
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
                crate::observe::not_forgotten(&member_id, &error);
            }
        }))
    }
}

impl<S: TokenStore> Portals<S> {
    async fn admit(&self, claim: Claim) -> Result<(), VerifyError> {
        let Claim {
            member_id,
            token,
            occasion,
        } = claim;
        let claimed = Claimed::new(self.shared.key.as_ref(), &member_id, &token);
        match occasion {
            Occasion::Event => {
                let known = self.known(&member_id, &claimed).await?;
                proven_if(known.found.is_some())
            }
            Occasion::Installation(brought) => {
                self.admit_installation(&member_id, &claimed, &brought)
                    .await
            }
            Occasion::Uninstallation { ts } => {
                let known = Known::new(self.load(&member_id).await?, &claimed);
                let is_in_time = |token: &PortalToken| is_current(token) && !is_before(ts, token);
                proven_if(known.application().is_some_and(is_in_time))
            }
        }
    }

    /// Decides by what the store has now: a cache may know of no other process's uninstallation.
    pub(super) async fn admit_installation(
        &self,
        member_id: &str,
        claimed: &Claimed,
        brought: &Brought,
    ) -> Result<(), VerifyError> {
        let known = Known::new(self.load(member_id).await?, claimed);
        // By the portal's clock, but not ahead of ours: a later token could never replace it.
        let issued = brought.ts.map(|ts| ts.min(now()));
        let token = PortalToken::new(TokenKind::Application, claimed.to_store()).issued_at(issued);
        match known.application() {
            Some(current) if is_current(current) => {
                if token.issued() > current.issued() {
                    // From now on an uninstallation that was before it is late. The event is
                    // proven, whether that can be noted down or not.
                    let _ = self.put_in_place(member_id, token).await;
                }
                Ok(())
            }
            // One that another has replaced is still accepted, and comes back if the policy has it.
            Some(_) => match self
                .install_by_policy(member_id, &known, claimed, token, brought)
                .await
            {
                Err(error) if error.kind() == VerifyErrorKind::Refused => Ok(()),
                installed => installed,
            },
            None => {
                self.install_by_policy(member_id, &known, claimed, token, brought)
                    .await
            }
        }
    }

    /// Does with a token what the policy says.
    async fn install_by_policy(
        &self,
        member_id: &str,
        known: &Known,
        claimed: &Claimed,
        token: PortalToken,
        brought: &Brought,
    ) -> Result<(), VerifyError> {
        let store = &self.shared.store;
        let done = match &self.shared.policy.0 {
            Policy::Refuse => return Err(VerifyError::refused()),
            Policy::TrustOnFirstUse if brought.is_first && known.tokens.is_empty() => {
                let _changing = self.changing(member_id);
                self.ask(store.add_first(member_id, token)).await?
            }
            Policy::CompletePending if known.tokens.iter().any(is_pending) => {
                let now = now();
                let end = later(now, self.shared.grace);
                let _changing = self.changing(member_id);
                self.ask(store.complete(member_id, token, end, now)).await?
            }
            Policy::TrustOnFirstUse | Policy::CompletePending => {
                return Err(VerifyError::refused());
            }
            Policy::Prove(prover) => {
                let access_token = brought.access_token.as_ref();
                let access_token = access_token.ok_or(VerifyError::refused())?;
                prover.prove(member_id, access_token).await?;
                return self.put_in_place(member_id, token).await;
            }
        };
        if done {
            return Ok(());
        }
        // Another request was first, perhaps with the same token: each registered handler gets one.
        let known = Known::new(self.load(member_id).await?, claimed);
        proven_if(known.application().is_some())
    }

    /// Makes a proven token the current one, unless there is one that was issued later: then it is
    /// late, and valid for the grace.
    pub(super) async fn put_in_place(
        &self,
        member_id: &str,
        token: PortalToken,
    ) -> Result<(), VerifyError> {
        let (now, store) = (now(), &self.shared.store);
        let end = later(now, self.shared.grace);
        let known = self.load(member_id).await?;
        let stored = token.stored().clone();
        let is_late = known
            .iter()
            .filter(|other| is_current(other))
            .any(|current| is_before(token.issued(), current));
        let _changing = self.changing(member_id);
        match is_late {
            true => {
                self.ask(store.add(member_id, token.expires_at(end)))
                    .await?
            }
            false => self.ask(store.replace(member_id, token, end)).await?,
        }
        // The token is there: where the rest fails, the next installation does it.
        for old in left_over(&known, &stored, now) {
            let removed = self.ask(store.remove_token(member_id, old.stored())).await;
            if removed.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Removes the application's tokens but those of a later installation.
    async fn forget_installation(
        &self,
        member_id: &str,
        ts: Option<i64>,
    ) -> Result<(), VerifyError> {
        let _changing = self.changing(member_id);
        for token in self.load(member_id).await?.iter() {
            if token.kind() == TokenKind::Application && !is_before(ts, token) {
                let call = self.shared.store.remove_token(member_id, token.stored());
                self.ask(call).await?;
            }
        }
        Ok(())
    }

    /// What is known of the portal, from the cache if it says that the claimed token is right.
    async fn known(&self, member_id: &str, claimed: &Claimed) -> Result<Known, VerifyError> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.shared.cache {
            let tokens = |to| cache.tokens(member_id, to, || self.load(member_id));
            let known = Known::new(tokens(Use::Accept).await?, claimed);
            if known.found.is_some() {
                return Ok(known);
            }
            return Ok(Known::new(tokens(Use::Refuse).await?, claimed));
        }
        Ok(Known::new(self.load(member_id).await?, claimed))
    }

    /// The tokens of the portal, from the store.
    async fn load(&self, member_id: &str) -> Result<Arc<[PortalToken]>, VerifyError> {
        let tokens = self.ask(self.shared.store.tokens(member_id)).await?;
        Ok(tokens.into())
    }

    /// While it lives, the store's tokens of the portal may change; however it ends, even given up
    /// half way, the cache asks again.
    pub(super) fn changing<'a>(&'a self, member_id: &'a str) -> Changing<'a> {
        Changing {
            #[cfg(feature = "cache")]
            cache: self.shared.cache.as_deref(),
            _member_id: member_id,
        }
    }

    /// Waits for the store, as long as it may take.
    pub(super) async fn ask<T>(
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

/// See [`Portals::changing`].
pub(super) struct Changing<'a> {
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
    is_proven.then_some(()).ok_or(VerifyError::refused())
}

/// Whether something of this time was before the token was issued.
fn is_before(ts: Option<i64>, token: &PortalToken) -> bool {
    ts.zip(token.issued())
        .is_some_and(|(ts, issued)| ts < issued)
}

fn is_current(token: &PortalToken) -> bool {
    token.kind() == TokenKind::Application && token.expires().is_none()
}

fn is_pending(token: &PortalToken) -> bool {
    token.kind() == TokenKind::Pending && token.is_valid(now())
}

/// How many earlier tokens of the application a portal may have: a sender that proves itself again
/// and again must not fill the store.
const EARLIER_TOKENS: usize = 8;

/// The tokens beside the one with the text `kept` that are over, and the earliest to end of those
/// that are too many.
fn left_over<'a>(
    tokens: &'a [PortalToken],
    kept: &Secret,
    now: i64,
) -> impl Iterator<Item = &'a PortalToken> {
    let others = tokens.iter().filter(|token| token.stored() != kept);
    let (mut earlier, ended): (Vec<_>, Vec<_>) = others.partition(|token| token.is_valid(now));
    earlier.retain(|token| token.kind() == TokenKind::Application);
    earlier.sort_by_key(|token| token.expires().unwrap_or(i64::MAX));
    let too_many = earlier.len().saturating_sub(EARLIER_TOKENS);
    earlier.truncate(too_many);
    ended.into_iter().chain(earlier)
}
