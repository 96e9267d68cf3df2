//! `Misfit`: an error that collects its path.

use std::fmt;

use serde::de::Error;

use crate::form::mismatch::Mismatch;
use crate::secret::is_secret;

/// Why a value does not fit its type. Each level adds its key as the error passes it, so that a value that
/// fits costs nothing.
#[derive(Debug)]
pub(super) struct Misfit(Box<Details>);

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

    #[cold]
    pub(super) fn into_mismatch(self, root: &str) -> Mismatch {
        let Details {
            reason,
            path,
            is_secret,
        } = *self.0;
        let path = std::iter::once(root).chain(path.iter().rev().map(String::as_str));
        Mismatch::at(path.collect(), &reason, is_secret)
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
