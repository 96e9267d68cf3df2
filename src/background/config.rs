//! `BackgroundConfig`: the limits of a queue as data, from a file or the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::BackgroundQueue;
use crate::error::ConfigError;
use crate::layer::setting;

/// The configuration of a [`BackgroundQueue`], deserialized as part of an application's own or read
/// from the [environment](Self::from_env).
///
/// Every key is optional. An unknown key, a concurrency of zero and a timeout of zero are errors. Give
/// the configuration a table of its own: in a `#[serde(flatten)]` field serde drops unknown keys, so
/// that a misspelled one has no effect.
///
/// ```
/// use tower_bitrix24::background::BackgroundConfig;
///
/// let config: BackgroundConfig = toml::from_str(r#"
///     concurrency = 4
///     capacity = 500
///     capacity_bytes = 16777216
///     timeout = 30.0
/// "#)?;
/// let queue = config.into_queue()?;
/// assert_eq!(queue.stats().queued, 0);
///
/// let error = toml::from_str::<BackgroundConfig>("concurency = 4").unwrap_err();
/// assert!(error.message().starts_with("unknown field `concurency`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BackgroundConfig {
    /// The maximum number of events that [run at the same
    /// time](super::BackgroundBuilder::concurrency), above zero. Defaults to
    /// [16](BackgroundQueue::DEFAULT_CONCURRENCY).
    #[serde(deserialize_with = "concurrency")]
    pub concurrency: usize,
    /// The maximum number of events that [wait](super::BackgroundBuilder::capacity). Defaults to
    /// [1000](BackgroundQueue::DEFAULT_CAPACITY).
    pub capacity: usize,
    /// The maximum number of [bytes](super::BackgroundBuilder::capacity_bytes) they hold. Defaults
    /// to 67108864 ([64 MiB](BackgroundQueue::DEFAULT_CAPACITY_BYTES)).
    pub capacity_bytes: usize,
    /// The time that one event [may run](super::BackgroundBuilder::timeout) in seconds, above zero.
    /// It may have a fraction. Defaults to [60](BackgroundQueue::DEFAULT_TIMEOUT).
    #[serde(deserialize_with = "timeout")]
    pub timeout: Duration,
}

const VARIABLE_PREFIX: &str = "BITRIX24_BACKGROUND_";

impl BackgroundConfig {
    /// Reads the configuration from the environment.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `BITRIX24_BACKGROUND_CONCURRENCY` | `concurrency` |
    /// | `BITRIX24_BACKGROUND_CAPACITY` | `capacity` |
    /// | `BITRIX24_BACKGROUND_CAPACITY_BYTES` | `capacity_bytes` |
    /// | `BITRIX24_BACKGROUND_TIMEOUT` | `timeout`, in seconds |
    ///
    /// # Errors
    ///
    /// Returns an error if a value is invalid, or if an unknown variable starts with
    /// `BITRIX24_BACKGROUND_`. The message names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(setting::env_vars())
    }

    /// Reads the configuration from variables such as those of [`from_env`](Self::from_env).
    ///
    /// ```
    /// use tower_bitrix24::background::BackgroundConfig;
    ///
    /// let config = BackgroundConfig::from_vars([("BITRIX24_BACKGROUND_CONCURRENCY", "4")])?;
    /// assert_eq!(config.concurrency, 4);
    ///
    /// let none = BackgroundConfig::from_vars([("BITRIX24_BACKGROUND_CONCURRENCY", "0")]);
    /// assert_eq!(
    ///     none.unwrap_err().to_string(),
    ///     "BITRIX24_BACKGROUND_CONCURRENCY: the concurrency must be above zero",
    /// );
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
        // In order, so that the first error is always the same.
        let vars: BTreeMap<String, T> = vars
            .into_iter()
            .filter_map(|(name, value)| {
                let suffix = name.as_ref().strip_prefix(VARIABLE_PREFIX)?;
                Some((suffix.to_owned(), value))
            })
            .collect();
        let mut config = Self::default();
        for (suffix, value) in &vars {
            config
                .set(suffix, value.as_ref())
                .map_err(|error| error.of(&format!("{VARIABLE_PREFIX}{suffix}")))?;
        }
        Ok(config)
    }

    fn set(&mut self, suffix: &str, value: &str) -> Result<(), ConfigError> {
        match suffix {
            "CONCURRENCY" => {
                self.concurrency = checked_concurrency(setting::parse(value, EVENTS)?)?;
            }
            "CAPACITY" => self.capacity = setting::parse(value, EVENTS)?,
            "CAPACITY_BYTES" => self.capacity_bytes = setting::parse(value, "a number of bytes")?,
            "TIMEOUT" => {
                let seconds = setting::parse(value, "a number of seconds")?;
                self.timeout = setting::timeout("timeout", seconds)?;
            }
            _ => return Err(ConfigError::new("unknown variable")),
        }
        Ok(())
    }

    /// Creates a queue with this configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if [`concurrency`](Self::concurrency) was assigned directly and is zero.
    pub fn into_queue(self) -> Result<BackgroundQueue, ConfigError> {
        Ok(BackgroundQueue::builder()
            .concurrency(checked_concurrency(self.concurrency)?)
            .capacity(self.capacity)
            .capacity_bytes(self.capacity_bytes)
            .timeout(self.timeout)
            .build())
    }
}

/// Has the defaults of [`BackgroundQueue::new`].
impl Default for BackgroundConfig {
    fn default() -> Self {
        Self {
            concurrency: BackgroundQueue::DEFAULT_CONCURRENCY,
            capacity: BackgroundQueue::DEFAULT_CAPACITY,
            capacity_bytes: BackgroundQueue::DEFAULT_CAPACITY_BYTES,
            timeout: BackgroundQueue::DEFAULT_TIMEOUT,
        }
    }
}

const EVENTS: &str = "a number of events";

fn checked_concurrency(events: usize) -> Result<usize, ConfigError> {
    setting::above_zero("concurrency", events)
}

fn concurrency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    checked_concurrency(usize::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    setting::timeout("timeout", f64::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BackgroundConfig, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn unset_queue_settings_have_the_defaults_of_the_queue() {
        let from_vars = BackgroundConfig::from_vars([("PATH", "/bin")]);
        for config in [read("").unwrap(), from_vars.unwrap()] {
            assert_eq!(config, BackgroundConfig::default());
            let queue = config.into_queue().unwrap();
            assert_eq!(
                format!("{queue:?}"),
                format!("{:?}", BackgroundQueue::new())
            );
        }
    }

    #[test]
    fn queue_settings_are_read_from_a_file_and_from_variables() {
        let from_text =
            read("concurrency = 2\ncapacity = 0\ncapacity_bytes = 1000\ntimeout = 0.5").unwrap();
        let from_vars = BackgroundConfig::from_vars([
            ("BITRIX24_BACKGROUND_CONCURRENCY", "2"),
            ("BITRIX24_BACKGROUND_CAPACITY", "0"),
            ("BITRIX24_BACKGROUND_CAPACITY_BYTES", "1000"),
            ("BITRIX24_BACKGROUND_TIMEOUT", "0.5"),
            ("BITRIX24_EVENT_PATH", "/another/setting"),
        ]);
        assert_eq!(from_vars.unwrap(), from_text);
        let queue = format!("{:?}", from_text.into_queue().unwrap());
        for limit in [
            "concurrency: 2",
            "capacity: 0",
            "capacity_bytes: 1000",
            "timeout: 500ms",
        ] {
            assert!(queue.contains(limit), "{queue}");
        }
    }

    #[test]
    fn invalid_queue_setting_is_an_error_that_names_it() {
        for (text, message) in [
            ("concurrency = 0", "the concurrency must be above zero"),
            ("timeout = 0", "the timeout must be above zero"),
            ("timeout = -1.5", "the timeout must be above zero"),
            ("capacity = -1", "invalid value: integer `-1`"),
            ("queue = 1", "unknown field `queue`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        for (suffix, value, message) in [
            ("CONCURRENCY", "0", "the concurrency must be above zero"),
            ("CONCURRENCY", "-1", "is not a number of events"),
            ("CAPACITY", "many", "is not a number of events"),
            ("CAPACITY_BYTES", "1k", "is not a number of bytes"),
            ("TIMEOUT", "NaN", "must be above zero"),
            ("TIME", "1", "unknown variable"),
        ] {
            let name = format!("BITRIX24_BACKGROUND_{suffix}");
            let error = BackgroundConfig::from_vars([(&name, value)]).unwrap_err();
            let error = error.to_string();
            assert!(
                error.starts_with(&name) && error.contains(message),
                "{error}"
            );
        }
        let config = BackgroundConfig {
            concurrency: 0,
            ..BackgroundConfig::default()
        };
        assert!(config.into_queue().is_err());
    }
}
