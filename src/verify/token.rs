//! `ApplicationToken` and `TokenSet`: tokens that are known from the start.

use std::fmt;
use std::future::{Ready, ready};

use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use subtle::Choice;

use super::{VerifyError, VerifyToken};
use crate::envelope::Envelope;
use crate::error::ConfigError;
use crate::secret::Secret;

/// The one application token of one application or outgoing webhook.
///
/// The token is shown in the portal where the webhook was made, and comes with ONAPPINSTALL to an
/// application. Documentation page: *Safe event handlers*.
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
/// // A token that was never set must not become one that everybody knows.
/// assert!(ApplicationToken::new("").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ApplicationToken(Secret);

impl ApplicationToken {
    /// Takes the token as the portal shows it. Neither its length nor its alphabet is checked: the
    /// platform promises neither.
    ///
    /// # Errors
    ///
    /// Where it is empty, or begins or ends with white space (a line break from a file, say), which
    /// no token of the platform does and which would reject every event.
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

/// Several application tokens, each of which is accepted: an old and a new one, or those of several
/// outgoing webhooks that call one address.
///
/// Every token is compared every time, so the time taken does not tell which one was near. From
/// configuration it is read as one text, which is one token, or as a list of texts.
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
    /// Takes the tokens.
    ///
    /// # Errors
    ///
    /// Where there are none, or [`ApplicationToken::new`] rejects one.
    pub fn new<T: Into<String>>(tokens: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        let tokens: Box<[_]> = tokens
            .into_iter()
            .map(ApplicationToken::new)
            .collect::<Result<_, _>>()?;
        match tokens.is_empty() {
            true => Err(ConfigError::new("there is no application token")),
            false => Ok(Self(tokens)),
        }
    }

    /// Takes a text with one token or several, separated by commas, as an environment variable
    /// holds them. White space round a token is dropped.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_list(text: &str) -> Result<Self, ConfigError> {
        Self::new(text.split(',').map(str::trim))
    }

    /// How many tokens there are: at least one.
    #[allow(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
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
    let claimed = envelope.application_token().unwrap_or_default();
    let known = any(tokens.iter().map(|token| token.0.is(&claimed)));
    if known.into() {
        Ok(())
    } else {
        Err(VerifyError::rejected())
    }
}

/// Whether one of the comparisons is true, which are all made: the first must not end the search.
fn any(comparisons: impl Iterator<Item = Choice>) -> Choice {
    comparisons.fold(Choice::from(0), |any, next| any | next)
}

impl<'de> Deserialize<'de> for TokenSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(OneOrMany { nested: false })
            .and_then(|tokens| Self::new(tokens).map_err(de::Error::custom))
    }
}

/// Reads one text or a list of them. What is not a text is rejected without being quoted: a token
/// of digits is easily left without quotes, and serde's own message would show it.
struct OneOrMany {
    nested: bool,
}

impl OneOrMany {
    fn reject<E: de::Error>(self) -> Result<Vec<String>, E> {
        Err(E::custom(
            "an application token is not a text: put it in quotes",
        ))
    }
}

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an application token or a list of them")
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

impl<'de> DeserializeSeed<'de> for OneOrMany {
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
    fn only_the_very_token_is_accepted() {
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
    fn each_token_of_a_set_is_accepted_and_no_other() {
        let tokens = TokenSet::from_list("one, two,three").unwrap();
        for token in ["one", "two", "three"] {
            assert!(verify(&tokens, token));
        }
        for wrong in ["", "onetwo", "one,two", "four"] {
            assert!(!verify(&tokens, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_token_that_a_set_has_twice_is_accepted() {
        let tokens = TokenSet::from_list("one,two,one").unwrap();
        assert!(verify(&tokens, "one"));
    }

    #[test]
    fn every_candidate_is_compared_whichever_is_right() {
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
    fn a_token_that_would_accept_or_reject_everything_is_a_configuration_error() {
        for token in ["", " ", "\n", "secret\n", " secret"] {
            assert!(ApplicationToken::new(token).is_err(), "{token:?}");
        }
        for list in ["", ",", "one,", "one,,two"] {
            assert!(TokenSet::from_list(list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn a_set_is_read_from_a_text_or_a_list_of_texts() {
        for (json, count) in [(r#""one""#, 1), (r#"["one"]"#, 1), (r#"["one", "two"]"#, 2)] {
            let tokens: TokenSet = serde_json::from_str(json).unwrap();
            assert_eq!(tokens.len(), count, "{json}");
            assert!(verify(&tokens, "one"), "{json}");
        }
    }

    #[test]
    fn what_is_no_text_is_rejected_as_a_token_and_not_quoted() {
        let rejection = |json| {
            let error = serde_json::from_str::<TokenSet>(json).unwrap_err();
            let text = error.to_string();
            text.split(" at line ").next().unwrap().to_owned()
        };
        for json in [
            "true",
            "7",
            "-7",
            "7.5",
            "[7]",
            r#"["one", 7.5]"#,
            r#"[["one"]]"#,
        ] {
            let expected = "an application token is not a text: put it in quotes";
            assert_eq!(rejection(json), expected, "{json}");
        }
        let expected = "invalid type: null, expected an application token or a list of them";
        assert_eq!(rejection("null"), expected);
    }
}
