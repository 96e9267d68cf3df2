//! `UrlSecret`: a secret of the application's own in the URL that it registers.

use std::borrow::Cow;
use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use subtle::Choice;

use super::path::canonical;
use crate::error::ConfigError;
use crate::form::pairs::pairs;
use crate::form::percent::decode;
use crate::secret::Secret;

/// A secret in the URL that an application registers with Bitrix24, for
/// [`EventLayer::url_secret`](crate::EventLayer::url_secret).
///
/// It stands in a query parameter or is a segment of the path. Several secrets are accepted at once, so
/// that one can be replaced: register the new one everywhere, then remove the old one here. All are
/// compared each time, in constant time. Use at least 128 random bits, for example 32 hexadecimal
/// digits.
///
/// Whoever sees the settings of the portal, or a log with the URL, knows the secret. The layer writes
/// it nowhere: `Debug` shows only where it stands, and the services behind the layer see `redacted` in
/// its place in the request's URI. **A layer around this one still sees it**, for example a `TraceLayer`
/// or the log of a proxy, and so do axum's `OriginalUri` and `Path`.
///
/// ```
/// use tower_bitrix24::layer::UrlSecret;
///
/// let query = UrlSecret::query("secret", ["9b1c7e02f4a84d55"])?;
/// let segment = UrlSecret::path("/bitrix24/{secret}/events", ["9b1c7e02f4a84d55", "the old one"])?;
/// assert!(!format!("{query:?} {segment:?}").contains("9b1c"));
///
/// // An unset environment variable must not become a secret that everybody knows.
/// assert!(UrlSecret::query("secret", [""]).is_err());
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct UrlSecret {
    place: Place,
    secrets: Box<[Secret]>,
    only_without_token: bool,
}

#[derive(Clone)]
enum Place {
    Query(Box<str>),
    Path {
        template: Box<str>,
        before: Box<[u8]>,
        after: Box<[u8]>,
    },
}

/// Stands for the secret in a template.
const SEGMENT: &str = "{secret}";

/// Replaces the secret in the URI. Brackets are not allowed in a path.
const REPLACEMENT: &str = "redacted";

impl UrlSecret {
    /// Creates a secret in a query parameter: `https://…/events?secret=9b1c7e02f4a84d55`.
    ///
    /// A request in which the parameter stands twice is rejected.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is empty, if there is no secret, or if one is empty or begins or
    /// ends with white space.
    pub fn query<T: Into<String>>(
        name: impl Into<String>,
        secrets: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let name = name.into();
        if name.is_empty() {
            return Err(ConfigError::new(
                "the query parameter of the URL's secret has no name",
            ));
        }
        Self::new(Place::Query(name.into()), secrets)
    }

    /// Creates a secret that is a segment of the path: `/bitrix24/{secret}/events`.
    ///
    /// The template selects as a [`path`](crate::EventLayer::path) does. A request whose path fits it is
    /// rejected without the secret, and one whose path fits neither the template nor a `path` reaches
    /// the service unverified. A path also fits if routers could take another part of it for the secret:
    /// an encoded slash, a `.` or `..`. Beside a secret in a query parameter, which may stand in every
    /// URL, the template narrows nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the template does not start with `/`, or does not have `{secret}` as exactly
    /// one of its segments, and for secrets as [`query`](Self::query) does. A secret cannot have a `/`.
    pub fn path<T: Into<String>>(
        template: impl Into<String>,
        secrets: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let template = template.into();
        let error = || {
            ConfigError::new(format!(
                "the path {template:?} must start with / and have {SEGMENT} as one of its segments"
            ))
        };
        let (before, after) = template.split_once(SEGMENT).ok_or_else(error)?;
        let is_segment = before.starts_with('/')
            && before.ends_with('/')
            && (after.is_empty() || after.starts_with('/'))
            && !after.contains(SEGMENT);
        if !is_segment {
            return Err(error());
        }
        let mut canonical_before = canonical(before).into_owned();
        canonical_before.push(b'/');
        let place = Place::Path {
            before: canonical_before.into(),
            after: canonical(after).into(),
            template: template.into(),
        };
        let secret = Self::new(place, secrets)?;
        if secret.secrets.iter().any(|one| one.expose().contains('/')) {
            return Err(ConfigError::new("a secret in a path cannot have a /"));
        }
        Ok(secret)
    }

    fn new<T: Into<String>>(
        place: Place,
        secrets: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let secrets: Box<[Secret]> = secrets.into_iter().map(Secret::new).collect();
        if secrets.is_empty() {
            return Err(ConfigError::new("there is no secret for the URL"));
        }
        for secret in secrets.iter().map(Secret::expose) {
            if secret.is_empty() {
                return Err(ConfigError::new("a secret for the URL is empty"));
            }
            if secret.trim().len() != secret.len() {
                return Err(ConfigError::new(
                    "a secret for the URL begins or ends with white space",
                ));
            }
        }
        Ok(Self {
            place,
            secrets,
            only_without_token: false,
        })
    }

    /// Demands the secret only from requests without an application token. The token alone verifies the
    /// others. Defaults to demanding both.
    pub fn only_without_token(mut self) -> Self {
        self.only_without_token = true;
        self
    }

    pub(super) const fn is_demanded(&self) -> bool {
        !self.only_without_token
    }

    pub(super) const fn is_in_path(&self) -> bool {
        matches!(self.place, Place::Path { .. })
    }

    /// Returns `true` if the path has a place for the secret, whatever stands there.
    pub(super) fn selects(&self, path: &str, canonical: &[u8]) -> bool {
        self.segment(canonical).is_some() || self.fits_unresolved(path)
    }

    /// Returns `true` if a router that matches a path before it decodes or resolves it finds a segment
    /// in the place of the secret, such as `a%2Fb` or `..`.
    fn fits_unresolved(&self, path: &str) -> bool {
        let Place::Path { before, after, .. } = &self.place else {
            return false;
        };
        let (before, after) = (segments(before), segments(after));
        let raw = path.trim_end_matches('/').split('/').skip(1);
        let decoded = raw.map(|segment| Cow::from(percent_decode_str(segment)));
        let mut decoded: Vec<Cow<'_, [u8]>> = decoded.collect();
        if fits(&decoded, &before, &after) {
            return true;
        }
        decoded.retain(|segment| !segment.is_empty());
        fits(&decoded, &before, &after)
    }

    /// Returns `true` if the URI has the secret. Every secret is compared, so that the time does not
    /// depend on which it is.
    pub(super) fn verify(&self, uri: &Uri) -> bool {
        match &self.place {
            Place::Query(name) => {
                let mut values =
                    query_pairs(uri).filter(|pair| decode(pair.key) == name.as_bytes());
                match (values.next(), values.next()) {
                    (Some(pair), None) => self.is(&decode(pair.value)),
                    _ => false,
                }
            }
            Place::Path { .. } => {
                let path = canonical(uri.path());
                self.segment(&path).is_some_and(|segment| self.is(segment))
            }
        }
    }

    fn is(&self, presented: &[u8]) -> bool {
        let comparisons = self.secrets.iter().map(|secret| secret.is(presented));
        comparisons
            .fold(Choice::from(0), |any, next| any | next)
            .into()
    }

    fn segment<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let Place::Path { before, after, .. } = &self.place else {
            return None;
        };
        let segment = path.strip_prefix(&**before)?.strip_suffix(&**after)?;
        (!segment.is_empty() && !segment.contains(&b'/')).then_some(segment)
    }

    /// Replaces whatever stands in the place of the secret: a wrong one may be an old one.
    pub(super) fn redact(&self, uri: &mut Uri) {
        let redacted = match &self.place {
            Place::Query(name) => redact_query(uri, name),
            Place::Path { .. } => self.redact_path(uri),
        };
        let Some(redacted) = redacted else { return };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(redacted);
        *uri = Uri::from_parts(parts).expect("only the path and the query have changed");
    }

    fn redact_path(&self, uri: &Uri) -> Option<PathAndQuery> {
        let path = canonical(uri.path());
        let segment = self.segment(&path)?;
        let shown = uri.path().split('/').map(|raw| {
            let decoded: Cow<'_, [u8]> = percent_decode_str(raw).into();
            // An encoded slash hides a segment in another one.
            if decoded
                .split(|&byte| byte == b'/')
                .any(|part| part == segment)
            {
                REPLACEMENT
            } else {
                raw
            }
        });
        let mut shown = shown.collect::<Vec<_>>().join("/");
        if let Some(query) = uri.query() {
            shown.push('?');
            shown.push_str(query);
        }
        Some(path_and_query(&shown))
    }
}

fn segments(path: &[u8]) -> Vec<&[u8]> {
    let segments = path.split(|&byte| byte == b'/');
    segments.filter(|segment| !segment.is_empty()).collect()
}

/// Returns `true` if exactly one segment stands between these.
fn fits(segments: &[Cow<'_, [u8]>], before: &[&[u8]], after: &[&[u8]]) -> bool {
    let Some((first, rest)) = segments.split_at_checked(before.len()) else {
        return false;
    };
    let Some((_, last)) = rest.split_first() else {
        return false;
    };
    first == before && last == after
}

fn query_pairs(uri: &Uri) -> impl Iterator<Item = crate::form::pairs::Pair<'_>> {
    pairs(uri.query().unwrap_or_default().as_bytes())
}

fn redact_query(uri: &Uri, name: &str) -> Option<PathAndQuery> {
    let query = uri.query()?;
    let mut shown = format!("{}?", uri.path());
    let mut copied = 0;
    for pair in query_pairs(uri).filter(|pair| decode(pair.key) == name.as_bytes()) {
        shown.push_str(&query[copied..pair.value_start]);
        shown.push_str(REPLACEMENT);
        copied = pair.end;
    }
    if copied == 0 {
        return None;
    }
    shown.push_str(&query[copied..]);
    Some(path_and_query(&shown))
}

/// The replacement may be longer than what it replaces, and a URI has a maximum length.
fn path_and_query(text: &str) -> PathAndQuery {
    PathAndQuery::try_from(text).unwrap_or(PathAndQuery::from_static("/redacted"))
}

/// Shows where the secret stands.
impl fmt::Debug for UrlSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UrlSecret");
        match &self.place {
            Place::Query(name) => debug.field("query", name),
            Place::Path { template, .. } => debug.field("path", template),
        };
        debug
            .field("only_without_token", &self.only_without_token)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secret: &UrlSecret, uri: &str) -> String {
        let mut uri: Uri = uri.parse().unwrap();
        secret.redact(&mut uri);
        uri.to_string()
    }

    #[test]
    fn url_secret_in_the_query_is_found_once_and_in_every_encoding() {
        let secret = UrlSecret::query("k", ["s3cret", "old one"]).unwrap();
        for (uri, verified) in [
            ("/?k=s3cret", true),
            ("/any/path?a=1&k=s3cret&b=2", true),
            ("/?k=s%33cret", true),
            ("/?%6b=s3cret", true),
            ("/?k=old+one", true),
            ("/?k=old%20one", true),
            ("/", false),
            ("/?k", false),
            ("/?k=", false),
            ("/?k=s3cre", false),
            ("/?k=s3crets", false),
            ("/?K=s3cret", false),
            ("/?x=k=s3cret", false),
            ("/?k=s3cret&k=s3cret", false),
            ("/?k=s3cret&k=guess", false),
            ("/k=s3cret", false),
        ] {
            assert_eq!(secret.verify(&uri.parse().unwrap()), verified, "{uri}");
        }
    }

    #[test]
    fn url_secret_in_the_path_is_found_in_every_spelling() {
        let secret = UrlSecret::path("/bitrix24/{secret}/events/", ["s3cret"]).unwrap();
        for (uri, verified) in [
            ("/bitrix24/s3cret/events", true),
            ("/bitrix24/s3cret/events/?x=1", true),
            ("//bitrix24//s3cret/./events", true),
            ("/bitrix24/x/../s3cret/events", true),
            ("/%62itrix24%2Fs%33cret/events", true),
            ("/bitrix24/guess/events", false),
            ("/bitrix24//events", false),
            ("/bitrix24/events", false),
            ("/bitrix24/s3cret", false),
            ("/bitrix24/s3cret/x/events", false),
            ("/?s3cret", false),
        ] {
            assert_eq!(secret.verify(&uri.parse().unwrap()), verified, "{uri}");
        }
        for (path, selected) in [
            ("/bitrix24/guess/events", true),
            ("/bitrix24/events", false),
            ("/bitrix24/guess/x/events", false),
            ("/bitrix24/guess/event", false),
            ("/bitrix2/guess/events", false),
            // A router that matches raw segments takes each of these for a secret.
            ("/bitrix24/a%2Fb/events", true),
            ("/bitrix24/../events/", true),
            ("/%62itrix24/%2e%2E/events", true),
            ("//bitrix24/./events", true),
            ("/bitrix24/%2F/events", true),
        ] {
            assert_eq!(secret.selects(path, &canonical(path)), selected, "{path}");
        }
        let last = UrlSecret::path("/{secret}", ["s3cret"]).unwrap();
        assert!(last.verify(&Uri::from_static("/s3cret")));
    }

    #[test]
    fn redaction_replaces_whatever_stands_in_the_place_of_the_secret() {
        let query = UrlSecret::query("k", ["s3cret"]).unwrap();
        for (uri, expected) in [
            ("/a?x=1&k=s3cret&y=2", "/a?x=1&k=redacted&y=2"),
            ("/a?k=guess&%6B=s%33cret", "/a?k=redacted&%6B=redacted"),
            ("https://host/?k=", "https://host/?k=redacted"),
            ("/a?x=s3", "/a?x=s3"),
            ("/a", "/a"),
        ] {
            assert_eq!(redacted(&query, uri), expected);
        }
        let path = UrlSecret::path("/hook/{secret}", ["s3cret"]).unwrap();
        for (uri, expected) in [
            ("/hook/s3cret?x=1", "/hook/redacted?x=1"),
            ("/hook/guess/", "/hook/redacted/"),
            ("//hook/./s%33cret", "//hook/./redacted"),
            ("/x%2F..%2Fhook%2Fs3cret", "/redacted"),
            ("/other/s3cret", "/other/s3cret"),
        ] {
            assert_eq!(redacted(&path, uri), expected);
        }
    }

    #[test]
    fn url_secret_that_everybody_knows_is_a_config_error() {
        let none: [&str; 0] = [];
        for (result, message) in [
            (UrlSecret::query("", ["s"]), "has no name"),
            (UrlSecret::query("k", none), "there is no secret"),
            (UrlSecret::query("k", ["s", ""]), "is empty"),
            (UrlSecret::query("k", ["s\n"]), "white space"),
            (UrlSecret::path("/hook", ["s"]), "must start with /"),
            (UrlSecret::path("hook/{secret}", ["s"]), "must start with /"),
            (UrlSecret::path("/x{secret}", ["s"]), "one of its segments"),
            (UrlSecret::path("/{secret}x", ["s"]), "one of its segments"),
            (
                UrlSecret::path("/{secret}/{secret}", ["s"]),
                "one of its segments",
            ),
            (UrlSecret::path("/{secret}", ["a/b"]), "cannot have a /"),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
