//! `InstallPolicy`: what happens to the token of a new installation.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Deserialize;

use super::lifecycle::Brought;
use super::now;
use crate::secret::Secret;
use crate::verify::VerifyError;

/// What [`PortalVerifier`](super::PortalVerifier) does with the token that an installation brings, which nothing
/// is stored to check against.
///
/// It decides over ONAPPINSTALL and ONAPPUPDATE with a token that is not known, and over what an
/// application's own install page tells ([`PortalVerifier::install`](super::PortalVerifier::install)). An
/// installation that brings a known token is always accepted.
///
/// It also decides over ONAPPUSERREADY with a token that is not known. That event comes with every
/// installation, perhaps before ONAPPINSTALL, and is never repeated. Under
/// [`prove`](Self::prove) it is proven by its own access token (in `auth`; those in `data` are of
/// another endpoint), and under [`complete_pending`](Self::complete_pending) it is accepted while
/// the installation is expected. Neither makes its token known: ONAPPINSTALL does. Under
/// [`trust_on_first_use`](Self::trust_on_first_use) it is a first token like that of ONAPPINSTALL.
/// No policy lets it replace a token.
#[derive(Clone)]
pub struct InstallPolicy(pub(super) Policy);

#[derive(Clone)]
pub(super) enum Policy {
    Reject,
    TrustOnFirstUse,
    CompletePending,
    Prove(Arc<dyn Prove>),
}

impl InstallPolicy {
    /// Rejects every installation: tokens are recorded by the application alone
    /// ([`PortalVerifier::set_token`](super::PortalVerifier::set_token)). This is the default.
    pub const fn reject() -> Self {
        Self(Policy::Reject)
    }

    /// Takes the first token of a portal that is not known, and none after it.
    ///
    /// **Whoever sends the first token is trusted**: anybody who knows the address can claim a
    /// portal that has not installed the application yet, and its real events are then rejected. A
    /// token of a known portal is never replaced, so a portal that gets another one has to be
    /// recorded by the application. ONAPPUPDATE brings no first token, and a portal of which any
    /// token is known, of a webhook say, is known. Strangers can fill the store with portals.
    ///
    /// ONAPPUSERREADY is trusted and kept in the same way. If it were accepted without being kept,
    /// every stranger could have a system user of theirs accepted for a portal that is not known;
    /// kept, it is the first or is rejected, and a stranger gains no more by it than by
    /// ONAPPINSTALL.
    pub const fn trust_on_first_use() -> Self {
        Self(Policy::TrustOnFirstUse)
    }

    /// Takes the first token of a portal whose installation the application
    /// [expects](super::PortalVerifier::expect_install), once for each time that it does, in place of the
    /// one that the portal has. If that was issued later, the token is late: it is valid for the
    /// [grace](super::PortalVerifier::grace_period).
    pub const fn complete_pending() -> Self {
        Self(Policy::CompletePending)
    }
}

impl fmt::Debug for InstallPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Policy::Reject => "InstallPolicy::reject()",
            Policy::TrustOnFirstUse => "InstallPolicy::trust_on_first_use()",
            Policy::CompletePending => "InstallPolicy::complete_pending()",
            Policy::Prove(_) => "InstallPolicy::introspect(..)",
        })
    }
}

/// What an application's own install page is told about an installation; see
/// [`PortalVerifier::install`](super::PortalVerifier::install).
///
/// It is read from the page's form with serde, by the names that the platform gives its fields:
/// `member_id`, `APPLICATION_TOKEN`, `AUTH_ID`.
#[derive(Clone, Debug, Deserialize)]
pub struct Installation {
    pub(super) member_id: String,
    #[serde(rename = "APPLICATION_TOKEN")]
    pub(super) application_token: Secret,
    #[serde(rename = "AUTH_ID")]
    access_token: Option<Secret>,
}

impl Installation {
    /// An installation in the portal of this `member_id`, by this `application_token`.
    pub fn new(member_id: impl Into<String>, application_token: Secret) -> Self {
        Self {
            member_id: member_id.into(),
            application_token,
            access_token: None,
        }
    }

    /// Adds the access token (`AUTH_ID`) that came with it, for a policy that proves.
    #[must_use]
    pub fn access_token(mut self, access_token: Secret) -> Self {
        self.access_token = Some(access_token);
        self
    }

    /// The portal that it claims to be in.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    pub(super) fn brought(&self) -> Brought {
        Brought {
            ts: Some(now()),
            access_token: self.access_token.clone(),
            is_first: true,
        }
    }
}

/// Finds out whether an access token belongs to an installation of the application in the portal.
pub(super) trait Prove: Send + Sync {
    /// `Ok` where it does, rejected where it does not, unavailable where that could not be found
    /// out.
    fn prove<'a>(
        &'a self,
        member_id: &'a str,
        access_token: &'a Secret,
    ) -> Pin<Box<dyn Future<Output = Result<(), VerifyError>> + Send + 'a>>;
}
