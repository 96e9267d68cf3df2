//! The OAuth fields of a bot.

use serde::{Deserialize, Serialize};

use crate::envelope::ApplicationStatus;
use crate::form::field::lenient;
use crate::secret::Secret;

/// Calls `$expand` with the fields of [`BotAuth`], which older bots also have beside `AUTH`.
macro_rules! with_auth_fields {
    ($expand:ident $($arguments:tt)*) => {
        $expand! {
            [
                /// The OAuth access token, for calls to the portal as the bot.
                access_token: Secret,
                /// The expiry of the access token, in unix seconds.
                expires: i64,
                /// The lifetime of the access token after the event, in seconds.
                expires_in: u64,
                /// The permissions of the application, such as `imbot`, separated by commas.
                scope: String,
                /// The portal's host.
                domain: String,
                /// The authorization server's REST address.
                server_endpoint: String,
                /// The kind of installation.
                status: ApplicationStatus,
                /// The portal's REST address.
                client_endpoint: String,
                /// The portal's id.
                member_id: String,
                /// The OAuth refresh token.
                refresh_token: Secret,
                /// The bot's user id.
                user_id: u64,
                /// The application's id, as given when the bot was registered.
                client_id: String,
                /// A copy of the application token, not verified. The verified one is in the event's own
                /// [`Auth`](crate::envelope::Auth).
                application_token: Secret,
                /// The end of the application's trial or paid period, in unix seconds.
                date_finish: i64,
                /// The code of the authorization server's error, if that server returned no tokens.
                error: String,
                /// The error in words. It is redacted like a token, since the authorization server may quote the
                /// token that it rejected.
                error_description: Secret,
            ]
            $($arguments)*
        }
    };
}

macro_rules! bot_auth {
    ([$($(#[$doc:meta])* $field:ident: $type:ty,)+]) => {
        /// The tokens of one bot, inside the data of its events.
        ///
        /// They verify nothing: only the application token in the event's own
        /// [`auth`](crate::Event::auth) does. Documentation page: *ONIMBOTMESSAGEADD*.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[non_exhaustive]
        pub struct BotAuth {
            $(
                $(#[$doc])*
                #[serde(default, deserialize_with = "lenient")]
                pub $field: Option<$type>,
            )+
        }

        impl BotAuth {
            /// Fills the absent fields from `other`.
            pub(super) fn or(self, other: Self) -> Self {
                Self { $($field: self.$field.or(other.$field),)+ }
            }
        }
    };
}

with_auth_fields!(bot_auth);

pub(super) use with_auth_fields;
