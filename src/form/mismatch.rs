//! `Mismatch`: where and why a form does not fit a type.

use std::fmt;

use super::value::Value;
use crate::secret::without_secrets;

/// The field of `data` that does not fit a type, and the reason.
///
/// The reason quotes at most 64 characters of what was found. Secrets and the values of secret
/// parameters in links are never quoted.
///
/// ```
/// use tower_bitrix24::{ApplicationToken, Envelope, Event, Payload};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let body = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=new&auth[application_token]=192735";
/// let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
/// assert_eq!(*event.payload(), Payload::Unknown);
/// let mismatch = event.mismatch().expect("an id is a number");
/// assert_eq!(mismatch.path(), "data.FIELDS.ID");
/// assert_eq!(mismatch.to_string(), "data.FIELDS.ID: invalid type: string \"new\", expected u64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    path: String,
    reason: String,
}

impl Mismatch {
    pub(super) fn too_many_arrays() -> Self {
        Self {
            path: "data".to_owned(),
            reason: format!(
                "more than {} arrays, and one for each {} bytes, are not read",
                Value::MAX_ARRAYS,
                Value::BYTES_PER_ARRAY,
            ),
        }
    }

    /// A required field is missing, or its shape is another.
    pub(crate) fn unfit(path: &str, reason: &str) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// `reason` may quote what was found.
    pub(super) fn at(path: String, reason: &str, is_secret: bool) -> Self {
        let reason = if is_secret {
            "what was found does not fit and is not shown".to_owned()
        } else {
            truncate_quotes(&without_secrets(reason))
        };
        Self { path, reason }
    }

    /// Returns the path of the field, such as `data.FIELDS.ID`. If a field is missing, this is the path
    /// of its parent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what was expected and what was found.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Truncates each quoted value in `message` to 64 characters.
fn truncate_quotes(message: &str) -> String {
    const SHOWN: usize = 64;

    let mut short = String::with_capacity(message.len().min(4 * SHOWN));
    let mut quoted = None;
    let mut escaped = false;
    for c in message.chars() {
        match &mut quoted {
            None => quoted = matches!(c, '"' | '`').then_some((c, 0)),
            Some((quote, _)) if c == *quote && !escaped => quoted = None,
            Some((_, length)) => {
                escaped = c == '\\' && !escaped;
                *length += 1;
                if *length > SHOWN {
                    if *length == SHOWN + 1 {
                        short.push('…');
                    }
                    continue;
                }
            }
        }
        short.push(c);
    }
    short
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Mismatch {}
