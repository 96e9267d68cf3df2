//! The address of Bitrix24's authorization server.

use std::borrow::Cow;
use std::fmt;

use http::Uri;

use crate::error::ConfigError;

/// The authorization server that Bitrix24's tokens come from.
///
/// It is fixed when the application starts. An event names a server too (`auth[server_endpoint]`),
/// and whoever forges the event chooses what it names: that server is never asked.
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

    /// Another server: a stand-in, for tests and examples.
    ///
    /// **It decides whose installations are proven** and gets to know the access tokens. An event
    /// must never have a say in which server this is.
    ///
    /// # Errors
    ///
    /// Where it is not `http://` or `https://` with a host and nothing else but a port.
    pub fn insecure_custom(origin: &str) -> Result<Self, ConfigError> {
        // Not quoted in the messages: it may hold a password.
        let wrong = || ConfigError::new("an authorization server is http(s)://host or host:port");
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

/// [`BITRIX_INFO`](Self::BITRIX_INFO).
impl Default for AuthorizationServer {
    fn default() -> Self {
        Self::BITRIX_INFO
    }
}

/// Shows its scheme, host and port.
impl fmt::Display for AuthorizationServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custom_server_is_an_origin_and_nothing_else() {
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
