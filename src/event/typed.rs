//! `Kind`: a documented event as a type.

use std::fmt;

use super::{EventKind, Payload};

/// A documented event as a type. Every variant of [`EventKind`] has a type of the same name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of event",
    label = "not a kind of event",
    note = "the kinds are the types of `tower_bitrix24::event::kind`, such as `kind::CrmDealAdd`; \
            not the values of `EventKind`"
)]
pub trait Kind {
    /// The event's kind.
    const KIND: EventKind;

    /// The event's payload.
    type Payload: Clone + fmt::Debug + Send + Sync + 'static;

    /// Returns the payload if it is of this kind.
    fn payload(payload: &Payload) -> Option<&Self::Payload>;
}
