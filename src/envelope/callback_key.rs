//! The key of a callback that a form key names, if any.

use crate::form::key::{LooseKey, folds_into};

macro_rules! callback_keys {
    ($($variant:ident = $text:literal,)+) => {
        /// A key at the top level of a callback. The discriminant is its place in the scan's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum CallbackKey {
            $($variant,)+
        }

        impl CallbackKey {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            pub(super) const COUNT: usize = Self::ALL.len();

            /// Returns the key as the platform spells it.
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

callback_keys! {
    EventToken = "event_token",
    MessageId = "message_id",
    MessageBody = "message_body",
    AuthId = "AUTH_ID",
    ApplicationToken = "APPLICATION_TOKEN",
    Placement = "PLACEMENT",
    AuthExpires = "AUTH_EXPIRES",
    RefreshId = "REFRESH_ID",
    ServerEndpoint = "SERVER_ENDPOINT",
    ApplicationScope = "APPLICATION_SCOPE",
    MemberId = "member_id",
    Status = "status",
    PlacementOptions = "PLACEMENT_OPTIONS",
    WorkflowId = "workflow_id",
    Code = "code",
    DocumentId = "document_id",
    DocumentType = "document_type",
    Properties = "properties",
    Bindings = "bindings",
    UseSubscription = "use_subscription",
    TimeoutDuration = "timeout_duration",
    MessageTo = "message_to",
    Type = "type",
    ModuleId = "module_id",
}

/// The meaning of a key to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A key, spelled as the platform spells it except for percent-encoding.
    Key { key: CallbackKey, is_array: bool },
    /// `properties[phone_number]`.
    PhoneNumber,
    /// Another spelling that PHP or serde_qs reads as the key.
    Alias(CallbackKey),
    /// The key in another case, which a parser that ignores case reads as the key.
    OtherCase(CallbackKey),
}

impl CallbackKey {
    /// The keys that decide the kind of a callback, and its proof.
    pub(super) const MARKERS: [Self; 6] = [
        Self::EventToken,
        Self::MessageId,
        Self::MessageBody,
        Self::AuthId,
        Self::ApplicationToken,
        Self::Placement,
    ];

    pub(super) fn is_marker(self) -> bool {
        Self::MARKERS.contains(&self)
    }

    pub(super) const fn is_array(self) -> bool {
        matches!(
            self,
            Self::DocumentId | Self::DocumentType | Self::Properties | Self::Bindings
        )
    }

    /// Reads an encoded key. Returns `None` if it is not a callback's, however it is parsed.
    pub(super) fn read(key: &[u8]) -> Option<Entry> {
        let split = LooseKey::split(key);
        let name = split.name();
        let find = |is: &dyn Fn(&[u8]) -> bool| {
            let mut keys = Self::ALL.iter().copied();
            keys.find(|key| is(key.as_str().as_bytes()))
        };
        if split.is_canonical() {
            if let Some(key) = find(&|text| text == name) {
                if key == Self::Properties && split.brackets() == Some(b"phone_number]") {
                    return Some(Entry::PhoneNumber);
                }
                let is_array = split.brackets().is_some();
                return Some(Entry::Key { key, is_array });
            }
        }
        if let Some(key) = find(&|text| folds_into(name, text)) {
            return Some(Entry::Alias(key));
        }
        find(&|text| text.eq_ignore_ascii_case(name)).map(Entry::OtherCase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str) -> Option<Entry> {
        CallbackKey::read(key.as_bytes())
    }

    #[test]
    fn callback_keys_are_read_in_both_encodings() {
        for &key in CallbackKey::ALL {
            let is_array = false;
            assert_eq!(read(key.as_str()), Some(Entry::Key { key, is_array }));
            let encoded = key.as_str().replace('_', "%5F");
            assert_eq!(read(&encoded), Some(Entry::Key { key, is_array }));
            let is_array = true;
            let array = format!("{}%5B0%5D", key.as_str());
            assert_eq!(read(&array), Some(Entry::Key { key, is_array }));
        }
        assert_eq!(read("properties[phone_number]"), Some(Entry::PhoneNumber));
    }

    #[test]
    fn ambiguous_spellings_of_a_callback_key_are_aliases() {
        for key in [
            "+event_token",
            "event.token",
            "event+token",
            "event[token",
            "event_token%00",
            "[event_token]",
            "[event_token][x]",
        ] {
            assert_eq!(
                read(key),
                Some(Entry::Alias(CallbackKey::EventToken)),
                "{key}"
            );
        }
        for key in ["application_token", "Application_Token"] {
            let other_case = Entry::OtherCase(CallbackKey::ApplicationToken);
            assert_eq!(read(key), Some(other_case), "{key}");
        }
        for key in ["event_tokens", "xevent_token", "a[event_token]", "saveform"] {
            assert_eq!(read(key), None, "{key}");
        }
    }
}
