//! The envelope field that a form key names, if any.
//!
//! Frameworks differ in how they read a key. The scan must see an envelope key if *any* of them would.
//! Otherwise the verified token could differ from the one that a later parser reads. So keys
//! compare after one percent-decoding, and a key that PHP or serde_qs would fold into an envelope key
//! without being spelled like it (` event`, `event[x]`, `auth[domain]x`, `event%00`, `[event]`) is
//! rejected. So is a key without a name (`[]`, `[0]`, or empty): serde_qs reads the form as a list and
//! fills the fields of a struct in order, whatever their names.

use crate::form::key::{LooseKey, folds_into, in_brackets, is_index};

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

    #[inline(always)]
    fn top_level(key: &[u8]) -> Option<Self> {
        Some(match key {
            b"event" => Self::Event,
            b"event_handler_id" => Self::EventHandlerId,
            b"ts" => Self::Ts,
            _ => return None,
        })
    }

    fn of_auth(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"access_token" => Self::AccessToken,
            b"expires" => Self::Expires,
            b"expires_in" => Self::ExpiresIn,
            b"scope" => Self::Scope,
            b"domain" => Self::Domain,
            b"server_endpoint" => Self::ServerEndpoint,
            b"status" => Self::Status,
            b"client_endpoint" => Self::ClientEndpoint,
            b"member_id" => Self::MemberId,
            b"user_id" => Self::UserId,
            b"refresh_token" => Self::RefreshToken,
            b"application_token" => Self::ApplicationToken,
            b"date_finish" => Self::DateFinish,
            b"client_id" => Self::ClientId,
            b"error" => Self::Error,
            b"error_description" => Self::ErrorDescription,
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

#[cfg(test)]
mod tests {
    use arbtest::arbtest;

    use super::*;

    const TOKEN: Key = Key::Field(Field::ApplicationToken);

    #[test]
    fn envelope_key_is_read_with_any_spelling_of_its_brackets() {
        for key in [
            "auth[application_token]",
            "auth%5Bapplication_token%5D",
            "auth%5bapplication_token%5d",
            "auth%5bapplication_token]",
            "%61uth[application%5Ftoken]",
        ] {
            assert_eq!(Key::read(key.as_bytes()), TOKEN, "{key}");
        }
    }

    #[test]
    fn envelope_fields_are_read_from_their_keys() {
        let fields = [
            Field::Event,
            Field::EventHandlerId,
            Field::Ts,
            Field::AccessToken,
            Field::Expires,
            Field::ExpiresIn,
            Field::Scope,
            Field::Domain,
            Field::ServerEndpoint,
            Field::Status,
            Field::ClientEndpoint,
            Field::MemberId,
            Field::UserId,
            Field::RefreshToken,
            Field::ApplicationToken,
            Field::DateFinish,
            Field::ClientId,
            Field::Error,
            Field::ErrorDescription,
        ];
        assert_eq!(fields.len(), Field::COUNT);
        for field in fields {
            assert_eq!(Key::read(field.key().as_bytes()), Key::Field(field));
        }
    }

    #[test]
    fn canonical_spellings_are_read_without_decoding() {
        for (key, read) in [
            ("event", Key::Field(Field::Event)),
            ("auth[application_token]", TOKEN),
            ("auth%5Bapplication_token%5D", TOKEN),
            ("auth%5bapplication_token%5d", TOKEN),
            ("data[FIELDS][ID]", Key::Data),
            ("data%5BFIELDS%5D%5BID%5D", Key::Data),
            ("data%5bFIELDS%5d%5bID%5d", Key::Data),
        ] {
            assert_eq!(Key::parse_canonical(key.as_bytes()), Some(read), "{key}");
        }
    }

    #[test]
    fn ambiguous_spellings_of_an_envelope_key_are_aliases() {
        for key in [
            "+event",
            "%20event",
            "event%00",
            "event%00x",
            "event[]",
            "event[x]",
            "event.handler.id",
            "event+handler_id",
            "ts[0]",
            "auth",
            "+auth[application_token]",
            "auth[application_token]x",
            "auth[application_token][]",
            "auth[application_token][x]",
            "auth%00[application_token]",
            "+data[FIELDS][ID]",
            "data%00",
            "[event]",
            "%5Bevent%5D",
            "[[event]]",
            "+[event",
            "[auth][application_token]",
            "[data][FIELDS][ID]",
            "event%00[",
            "event%00[x]",
            "auth%00[",
            "ts%00[x",
            "event[handler_id",
            "event[handler.id",
            "",
            "[]",
            "[0]",
            "%5B12%5d",
            "[][x]",
            "[]event",
        ] {
            assert!(matches!(Key::read(key.as_bytes()), Key::Alias(_)), "{key}");
        }
    }

    #[test]
    fn unrelated_keys_are_not_envelope_keys() {
        for key in [
            "EVENT",
            "Auth[application_token]",
            "auth[APPLICATION_TOKEN]",
            "auth[+application_token]",
            "auth[application_token%00]",
            "event]",
            "0",
            "+[]",
            "[x]",
            "[0x]",
            "auth[x][application_token]",
            "auth[application_token",
            "auth.application_token",
            "auth%255Bapplication_token%255D",
            "APPLICATION_TOKEN",
            "event_token",
            "event[x",
            "data_x",
            "data[x",
            "document_id[0]",
        ] {
            assert_eq!(Key::read(key.as_bytes()), Key::Other, "{key}");
        }
    }

    #[test]
    fn nul_in_a_data_key_is_data_in_every_spelling() {
        for key in ["data[\0]", "data[a%00b]", "data%5Ba%00%5D", "%64ata[a%00b]"] {
            assert_eq!(Key::read(key.as_bytes()), Key::Data, "{key}");
            assert_eq!(Key::parse_any(key.as_bytes()), Key::Data, "{key}");
        }
    }

    #[test]
    fn token_deeper_in_data_is_data() {
        for key in [
            "data[auth][application_token]",
            "data%5BBOT%5D%5B7%5D%5Bapplication_token%5D",
        ] {
            assert_eq!(Key::read(key.as_bytes()), Key::Data, "{key}");
        }
    }

    #[test]
    fn parse_canonical_and_parse_any_agree() {
        const ROOTS: [&str; 9] = [
            "data",
            "auth",
            "event",
            "ts",
            "event_handler_id",
            "",
            ".",
            " data",
            "auth.",
        ];
        const NAMES: [&str; 8] = [
            "application_token",
            "domain",
            "member_id",
            "ID",
            "",
            ".",
            "é",
            "[x",
        ];
        arbtest(|u| {
            let mut key = (*u.choose(&ROOTS)?).to_owned();
            for _ in 0..u.int_in_range(0..=3)? {
                key += u.choose(&["[", "%5B", "%5b"])?;
                key += u.choose(&NAMES)?;
                key += u.choose(&["]", "%5D", "%5d", ""])?;
            }
            if let Some(canonical) = Key::parse_canonical(key.as_bytes()) {
                assert_eq!(canonical, Key::parse_any(key.as_bytes()), "{key}");
            }
            Ok(())
        });
    }

    #[test]
    fn envelope_key_of_any_bytes_is_read_without_panic() {
        arbtest(|u| {
            let key: Vec<u8> = u.arbitrary()?;
            Key::read(&key);
            Ok(())
        });
    }
}
