//! Reads the responses of `app.info` and `profile` (the documentation's pages of these names and "Error
//! codes").

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::error::IntrospectionError;

/// The response about an access token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Introspected<T> {
    Valid(T),
    NotValid,
}

/// The error codes about the access token: unknown (`invalid_token`, `invalid_grant`,
/// `NO_AUTH_FOUND`, `INVALID_CREDENTIALS`), expired (`expired_token`), or without a scope that says
/// anything about the application (`insufficient_scope`, `user_access_error`).
///
/// All others are about the server, the portal's plan or the request. They leave the question open,
/// whatever the status: `OVERLOAD_LIMIT` and `ACCESS_DENIED` come with 401 like `expired_token`.
const NOT_VALID: [&str; 7] = [
    "expired_token",
    "insufficient_scope",
    "invalid_credentials",
    "invalid_grant",
    "invalid_token",
    "no_auth_found",
    "user_access_error",
];

#[derive(Deserialize)]
struct Rejection {
    error: Option<String>,
}

#[derive(Deserialize)]
struct Success<T> {
    result: T,
}

/// The result of `app.info`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct AppInfo {
    pub(super) client_id: String,
    /// When the token expires, in unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) expires: Option<i64>,
    pub(super) install: Install,
}

// `installed` is not read: the event of an installation is sent before the application finishes it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Install {
    pub(super) member_id: String,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) client_endpoint: Option<String>,
}

/// The result of `profile`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Profile {
    #[serde(rename = "ID", deserialize_with = "user_id")]
    pub(super) user: u64,
    #[serde(rename = "ADMIN")]
    pub(super) is_admin: bool,
}

/// Only pages need these fields, so that an installation is verified without them.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// The documentation's sample has a string.
fn user_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(u64),
        Text(String),
    }
    match Id::deserialize(deserializer)? {
        Id::Number(id) => Ok(id),
        Id::Text(id) => id.parse().map_err(serde::de::Error::custom),
    }
}

impl<T: DeserializeOwned> Introspected<T> {
    pub(super) fn read(
        method: &'static str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Self, IntrospectionError> {
        let rejection = read::<Rejection>(method, body);
        if status.is_client_error() {
            return match rejection.ok().and_then(|rejection| rejection.error) {
                Some(code) => Self::from_code(code),
                // For example a proxy's page.
                None => Err(IntrospectionError::Status(status.as_u16())),
            };
        }
        if let Some(code) = rejection?.error {
            return Self::from_code(code);
        }
        Ok(Self::Valid(read::<Success<T>>(method, body)?.result))
    }

    fn from_code(code: String) -> Result<Self, IntrospectionError> {
        let is_not_valid = NOT_VALID
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&code));
        if is_not_valid {
            Ok(Self::NotValid)
        } else {
            Err(IntrospectionError::OAuth(code))
        }
    }
}

/// Returns an error if a body with this status is not worth reading.
pub(super) fn check_status(status: StatusCode) -> Result<(), IntrospectionError> {
    let is_readable = (status.is_success() || status.is_client_error())
        && status != StatusCode::TOO_MANY_REQUESTS;
    if is_readable {
        Ok(())
    } else {
        Err(IntrospectionError::Status(status.as_u16()))
    }
}

/// Returns an error also for a duplicate key, whatever its values.
fn read<'a, T: Deserialize<'a>>(
    method: &'static str,
    body: &'a [u8],
) -> Result<T, IntrospectionError> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => IntrospectionError::Unexpected(method),
        Category::Eof => IntrospectionError::Unreadable("ends early"),
        Category::Io | Category::Syntax => IntrospectionError::Unreadable("is not JSON"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let introspected = check_status(status)
            .and_then(|()| Introspected::<AppInfo>::read("app.info", status, body.as_bytes()));
        match introspected {
            Ok(Introspected::Valid(AppInfo {
                client_id, install, ..
            })) => {
                format!("{client_id} in {}", install.member_id)
            }
            Ok(Introspected::NotValid) => "not valid".to_owned(),
            Err(error) => error.to_string().replace("the authorization server", "it"),
        }
    }

    #[test]
    fn app_info_of_an_unfinished_installation_is_read() {
        for installed in ["true", "false", "\"Y\"", "null"] {
            let body = format!(
                r#"{{"result": {{"client_id": "app.1", "scope": "crm", "expires": 1714649632,
                "user_id": 1, "install": {{"installed": {installed}, "version": "1", "status": "F",
                "scope": "crm", "domain": "a.bitrix24.com", "uri": null, "member_id": "a",
                "client_endpoint": "https://a.bitrix24.com/rest/", "member_type": "b24"}}}},
                "time": {{"start": 1.5}}}}"#
            );
            assert_eq!(read(200, &body), "app.1 in a");
        }
    }

    #[test]
    fn only_error_codes_about_the_token_make_it_invalid() {
        for (status, code, read_as) in [
            (401, "expired_token", "not valid"),
            (400, "expired_token", "not valid"),
            (403, "EXPIRED_TOKEN", "not valid"),
            (200, "expired_token", "not valid"),
            (401, "invalid_token", "not valid"),
            (401, "NO_AUTH_FOUND", "not valid"),
            (401, "INVALID_CREDENTIALS", "not valid"),
            (401, "insufficient_scope", "not valid"),
            (401, "user_access_error", "not valid"),
            (400, "invalid_grant", "not valid"),
            (
                401,
                "OVERLOAD_LIMIT",
                "it responded with the error OVERLOAD_LIMIT",
            ),
            (
                401,
                "ACCESS_DENIED",
                "it responded with the error ACCESS_DENIED",
            ),
            (401, "", "it responded with the error "),
            (
                200,
                "QUERY_LIMIT_EXCEEDED",
                "it responded with the error QUERY_LIMIT_EXCEEDED",
            ),
            (
                404,
                "ERROR_METHOD_NOT_FOUND",
                "it responded with the error ERROR_METHOD_NOT_FOUND",
            ),
            (429, "expired_token", "it responded with status 429"),
            (500, "expired_token", "it responded with status 500"),
            (302, "expired_token", "it responded with status 302"),
        ] {
            let body = format!(r#"{{"error": "{code}", "error_description": "…", "result": []}}"#);
            assert_eq!(read(status, &body), read_as, "{status} {code}");
        }
    }

    #[test]
    fn response_of_something_else_than_app_info_is_unreadable() {
        let good = r#"{"result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#;
        assert_eq!(read(200, good), "app.1 in a");
        assert_eq!(read(200, &good[..30]), "the response of it ends early");
        assert_eq!(read(200, ""), "the response of it ends early");
        assert_eq!(read(200, "<html>"), "the response of it is not JSON");
        assert_eq!(
            read(200, &format!("{good}x")),
            "the response of it is not JSON"
        );
        for other in [
            "{}",
            "null",
            r#"{"result": null}"#,
            r#"{"result": {"ID": "7", "CODE": "app.1"}}"#,
            r#"{"result": {"client_id": 1, "install": {"member_id": "a"}}}"#,
            r#"{"result": {"client_id": "app.1", "install": []}}"#,
            r#"{"error": 7, "result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#,
        ] {
            assert_eq!(
                read(200, other),
                "the response of it is not that of app.info",
                "{other}"
            );
        }
        assert_eq!(read(403, "<html>"), "it responded with status 403");
        assert_eq!(read(401, good), "it responded with status 401");
    }

    #[test]
    fn response_with_a_duplicate_key_is_unreadable() {
        for twice in [
            r#"{"result": {"client_id": "b", "client_id": "a", "install": {"member_id": "a"}}}"#,
            r#"{"result": {"client_id": "a", "install": {"member_id": "b", "member_id": "a"}}}"#,
            r#"{"result": {}, "result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#,
            r#"{"error": "expired_token", "error": null, "result": {}}"#,
        ] {
            assert_eq!(
                read(200, twice),
                "the response of it is not that of app.info",
                "{twice}"
            );
        }
    }

    #[test]
    fn deep_nesting_in_an_app_info_response_is_harmless() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let good = r#"{"client_id": "app.1", "install": {"member_id": "a"}}"#;
        let body = format!(r#"{{"x": {deep}, "result": {good}}}"#);
        assert_eq!(read(200, &body), "app.1 in a");
        assert_eq!(
            read(200, &format!(r#"{{"result": {deep}}}"#)),
            "the response of it is not that of app.info"
        );
    }

    #[test]
    fn profile_is_read_with_its_id_as_a_string_or_a_number() {
        let read =
            |body: &str| Introspected::<Profile>::read("profile", StatusCode::OK, body.as_bytes());
        let profile = |user, is_admin| Introspected::Valid(Profile { user, is_admin });
        for (body, expected) in [
            (
                r#"{"result": {"ID": "7", "ADMIN": true, "NAME": "A"}}"#,
                profile(7, true),
            ),
            (
                r#"{"result": {"ID": 8, "ADMIN": false}}"#,
                profile(8, false),
            ),
        ] {
            assert_eq!(read(body).unwrap(), expected);
        }
        for other in [
            r#"{"result": {"ID": "7"}}"#,
            r#"{"result": {"ID": "x", "ADMIN": true}}"#,
            r#"{"result": {"ID": "7", "ADMIN": "Y"}}"#,
            r#"{"result": {"ID": "7", "ADMIN": true, "ADMIN": false}}"#,
            r#"{"result": []}"#,
        ] {
            let error = read(other).unwrap_err();
            assert!(
                error.to_string().ends_with("is not that of profile"),
                "{error}"
            );
        }
    }

    #[test]
    fn app_info_with_odd_details_is_still_that_of_an_installation() {
        let body = r#"{"result": {"client_id": "app.1", "expires": "soon",
            "install": {"member_id": "a", "client_endpoint": 7}}}"#;
        assert_eq!(read(200, body), "app.1 in a");
    }
}
