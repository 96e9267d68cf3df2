//! `EventConfig`: the settings of a layer as data, from a file or the environment.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};

use super::EventLayer;
use crate::error::ConfigError;
use crate::rejection::RejectionPolicy;
use crate::verify::TokenSet;

/// The configuration of an [`EventLayer`], deserialized as part of an application's own or read from
/// the [environment](Self::from_env).
///
/// Only `application_token` is required: one string or, for several tokens, a list of strings. An
/// unknown key is an error, unless the configuration is a `#[serde(flatten)]` field, for which serde
/// does not report unknown keys: use a table of its own. So is an empty token or a limit, timeout or budget of zero.
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
/// let layer = config.into_layer();
///
/// let error = toml::from_str::<EventConfig>(r#"application_token = """#).unwrap_err();
/// assert!(error.to_string().contains("an application token is empty"));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EventConfig {
    /// The accepted tokens: one string, or a list of strings.
    pub application_token: TokenSet,
    /// The [path](EventLayer::path) to which events are sent. Defaults to every path.
    #[serde(default, deserialize_with = "path")]
    pub path: Option<String>,
    /// The [body limit](EventLayer::body_limit) in bytes, above zero. Defaults to 1048576
    /// ([1 MiB](Self::DEFAULT_BODY_LIMIT)).
    #[serde(default = "default_body_limit", deserialize_with = "body_limit")]
    pub body_limit: usize,
    /// The [body timeout](EventLayer::body_timeout) in seconds, above zero. It may have a fraction.
    /// Defaults to [10](Self::DEFAULT_BODY_TIMEOUT).
    #[serde(default = "default_body_timeout", deserialize_with = "body_timeout")]
    pub body_timeout: Duration,
    /// The [budget](EventLayer::body_budget) of all unverified bodies in bytes, above zero. Defaults
    /// to 67108864 ([64 MiB](Self::DEFAULT_BODY_BUDGET)).
    #[serde(default = "default_body_budget", deserialize_with = "body_budget")]
    pub body_budget: usize,
    /// If `true`, [callbacks](EventLayer::callbacks) are verified too. Defaults to `false`.
    #[serde(default)]
    pub callbacks: bool,
    /// If `true`, [other callbacks pass](EventLayer::pass_other_callbacks). Defaults to `false`.
    #[serde(default)]
    pub pass_other_callbacks: bool,
    /// If `true`, [probes](EventLayer::respond_to_probes) by `GET` and `HEAD` get a 200. Defaults to
    /// `false`.
    #[serde(default)]
    pub respond_to_probes: bool,
    /// The [response to rejected requests](EventLayer::on_rejection): `"reject"` or `"acknowledge"`.
    /// Defaults to `"reject"`.
    #[serde(default)]
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
            application_token: application_token.into(),
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

    /// Reads the configuration from the environment.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `BITRIX24_APPLICATION_TOKEN` | `application_token`: one token, or several separated by commas |
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
    /// Returns an error if the token is not set, a value is invalid, or an unknown variable starts with
    /// `BITRIX24_EVENT_`. The message names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self::from_vars(std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))))
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
    /// assert_eq!(config.application_token.len(), 2);
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
        let tokens = vars
            .remove(TOKEN_VARIABLE)
            .ok_or_else(|| ConfigError::new(format!("{TOKEN_VARIABLE} is not set")))?;
        let tokens = TokenSet::from_list(&tokens).map_err(|error| error.of(TOKEN_VARIABLE))?;

        let mut config = Self::new(tokens);
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

    /// Creates a layer with this configuration.
    ///
    /// # Panics
    ///
    /// Panics if [`path`](Self::path) was assigned directly and does not start with `/`.
    pub fn into_layer(self) -> EventLayer<TokenSet> {
        let tokens = self.application_token.clone();
        self.into_layer_with(tokens)
    }

    /// Creates a layer with this configuration and another verifier in place of the tokens.
    ///
    /// ```
    /// use tower_bitrix24::{ApplicationToken, EventConfig};
    ///
    /// let config = EventConfig::new(ApplicationToken::new("192735")?);
    /// let layer = config.into_layer_with(ApplicationToken::new("51856fefc120afa4b628cc82d3935cce")?);
    /// # Ok::<(), tower_bitrix24::ConfigError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if [`path`](Self::path) was assigned directly and does not start with `/`.
    pub fn into_layer_with<V>(self, verifier: V) -> EventLayer<V> {
        let mut layer = EventLayer::new(verifier)
            .body_limit(self.body_limit)
            .body_timeout(self.body_timeout)
            .body_budget(self.body_budget)
            .on_rejection(self.on_rejection);
        if let Some(path) = self.path {
            layer = layer.path(path);
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
        layer
    }
}

const TOKEN_VARIABLE: &str = "BITRIX24_APPLICATION_TOKEN";
const VARIABLE_PREFIX: &str = "BITRIX24_EVENT_";

fn parse<T: FromStr>(value: &str, expected: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|_| ConfigError::new(format!("{value:?} is not {expected}")))
}

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
    if bytes == 0 {
        return Err(ConfigError::new("the body limit must be above zero"));
    }
    Ok(bytes)
}

fn checked_budget(bytes: usize) -> Result<usize, ConfigError> {
    if bytes == 0 {
        return Err(ConfigError::new("the body budget must be above zero"));
    }
    Ok(bytes)
}

fn checked_timeout(seconds: f64) -> Result<Duration, ConfigError> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(ConfigError::new(format!(
            "the body timeout must be above zero and is {seconds} seconds"
        ))),
    }
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

fn default_body_limit() -> usize {
    EventConfig::DEFAULT_BODY_LIMIT
}

fn default_body_budget() -> usize {
    EventConfig::DEFAULT_BODY_BUDGET
}

fn default_body_timeout() -> Duration {
    EventConfig::DEFAULT_BODY_TIMEOUT
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
            assert_eq!(config.application_token.len(), 1);
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
            assert_eq!(config.application_token.len(), 2);
            assert_eq!(config.path.as_deref(), Some("/events"));
            assert_eq!(config.body_limit, 1000);
            assert_eq!(config.body_timeout, Duration::from_secs(2));
            assert_eq!(config.body_budget, 100_000);
            let layer = format!("{:?}", config.clone().into_layer());
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
            ("", "missing field `application_token`"),
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
        let error = EventConfig::from_vars([("PATH", "/bin")]).unwrap_err();
        assert_eq!(error.to_string(), "BITRIX24_APPLICATION_TOKEN is not set");
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
