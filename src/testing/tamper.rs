//! `Tamper`: ways to make a request invalid.

use crate::rejection::RejectionKind;

/// A way to tamper with a [`TestEvent`](super::TestEvent). The layer rejects each.
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
    /// Another application token of the same length. Tokens in the data stay valid.
    WrongToken,
    /// No application token.
    WithoutToken,
    /// A wrong application token before the valid one.
    RepeatedToken,
    /// The valid application token, and another one under a key that PHP reads as the same.
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
    /// All ways.
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

    /// Returns why the layer rejects the request, if it does not
    /// [pass other callbacks](crate::EventLayer::pass_other_callbacks).
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
