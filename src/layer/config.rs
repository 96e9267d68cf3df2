//! `EventConfig`: the settings of a layer as data, from a file or the environment.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};

use super::EventLayer;
use super::setting::{self, parse};
use crate::error::ConfigError;
use crate::rejection::RejectionPolicy;
use crate::verify::TokenSet;

/// The configuration of an [`EventLayer`], deserialized as part of an application's own or read from
/// the [environment](Self::from_env).
///
/// The `application_token` is one string or, for several tokens, a list of strings. It is required,
/// except for a layer with [another verifier](Self::into_layer_with). An unknown key, an empty token,
/// and a limit, timeout or budget of zero are errors.
///
/// Give the configuration **a table of its own**. In a `#[serde(flatten)]` field serde drops unknown
/// keys, so that a misspelled one has no effect:
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::EventConfig;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     bitrix24: EventConfig,
/// }
///
/// let misspelled = r#"
///     [bitrix24]
///     application_token = "192735"
///     bodylimit = 65536
/// "#;
/// let error = toml::from_str::<Settings>(misspelled).err().expect("a key is misspelled");
/// assert!(error.message().starts_with("unknown field `bodylimit`, expected one of"));
/// # let settings: Settings = toml::from_str(&misspelled.replace("bodyl", "body_l")).unwrap();
/// # assert_eq!(settings.bitrix24.body_limit, 65536);
/// ```
///
/// The errors of this crate contain no token. Those of a format may quote the line with the error, as
/// toml's do: print its `message()` instead.
///
/// ```
/// use tower_bitrix24::EventConfig;
///
/// let config: EventConfig = toml::from_str(r#"
///     application_token = ["51856fefc120afa4b628cc82d3935cce", "192735"]
///     path = "/bitrix24/events"
///     body_limit = 65536
///     body_timeout = 5.0
///     on_rejection = "acknowledge"
/// "#)?;
/// let layer = config.into_layer()?;
///
/// let error = toml::from_str::<EventConfig>(r#"application_token = """#).unwrap_err();
/// assert!(error.to_string().contains("an application token is empty"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EventConfig {
    /// The accepted tokens: one string, or a list of strings. Required by
    /// [`into_layer`](Self::into_layer).
    pub application_token: Option<TokenSet>,
    /// The [path](EventLayer::path) to which events are sent. Defaults to every path.
    #[serde(deserialize_with = "path")]
    pub path: Option<String>,
    /// The [body limit](EventLayer::body_limit) in bytes, above zero. Defaults to 1048576
    /// ([1 MiB](Self::DEFAULT_BODY_LIMIT)).
    #[serde(deserialize_with = "body_limit")]
    pub body_limit: usize,
    /// The [body timeout](EventLayer::body_timeout) in seconds, above zero. It may have a fraction.
    /// Defaults to [10](Self::DEFAULT_BODY_TIMEOUT).
    #[serde(deserialize_with = "body_timeout")]
    pub body_timeout: Duration,
    /// The [budget](EventLayer::body_budget) of all unverified bodies in bytes, above zero. Defaults
    /// to 67108864 ([64 MiB](Self::DEFAULT_BODY_BUDGET)).
    #[serde(deserialize_with = "body_budget")]
    pub body_budget: usize,
    /// If `true`, [callbacks](EventLayer::callbacks) are verified too. Defaults to `false`.
    pub callbacks: bool,
    /// If `true`, [other callbacks pass](EventLayer::pass_other_callbacks). Defaults to `false`.
    pub pass_other_callbacks: bool,
    /// If `true`, [probes](EventLayer::respond_to_probes) by `GET` and `HEAD` get a 200. Defaults to
    /// `false`.
    pub respond_to_probes: bool,
    /// The [response to rejected requests](EventLayer::on_rejection): `"reject"` or `"acknowledge"`.
    /// Defaults to `"reject"`.
    pub on_rejection: RejectionPolicy,
}

impl EventConfig {
    /// The default of [`EventLayer::body_limit`]: 1 MiB.
    ///
    /// It is twice the longest body that is documented. A message has at most 20,000 characters. A bot
    /// receives each message twice, as `MESSAGE` and `MESSAGE_ORIGINAL`, and an escaped emoji takes 12
    /// bytes, which makes 480 KB.
    pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

    /// The default of [`EventLayer::body_timeout`]: 10 seconds.
    pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(10);

    /// The default of [`EventLayer::body_budget`]: 64 MiB.
    pub const DEFAULT_BODY_BUDGET: usize = 64 * 1024 * 1024;

    /// Creates a configuration with these tokens and the defaults for everything else.
    pub fn new(application_token: impl Into<TokenSet>) -> Self {
        Self {
            application_token: Some(application_token.into()),
            ..Self::default()
        }
    }

    /// Reads the configuration from the environment.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `BITRIX24_APPLICATION_TOKEN` | `application_token`: one token, or several separated by commas; required by [`into_layer`](Self::into_layer) |
    /// | `BITRIX24_EVENT_PATH` | `path` |
    /// | `BITRIX24_EVENT_BODY_LIMIT` | `body_limit`, in bytes |
    /// | `BITRIX24_EVENT_BODY_TIMEOUT` | `body_timeout`, in seconds |
    /// | `BITRIX24_EVENT_BODY_BUDGET` | `body_budget`, in bytes |
    /// | `BITRIX24_EVENT_CALLBACKS` | `callbacks`: `true` or `false` |
    /// | `BITRIX24_EVENT_PASS_OTHER_CALLBACKS` | `pass_other_callbacks`: `true` or `false` |
    /// | `BITRIX24_EVENT_RESPOND_TO_PROBES` | `respond_to_probes`: `true` or `false` |
    /// | `BITRIX24_EVENT_ON_REJECTION` | `on_rejection`: `reject` or `acknowledge` |
    ///
    /// # Errors
    ///
    /// Returns an error if a value is invalid, or if an unknown variable starts with `BITRIX24_EVENT_`.
    /// The message names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(setting::env_vars())
    }

    /// Reads the configuration from variables such as those of [`from_env`](Self::from_env).
    ///
    /// ```
    /// use tower_bitrix24::EventConfig;
    ///
    /// let config = EventConfig::from_vars([
    ///     ("BITRIX24_APPLICATION_TOKEN", "51856fefc120afa4b628cc82d3935cce, 192735"),
    ///     ("BITRIX24_EVENT_PATH", "/bitrix24/events"),
    /// ])?;
    /// assert_eq!(config.application_token.as_ref().map(|tokens| tokens.len()), Some(2));
    /// let layer = config.into_layer()?;
    ///
    /// let error = EventConfig::from_vars([
    ///     ("BITRIX24_APPLICATION_TOKEN", "192735"),
    ///     ("BITRIX24_EVENT_PATHS", "/"),
    /// ])
    /// .unwrap_err();
    /// assert_eq!(error.to_string(), "BITRIX24_EVENT_PATHS: unknown variable");
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`from_env`](Self::from_env).
    pub fn from_vars<K, T>(vars: impl IntoIterator<Item = (K, T)>) -> Result<Self, ConfigError>
    where
        K: AsRef<str>,
        T: AsRef<str>,
    {
        let mut vars: BTreeMap<String, String> = vars
            .into_iter()
            .map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned()))
            .filter(|(name, _)| name == TOKEN_VARIABLE || name.starts_with(VARIABLE_PREFIX))
            .collect();
        let mut config = Self::default();
        if let Some(tokens) = vars.remove(TOKEN_VARIABLE) {
            let tokens = TokenSet::from_list(&tokens).map_err(|error| error.of(TOKEN_VARIABLE))?;
            config.application_token = Some(tokens);
        }
        for (name, value) in &vars {
            config
                .set(&name[VARIABLE_PREFIX.len()..], value)
                .map_err(|error| error.of(name))?;
        }
        Ok(config)
    }

    fn set(&mut self, suffix: &str, value: &str) -> Result<(), ConfigError> {
        match suffix {
            "PATH" => self.path = Some(checked_path(value.to_owned())?),
            "BODY_LIMIT" => self.body_limit = checked_limit(parse(value, "a number of bytes")?)?,
            "BODY_TIMEOUT" => {
                self.body_timeout = checked_timeout(parse(value, "a number of seconds")?)?;
            }
            "BODY_BUDGET" => self.body_budget = checked_budget(parse(value, "a number of bytes")?)?,
            "CALLBACKS" => self.callbacks = parse(value, "true or false")?,
            "PASS_OTHER_CALLBACKS" => self.pass_other_callbacks = parse(value, "true or false")?,
            "RESPOND_TO_PROBES" => self.respond_to_probes = parse(value, "true or false")?,
            "ON_REJECTION" => {
                let value: StrDeserializer<'_, serde::de::value::Error> = value.into_deserializer();
                self.on_rejection = RejectionPolicy::deserialize(value)
                    .map_err(|error| ConfigError::new(error.to_string()))?;
            }
            _ => return Err(ConfigError::new("unknown variable")),
        }
        Ok(())
    }

    /// Creates a layer that verifies the [`application_token`](Self::application_token).
    ///
    /// # Errors
    ///
    /// Returns an error if there is no token, or if [`path`](Self::path) was assigned directly and does
    /// not start with `/`.
    pub fn into_layer(mut self) -> Result<EventLayer<TokenSet>, ConfigError> {
        let tokens = self.application_token.take().ok_or_else(|| {
            ConfigError::new(format!(
                "there is no application token: set application_token or {TOKEN_VARIABLE}"
            ))
        })?;
        self.into_layer_with(tokens)
    }

    /// Creates a layer with another verifier, such as a `PortalVerifier`.
    ///
    /// ```
    /// use tower_bitrix24::{EventConfig, TokenSet};
    ///
    /// let verifier: TokenSet = "51856fefc120afa4b628cc82d3935cce, 192735".parse()?;
    /// let config: EventConfig = toml::from_str(r#"path = "/bitrix24/events""#)?;
    /// let layer = config.into_layer_with(verifier.clone())?;
    ///
    /// let config: EventConfig = toml::from_str(r#"application_token = "c289487163b58658""#)?;
    /// let error = config.into_layer_with(verifier).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "application_token is set, but the layer has another verifier: remove it",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if [`application_token`](Self::application_token) is set, because nothing would
    /// compare it; a verifier that does takes it out before. Also returns an error if
    /// [`path`](Self::path) was assigned directly and does not start with `/`.
    pub fn into_layer_with<V>(self, verifier: V) -> Result<EventLayer<V>, ConfigError> {
        if self.application_token.is_some() {
            return Err(ConfigError::new(
                "application_token is set, but the layer has another verifier: remove it",
            ));
        }
        let mut layer = EventLayer::new(verifier)
            .body_limit(self.body_limit)
            .body_timeout(self.body_timeout)
            .body_budget(self.body_budget)
            .on_rejection(self.on_rejection);
        if let Some(path) = self.path {
            layer = layer.path(checked_path(path)?);
        }
        if self.callbacks {
            layer = layer.callbacks();
        }
        if self.pass_other_callbacks {
            layer = layer.pass_other_callbacks();
        }
        if self.respond_to_probes {
            layer = layer.respond_to_probes();
        }
        Ok(layer)
    }
}

/// Has no token.
impl Default for EventConfig {
    fn default() -> Self {
        Self {
            application_token: None,
            path: None,
            body_limit: Self::DEFAULT_BODY_LIMIT,
            body_timeout: Self::DEFAULT_BODY_TIMEOUT,
            body_budget: Self::DEFAULT_BODY_BUDGET,
            callbacks: false,
            pass_other_callbacks: false,
            respond_to_probes: false,
            on_rejection: RejectionPolicy::default(),
        }
    }
}

const TOKEN_VARIABLE: &str = "BITRIX24_APPLICATION_TOKEN";
const VARIABLE_PREFIX: &str = "BITRIX24_EVENT_";

fn checked_path(path: String) -> Result<String, ConfigError> {
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(ConfigError::new(format!(
            "the path {path:?} does not start with /"
        )))
    }
}

fn checked_limit(bytes: usize) -> Result<usize, ConfigError> {
    setting::above_zero("body limit", bytes)
}

fn checked_budget(bytes: usize) -> Result<usize, ConfigError> {
    setting::above_zero("body budget", bytes)
}

fn checked_timeout(seconds: f64) -> Result<Duration, ConfigError> {
    setting::timeout("body timeout", seconds)
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let path = Option::<String>::deserialize(deserializer)?;
    path.map(checked_path).transpose().map_err(D::Error::custom)
}

fn body_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked_limit(usize::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn body_budget<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked_budget(usize::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn body_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    checked_timeout(f64::deserialize(deserializer)?).map_err(D::Error::custom)
}
