//! `ApplicationToken` and `TokenSet`: tokens from the configuration.

use std::fmt;
use std::future::{Ready, ready};
use std::str::FromStr;

use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use subtle::Choice;

use super::{VerifyError, VerifyToken};
use crate::envelope::Envelope;
use crate::error::ConfigError;
use crate::secret::Secret;

/// The one application token of one application or outgoing webhook.
///
/// The portal shows the token of an outgoing webhook on the webhook's page. An application receives
/// it with ONAPPINSTALL. Documentation page: *Safe event handlers*.
///
/// `FromStr` and `Deserialize` read the token as [`new`](Self::new) does.
///
/// ```
/// use tower_bitrix24::{ApplicationToken, Envelope, Event};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let token = ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?;
///
/// let body = "event=ONAPPTEST&auth[application_token]=51856fefc120afa4b628cc82d3935cce";
/// let event = Event::verify(Envelope::scan(body)?, &token).await?;
/// assert_eq!(event.code(), "ONAPPTEST");
///
/// let forged = "event=ONAPPTEST&auth[application_token]=guess";
/// assert!(Event::verify(Envelope::scan(forged)?, &token).await.is_err());
///
/// // An unset environment variable must not become a token that everybody knows.
/// assert!(ApplicationToken::new("").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ApplicationToken(Secret);

impl ApplicationToken {
    /// Creates a verifier from the token as the portal shows it. Its length and alphabet are not
    /// checked, since the platform promises neither.
    ///
    /// # Errors
    ///
    /// Returns an error if the token is empty, or begins or ends with white space, such as a line
    /// break from a file. No token of the platform does, so that it would reject every event.
    pub fn new(token: impl Into<String>) -> Result<Self, ConfigError> {
        let token = token.into();
        if token.trim().is_empty() {
            Err(ConfigError::new("an application token is empty"))
        } else if token.trim().len() != token.len() {
            Err(ConfigError::new(
                "an application token begins or ends with white space",
            ))
        } else {
            Ok(Self(Secret::new(token)))
        }
    }
}

impl VerifyToken for ApplicationToken {
    type Future = Ready<Result<(), VerifyError>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        ready(verify_any(std::slice::from_ref(self), envelope))
    }
}

/// A set of application tokens, each of which is accepted: an old and a new one, or those of several
/// outgoing webhooks with one URL.
///
/// Every token is compared each time, so that the duration does not reveal which one matched.
/// `Deserialize` reads one string, which is one token, or a list of strings.
///
/// ```
/// use tower_bitrix24::TokenSet;
///
/// let tokens = TokenSet::new(["51856fefc120afa4b628cc82d3935cce", "192735"])?;
/// assert_eq!(tokens.len(), 2);
/// assert!(TokenSet::new(["51856fefc120afa4b628cc82d3935cce", ""]).is_err());
/// assert!(TokenSet::new([""; 0]).is_err());
/// # Ok::<(), tower_bitrix24::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TokenSet(Box<[ApplicationToken]>);

impl TokenSet {
    /// Creates a set of `tokens`.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no tokens, or if [`ApplicationToken::new`] rejects one.
    pub fn new<T: Into<String>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        let tokens: Box<[_]> = tokens
            .into_iter()
            .map(ApplicationToken::new)
            .collect::<Result<_, _>>()?;
        if tokens.is_empty() {
            return Err(ConfigError::new("there is no application token"));
        }
        Ok(Self(tokens))
    }

    /// Creates a set from tokens separated by commas, as an environment variable holds them. White
    /// space around a token is ignored. `FromStr` does the same.
    ///
    /// # Errors
    ///
    /// Returns an error if [`new`](Self::new) rejects the tokens.
    pub fn from_list(list: &str) -> Result<Self, ConfigError> {
        Self::new(list.split(',').map(str::trim))
    }

    /// Returns the number of tokens, which is at least one.
    #[allow(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for TokenSet {
    type Err = ConfigError;

    fn from_str(list: &str) -> Result<Self, ConfigError> {
        Self::from_list(list)
    }
}

impl TryFrom<String> for ApplicationToken {
    type Error = ConfigError;

    fn try_from(token: String) -> Result<Self, ConfigError> {
        Self::new(token)
    }
}

impl FromStr for ApplicationToken {
    type Err = ConfigError;

    fn from_str(token: &str) -> Result<Self, ConfigError> {
        Self::new(token)
    }
}

impl From<ApplicationToken> for TokenSet {
    fn from(token: ApplicationToken) -> Self {
        Self(Box::new([token]))
    }
}

impl VerifyToken for TokenSet {
    type Future = Ready<Result<(), VerifyError>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        ready(verify_any(&self.0, envelope))
    }
}

fn verify_any(tokens: &[ApplicationToken], envelope: &Envelope) -> Result<(), VerifyError> {
    let presented = envelope.application_token().unwrap_or_default();
    let known = any(tokens.iter().map(|token| token.0.is(&presented)));
    if known.into() {
        Ok(())
    } else {
        Err(VerifyError::rejected())
    }
}

/// `Iterator::any` would stop at the first match, and its duration would reveal which one it was.
fn any(comparisons: impl Iterator<Item = Choice>) -> Choice {
    comparisons.fold(Choice::from(0), |any, next| any | next)
}

impl<'de> Deserialize<'de> for ApplicationToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = TokenVisitor { nested: true }.deserialize(deserializer)?;
        Self::new(token.concat()).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for TokenSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tokens = TokenVisitor { nested: false }.deserialize(deserializer)?;
        Self::new(tokens).map_err(de::Error::custom)
    }
}

/// Rejects what is not a string without quoting it: a token of digits is easily left without quotes,
/// and serde's own message would show it.
struct TokenVisitor {
    /// Set for one token, which is not a list.
    nested: bool,
}

impl TokenVisitor {
    fn reject<E: de::Error>(self) -> Result<Vec<String>, E> {
        Err(E::custom(
            "an application token is not a string: put it in quotes",
        ))
    }
}

impl<'de> Visitor<'de> for TokenVisitor {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.nested {
            "an application token"
        } else {
            "an application token or a list of them"
        })
    }

    fn visit_str<E: de::Error>(self, token: &str) -> Result<Vec<String>, E> {
        Ok(vec![token.to_owned()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        if self.nested {
            return self.reject();
        }
        let mut tokens = Vec::new();
        while let Some(token) = list.next_element_seed(Self { nested: true })? {
            tokens.extend(token);
        }
        Ok(tokens)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Vec<String>, E> {
        self.reject()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Vec<String>, E> {
        self.reject()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Vec<String>, E> {
        self.reject()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Vec<String>, E> {
        self.reject()
    }
}

impl<'de> DeserializeSeed<'de> for TokenVisitor {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::VerifyErrorKind;

    fn verify(
        verifier: &impl VerifyToken<Future = Ready<Result<(), VerifyError>>>,
        token: &str,
    ) -> bool {
        let body = format!("event=X&auth[application_token]={token}");
        let verdict = verifier.verify(&Envelope::scan(body).unwrap()).into_inner();
        verdict
            .map_err(|error| assert_eq!(error.kind(), VerifyErrorKind::Rejected))
            .is_ok()
    }

    #[test]
    fn application_token_accepts_only_the_same_token() {
        let token = ApplicationToken::new("secret").unwrap();
        assert!(verify(&token, "secret"));
        assert!(verify(&token, "%73ecret"));
        for wrong in [
            "",
            "secre",
            "secrets",
            "Secret",
            "secret%00",
            "secret+",
            "%2573ecret",
        ] {
            assert!(!verify(&token, wrong), "{wrong}");
        }
    }

    #[test]
    fn token_set_accepts_each_of_its_tokens_and_no_other() {
        let tokens = TokenSet::from_list("one, two,three").unwrap();
        for token in ["one", "two", "three"] {
            assert!(verify(&tokens, token));
        }
        for wrong in ["", "onetwo", "one,two", "four"] {
            assert!(!verify(&tokens, wrong), "{wrong}");
        }
    }

    #[test]
    fn token_set_accepts_a_token_that_it_has_twice() {
        let tokens = TokenSet::from_list("one,two,one").unwrap();
        assert!(verify(&tokens, "one"));
    }

    #[test]
    fn token_set_compares_every_token_even_after_a_match() {
        for right in 0..5 {
            let mut compared = 0;
            let comparisons = (0..5).map(|candidate| {
                compared += 1;
                Choice::from(u8::from(candidate == right))
            });
            assert!(bool::from(any(comparisons)));
            assert_eq!(compared, 5);
        }
    }

    #[test]
    fn empty_or_padded_token_is_a_config_error() {
        for token in ["", " ", "\n", "secret\n", " secret"] {
            assert!(ApplicationToken::new(token).is_err(), "{token:?}");
        }
        for list in ["", ",", "one,", "one,,two"] {
            assert!(TokenSet::from_list(list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn token_set_deserializes_from_a_string_or_a_list_of_strings() {
        for (json, count) in [(r#""one""#, 1), (r#"["one"]"#, 1), (r#"["one", "two"]"#, 2)] {
            let tokens: TokenSet = serde_json::from_str(json).unwrap();
            assert_eq!(tokens.len(), count, "{json}");
            assert!(verify(&tokens, "one"), "{json}");
        }
    }

    #[test]
    fn application_token_is_parsed_and_deserialized_from_a_string() {
        let token: ApplicationToken = serde_json::from_str(r#""one""#).unwrap();
        assert!(verify(&token, "one"));
        assert!(verify(&"one".parse::<ApplicationToken>().unwrap(), "one"));
        for (json, expected) in [
            (r#""""#, "an application token is empty"),
            (
                r#"["one"]"#,
                "an application token is not a string: put it in quotes",
            ),
            (
                "192735",
                "an application token is not a string: put it in quotes",
            ),
            ("null", "invalid type: null, expected an application token"),
        ] {
            assert_eq!(rejection::<ApplicationToken>(json), expected, "{json}");
        }
    }

    fn rejection<T: for<'de> Deserialize<'de> + fmt::Debug>(json: &str) -> String {
        let error = serde_json::from_str::<T>(json).unwrap_err().to_string();
        error.split(" at line ").next().unwrap().to_owned()
    }

    #[test]
    fn token_that_is_not_a_string_is_rejected_without_being_quoted() {
        for json in [
            "true",
            "7",
            "-7",
            "7.5",
            "[7]",
            r#"["one", 7.5]"#,
            r#"[["one"]]"#,
        ] {
            let expected = "an application token is not a string: put it in quotes";
            assert_eq!(rejection::<TokenSet>(json), expected, "{json}");
        }
        let expected = "invalid type: null, expected an application token or a list of them";
        assert_eq!(rejection::<TokenSet>("null"), expected);
    }
}
