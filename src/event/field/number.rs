use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Reads a number that may be absent: an empty text is PHP's `null` and counts as absent.
///
/// It is for `#[serde(default, deserialize_with = "…")]`, since serde_qs takes an empty text for no
/// number at all:
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::event::field::optional_number;
///
/// #[derive(Deserialize)]
/// struct Call {
///     #[serde(default, deserialize_with = "optional_number")]
///     duration: Option<u64>,
/// }
///
/// # use tower_bitrix24::{ApplicationToken, Envelope, Event};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let token = ApplicationToken::new("192735")?;
/// for (data, duration) in [("&data[duration]=5", Some(5)), ("&data[duration]=", None), ("", None)] {
///     let body = format!("event=ONCALL{data}&auth[application_token]=192735");
///     let event = Event::verify(Envelope::scan(body)?, &token).await?;
///     assert_eq!(event.data_as::<Call>()?.duration, duration);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Where there is a text and it is no number.
pub fn optional_number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    match text.as_str() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| D::Error::invalid_value(serde::de::Unexpected::Str(text), &"a number")),
    }
}
