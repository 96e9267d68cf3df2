//! Numbers that may be absent or empty.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Deserializes an optional number. A string that `N` cannot hold is read as `None`: an empty string
/// (PHP's `null`), `undefined`, a fraction, a negative number, or too many digits. An optional number
/// does not cost the payload, and the string stays in [`Event::data`](crate::Event::data). If the
/// string itself matters, use a field of type `String`.
///
/// Use it with `#[serde(default, deserialize_with = "…")]`, since an empty string is a mismatch for
/// serde_qs:
///
/// ```
/// use serde::Deserialize;
/// use tower_bitrix24::form::field::optional_number;
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
/// for (data, duration) in [
///     ("&data[duration]=5", Some(5)),
///     ("&data[duration]=", None),
///     ("&data[duration]=-1", None),
///     ("", None),
/// ] {
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
/// Returns an error if the value is an array.
pub fn optional_number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: FromStr,
{
    let number = Option::<Parsed<N>>::deserialize(deserializer)?;
    Ok(number.and_then(|Parsed(number)| number))
}

struct Parsed<N>(Option<N>);

impl<'de, N: FromStr> Deserialize<'de> for Parsed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<N>(PhantomData<N>);

        impl<N: FromStr> serde::de::Visitor<'_> for Visitor<N> {
            type Value = Parsed<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, in a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Parsed<N>, E> {
                Ok(Parsed(text.parse().ok()))
            }
        }

        deserializer.deserialize_str(Visitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_that_is_not_a_number_is_absent_but_an_array_is_an_error() {
        #[derive(Deserialize)]
        struct Form {
            #[serde(default, deserialize_with = "optional_number")]
            number: Option<u64>,
        }
        let read = |form: &str| serde_qs::from_str(form).map(|Form { number }| number);
        assert_eq!(read("number=18446744073709551615").unwrap(), Some(u64::MAX));
        assert_eq!(read("number=0").unwrap(), Some(0));
        for text in [
            "",
            "undefined",
            "false",
            "-1",
            "1.5",
            "x",
            "18446744073709551616",
        ] {
            assert_eq!(read(&format!("number={text}")).unwrap(), None, "{text}");
        }
        assert_eq!(read("number").unwrap(), None);
        assert_eq!(read("other=1").unwrap(), None);
        assert!(read("number[x]=1").is_err());
    }
}
