//! A type for each documented event, for handlers that take one kind only.
//!
//! ```
//! use tower_bitrix24::event::kind::{CrmDealAdd, Kind};
//! use tower_bitrix24::{ApplicationToken, Envelope, Event, EventKind};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! assert_eq!(CrmDealAdd::KIND, EventKind::CrmDealAdd);
//!
//! let body = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
//! let event = Event::verify(Envelope::scan(body)?, &ApplicationToken::new("192735")?).await?;
//! assert_eq!(event.payload_of::<CrmDealAdd>().map(|deal| deal.id), Some(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

pub use super::definitions::kinds::*;
use super::{EventKind, Payload};

/// A documented event as a type. Every variant of [`EventKind`] has one, under the same name.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of event",
    label = "not a kind of event",
    note = "the kinds are the types of `tower_bitrix24::event::kind`, such as `kind::CrmDealAdd`; \
            a value of `EventKind` is none"
)]
pub trait Kind {
    /// The event's kind.
    const KIND: EventKind;

    /// The event's payload.
    type Payload: Clone + fmt::Debug + Send + Sync + 'static;

    /// The payload, if it is of this kind.
    fn payload(payload: &Payload) -> Option<&Self::Payload>;
}

/// Makes [`EventKind`], [`Payload`] and the types of this module of the table in `catalogue.rs`.
macro_rules! catalogue {
    ($(
        scope $scope:literal {$(
            $variant:ident = $code:literal / $name:literal
                => $place:ident($payload:ident) $(in $boxed:ident)? $(about $entity:literal $action:ident)?,
                $says:literal $(, $page:literal)? $(, $deprecated:ident)?;
        )+}
    )+) => {
        /// The events that are known: those of the documentation, and some that it leaves out.
        ///
        /// | code | documented name | scope | payload | |
        /// |---|---|---|---|---|
        $($(
            #[doc = concat!(
                "| `", $code, "` | [", $name, "](Self::", stringify!($variant), ") | ", $scope,
                " | [`", stringify!($payload), "`](crate::event::payload::", stringify!($payload),
                ") |", $(" ", stringify!($deprecated),)? " |"
            )]
        )+)+
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind {$($(
            #[doc = $says]
            $(#[doc = concat!("\n\nDocumentation page: *", $name, "* (`api-reference/", $page, "`).")])?
            $variant,
        )+)+}

        /// The payload of an event, by its kind.
        ///
        /// It is serialised as the payload alone, under the names of the wire, and `Unknown` as
        /// nothing (`null`).
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Payload {
            $($(
                #[doc = $says]
                $variant($crate::event::kind::held!($payload $($boxed)?)),
            )+)+
            /// The code is not documented, or its data do not fit the documentation
            /// ([`Event::mismatch`](crate::Event::mismatch) says why). The data are whole in
            /// [`Event::data`](crate::Event::data) and can be read with
            /// [`Event::data_as`](crate::Event::data_as).
            Unknown,
        }

        impl EventKind {
            /// Every documented event.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];

            pub(in crate::event) const ROWS: &'static [$crate::event::kind::Row] = &[$($(
                $crate::event::kind::Row {
                    code: $code,
                    documented_name: $name,
                    scope: $scope,
                    variant: stringify!($variant),
                    deprecated: false $(|| stringify!($deprecated).len() > 0)?,
                    #[cfg(feature = "testing")]
                    place: stringify!($place),
                    #[cfg(feature = "testing")]
                    payload: stringify!($payload),
                },
            )+)+];
        }

        pub(in crate::event) mod kinds {
            use $crate::event::{EventKind, Payload, kind::Kind};

            $($(
                #[doc = $says]
                #[doc = concat!("\n\nThe kind [`EventKind::", stringify!($variant), "`].")]
                #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
                pub struct $variant;

                impl Kind for $variant {
                    const KIND: EventKind = EventKind::$variant;

                    type Payload = $crate::event::payload::$payload;

                    fn payload(payload: &Payload) -> Option<&Self::Payload> {
                        match payload {
                            Payload::$variant(payload) => Some(std::borrow::Borrow::borrow(payload)),
                            _ => None,
                        }
                    }
                }
            )+)+
        }

        impl Payload {
            /// Reads the payload of a `kind` of event.
            pub(in crate::event) fn read(
                kind: EventKind,
                data: &$crate::form::Data<'_>,
            ) -> Result<Self, $crate::form::Mismatch> {
                use $crate::event::subject::Identified;

                match kind {
                    $($(EventKind::$variant => data
                        .payload(
                            $crate::form::Data::$place,
                            $crate::event::kind::is_fields!($place),
                            $crate::event::kind::has_id!($payload $(in $boxed)? $(, $entity)?),
                        )
                        .map(Self::$variant),
                    )+)+
                }
            }

            /// The one object that the event is about; `None` where it is about none or several.
            pub fn subject(&self) -> Option<$crate::event::Subject<'_>> {
                use $crate::event::subject::Identified;

                match self {
                    $($($(
                        Self::$variant(payload) => {
                            payload.subject($entity, $crate::event::Action::$action)
                        }
                    )?)+)+
                    _ => None,
                }
            }
        }
    };
}

/// How a variant of [`Payload`] holds its payload: large ones in a box, or every event would be as
/// large as the largest.
macro_rules! held {
    ($payload:ident Box) => { Box<$payload> };
    ($payload:ident) => { $payload };
}

/// Whether the payload is in `data[FIELDS]`.
macro_rules! is_fields {
    (fields) => {
        true
    };
    (data) => {
        false
    };
}

/// Says whether the payload of an event about an object has the object's id.
macro_rules! has_id {
    ($payload:ident $(in $boxed:ident)?) => { None };
    ($payload:ident $(in $boxed:ident)?, $entity:literal) => {
        Some(|payload: &$crate::event::kind::held!($payload $($boxed)?)| {
            payload.object_id().is_some()
        })
    };
}

pub(super) use {catalogue, has_id, held, is_fields};

/// What the table says of an event.
pub(super) struct Row {
    pub(super) code: &'static str,
    pub(super) documented_name: &'static str,
    pub(super) scope: &'static str,
    pub(super) variant: &'static str,
    pub(super) deprecated: bool,
    #[cfg(feature = "testing")]
    pub(super) place: &'static str,
    #[cfg(feature = "testing")]
    pub(super) payload: &'static str,
}

impl EventKind {
    /// The codes and their kinds, shorter codes first: most steps of a search compare lengths alone.
    const BY_CODE: &'static [(&'static str, Self); Self::ALL.len()] = &{
        let mut sorted = [("", Self::ALL[0]); Self::ALL.len()];
        let mut len = 0;
        while len < sorted.len() {
            let (code, kind) = (Self::ALL[len].row().code, Self::ALL[len]);
            let mut at = len;
            while at > 0 && precedes(code, sorted[at - 1].0) {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = (code, kind);
            len += 1;
        }
        sorted
    };

    /// The kind of an event by its code, in upper or lower case; `None` where the code is not
    /// documented. The codes of smart process items may end in the id of their object type.
    ///
    /// ```
    /// use tower_bitrix24::EventKind;
    ///
    /// assert_eq!(EventKind::from_code("ONCRMREQUISITEADD"), Some(EventKind::CrmRequisiteAdd));
    /// assert_eq!(
    ///     EventKind::from_code("ONCRMDYNAMICITEMADD_147"),
    ///     Some(EventKind::CrmDynamicItemAdd),
    /// );
    /// assert_eq!(EventKind::from_code("onCrmRequisiteAdd"), Some(EventKind::CrmRequisiteAdd));
    /// assert_eq!(EventKind::from_code("ONSOMETHINGNEW"), None);
    /// ```
    pub fn from_code(code: &str) -> Option<Self> {
        Self::find(code).or_else(|| Self::of_typed_item(code).map(|(kind, _)| kind))
    }

    /// The kind and the object type's id of the event of a smart process item that a handler gets
    /// for one object type: 147 of `ONCRMDYNAMICITEMADD_147`.
    pub(crate) fn of_typed_item(code: &str) -> Option<(Self, u64)> {
        let (code, id) = code.rsplit_once('_')?;
        let kind = Self::find(code)?;
        let typed = matches!(
            kind,
            Self::CrmDynamicItemAdd | Self::CrmDynamicItemUpdate | Self::CrmDynamicItemDelete
        );
        let digits = id.bytes().all(|byte| byte.is_ascii_digit());
        (typed && digits).then(|| Some((kind, id.parse().ok()?)))?
    }

    fn find(code: &str) -> Option<Self> {
        let search = |code: &str| {
            let order = |known: &str| known.len().cmp(&code.len()).then_with(|| known.cmp(code));
            let found = Self::BY_CODE.binary_search_by(|(known, _)| order(known));
            found.ok().map(|at| Self::BY_CODE[at].1)
        };
        // The wire has capitals; only documents and relays have other letters.
        search(code).or_else(|| {
            let small = code.bytes().any(|byte| byte.is_ascii_lowercase());
            small.then(|| search(&code.to_ascii_uppercase()))?
        })
    }

    /// The code as it is on the wire, such as `ONCRMREQUISITEADD`.
    pub const fn as_str(self) -> &'static str {
        self.row().code
    }

    /// The event's name in the documentation, such as `onCrmRequisiteAdd`.
    pub const fn documented_name(self) -> &'static str {
        self.row().documented_name
    }

    /// The permission that an application needs to get the event, such as `crm`. Every application
    /// has `basic`.
    pub const fn scope(self) -> &'static str {
        self.row().scope
    }

    /// The scope of an event by its code, known or not; `None` where the code does not tell.
    pub(crate) fn scope_of(code: &str) -> Option<&'static str> {
        let family = || {
            let begins = |prefix: &str| {
                let start = code.get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            };
            FAMILIES.iter().find(|(prefix, _)| begins(prefix))
        };
        match Self::from_code(code) {
            Some(kind) => Some(kind.scope()),
            None => family().map(|(_, scope)| *scope),
        }
    }

    /// Whether the documentation advises against the event.
    pub const fn is_deprecated(self) -> bool {
        self.row().deprecated
    }

    /// The name of the variant, such as `CrmRequisiteAdd`.
    pub const fn name(self) -> &'static str {
        self.row().variant
    }

    /// The name of the payload's type.
    #[cfg(feature = "testing")]
    pub(crate) const fn payload_name(self) -> &'static str {
        self.row().payload
    }

    /// Whether the payload is in `data[FIELDS]`, or may be there.
    #[cfg(feature = "testing")]
    pub(crate) fn is_in_fields(self) -> bool {
        self.row().place != "data"
    }

    const fn row(self) -> &'static Row {
        &Self::ROWS[self as usize]
    }
}

/// How the codes of a scope begin where those of no other do. What an application's life, users,
/// payments and sessions are called could be the beginning of other words: they are left out.
const FAMILIES: &[(&str, &str)] = &[
    ("ONCRM", "crm"),
    ("ONTASK", "task"),
    ("ONCALENDAR", "calendar"),
    ("CATALOG.", "catalog"),
    ("ONSALE", "sale"),
    ("ONBOOKING", "booking"),
    ("ONVOXIMPLANT", "telephony"),
    ("ONEXTERNALCALL", "telephony"),
    ("ONIMV2", "im"),
    ("ONIMBOT", "imbot"),
    ("ONIMCOMMAND", "imbot"),
    ("ONIMCONNECTOR", "imconnector"),
    ("ONOPENLINE", "imopenlines"),
    ("ONLIVEFEED", "log"),
    ("ONSONETGROUP", "sonet"),
    ("ONSIGNB2E", "sign.b2e"),
    ("ONHUMANRESOURCESHCMLINK", "humanresources.hcmlink"),
    ("MAIN.ON.USER.TYPE.", "userfieldconfig"),
];

/// Whether a code comes before another in [`EventKind::BY_CODE`].
const fn precedes(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return left.len() < right.len();
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return left[at] < right[at];
        }
        at += 1;
    }
    false
}

/// The name of the variant.
impl fmt::Debug for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The code.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of the variant.
impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Reads a code, as [`EventKind::from_code`] does.
impl FromStr for EventKind {
    type Err = UnknownCode;

    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Self::from_code(code).ok_or(UnknownCode(()))
    }
}

/// A code that the documentation does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCode(());

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the code of a documented event")
    }
}

impl std::error::Error for UnknownCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_any_case_and_is_the_name_in_upper_case() {
        for &kind in EventKind::ALL {
            assert_eq!(EventKind::from_code(kind.as_str()), Some(kind));
            assert_eq!(EventKind::from_code(kind.documented_name()), Some(kind));
            assert_eq!(kind.documented_name().to_ascii_uppercase(), kind.as_str());
        }
    }

    #[test]
    fn every_known_code_of_a_family_has_its_scope_and_every_family_a_code() {
        for (prefix, scope) in FAMILIES {
            let kinds = EventKind::ALL.iter();
            let mut kinds = kinds
                .filter(|kind| kind.as_str().starts_with(prefix))
                .peekable();
            assert!(kinds.peek().is_some(), "{prefix}");
            kinds.for_each(|kind| assert_eq!(kind.scope(), *scope, "{kind}"));
            let unknown = format!("{prefix}SOMETHINGNEW");
            assert_eq!(EventKind::from_code(&unknown), None);
            for code in [unknown.to_ascii_lowercase(), unknown] {
                assert_eq!(EventKind::scope_of(&code), Some(*scope), "{code}");
            }
        }
        for code in [
            "",
            "ON",
            "ONCR",
            "ONAPPSOMETHING",
            "ONSESSIONX",
            "ONПРИВЕТ",
            "CATALOG",
        ] {
            assert_eq!(EventKind::scope_of(code), None, "{code}");
        }
        for &kind in EventKind::ALL {
            assert_eq!(EventKind::scope_of(kind.as_str()), Some(kind.scope()));
        }
    }

    #[test]
    fn no_code_is_found_by_a_part_of_it() {
        for code in [
            "",
            "ON",
            "ONCRMREQUISITEADDX",
            "ONCRMREQUISITEAD",
            "ONCRMREQUISITEADD ",
        ] {
            assert_eq!(code.parse::<EventKind>(), Err(UnknownCode(())), "{code}");
        }
    }
}
