//! Expands the [table](super::definitions) into `EventKind`, `Payload` and the types of `event::kind`.

use super::definitions::definitions;

/// The row of an event in the table.
pub(super) struct Definition {
    pub(super) code: &'static str,
    pub(super) documented_name: &'static str,
    pub(super) scope: &'static str,
    pub(super) entity: Option<&'static str>,
    pub(super) variant: &'static str,
    pub(super) is_deprecated: bool,
}

macro_rules! expand {
    ($(
        scope $scope:literal {$(
            $variant:ident {
                code: $code:literal,
                name: $name:literal,
                payload: $place:ident($payload:ident),
                $(subject: $entity:ident $action:ident,)?
                doc: $doc:literal,
                $(page: $page:literal,)?
                $(status: $status:ident,)?
            }
        )+}
    )+) => {
        /// A known event: one of the documentation, or one of the few that it leaves out.
        ///
        /// `Display` and `FromStr` use the [code](Self::as_str), which is the platform's name for the
        /// event. `Debug`, `Serialize` and `Deserialize` use the [variant's name](Self::name), which
        /// is this crate's name for it.
        ///
        /// ```
        /// use tower_bitrix24::EventKind;
        ///
        /// let kind: EventKind = "ONCRMDEALADD".parse()?;
        /// assert_eq!(kind.to_string(), "ONCRMDEALADD");
        ///
        /// let json = serde_json::to_string(&kind)?;
        /// assert_eq!(json, r#""CrmDealAdd""#);
        /// assert_eq!(serde_json::from_str::<EventKind>(&json)?, kind);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        ///
        /// | code | documented name | scope | payload | |
        /// |---|---|---|---|---|
        $($(
            #[doc = concat!(
                "| `", $code, "` | [", $name, "](Self::", stringify!($variant), ") | ", $scope,
                " | [`", stringify!($payload), "`](crate::event::payload::", stringify!($payload),
                ") |", $(" ", stringify!($status),)? " |"
            )]
        )+)+
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind {$($(
            #[doc = $doc]
            $(#[doc = concat!("\n\nDocumentation page: *", $name, "* (`api-reference/", $page, "`).")])?
            $variant,
        )+)+}

        /// The payload of an event, by its kind.
        ///
        /// A payload of one id is held in place. Every larger one is boxed, so that an event is small
        /// and a payload that gets a field changes no variant.
        ///
        /// `Serialize` writes the payload alone, with the keys of the wire, and `Unknown` as `null`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Payload {
            $($(
                #[doc = $doc]
                $variant(boxed!($payload)),
            )+)+
            /// The code is not documented, or its data do not fit the documentation
            /// ([`Event::mismatch`](crate::Event::mismatch) says why).
            /// [`Event::data`](crate::Event::data) has the data, and
            /// [`Event::data_as`](crate::Event::data_as) reads them as another type.
            Unknown,
        }

        impl EventKind {
            /// Every known event.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            pub(super) const DEFINITIONS: &'static [Definition] = &[$($(
                Definition {
                    code: $code,
                    documented_name: $name,
                    scope: $scope,
                    entity: entity!($($entity)?),
                    variant: stringify!($variant),
                    is_deprecated: false $(|| stringify!($status).len() > 0)?,
                },
            )+)+];
        }

        pub(super) mod kinds {
            use std::borrow::Borrow;

            use super::{EventKind, Payload};
            use crate::event::typed::Kind;

            $($(
                #[doc = $doc]
                #[doc = concat!("\n\nThe kind [`EventKind::", stringify!($variant), "`].")]
                #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
                pub struct $variant;

                impl Kind for $variant {
                    const KIND: EventKind = EventKind::$variant;

                    type Payload = crate::event::payload::$payload;

                    fn payload(payload: &Payload) -> Option<&Self::Payload> {
                        match payload {
                            Payload::$variant(payload) => Some(payload.borrow()),
                            _ => None,
                        }
                    }
                }
            )+)+
        }

        impl Payload {
            pub(super) fn read(
                kind: EventKind,
                data: &crate::form::FormReader<'_>,
            ) -> Result<Self, crate::form::Mismatch> {
                match kind {
                    $($(EventKind::$variant => data
                        .payload(
                            reader!($place $payload),
                            is_fields!($place),
                            has_id!($payload $(, $entity)?),
                        )
                        .map(Self::$variant),
                    )+)+
                }
            }

            /// Returns the one object that the event is about, or `None` if it is about none or
            /// several.
            pub fn subject(&self) -> Option<crate::event::subject::Subject<'_>> {
                use crate::event::subject::{Action, HasObjectId};

                match self {
                    $($($(
                        Self::$variant(payload) => payload.subject(super::entity::$entity, Action::$action),
                    )?)+)+
                    _ => None,
                }
            }
        }
    };
}

/// The type that holds a payload. Only payloads of a single id have a row of their own.
macro_rules! boxed {
    (CalendarItem) => { crate::event::payload::CalendarItem };
    (ConnectorLineId) => { crate::event::payload::ConnectorLineId };
    (FeedPost) => { crate::event::payload::FeedPost };
    (ItemId) => { crate::event::payload::ItemId };
    (NoData) => { crate::event::payload::NoData };
    ($payload:ident) => { Box<crate::event::payload::$payload> };
}

/// The function that reads a documented payload.
macro_rules! reader {
    (fields ItemId) => {
        crate::event::payload::ItemId::read
    };
    ($place:ident $payload:ident) => {
        crate::form::FormReader::$place
    };
}

macro_rules! is_fields {
    (fields) => {
        true
    };
    (data) => {
        false
    };
}

macro_rules! entity {
    () => {
        None
    };
    ($entity:ident) => {
        Some(super::entity::$entity)
    };
}

macro_rules! has_id {
    ($payload:ident) => {
        None
    };
    ($payload:ident, $entity:ident) => {
        Some(|payload: &boxed!($payload)| {
            use crate::event::subject::HasObjectId;

            payload.object_id().is_some()
        })
    };
}

definitions!(expand);
