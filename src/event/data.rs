//! Reading `data` into types.

use std::fmt;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::value::Value;

/// The pairs of `data`, still encoded.
pub(super) struct Data {
    pairs: Bytes,
}

/// What the pairs of `data` are to serde_qs.
#[derive(Deserialize)]
struct Root<T> {
    data: T,
}

/// `data` with everything in `FIELDS`.
#[derive(Deserialize)]
struct Fields<T> {
    #[serde(rename = "FIELDS")]
    fields: T,
}

impl Data {
    /// `None` stands for a body without `data`, which reads as a type without required fields.
    pub(super) fn new(pairs: Option<Bytes>) -> Self {
        Self {
            pairs: pairs.unwrap_or(Bytes::from_static(b"data=")),
        }
    }

    /// The type that `data` itself is.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.quickly().map_or_else(|| self.thoroughly(), Ok)
    }

    /// The type that `data[FIELDS]` is.
    pub(super) fn fields<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        self.data().map(|Fields { fields }| fields)
    }

    /// Reads the pairs as they are, which does for what the platform sends.
    fn quickly<T: DeserializeOwned>(&self) -> Option<T> {
        let config = config().use_form_encoding(true);
        // serde_qs knows `%5B` and not `%5b`.
        let unusual = memmem::find(&self.pairs, b"%5b").is_some();
        let read = || config.deserialize_bytes(&self.pairs).ok();
        (!unusual).then(read)?.map(|Root { data }| data)
    }

    /// Reads the tree, which has PHP's answer to whatever is unusual in the keys, and says what
    /// does not fit.
    fn thoroughly<T: DeserializeOwned>(&self) -> Result<T, Mismatch> {
        let form = Value::read(&self.pairs)
            .map(|tree| tree.to_form())
            .unwrap_or_default();
        let config = config().use_form_encoding(false);
        let deserializer =
            serde_qs::Deserializer::with_config(config, &form).map_err(|error| Mismatch {
                path: String::new(),
                reason: error.to_string(),
            })?;
        serde_path_to_error::deserialize(deserializer)
            .map(|Root { data }| data)
            .map_err(|error| Mismatch {
                path: error.path().to_string(),
                reason: error.into_inner().to_string(),
            })
    }
}

const fn config() -> serde_qs::Config {
    serde_qs::Config::new().max_depth(Value::MAX_DEPTH + 1)
}

/// Why `data` does not fit a type: where, what was expected and what was found.
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
    /// The path of the field, such as `data.FIELDS.ID`; for a field that is absent, of what should
    /// have it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What was expected there and what was found.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Mismatch {}
