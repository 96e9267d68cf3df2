//! Verifies the claim of a request by the tokens of its portal.

use std::future::Future;
use std::pin::Pin;

use tokio::time::Instant;

use super::claim::{Claim, ClaimKind, InstallClaim};
use super::lifecycle::{self, Decision, Install};
use super::policy::Policy;
use super::store::TokenStore;
use super::store::hash::PresentedToken;
use super::store::token::PortalToken;
use super::tokens::PortalTokens;
use super::verifier::PortalVerifier;
use crate::envelope::Envelope;
use crate::verify::{OnHandled, VerifyError, VerifyErrorKind, VerifyToken};

impl<S: TokenStore> PortalVerifier<S> {
    /// Decides by the tokens in the store, since a cache may lack an uninstallation.
    pub(super) async fn verify_install(
        &self,
        member_id: &str,
        presented: &PresentedToken,
        claim: &InstallClaim,
    ) -> Result<(), VerifyError> {
        let access = &self.shared.access;
        let install = Install {
            policy: &self.shared.policy.0,
            grace: self.shared.grace,
            claim,
            presented,
        };
        let mut attempts = access.attempts();
        let mut is_introspected = false;
        let mut is_current = false;
        let mut turn = None;
        loop {
            let tokens = match access.load_until(attempts.deadline, member_id).await {
                // Verified by the current token, even if its new time cannot be stored.
                Err(_) if is_current => return Ok(()),
                loaded => loaded?,
            };
            let portal = PortalTokens::new(tokens, presented);
            is_current = portal.application().is_some_and(PortalToken::is_current);
            let tokens = match install.decide(&portal, is_introspected) {
                Decision::Accept => return Ok(()),
                Decision::Reject => return Err(VerifyError::rejected()),
                Decision::Introspect(introspection, access_token) => {
                    turn = None;
                    let began = Instant::now();
                    match introspection.introspect(member_id, access_token).await {
                        Ok(()) => is_introspected = true,
                        // A known token is accepted, but does not become current.
                        Err(_) if portal.application().is_some() => return Ok(()),
                        Err(error) => return Err(error),
                    }
                    attempts.extend(began.elapsed());
                    continue;
                }
                Decision::Replace(tokens) => tokens,
            };
            let replaced = match turn {
                // The decision is made again, since the tokens may have changed before the turn.
                None => match access.turns.take(member_id, attempts.deadline).await {
                    Ok(taken) => {
                        turn = Some(taken);
                        continue;
                    }
                    Err(error) => Err(error),
                },
                Some(_) => {
                    let mut guard = access.guard(member_id, &|_| {});
                    let deadline = Some(attempts.deadline);
                    let exchange = access.exchange(deadline, member_id, &portal.tokens, &tokens);
                    let replaced = exchange.await;
                    if let Ok(true) = replaced {
                        guard.stored(tokens);
                    }
                    replaced
                }
            };
            let result = match replaced {
                Ok(true) => return Ok(()),
                Ok(false) => attempts.pause().await,
                Err(error) => Err(error),
            };
            match result {
                Err(_) if is_current => return Ok(()),
                result => result?,
            }
        }
    }
}

impl<S: TokenStore + 'static> PortalVerifier<S> {
    async fn verify_claim(&self, claim: Claim) -> Result<(), VerifyError> {
        let member_id = &*claim.member_id;
        let presented = self.present(member_id, &claim.token);
        match claim.kind {
            ClaimKind::Event => self.verify_event(member_id, &presented).await,
            ClaimKind::Install(install) => {
                self.verify_install(member_id, &presented, &install).await
            }
            ClaimKind::UserReady(install) => {
                self.verify_user_ready(member_id, &presented, &install)
                    .await
            }
            ClaimKind::Uninstall { ts } => {
                let tokens = self.shared.access.load(member_id).await?;
                let portal = PortalTokens::new(tokens, &presented);
                let verified = verified_if(lifecycle::is_current_uninstall(&portal, ts));
                if verified.is_ok() {
                    let uninstalls = &self.shared.access.uninstalls;
                    uninstalls.insert(member_id, ts, &portal.tokens);
                }
                verified
            }
        }
    }

    async fn verify_event(
        &self,
        member_id: &str,
        presented: &PresentedToken,
    ) -> Result<(), VerifyError> {
        let portal = self.shared.access.look_up(member_id, presented).await?;
        self.shared.access.mark_used(member_id, &portal);
        verified_if(portal.matched.is_some())
    }

    /// Accepts an unknown token for this one event, if the policy would accept it from an
    /// installation now. The token is not stored, unless the first one is trusted.
    async fn verify_user_ready(
        &self,
        member_id: &str,
        presented: &PresentedToken,
        claim: &InstallClaim,
    ) -> Result<(), VerifyError> {
        let verified = self.verify_event(member_id, presented).await;
        if verified.is_ok() {
            return verified;
        }
        match &self.shared.policy.0 {
            Policy::Reject => verified,
            Policy::TrustOnFirstUse => self.verify_install(member_id, presented, claim).await,
            Policy::CompletePending => {
                let tokens = self.shared.access.load(member_id).await?;
                let portal = PortalTokens::new(tokens, presented);
                verified_if(portal.matched.is_some() || portal.has_pending())
            }
            Policy::Introspect(introspection) => {
                let Some(access_token) = &claim.access_token else {
                    return verified;
                };
                match introspection.introspect(member_id, access_token).await {
                    // The store may have failed, and then the token may still be the portal's.
                    Err(error) if is_rejected(&error) => verified,
                    introspected => introspected,
                }
            }
        }
    }
}

fn verified_if(is_verified: bool) -> Result<(), VerifyError> {
    if is_verified {
        Ok(())
    } else {
        Err(VerifyError::rejected())
    }
}

fn is_rejected(error: &VerifyError) -> bool {
    error.kind() == VerifyErrorKind::Rejected
}

impl<S> VerifyToken for PortalVerifier<S>
where
    S: TokenStore + 'static,
{
    type Future = Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        let (verifier, claim) = (self.clone(), Claim::from_envelope(envelope));
        Box::pin(async move {
            match claim {
                Some(claim) => verifier.verify_claim(claim).await,
                None => Err(VerifyError::rejected()),
            }
        })
    }

    fn on_handled(&self, envelope: &Envelope) -> Option<OnHandled> {
        let Claim {
            member_id,
            kind: ClaimKind::Uninstall { ts },
            ..
        } = Claim::from_envelope(envelope)?
        else {
            return None;
        };
        let (access, portal) = (self.shared.access.clone(), member_id.clone());
        let removal = async move {
            // Taken only by the hook that runs: an inbox drops that of the layer.
            let verified = access.uninstalls.take(&portal, ts);
            let uninstall = |tokens: &mut Vec<_>| {
                lifecycle::uninstall(tokens, ts, verified.as_ref());
            };
            access.remove(&portal, uninstall).await
        };
        Some(Box::pin(async move {
            // A task of its own, since the sender may hang up although the handler has succeeded.
            if let Ok(Err(error)) = tokio::spawn(removal).await {
                crate::telemetry::not_forgotten(&member_id, &error);
            }
        }))
    }
}
