//! How [`Portals`] decides over an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::timeout;

use super::install::Policy;
use super::token::Claimed;
use super::{PortalToken, Portals, TokenKind, TokenStore, is_plain, later, now};
use crate::{Envelope, EventKind, Secret, Settle, VerifyError, VerifyToken};

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
pub(super) struct Known {
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
        let member_id = envelope.member_id()?;
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
        let portals = self.clone();
        Some(Box::pin(async move {
            if let Err(error) = portals.forget_installation(&member_id, ts).await {
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
        let known = self.known(&member_id, &claimed).await?;
        let is_proven = match occasion {
            Occasion::Event => known.found.is_some(),
            Occasion::Installation(brought) => {
                return self
                    .admit_installation(&member_id, &claimed, known, &brought)
                    .await;
            }
            Occasion::Uninstallation { ts } => match known.application() {
                // Whether it is the current one must not come from a cache.
                Some(_) => Known::new(self.load(&member_id).await?, &claimed)
                    .application()
                    .is_some_and(|token| token.expires().is_none() && !is_before(ts, token)),
                None => false,
            },
        };
        is_proven.then_some(()).ok_or(VerifyError::refused())
    }

    pub(super) async fn admit_installation(
        &self,
        member_id: &str,
        claimed: &Claimed,
        known: Known,
        brought: &Brought,
    ) -> Result<(), VerifyError> {
        if known.application().is_some() {
            return Ok(());
        }
        let token =
            PortalToken::new(TokenKind::Application, claimed.to_store()).issued_at(brought.ts);
        let store = &self.shared.store;
        let done = match &self.shared.policy.0 {
            Policy::Refuse => return Err(VerifyError::refused()),
            Policy::TrustOnFirstUse if brought.is_first && known.tokens.is_empty() => {
                self.ask(store.add_first(member_id, token)).await
            }
            Policy::CompletePending if known.tokens.iter().any(is_pending) => {
                let now = now();
                let end = later(now, self.shared.grace);
                self.ask(store.complete(member_id, token, end, now)).await
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
        self.changed();
        if done? {
            return Ok(());
        }
        // Another request was first, perhaps with the same token: each registered handler gets one.
        let known = Known::new(self.load(member_id).await?, claimed);
        let same = known.application().map(|_| ());
        same.ok_or(VerifyError::refused())
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
        let is_current = |other: &&PortalToken| {
            other.kind() == TokenKind::Application && other.expires().is_none()
        };
        let stored = token.stored().clone();
        let is_late = known
            .iter()
            .filter(is_current)
            .any(|current| is_before(token.issued(), current));
        let put = match is_late {
            true => self.ask(store.add(member_id, token.expires_at(end))).await,
            false => self.ask(store.replace(member_id, token, end)).await,
        };
        self.changed();
        put?;
        let is_over = |old: &&PortalToken| !old.is_valid(now) && *old.stored() != stored;
        for ended in known.iter().filter(is_over) {
            self.ask(store.remove_token(member_id, ended.stored()))
                .await?;
        }
        Ok(())
    }

    /// Removes the application's tokens but those of a later installation.
    async fn forget_installation(
        &self,
        member_id: &str,
        ts: Option<i64>,
    ) -> Result<(), VerifyError> {
        let forgotten = async {
            for token in self.load(member_id).await?.iter() {
                if token.kind() == TokenKind::Application && !is_before(ts, token) {
                    let call = self.shared.store.remove_token(member_id, token.stored());
                    self.ask(call).await?;
                }
            }
            Ok(())
        };
        let forgotten = forgotten.await;
        self.changed();
        forgotten
    }

    /// What is known of the portal, from the cache if it says that the claimed token is right.
    pub(super) async fn known(
        &self,
        member_id: &str,
        claimed: &Claimed,
    ) -> Result<Known, VerifyError> {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.shared.cache {
            let load = || self.load(member_id);
            let known = Known::new(cache.tokens(member_id, load).await?, claimed);
            if known.found.is_some() {
                return Ok(known);
            }
            let tokens = cache.tokens_for_a_refusal(member_id, load).await?;
            return Ok(Known::new(tokens, claimed));
        }
        Ok(Known::new(self.load(member_id).await?, claimed))
    }

    /// The tokens of the portal, from the store.
    async fn load(&self, member_id: &str) -> Result<Arc<[PortalToken]>, VerifyError> {
        let tokens = self.ask(self.shared.store.tokens(member_id)).await?;
        Ok(tokens.into())
    }

    /// The store may say something else from now on.
    pub(super) fn changed(&self) {
        #[cfg(feature = "cache")]
        if let Some(cache) = &self.shared.cache {
            cache.outdate();
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

/// Whether something of this time was before the token was issued.
fn is_before(ts: Option<i64>, token: &PortalToken) -> bool {
    ts.zip(token.issued())
        .is_some_and(|(ts, issued)| ts < issued)
}

fn is_pending(token: &PortalToken) -> bool {
    token.kind() == TokenKind::Pending && token.is_valid(now())
}
