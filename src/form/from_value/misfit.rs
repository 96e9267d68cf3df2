//! `Misfit`: an error that collects its path.

use std::fmt;

use memchr::memmem;
use serde::de::Error;

use crate::form::mismatch::Mismatch;
use crate::form::value::Value;
use crate::secret::is_secret;

/// Why a value does not fit its type. Each level adds its key as the error passes it, so that a value that
/// fits costs nothing.
#[derive(Debug)]
pub(in crate::form) struct Misfit(Box<Details>);

#[derive(Debug)]
struct Details {
    reason: String,
    /// From the innermost key to the outermost.
    path: Vec<String>,
    is_secret: bool,
}

impl Misfit {
    #[cold]
    pub(super) fn under(mut self, key: &str) -> Self {
        // The key of a string that is read as a map.
        if !key.is_empty() {
            self.0.path.push(format!(".{key}"));
            self.0.is_secret |= is_secret(key);
        }
        self
    }

    #[cold]
    pub(super) fn at(mut self, index: u32) -> Self {
        self.0.path.push(format!("[{index}]"));
        self
    }

    /// `value` is all that was read. serde buffers what it flattens and what has a tag, and the error of
    /// such a value passes none of its keys: so the reason is searched for every secret.
    #[cold]
    pub(super) fn into_mismatch(self, value: &Value, root: &str) -> Mismatch {
        let Details {
            reason,
            path,
            is_secret,
        } = *self.0;
        let is_secret = is_secret || Search::new(&reason).finds_secret(value, false);
        let path = std::iter::once(root).chain(path.iter().rev().map(String::as_str));
        Mismatch::at(path.collect(), &reason, is_secret)
    }
}

/// Searches a reason for secrets.
struct Search<'a> {
    reason: &'a str,
    /// The bytes that may still be searched, so that a long reason and many secrets cost little.
    bytes: usize,
}

impl<'a> Search<'a> {
    const MAX_BYTES: usize = 1 << 20;

    /// Shorter secrets are found only in quotes, since a few letters are in every reason.
    const MIN_UNQUOTED_CHARS: usize = 4;

    fn new(reason: &'a str) -> Self {
        Self {
            reason,
            bytes: Self::MAX_BYTES,
        }
    }

    /// Returns `true` if the reason contains a string under the key of a secret, or if there is too
    /// much to search.
    fn finds_secret(&mut self, value: &Value, is_under_secret: bool) -> bool {
        match value {
            Value::Array(array) => array
                .iter()
                .any(|(key, value)| self.finds_secret(value, is_under_secret || is_secret(key))),
            Value::Text(text) if is_under_secret => self.finds(text),
            Value::Bytes(bytes) if is_under_secret => self.finds(&String::from_utf8_lossy(bytes)),
            Value::Text(_) | Value::Bytes(_) => false,
        }
    }

    fn finds(&mut self, secret: &str) -> bool {
        if secret.is_empty() || secret.len() > self.reason.len() {
            return false;
        }
        let quoted = format!("{secret:?}");
        let is_long = secret.chars().count() >= Self::MIN_UNQUOTED_CHARS;
        let (escaped, plain) = if is_long {
            (&quoted[1..quoted.len() - 1], secret.to_owned())
        } else {
            (&*quoted, format!("`{secret}`"))
        };
        [escaped, &plain].iter().any(|text| self.contains(text))
    }

    fn contains(&mut self, text: &str) -> bool {
        match self.bytes.checked_sub(self.reason.len()) {
            Some(rest) => self.bytes = rest,
            None => return true,
        }
        memmem::find(self.reason.as_bytes(), text.as_bytes()).is_some()
    }
}

impl Error for Misfit {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self(Box::new(Details {
            reason: message.to_string(),
            path: Vec::new(),
            is_secret: false,
        }))
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.reason)
    }
}

impl std::error::Error for Misfit {}
