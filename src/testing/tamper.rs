//! What may be wrong with a request.

use crate::rejection::RejectionKind;

/// A way to spoil a [`TestEvent`](super::TestEvent), each of which the layer rejects.
///
/// ```
/// use tower_bitrix24::testing::{Tamper, TestEvent};
/// use tower_bitrix24::{EventKind, RejectionKind};
///
/// let event = TestEvent::new(EventKind::CrmDealAdd);
/// let forged = event.clone().tampered(Tamper::WrongToken);
/// assert_ne!(forged.form(), event.form());
/// assert_eq!(Tamper::WrongToken.rejection(), RejectionKind::TokenRejected);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tamper {
    /// Another application token of the same length; those in the data stay right.
    WrongToken,
    /// No application token.
    WithoutToken,
    /// A wrong application token before the right one.
    RepeatedToken,
    /// The right application token, and another in a spelling that PHP reads as the same key.
    AliasedToken,
    /// A body that ends in the middle of the application token.
    Truncated,
    /// No `event`.
    WithoutEvent,
    /// A GET request.
    Get,
    /// The content type `application/json`.
    Json,
    /// The content encoding `gzip`.
    Gzip,
}

impl Tamper {
    /// Every way.
    pub const ALL: &'static [Self] = &[
        Self::WrongToken,
        Self::WithoutToken,
        Self::RepeatedToken,
        Self::AliasedToken,
        Self::Truncated,
        Self::WithoutEvent,
        Self::Get,
        Self::Json,
        Self::Gzip,
    ];

    /// Why the layer rejects the request, unless it is set to let such requests
    /// [pass](crate::EventLayer::pass_other_callbacks).
    pub const fn rejection(self) -> RejectionKind {
        match self {
            Self::WrongToken | Self::Truncated => RejectionKind::TokenRejected,
            Self::WithoutToken => RejectionKind::TokenMissing,
            Self::RepeatedToken | Self::AliasedToken => RejectionKind::Malformed,
            Self::WithoutEvent => RejectionKind::NoEvent,
            Self::Get => RejectionKind::MethodNotAllowed,
            Self::Json => RejectionKind::NotAForm,
            Self::Gzip => RejectionKind::ContentEncoding,
        }
    }
}
