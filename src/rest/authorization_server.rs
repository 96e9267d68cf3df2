//! `AuthorizationServer`: the origin of Bitrix24's authorization server.

use std::borrow::Cow;
use std::fmt;

use http::Uri;

use crate::error::ConfigError;

/// The authorization server that issues Bitrix24's tokens.
///
/// It is fixed when the application starts. An event also names a server
/// (`auth[server_endpoint]`), but whoever forges the event chooses it. That server is never called.
///
/// ```
/// use tower_bitrix24::rest::AuthorizationServer;
///
/// let server = AuthorizationServer::default();
/// assert_eq!(server.to_string(), "https://oauth.bitrix.info");
/// assert_eq!(server, AuthorizationServer::BITRIX_INFO);
///
/// let stand_in = AuthorizationServer::insecure_custom("http://127.0.0.1:8080")?;
/// assert_eq!(stand_in.to_string(), "http://127.0.0.1:8080");
/// assert!(AuthorizationServer::insecure_custom("http://127.0.0.1/path").is_err());
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationServer {
    origin: Cow<'static, str>,
}

impl AuthorizationServer {
    /// `oauth.bitrix.info`, the default.
    pub const BITRIX_INFO: Self = Self::known("https://oauth.bitrix.info");

    /// `oauth.bitrix24.tech`.
    pub const BITRIX24_TECH: Self = Self::known("https://oauth.bitrix24.tech");

    const fn known(origin: &'static str) -> Self {
        Self {
            origin: Cow::Borrowed(origin),
        }
    }

    /// Creates another server: a stand-in for tests and examples.
    ///
    /// **It decides which installations are verified**, and it receives the access tokens. The origin
    /// must never come from an event.
    ///
    /// # Errors
    ///
    /// Returns an error if `origin` is not `http://` or `https://` with a host, an optional port and
    /// nothing else.
    pub fn insecure_custom(origin: &str) -> Result<Self, ConfigError> {
        // The message does not quote the origin, which may contain a password.
        let wrong = || {
            ConfigError::new(
                "the authorization server must be http(s)://host or http(s)://host:port",
            )
        };
        let uri: Uri = origin.parse().map_err(|_| wrong())?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) =
            (uri.scheme_str(), uri.authority())
        else {
            return Err(wrong());
        };
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        Ok(Self {
            origin: format!("{scheme}://{authority}").into(),
        })
    }
}

impl AuthorizationServer {
    pub(crate) fn is_without_tls(&self) -> bool {
        self.origin.starts_with("http://")
    }
}

/// Returns [`BITRIX_INFO`](Self::BITRIX_INFO).
impl Default for AuthorizationServer {
    fn default() -> Self {
        Self::BITRIX_INFO
    }
}

/// Writes the scheme, the host and the port.
impl fmt::Display for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_authorization_server_is_only_an_origin() {
        for (origin, shown) in [
            ("https://localhost", "https://localhost"),
            ("http://[::1]:80/", "http://[::1]:80"),
        ] {
            let server = AuthorizationServer::insecure_custom(origin).unwrap();
            assert_eq!(server.to_string(), shown);
        }
        for origin in [
            "",
            "/",
            "localhost",
            "localhost:80",
            "ftp://localhost",
            "https://user:canary@localhost",
            "https://localhost/rest",
            "https://localhost?a=b",
            "https://local host",
        ] {
            let error = AuthorizationServer::insecure_custom(origin).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
