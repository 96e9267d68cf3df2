//! Reads and checks single settings.

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigError;

/// Values that are not UTF-8 may be those of other variables, so they are no error here.
pub(crate) fn env_vars() -> impl Iterator<Item = (String, String)> {
    let lossy = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (lossy(name), lossy(value)))
}

pub(crate) fn parse<T: FromStr>(value: &str, expected: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|_| ConfigError::new(format!("{value:?} is not {expected}")))
}

pub(crate) fn above_zero(name: &str, value: usize) -> Result<usize, ConfigError> {
    if value == 0 {
        return Err(ConfigError::new(format!("the {name} must be above zero")));
    }
    Ok(value)
}

pub(crate) fn timeout(name: &str, seconds: f64) -> Result<Duration, ConfigError> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if !timeout.is_zero() => Ok(timeout),
        _ => Err(ConfigError::new(format!(
            "the {name} must be above zero and is {seconds} seconds"
        ))),
    }
}
