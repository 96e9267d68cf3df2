//! `Installation`: the form of an application's own install page.

use serde::Deserialize;

use super::claim::{InstallClaim, InstallTime};
use crate::secret::Secret;

/// An installation as the application's own install page receives it. See
/// [`PortalVerifier::install`](super::PortalVerifier::install).
///
/// It deserializes from the page's form by the platform's field names: `member_id`,
/// `APPLICATION_TOKEN`, `AUTH_ID`.
#[derive(Clone, Debug, Deserialize)]
pub struct Installation {
    pub(super) member_id: String,
    #[serde(rename = "APPLICATION_TOKEN")]
    pub(super) application_token: Secret,
    #[serde(rename = "AUTH_ID")]
    access_token: Option<Secret>,
}

impl Installation {
    /// Creates an installation in the portal with this `member_id`.
    pub fn new(member_id: impl Into<String>, application_token: Secret) -> Self {
        Self {
            member_id: member_id.into(),
            application_token,
            access_token: None,
        }
    }

    /// Sets the access token (`AUTH_ID`), which
    /// [`InstallPolicy::introspect`](super::InstallPolicy::introspect) needs.
    #[must_use]
    pub fn access_token(mut self, access_token: Secret) -> Self {
        self.access_token = Some(access_token);
        self
    }

    /// Returns the member id of the portal that the page claims.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    pub(super) fn claim(&self) -> InstallClaim {
        InstallClaim {
            time: InstallTime::Now,
            access_token: self.access_token.clone(),
            is_new_install: true,
        }
    }
}
