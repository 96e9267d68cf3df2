//! `CallbackTamper`: ways to make a callback invalid.

use crate::rejection::RejectionKind;

/// A way to tamper with a [`TestCallback`](super::TestCallback) that has a token. The layer rejects each.
///
/// ```
/// use tower_bitrix24::testing::{CallbackTamper, TestCallback};
/// use tower_bitrix24::RejectionKind;
///
/// let robot = TestCallback::robot("ship");
/// assert_ne!(robot.clone().tampered(CallbackTamper::WrongToken).form(), robot.form());
/// assert_eq!(CallbackTamper::WrongToken.rejection(), RejectionKind::TokenRejected);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallbackTamper {
    /// Another application token.
    WrongToken,
    /// No application token, but the access token of the user.
    WithoutToken,
    /// A wrong application token before the valid one.
    RepeatedToken,
    /// The keys of two events in the callback. One would make an event of what a settings form saves.
    SmuggledEvent,
    /// The keys of a robot and of a page in the callback.
    SmuggledRobot,
    /// A GET request.
    Get,
    /// The content type `application/json`.
    Json,
    /// The content encoding `gzip`.
    Gzip,
}

impl CallbackTamper {
    /// All ways.
    pub const ALL: &'static [Self] = &[
        Self::WrongToken,
        Self::WithoutToken,
        Self::RepeatedToken,
        Self::SmuggledEvent,
        Self::SmuggledRobot,
        Self::Get,
        Self::Json,
        Self::Gzip,
    ];

    /// Returns why a layer with [`callbacks`](crate::EventLayer::callbacks) rejects the request.
    pub const fn rejection(self) -> RejectionKind {
        match self {
            Self::WrongToken => RejectionKind::TokenRejected,
            Self::WithoutToken => RejectionKind::TokenMissing,
            Self::RepeatedToken | Self::SmuggledEvent | Self::SmuggledRobot => {
                RejectionKind::Malformed
            }
            Self::Get => RejectionKind::MethodNotAllowed,
            Self::Json => RejectionKind::NotAForm,
            Self::Gzip => RejectionKind::ContentEncoding,
        }
    }
}
