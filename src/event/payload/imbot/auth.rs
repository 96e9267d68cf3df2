//! The OAuth fields of a bot.

use serde::{Deserialize, Serialize};

use crate::envelope::ApplicationStatus;
use crate::form::field::lenient;
use crate::secret::Secret;

/// The tokens of one bot, inside the data of its events.
///
/// They prove nothing. What makes an event genuine is the application token of its own
/// [`auth`](crate::Event::auth) alone. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct BotAuth {
    /// The OAuth access token, for calls to the portal as the bot.
    #[serde(default, deserialize_with = "lenient")]
    pub access_token: Option<Secret>,
    /// When the access token ends, in unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub expires: Option<u64>,
    /// The lifetime of the access token from the event on, in seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub expires_in: Option<u64>,
    /// The permissions of the application, such as `imbot`, separated by commas.
    #[serde(default, deserialize_with = "lenient")]
    pub scope: Option<String>,
    /// The portal's host.
    #[serde(default, deserialize_with = "lenient")]
    pub domain: Option<String>,
    /// The authorization server's REST address.
    #[serde(default, deserialize_with = "lenient")]
    pub server_endpoint: Option<String>,
    /// The kind of installation.
    #[serde(default, deserialize_with = "lenient")]
    pub status: Option<ApplicationStatus>,
    /// The portal's REST address.
    #[serde(default, deserialize_with = "lenient")]
    pub client_endpoint: Option<String>,
    /// The portal's id.
    #[serde(default, deserialize_with = "lenient")]
    pub member_id: Option<String>,
    /// The OAuth refresh token.
    #[serde(default, deserialize_with = "lenient")]
    pub refresh_token: Option<Secret>,
    /// The id of the user that the bot is.
    #[serde(default, deserialize_with = "lenient")]
    pub user_id: Option<u64>,
    /// The application's id, as it was given when the bot was registered.
    #[serde(default, deserialize_with = "lenient")]
    pub client_id: Option<String>,
    /// A copy of the application token. It was not verified: the event's own [`Auth`](crate::envelope::Auth)
    /// has the one that was.
    #[serde(default, deserialize_with = "lenient")]
    pub application_token: Option<Secret>,
    /// When the trial or the paid period of the application ends, in unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub date_finish: Option<u64>,
    /// The code of the authorization server's error, if that server rejected to give tokens.
    #[serde(default, deserialize_with = "lenient")]
    pub error: Option<String>,
    /// That error in words. It is redacted like a token, since the authorization server may quote
    /// what it rejected.
    #[serde(default, deserialize_with = "lenient")]
    pub error_description: Option<Secret>,
}

impl BotAuth {
    /// These tokens, and of those that are absent the `other` ones.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            access_token: self.access_token.or(other.access_token),
            expires: self.expires.or(other.expires),
            expires_in: self.expires_in.or(other.expires_in),
            scope: self.scope.or(other.scope),
            domain: self.domain.or(other.domain),
            server_endpoint: self.server_endpoint.or(other.server_endpoint),
            status: self.status.or(other.status),
            client_endpoint: self.client_endpoint.or(other.client_endpoint),
            member_id: self.member_id.or(other.member_id),
            refresh_token: self.refresh_token.or(other.refresh_token),
            user_id: self.user_id.or(other.user_id),
            client_id: self.client_id.or(other.client_id),
            application_token: self.application_token.or(other.application_token),
            date_finish: self.date_finish.or(other.date_finish),
            error: self.error.or(other.error),
            error_description: self.error_description.or(other.error_description),
        }
    }
}
