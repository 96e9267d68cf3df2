use serde::{Deserialize, Serialize};

use crate::event::field::optional_number;
use crate::{ApplicationStatus, Secret};

/// The tokens of one bot, inside the data of its events.
///
/// They prove nothing. What makes an event genuine is the application token of its own
/// [`auth`](crate::Event::auth) alone. Documentation page: *ONIMBOTMESSAGEADD*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[non_exhaustive]
pub struct BotAuth {
    /// The OAuth access token, for calls to the portal as the bot.
    pub access_token: Option<Secret>,
    /// When the access token ends, in unix seconds.
    #[serde(default, deserialize_with = "optional_number")]
    pub expires: Option<u64>,
    /// How long the access token lives from the moment of the event, in seconds.
    #[serde(default, deserialize_with = "optional_number")]
    pub expires_in: Option<u64>,
    /// The permissions of the application, such as `imbot`, separated by commas.
    pub scope: Option<String>,
    /// The portal's host.
    pub domain: Option<String>,
    /// The authorization server's REST address.
    pub server_endpoint: Option<String>,
    /// What kind of installation the application is.
    pub status: Option<ApplicationStatus>,
    /// The portal's REST address.
    pub client_endpoint: Option<String>,
    /// The portal's id.
    pub member_id: Option<String>,
    /// The OAuth refresh token.
    pub refresh_token: Option<Secret>,
    /// The id of the user that the bot is.
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The application's id, as it was given when the bot was registered.
    pub client_id: Option<String>,
    /// A copy of the application token. It was not verified: the event's own [`Auth`](crate::Auth)
    /// has the one that was.
    pub application_token: Option<Secret>,
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
        }
    }
}
