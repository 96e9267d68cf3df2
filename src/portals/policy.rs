//! `InstallPolicy`: what happens to the token of a new installation.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use http_body::Body;
use tower::Service;

use super::introspection::{Introspect, TokenIntrospection};

/// Decides whether [`PortalVerifier`](super::PortalVerifier) accepts the token of an installation
/// that no stored token verifies.
///
/// The policy applies to ONAPPINSTALL and ONAPPUPDATE with an unknown token, and to
/// [`PortalVerifier::install`](super::PortalVerifier::install). An installation with a known token
/// is always accepted.
///
/// The policy also applies to ONAPPUSERREADY with an unknown token. That event comes with every
/// installation, perhaps before ONAPPINSTALL, and is never repeated:
///
/// - Under [`introspect`](Self::introspect) it is verified by the access token in `auth`. The one in
///   `data` belongs to another endpoint.
/// - Under [`complete_pending`](Self::complete_pending) it is accepted while the installation is
///   expected.
/// - Under [`trust_on_first_use`](Self::trust_on_first_use) its token is a first token like that of
///   ONAPPINSTALL.
///
/// The first two do not store its token: ONAPPINSTALL does. Under no policy does it replace a token.
#[derive(Clone)]
pub struct InstallPolicy(pub(super) Policy);

#[derive(Clone)]
pub(super) enum Policy {
    Reject,
    TrustOnFirstUse,
    CompletePending,
    Introspect(Arc<dyn Introspect>),
}

impl InstallPolicy {
    /// Rejects every installation. The application sets tokens itself with
    /// [`PortalVerifier::set_token`](super::PortalVerifier::set_token). This is the default.
    pub const fn reject() -> Self {
        Self(Policy::Reject)
    }

    /// Accepts the first token of an unknown portal, and none after it.
    ///
    /// **Whoever sends the first token is trusted.** Anybody who knows the URL can claim a portal
    /// that has not installed the application yet, and its real events are then rejected. Strangers
    /// can also fill the store with portals.
    ///
    /// A token of a known portal is never replaced. If such a portal gets another token, the
    /// application has to set it. A portal is known if any valid token of it is, for example that of
    /// a webhook. ONAPPUPDATE never has a first token.
    ///
    /// ONAPPUSERREADY is trusted and stored in the same way. If it were accepted without being
    /// stored, every stranger could have a system user of theirs accepted for an unknown portal.
    /// Stored, it gains a stranger no more than ONAPPINSTALL.
    pub const fn trust_on_first_use() -> Self {
        Self(Policy::TrustOnFirstUse)
    }

    /// Accepts the first token of a portal whose installation is
    /// [expected](super::PortalVerifier::expect_install), once for each call that expects it.
    ///
    /// The token replaces the portal's current one. If the current one was issued later, the new
    /// token is late instead: it is valid for the
    /// [grace period](super::PortalVerifier::grace_period).
    pub const fn complete_pending() -> Self {
        Self(Policy::CompletePending)
    }

    /// Accepts a token whose installation is [verified](TokenIntrospection) by the authorization
    /// server. The token replaces the portal's current one.
    pub fn introspect<C, B>(introspection: TokenIntrospection<C>) -> Self
    where
        C: Service<Request<String>, Response = Response<B>> + Clone + Send + Sync + 'static,
        C::Error: Into<Box<dyn Error + Send + Sync>>,
        C::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Policy::Introspect(Arc::new(introspection)))
    }
}

impl fmt::Debug for InstallPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Policy::Reject => "InstallPolicy::reject()",
            Policy::TrustOnFirstUse => "InstallPolicy::trust_on_first_use()",
            Policy::CompletePending => "InstallPolicy::complete_pending()",
            Policy::Introspect(_) => "InstallPolicy::introspect(..)",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::rest::AuthorizationServer;
    use crate::secret::Secret;

    #[tokio::test]
    async fn introspect_policy_verifies_by_its_introspection() {
        let client = tower::service_fn(|_: Request<String>| async {
            let install = r#"{"client_id": "app.1", "install": {"member_id": "a"}}"#;
            Ok::<_, Infallible>(Response::new(format!(r#"{{"result": {install}}}"#)))
        });
        let server = AuthorizationServer::default();
        let introspection = TokenIntrospection::new("app.1", server, client).unwrap();
        let Policy::Introspect(introspection) = InstallPolicy::introspect(introspection).0 else {
            panic!("another policy");
        };
        let token = Secret::new("c7ae9a66");
        assert!(introspection.introspect("a", &token).await.is_ok());
        assert!(introspection.introspect("b", &token).await.is_err());
    }
}
