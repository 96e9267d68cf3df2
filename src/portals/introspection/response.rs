//! What `app.info` answers (the documentation's pages "app.info" and "Error codes").

use http::StatusCode;
use serde::Deserialize;
use serde_json::error::Category;

use super::error::Failure;

/// What the authorization server says about an access token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It belongs to this installation.
    Installation {
        client_id: String,
        member_id: String,
    },
    /// It belongs to none.
    NotValid,
}

/// The error codes that are about the access token, and so answer what was asked: it is not known
/// (`invalid_token`, `invalid_grant`, `NO_AUTH_FOUND`, `INVALID_CREDENTIALS`), over
/// (`expired_token`), or proves nothing about the application (`insufficient_scope`,
/// `user_access_error`).
///
/// All others are about the server, the portal's plan or the way it was asked. What they say of the
/// token is nothing, so they leave the question open, whatever the status: `OVERLOAD_LIMIT` and
/// `ACCESS_DENIED` come with 401 like `expired_token`.
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
struct Success {
    result: AppInfo,
}

#[derive(Deserialize)]
struct AppInfo {
    client_id: String,
    install: Install,
}

/// `installed` is not read: the event of an installation comes before the application has finished
/// it.
#[derive(Deserialize)]
struct Install {
    member_id: String,
}

impl Answer {
    /// Whether a body with this status is worth reading.
    pub(super) fn expect_in(status: StatusCode) -> Result<(), Failure> {
        let readable = status.is_success() || status.is_client_error();
        match readable && status != StatusCode::TOO_MANY_REQUESTS {
            true => Ok(()),
            false => Err(Failure::Status(status.as_u16())),
        }
    }

    pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Self, Failure> {
        let rejection = read::<Rejection>(body);
        if status.is_client_error() {
            // A page of a proxy, say.
            let code = rejection.ok().and_then(|rejection| rejection.error);
            return code.map_or(Err(Failure::Status(status.as_u16())), Self::of_code);
        }
        if let Some(code) = rejection?.error {
            return Self::of_code(code);
        }
        let AppInfo { client_id, install } = read::<Success>(body)?.result;
        Ok(Self::Installation {
            client_id,
            member_id: install.member_id,
        })
    }

    fn of_code(code: String) -> Result<Self, Failure> {
        let is = |known: &&str| known.eq_ignore_ascii_case(&code);
        match NOT_VALID.iter().any(is) {
            true => Ok(Self::NotValid),
            false => Err(Failure::Code(code)),
        }
    }
}

/// A known key that comes twice, with the same value or not, is an error.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::Unreadable(match error.classify() {
            Category::Data => "is not that of app.info",
            Category::Eof => "ends early",
            Category::Io | Category::Syntax => "is not JSON",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer::expect_in(status).and_then(|()| Answer::read(status, body.as_bytes()));
        match answer {
            Ok(Answer::Installation {
                client_id,
                member_id,
            }) => format!("{client_id} in {member_id}"),
            Ok(Answer::NotValid) => "not valid".to_owned(),
            Err(failure) => failure
                .to_string()
                .replace("the authorization server", "it"),
        }
    }

    #[test]
    fn an_installation_is_read_whether_it_is_finished_or_not() {
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
    fn only_errors_about_the_token_say_that_it_is_not_valid() {
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
                "it answered with the error OVERLOAD_LIMIT",
            ),
            (
                401,
                "ACCESS_DENIED",
                "it answered with the error ACCESS_DENIED",
            ),
            (401, "", "it answered with the error "),
            (
                200,
                "QUERY_LIMIT_EXCEEDED",
                "it answered with the error QUERY_LIMIT_EXCEEDED",
            ),
            (
                404,
                "ERROR_METHOD_NOT_FOUND",
                "it answered with the error ERROR_METHOD_NOT_FOUND",
            ),
            (429, "expired_token", "it answered with status 429"),
            (500, "expired_token", "it answered with status 500"),
            (302, "expired_token", "it answered with status 302"),
        ] {
            let body = format!(r#"{{"error": "{code}", "error_description": "…", "result": []}}"#);
            assert_eq!(read(status, &body), read_as, "{status} {code}");
        }
    }

    #[test]
    fn what_is_not_an_answer_of_app_info_is_unreadable() {
        let good = r#"{"result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#;
        assert_eq!(read(200, good), "app.1 in a");
        assert_eq!(read(200, &good[..30]), "the answer of it ends early");
        assert_eq!(read(200, ""), "the answer of it ends early");
        assert_eq!(read(200, "<html>"), "the answer of it is not JSON");
        assert_eq!(
            read(200, &format!("{good}x")),
            "the answer of it is not JSON"
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
                "the answer of it is not that of app.info",
                "{other}"
            );
        }
        assert_eq!(read(403, "<html>"), "it answered with status 403");
        assert_eq!(read(401, good), "it answered with status 401");
    }

    #[test]
    fn an_answer_that_says_a_thing_twice_is_not_believed() {
        for twice in [
            r#"{"result": {"client_id": "b", "client_id": "a", "install": {"member_id": "a"}}}"#,
            r#"{"result": {"client_id": "a", "install": {"member_id": "b", "member_id": "a"}}}"#,
            r#"{"result": {}, "result": {"client_id": "app.1", "install": {"member_id": "a"}}}"#,
            r#"{"error": "expired_token", "error": null, "result": {}}"#,
        ] {
            assert_eq!(
                read(200, twice),
                "the answer of it is not that of app.info",
                "{twice}"
            );
        }
    }

    #[test]
    fn deep_nesting_in_what_is_not_read_is_harmless() {
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let good = r#"{"client_id": "app.1", "install": {"member_id": "a"}}"#;
        let body = format!(r#"{{"x": {deep}, "result": {good}}}"#);
        assert_eq!(read(200, &body), "app.1 in a");
        assert_eq!(
            read(200, &format!(r#"{{"result": {deep}}}"#)),
            "the answer of it is not that of app.info"
        );
    }
}
