//! `CallbackKind`: the kind of a request other than an event.

use std::fmt;

/// The kind of a request other than an event, by the keys of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallbackKind {
    /// A robot or a workflow activity of the application (`event_token`).
    Robot,
    /// A message for a message provider (`message_id` and `message_body`).
    Message,
    /// A placement, the application's page or its installation page (`AUTH_ID`).
    Placement,
    /// The settings form of the application: `event=OnAppSettings…`, or the fields that it saves.
    Settings,
    /// A form that is none of these. Without a token it is a callback only if the URL has a
    /// [secret](crate::EventLayer::url_secret), and may then be JSON too.
    Unknown,
}

impl CallbackKind {
    /// Returns the name of the kind in snake case, such as `robot`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Robot => "robot",
            Self::Message => "message",
            Self::Placement => "placement",
            Self::Settings => "settings",
            Self::Unknown => "unknown",
        }
    }

    /// Returns `true` if the platform sends none of this kind without the application's token.
    pub(super) const fn always_has_token(self) -> bool {
        matches!(self, Self::Robot | Self::Settings)
    }
}

impl fmt::Display for CallbackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
