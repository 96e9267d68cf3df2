//! `EventConfig`: the settings of a layer as data, from a file or the environment.

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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EventConfig, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    fn read_vars(vars: &[(&str, &str)]) -> Result<EventConfig, String> {
        let token = ("BITRIX24_APPLICATION_TOKEN", "secret");
        EventConfig::from_vars([&[token], vars].concat()).map_err(|error| error.to_string())
    }

    #[test]
    fn unset_config_fields_have_the_defaults_of_the_layer() {
        for config in [read(r#"application_token = "secret""#), read_vars(&[])] {
            let config = config.unwrap();
            assert_eq!(config.application_token.unwrap().len(), 1);
            assert_eq!(config.path, None);
            assert_eq!(config.body_limit, EventConfig::DEFAULT_BODY_LIMIT);
            assert_eq!(config.body_timeout, EventConfig::DEFAULT_BODY_TIMEOUT);
            assert_eq!(config.body_budget, EventConfig::DEFAULT_BODY_BUDGET);
            assert_eq!(config.on_rejection, RejectionPolicy::Reject);
            assert!(!config.callbacks);
            assert!(!config.pass_other_callbacks);
            assert!(!config.respond_to_probes);
        }
    }

    #[test]
    fn config_reads_every_field_from_a_file_and_from_variables() {
        let from_text = read(
            r#"
            application_token = ["secret", "other"]
            path = "/events"
            body_limit = 1000
            body_timeout = 2
            body_budget = 100000
            callbacks = true
            pass_other_callbacks = true
            respond_to_probes = true
            on_rejection = "acknowledge"
            "#,
        );
        let from_vars = EventConfig::from_vars([
            ("BITRIX24_APPLICATION_TOKEN", "secret,other"),
            ("BITRIX24_EVENT_PATH", "/events"),
            ("BITRIX24_EVENT_BODY_LIMIT", "1000"),
            ("BITRIX24_EVENT_BODY_TIMEOUT", "2"),
            ("BITRIX24_EVENT_BODY_BUDGET", "100000"),
            ("BITRIX24_EVENT_CALLBACKS", "true"),
            ("BITRIX24_EVENT_PASS_OTHER_CALLBACKS", "true"),
            ("BITRIX24_EVENT_RESPOND_TO_PROBES", "true"),
            ("BITRIX24_EVENT_ON_REJECTION", "acknowledge"),
            ("BITRIX24_CLIENT_ID", "the application's own"),
        ]);
        for config in [from_text.unwrap(), from_vars.unwrap()] {
            assert_eq!(config.application_token.as_ref().unwrap().len(), 2);
            assert_eq!(config.path.as_deref(), Some("/events"));
            assert_eq!(config.body_limit, 1000);
            assert_eq!(config.body_timeout, Duration::from_secs(2));
            assert_eq!(config.body_budget, 100_000);
            let layer = format!("{:?}", config.clone().into_layer().unwrap());
            assert!(layer.contains("body_budget: 100000"), "{layer}");
            assert!(config.callbacks && layer.contains("callbacks: true"));
            assert!(config.pass_other_callbacks);
            assert!(config.respond_to_probes);
            assert_eq!(config.on_rejection, RejectionPolicy::Acknowledge);
        }
    }

    #[test]
    fn invalid_config_file_is_an_error_that_names_the_field() {
        for (text, message) in [
            (r#"application_token = """#, "an application token is empty"),
            (r#"application_token = []"#, "there is no application token"),
            (
                r#"application_token = ["a", ""]"#,
                "an application token is empty",
            ),
            ("application_token = 192735", "put it in quotes"),
            ("application_token = [192735]", "put it in quotes"),
            (
                "application_token = \"a\"\nlimit = 1",
                "unknown field `limit`",
            ),
            (
                "application_token = \"a\"\nbody_limit = 0",
                "the body limit must be above zero",
            ),
            (
                "application_token = \"a\"\nbody_budget = 0",
                "the body budget must be above zero",
            ),
            (
                "application_token = \"a\"\nbody_timeout = 0",
                "must be above zero",
            ),
            (
                "application_token = \"a\"\nbody_timeout = -1.5",
                "must be above zero",
            ),
            (
                "application_token = \"a\"\npath = \"events\"",
                "does not start with /",
            ),
            (
                "application_token = \"a\"\non_rejection = \"ok\"",
                "unknown variant `ok`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn invalid_config_variable_is_an_error_that_names_the_variable() {
        for (name, value, message) in [
            (
                "BITRIX24_APPLICATION_TOKEN",
                "",
                "an application token is empty",
            ),
            (
                "BITRIX24_APPLICATION_TOKEN",
                "a,,b",
                "an application token is empty",
            ),
            ("BITRIX24_EVENT_LIMIT", "1", "unknown variable"),
            ("BITRIX24_EVENT_PATH", "events", "does not start with /"),
            (
                "BITRIX24_EVENT_BODY_LIMIT",
                "1k",
                "is not a number of bytes",
            ),
            ("BITRIX24_EVENT_BODY_TIMEOUT", "NaN", "must be above zero"),
            (
                "BITRIX24_EVENT_BODY_BUDGET",
                "0",
                "the body budget must be above zero",
            ),
            (
                "BITRIX24_EVENT_PASS_OTHER_CALLBACKS",
                "yes",
                "is not true or false",
            ),
            ("BITRIX24_EVENT_ON_REJECTION", "ok", "unknown variant `ok`"),
        ] {
            let error = read_vars(&[(name, value)]).unwrap_err();
            assert!(
                error.starts_with(name) && error.contains(message),
                "{error}"
            );
        }
    }

    #[test]
    fn layer_of_a_config_needs_either_tokens_or_another_verifier() {
        let from_vars = EventConfig::from_vars([("PATH", "/bin")]).map_err(|e| e.to_string());
        for config in [read(""), from_vars, Ok(EventConfig::default())] {
            let config = config.unwrap();
            let error = config.clone().into_layer().unwrap_err();
            assert_eq!(
                error.to_string(),
                "there is no application token: set application_token or BITRIX24_APPLICATION_TOKEN"
            );
            assert!(config.into_layer_with(()).is_ok());
        }
        let mut config = read(r#"application_token = "secret""#).unwrap();
        assert!(config.clone().into_layer_with(()).is_err());
        let tokens = config.application_token.take().unwrap();
        config.path = Some("events".to_owned());
        let error = config.into_layer_with(tokens).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the path \"events\" does not start with /"
        );
    }

    /// The documentation warns of it.
    #[test]
    fn misspelled_key_is_an_error_in_a_table_and_dropped_in_a_flattened_field() {
        #[derive(Debug, Deserialize)]
        struct Nested {
            events: EventConfig,
        }
        #[derive(Debug, Deserialize)]
        struct Flat {
            #[serde(flatten)]
            events: EventConfig,
        }
        let text = "application_token = \"a\"\nbodylimit = 1";
        let nested = toml::from_str::<Nested>(&format!("[events]\n{text}")).unwrap_err();
        assert!(nested.message().starts_with("unknown field `bodylimit`"));
        let flat: Flat = toml::from_str(text).unwrap();
        assert_eq!(flat.events.body_limit, EventConfig::DEFAULT_BODY_LIMIT);
        let nested = toml::from_str::<Nested>("[events]\nbody_limit = 1").unwrap();
        assert_eq!(nested.events.body_limit, 1);
    }

    #[test]
    fn config_errors_contain_no_token() {
        let error = read_vars(&[("BITRIX24_APPLICATION_TOKEN", "secret,")]).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
        for text in [
            r#"application_token = ["secret", ""]"#,
            "application_token = [192735]",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                !error.contains("secret") && !error.contains("192735"),
                "{error}"
            );
        }
    }
}
