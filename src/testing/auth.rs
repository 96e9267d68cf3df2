//! The fields of `auth`.

use super::literals::{Entries, entries};
use crate::event::EventKind;

/// The source of the event, which determines the fields of `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// An application's event handler.
    Application,
    /// An outgoing webhook, a robot or a workflow.
    Webhook,
}

pub(super) struct OAuth<'a> {
    pub(super) kind: Option<EventKind>,
    pub(super) ts: i64,
    pub(super) domain: &'a str,
    pub(super) member_id: &'a str,
    pub(super) access_token: &'a str,
    pub(super) application_token: &'a str,
}

const EXPIRES_IN: i64 = 3600;

const SERVER: &str = "https://oauth.bitrix.info/rest/";

impl OAuth<'_> {
    /// Returns the fields in the order of the wire. The application token follows them.
    pub(super) fn sent_by(&self, sender: Sender) -> Entries {
        if sender == Sender::Webhook || self.kind.is_some_and(is_without_tokens) {
            return entries! {
                "domain": self.domain, "client_endpoint": self.client_endpoint(),
                "server_endpoint": SERVER, "member_id": self.member_id,
            };
        }
        let mut fields = self.tokens(self.access_token);
        fields.extend(entries! { "user_id": "1" });
        if self.kind.is_some_and(has_refresh_token) {
            fields.extend(entries! { "refresh_token": "4s386p3q0tr8dy89xvmt96234v3dljg8" });
        }
        fields
    }

    /// Returns the tokens of a bot, which are in the data.
    pub(super) fn for_bot(&self, user_id: &str) -> Entries {
        let mut fields = self.tokens("a98b9d690000071b0000084400000237");
        fields.extend(entries! {
            "refresh_token": "990ac5690000071b0000084400000237", "user_id": user_id,
            "client_id": "a7eff906dd1d950269258a599214f69e",
            "application_token": self.application_token,
        });
        fields
    }

    fn tokens(&self, access_token: &str) -> Entries {
        let scope = match self.kind.map(EventKind::scope) {
            None | Some("basic") => "crm",
            Some(scope) => scope,
        };
        let expires = self.ts.saturating_add(EXPIRES_IN);
        entries! {
            "access_token": access_token, "expires": expires.to_string(),
            "expires_in": EXPIRES_IN.to_string(), "scope": scope, "domain": self.domain,
            "server_endpoint": SERVER, "status": "F", "client_endpoint": self.client_endpoint(),
            "member_id": self.member_id,
        }
    }

    fn client_endpoint(&self) -> String {
        format!("https://{}/rest/", self.domain)
    }
}

/// Returns `true` if the platform sends the event without OAuth fields in `auth`. Events of bots have
/// the bot's fields in their data.
fn is_without_tokens(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AppUninstall | EventKind::AppMethodConfirm | EventKind::AppPayment
    ) || kind.scope() == "imbot"
}

fn has_refresh_token(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AppInstall | EventKind::AppUpdate | EventKind::AppTest
    )
}
