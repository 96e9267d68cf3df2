//! `Auth`: the OAuth fields that an event carries.

use serde::Serialize;

use super::Envelope;
use super::key::Field;
use crate::macros::open_enum;
use crate::secret::Secret;

/// The `auth` block of an event: which portal it is from, and tokens to call it with.
///
/// Every field but the application token is optional. An outgoing webhook and an event caused by a
/// robot, an agent or a workflow carry no OAuth fields (`access_token`, `expires`, `expires_in`,
/// `scope`, `status`, `user_id`, `refresh_token`), and neither do the events of bots, whose tokens
/// are in the data: [`Event::bot_auth`](crate::Event::bot_auth) returns them. Documentation page:
/// *Events*, section *Event handler*.
///
/// ```
/// use tower_bitrix24::Envelope;
/// use tower_bitrix24::envelope::ApplicationStatus;
///
/// let auth = Envelope::scan(
///     "event=ONAPPTEST&auth[scope]=crm, documentgenerator&auth[status]=L&auth[expires]=1714653232\
///      &auth[access_token]=s6p6eclrvim6da22ft9ch94ekreb52lv",
/// )?.auth();
/// assert_eq!(auth.scope(), ["crm", "documentgenerator"]);
/// assert_eq!(auth.status(), Some(&ApplicationStatus::Local));
/// assert_eq!(auth.expires(), Some(1_714_653_232));
/// assert_eq!(auth.member_id(), None);
/// assert!(!format!("{auth:?}").contains("s6p6"));
/// # Ok::<(), tower_bitrix24::envelope::EnvelopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Auth {
    access_token: Option<Secret>,
    expires: Option<i64>,
    expires_in: Option<u64>,
    scope: Vec<String>,
    domain: String,
    server_endpoint: Option<String>,
    status: Option<ApplicationStatus>,
    client_endpoint: Option<String>,
    member_id: Option<String>,
    user_id: Option<u64>,
    refresh_token: Option<Secret>,
    application_token: Option<Secret>,
    date_finish: Option<i64>,
    client_id: Option<String>,
    error: Option<String>,
    error_description: Option<Secret>,
}

impl Auth {
    pub(super) fn read(envelope: &Envelope) -> Self {
        let text = |field| {
            let text = envelope.text(field).filter(|text| !text.is_empty());
            text.map(std::borrow::Cow::into_owned)
        };
        let secret = |field| text(field).map(Secret::new);
        Self {
            access_token: secret(Field::AccessToken),
            expires: envelope.number(Field::Expires),
            expires_in: envelope.number(Field::ExpiresIn),
            scope: split_scope(&text(Field::Scope).unwrap_or_default()),
            domain: text(Field::Domain).unwrap_or_default(),
            server_endpoint: text(Field::ServerEndpoint),
            status: text(Field::Status).map(|status| status.as_str().into()),
            client_endpoint: text(Field::ClientEndpoint),
            member_id: text(Field::MemberId),
            user_id: envelope.number(Field::UserId),
            refresh_token: secret(Field::RefreshToken),
            application_token: secret(Field::ApplicationToken),
            date_finish: envelope.number(Field::DateFinish),
            client_id: text(Field::ClientId),
            error: text(Field::Error),
            error_description: secret(Field::ErrorDescription),
        }
    }

    /// Returns the OAuth access token for calls to the portal, valid for [`expires_in`](Self::expires_in)
    /// seconds. It acts for [`user_id`](Self::user_id).
    pub fn access_token(&self) -> Option<&Secret> {
        self.access_token.as_ref()
    }

    /// Returns when the access token expires, in unix seconds.
    pub fn expires(&self) -> Option<i64> {
        self.expires
    }

    /// Returns the lifetime of the access token in seconds, counted from the event.
    pub fn expires_in(&self) -> Option<u64> {
        self.expires_in
    }

    /// Returns the permissions of the application, such as `crm`. Empty if none were sent. They may be
    /// separated by commas or spaces.
    pub fn scope(&self) -> &[String] {
        &self.scope
    }

    /// Returns the host that raised the event, such as `some-domain.bitrix24.com`. Empty if none was
    /// sent. It can change, include a port and differ from the host of
    /// [`client_endpoint`](Self::client_endpoint). Identify a portal by its
    /// [`member_id`](Self::member_id) instead.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the authorization server's REST address.
    pub fn server_endpoint(&self) -> Option<&str> {
        self.server_endpoint.as_deref()
    }

    /// Returns the kind of the installation on this portal.
    pub fn status(&self) -> Option<&ApplicationStatus> {
        self.status.as_ref()
    }

    /// Returns the portal's REST address, such as `https://some-domain.bitrix24.com/rest/`.
    pub fn client_endpoint(&self) -> Option<&str> {
        self.client_endpoint.as_deref()
    }

    /// Returns the portal's id, which never changes.
    pub fn member_id(&self) -> Option<&str> {
        self.member_id.as_deref()
    }

    /// Returns the user who caused the event, or 0 if it was not a user of the portal.
    pub fn user_id(&self) -> Option<u64> {
        self.user_id
    }

    /// Returns the OAuth refresh token, sent with ONAPPINSTALL, ONAPPUPDATE and ONAPPTEST. The events of chat
    /// bots had one until July 2026.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// Returns the token that verifies the event. A verified event always has one.
    pub fn application_token(&self) -> Option<&Secret> {
        self.application_token.as_ref()
    }

    /// Returns when the trial or the paid period of the application ends, in unix seconds. Sent only with
    /// the statuses [`Trial`](ApplicationStatus::Trial) and [`Paid`](ApplicationStatus::Paid).
    pub fn date_finish(&self) -> Option<i64> {
        self.date_finish
    }

    /// Returns the application's own id, such as `app.6a1…` or `local.6a1…`. Events do not have it; an
    /// application's settings form does.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Returns the code of the authorization server's error, such as `invalid_grant`, if that server
    /// issued no tokens for this request. Then [`access_token`](Self::access_token) is `None`.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Returns the description of that error. It is redacted like a token, since the authorization
    /// server may quote the credentials that it rejected.
    pub fn error_description(&self) -> Option<&Secret> {
        self.error_description.as_ref()
    }
}

fn split_scope(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

open_enum! {
    /// The kind of an application's installation (`auth[status]`).
    ///
    /// Documentation pages: *Events* and *onAppPayment*.
    ApplicationStatus {
        /// A free application from the Market.
        Free = "F",
        /// A demo version.
        Demo = "D",
        /// A trial version, limited in time.
        Trial = "T",
        /// A paid application.
        Paid = "P",
        /// A local application, made for one portal.
        Local = "L",
        /// An application of the Market subscription.
        Subscription = "S",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_scope_is_a_list_with_any_separator() {
        for text in ["crm,task", "crm, task", "crm task", " crm ,, task "] {
            assert_eq!(split_scope(text), ["crm", "task"], "{text}");
        }
        assert!(split_scope("").is_empty());
    }

    #[test]
    fn undocumented_auth_status_is_kept() {
        assert_eq!(ApplicationStatus::from("Z").as_str(), "Z");
        assert_eq!(
            ApplicationStatus::from("S"),
            ApplicationStatus::Subscription
        );
    }

    #[test]
    fn auth_fields_are_read_from_their_own_keys() {
        let auth = Envelope::scan(
            "event=X&auth[access_token]=access&auth[expires]=1714653232&auth[expires_in]=3600\
             &auth[scope]=crm,task&auth[domain]=d.bitrix24.com\
             &auth[server_endpoint]=https://o/rest/&auth[status]=P\
             &auth[client_endpoint]=https://d.bitrix24.com/rest/&auth[member_id]=m\
             &auth[user_id]=9&auth[refresh_token]=refresh&auth[application_token]=proof\
             &auth[date_finish]=1717245232&auth[client_id]=app.1&auth[error]=invalid_grant\
             &auth[error_description]=rejected",
        )
        .unwrap()
        .auth();
        assert_eq!(auth.access_token(), Some(&Secret::new("access")));
        assert_eq!(auth.expires(), Some(1_714_653_232));
        assert_eq!(auth.expires_in(), Some(3600));
        assert_eq!(auth.scope(), ["crm", "task"]);
        assert_eq!(auth.domain(), "d.bitrix24.com");
        assert_eq!(auth.server_endpoint(), Some("https://o/rest/"));
        assert_eq!(auth.status(), Some(&ApplicationStatus::Paid));
        assert_eq!(auth.client_endpoint(), Some("https://d.bitrix24.com/rest/"));
        assert_eq!(auth.member_id(), Some("m"));
        assert_eq!(auth.user_id(), Some(9));
        assert_eq!(auth.refresh_token(), Some(&Secret::new("refresh")));
        assert_eq!(auth.application_token(), Some(&Secret::new("proof")));
        assert_eq!(auth.date_finish(), Some(1_717_245_232));
        assert_eq!(auth.client_id(), Some("app.1"));
        assert_eq!(auth.error(), Some("invalid_grant"));
        assert_eq!(auth.error_description(), Some(&Secret::new("rejected")));
    }

    #[test]
    fn auth_error_shows_its_code_but_not_its_description() {
        let auth = Envelope::scan(
            "event=X&auth[error]=invalid_grant&auth[error_description]=Bad+token+s3cret",
        )
        .unwrap()
        .auth();
        let description = auth.error_description().unwrap();
        assert_eq!(description.expose(), "Bad token s3cret");
        for shown in [format!("{auth:?}"), serde_json::to_string(&auth).unwrap()] {
            assert!(shown.contains("invalid_grant"), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn webhook_auth_has_no_oauth_fields() {
        let auth = Envelope::scan("event=X&auth[domain]=&auth[member_id]=m&auth[expires]=soon")
            .unwrap()
            .auth();
        assert_eq!((auth.domain(), auth.member_id()), ("", Some("m")));
        assert_eq!(
            (auth.access_token(), auth.expires(), auth.status()),
            (None, None, None)
        );
    }
}
