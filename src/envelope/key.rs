//! The envelope field that a form key names, if any.
//!
//! Frameworks differ in how they read a key. The scan must see an envelope key if *any* of them would.
//! Otherwise the verified token could differ from the one that a later parser reads. So keys
//! compare after one percent-decoding, and a key that PHP or serde_qs would fold into an envelope key
//! without being spelled like it (` event`, `event[x]`, `auth[domain]x`, `event%00`, `[event]`) is
//! rejected. So is a key without a name (`[]`, `[0]`, or empty): serde_qs reads the form as a list and
//! fills the fields of a struct in order, whatever their names.

#[cfg(test)]
mod tests;

use super::Envelope;
use super::error::{EnvelopeError, EnvelopeErrorKind};
use crate::form::key::{LooseKey, folds_into, in_brackets, is_index};
use crate::form::pairs::{Pair, pairs_by, split_key};

/// A field of the envelope. The discriminant is its place in the scan's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Field {
    Event,
    EventHandlerId,
    Ts,
    AccessToken,
    Expires,
    ExpiresIn,
    Scope,
    Domain,
    ServerEndpoint,
    Status,
    ClientEndpoint,
    MemberId,
    UserId,
    RefreshToken,
    ApplicationToken,
    DateFinish,
    ClientId,
    Error,
    ErrorDescription,
}

impl Field {
    pub(crate) const COUNT: usize = Self::ErrorDescription as usize + 1;

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::EventHandlerId => "event_handler_id",
            Self::Ts => "ts",
            Self::AccessToken => "auth[access_token]",
            Self::Expires => "auth[expires]",
            Self::ExpiresIn => "auth[expires_in]",
            Self::Scope => "auth[scope]",
            Self::Domain => "auth[domain]",
            Self::ServerEndpoint => "auth[server_endpoint]",
            Self::Status => "auth[status]",
            Self::ClientEndpoint => "auth[client_endpoint]",
            Self::MemberId => "auth[member_id]",
            Self::UserId => "auth[user_id]",
            Self::RefreshToken => "auth[refresh_token]",
            Self::ApplicationToken => "auth[application_token]",
            Self::DateFinish => "auth[date_finish]",
            Self::ClientId => "auth[client_id]",
            Self::Error => "auth[error]",
            Self::ErrorDescription => "auth[error_description]",
        }
    }

    /// Strips the key of a field, spelled as real bodies spell it, and the `=` behind it.
    #[inline(always)]
    fn strip(form: &[u8]) -> Option<(Self, &[u8])> {
        let (field, rest) = match form.first()? {
            b'a' => {
                if let Some(name) = form.strip_prefix(b"auth%5B") {
                    let (field, rest) = Self::strip_auth(name)?;
                    (field, rest.strip_prefix(b"%5D")?)
                } else {
                    let (field, rest) = Self::strip_auth(form.strip_prefix(b"auth[")?)?;
                    (field, rest.strip_prefix(b"]")?)
                }
            }
            b'e' => {
                let rest = form.strip_prefix(b"event")?;
                match rest.strip_prefix(b"_handler_id") {
                    Some(rest) => (Self::EventHandlerId, rest),
                    None => (Self::Event, rest),
                }
            }
            _ => (Self::Ts, form.strip_prefix(b"ts")?),
        };
        Some((field, rest.strip_prefix(b"=")?))
    }

    /// Strips the name of a field of `auth`, the longest that fits.
    fn strip_auth(name: &[u8]) -> Option<(Self, &[u8])> {
        macro_rules! strip {
            ($($field:ident $name:literal),+) => {{
                $(if let Some(rest) = name.strip_prefix($name) {
                    return Some((Self::$field, rest));
                })+
                None
            }};
        }
        match name.first()? {
            b'a' => strip!(AccessToken b"access_token", ApplicationToken b"application_token"),
            b'c' => strip!(ClientEndpoint b"client_endpoint", ClientId b"client_id"),
            b'd' => strip!(Domain b"domain", DateFinish b"date_finish"),
            b'e' => {
                strip!(ExpiresIn b"expires_in", Expires b"expires", ErrorDescription b"error_description", Error b"error")
            }
            b'm' => strip!(MemberId b"member_id"),
            b'r' => strip!(RefreshToken b"refresh_token"),
            b's' => strip!(Scope b"scope", ServerEndpoint b"server_endpoint", Status b"status"),
            b'u' => strip!(UserId b"user_id"),
            _ => None,
        }
    }

    fn of_auth(name: &[u8]) -> Option<Self> {
        match Self::strip_auth(name) {
            Some((field, [])) => Some(field),
            _ => None,
        }
    }

    #[inline(always)]
    fn top_level(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"event" => Self::Event,
            b"event_handler_id" => Self::EventHandlerId,
            b"ts" => Self::Ts,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// An envelope field, spelled as the platform spells it except for percent-encoding.
    Field(Field),
    /// `data` itself or a key beneath it.
    Data,
    /// Another spelling that some parsers read as an envelope key.
    Alias(Root),
    /// Any other key.
    Other,
}

/// Visits the pairs of a form with what their keys mean.
///
/// # Errors
///
/// Returns the first error of `visit`, or one of kind [`TooManyPairs`](EnvelopeErrorKind::TooManyPairs).
// Inlined, with one scan in each caller: a call for each pair would take a fifth more instructions.
#[inline(always)]
pub(super) fn visit_pairs<'a>(
    form: &'a [u8],
    mut visit: impl FnMut(Pair<'a, Key>) -> Result<(), EnvelopeError>,
) -> Result<(), EnvelopeError> {
    let mut count = 0;
    let keyed = |form: &'a [u8]| {
        if let Some((field, behind)) = Field::strip(form) {
            return (Key::Field(field), behind);
        }
        let (key, behind) = split_key(form);
        (Key::read(key), behind)
    };
    for pair in pairs_by(form, keyed) {
        count += 1;
        if count > Envelope::MAX_PAIRS {
            return Err(EnvelopeError::new(EnvelopeErrorKind::TooManyPairs));
        }
        visit(pair)?;
    }
    Ok(())
}

impl Key {
    // Both scans read each key of an event by this: a call would cost more than what it does.
    #[inline(always)]
    pub(crate) fn read(key: &[u8]) -> Self {
        Self::parse_canonical(key).unwrap_or_else(|| Self::parse_any(key))
    }

    /// Reads the spellings that real bodies use, without decoding.
    #[inline(always)]
    fn parse_canonical(key: &[u8]) -> Option<Self> {
        if let Some(rest) = key.strip_prefix(b"data") {
            return in_brackets(rest).map(|_| Self::Data);
        }
        if let Some(rest) = key.strip_prefix(b"auth") {
            return Field::of_auth(in_brackets(rest)?).map(Self::Field);
        }
        Field::top_level(key).map(Self::Field)
    }

    /// Reads every spelling.
    #[cold]
    fn parse_any(key: &[u8]) -> Self {
        if key.is_empty() || is_index(key) {
            return Self::Alias(Root::Field(Field::Event));
        }
        let split = LooseKey::split(key);
        let Some(root) = Root::normalize(split.name()) else {
            return Self::Other;
        };
        let is_canonical = split.is_canonical() && split.name() == root.as_str().as_bytes();
        match (root, split.brackets()) {
            _ if !is_canonical => Self::Alias(root),
            (Root::Data, _) => Self::Data,
            (Root::Field(field), None) => Self::Field(field),
            (Root::Auth, Some(inner)) => Self::parse_auth(inner),
            (root, _) => Self::Alias(root),
        }
    }

    /// Reads the rest of a key after `auth[`. A field's name must be all of it.
    fn parse_auth(inner: &[u8]) -> Self {
        let Some(close) = inner.iter().position(|&byte| byte == b']') else {
            return Self::Other;
        };
        let (name, behind) = (&inner[..close], &inner[close + 1..]);
        match Field::of_auth(name) {
            Some(field) if behind.is_empty() => Self::Field(field),
            Some(field) => Self::Alias(Root::Field(field)),
            None => Self::Other,
        }
    }
}

/// A key of the envelope, or the common beginning of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Field(Field),
    Auth,
    Data,
}

impl Root {
    /// Returns the root that PHP would make of `name`.
    fn normalize(name: &[u8]) -> Option<Self> {
        [
            Self::Auth,
            Self::Data,
            Self::Field(Field::Event),
            Self::Field(Field::EventHandlerId),
            Self::Field(Field::Ts),
        ]
        .into_iter()
        .find(|root| folds_into(name, root.as_str().as_bytes()))
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Field(field) => field.key(),
            Self::Auth => "auth",
            Self::Data => "data",
        }
    }
}
