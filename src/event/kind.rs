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

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::EventKind;
use super::macros::Definition;
pub use super::macros::kinds::*;
pub use super::typed::Kind;

impl EventKind {
    /// The place in `ALL` of each code, at the [slot](slot) of its hash or in the next free one.
    const BY_HASH: [Option<u8>; SLOTS] = {
        let mut by_hash = [None; SLOTS];
        let mut at = 0;
        while at < Self::ALL.len() {
            let mut slot = slot(Self::ALL[at].as_str().as_bytes());
            while by_hash[slot].is_some() {
                slot = (slot + 1) % SLOTS;
            }
            assert!(at <= u8::MAX as usize);
            by_hash[slot] = Some(at as u8);
            at += 1;
        }
        by_hash
    };

    /// Returns the kind of an event by its code in upper or lower case, or `None` if the code is not
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
        Self::find(code).or_else(|| Self::parse_dynamic_item_code(code).map(|(kind, _)| kind))
    }

    /// A handler for the smart process items of one object type gets codes such as
    /// `ONCRMDYNAMICITEMADD_147`. Returns the kind and the object type's id.
    pub(crate) fn parse_dynamic_item_code(code: &str) -> Option<(Self, u64)> {
        let (code, id) = code.rsplit_once('_')?;
        let kind = Self::find(code)?;
        if !matches!(
            kind,
            Self::CrmDynamicItemAdd | Self::CrmDynamicItemUpdate | Self::CrmDynamicItemDelete
        ) {
            return None;
        }
        // `parse` alone would accept a plus sign.
        if !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some((kind, id.parse().ok()?))
    }

    fn find(code: &str) -> Option<Self> {
        if let Some(kind) = Self::of_wire(code.as_bytes()) {
            return Some(kind);
        }
        // The wire has capitals; only documents and relays have other letters.
        if !code.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        Self::of_wire(code.to_ascii_uppercase().as_bytes())
    }

    /// Returns the kind if this is its [code](Self::as_str).
    pub(super) fn of_wire(code: &[u8]) -> Option<Self> {
        let mut slot = slot(code);
        while let Some(at) = Self::BY_HASH[slot] {
            let kind = Self::ALL[usize::from(at)];
            if kind.as_str().as_bytes() == code {
                return Some(kind);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// Returns the code as it is on the wire, such as `ONCRMREQUISITEADD`.
    pub const fn as_str(self) -> &'static str {
        self.definition().code
    }

    /// Returns the event's name in the documentation, such as `onCrmRequisiteAdd`.
    pub const fn documented_name(self) -> &'static str {
        self.definition().documented_name
    }

    /// Returns the permission that an application needs to get the event, such as `crm`. Every
    /// application has `basic`.
    pub const fn scope(self) -> &'static str {
        self.definition().scope
    }

    /// Returns the [entity](super::entity) of the object that such an event is about, such as
    /// `crm.deal`. Returns `None` if it is not about exactly one object.
    ///
    /// An event may lack the object's id, and then has no [`subject`](crate::Event::subject).
    pub const fn entity(self) -> Option<&'static str> {
        self.definition().entity
    }

    /// Returns the scope of an event by its code, documented or not, or `None` if the code does not
    /// reveal it.
    pub(crate) fn scope_of(code: &str) -> Option<&'static str> {
        if let Some(kind) = Self::from_code(code) {
            return Some(kind.scope());
        }
        let starts_with = |prefix: &str| {
            let start = code.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let family = FAMILIES.iter().find(|(prefix, _)| starts_with(prefix))?;
        Some(family.1)
    }

    /// Returns `true` if the documentation advises against the event.
    pub const fn is_deprecated(self) -> bool {
        self.definition().is_deprecated
    }

    /// Returns the variant's name, such as `CrmRequisiteAdd`.
    pub const fn name(self) -> &'static str {
        self.definition().variant
    }

    const fn definition(self) -> &'static Definition {
        &Self::DEFINITIONS[self as usize]
    }
}

/// Prefixes of codes that only one scope has. The codes of `basic`, users and sessions are left
/// out, since their beginnings could be those of other words.
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

/// More than twice the number of kinds, so that most codes are found at once.
const SLOTS: usize = 512;

/// Returns the hash of a code: of its first and last letters and its length, which tell most codes apart.
const fn slot(code: &[u8]) -> usize {
    let (Some(first), Some(last)) = (code.first_chunk(), code.last_chunk()) else {
        return 0;
    };
    let (first, last) = (u64::from_le_bytes(*first), u64::from_le_bytes(*last));
    let mixed = last.wrapping_mul(MULTIPLIER) ^ first ^ code.len() as u64;
    (mixed.wrapping_mul(MULTIPLIER) >> 32) as usize % SLOTS
}

/// The golden ratio, which spreads neighbours.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl fmt::Debug for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the [variant's name](EventKind::name).
impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Reads the [variant's name](EventKind::name).
impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = EventKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an event's kind, such as `CrmDealAdd`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<EventKind, E> {
        let mut kinds = EventKind::ALL.iter().copied();
        kinds
            .find(|kind| kind.name() == name)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(name), &self))
    }
}

/// Reads a code, as [`EventKind::from_code`] does.
impl FromStr for EventKind {
    type Err = UnknownCode;

    fn from_str(code: &str) -> Result<Self, UnknownCode> {
        Self::from_code(code).ok_or(UnknownCode(()))
    }
}

/// The error of parsing an [`EventKind`]: the code is not documented.
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
    fn event_code_is_found_in_any_case_and_is_the_documented_name_in_upper_case() {
        for &kind in EventKind::ALL {
            assert_eq!(EventKind::from_code(kind.as_str()), Some(kind));
            assert_eq!(EventKind::from_code(kind.documented_name()), Some(kind));
            assert_eq!(kind.documented_name().to_ascii_uppercase(), kind.as_str());
        }
    }

    #[test]
    fn code_with_the_prefix_of_a_scope_is_of_that_scope() {
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
    fn event_kind_is_serialized_and_deserialized_by_its_variant_name() {
        for &kind in EventKind::ALL {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.name()));
            assert_eq!(serde_json::from_str::<EventKind>(&json).unwrap(), kind);
        }
        let error = serde_json::from_str::<EventKind>("\"ONCRMDEALADD\"").unwrap_err();
        let expected = "invalid value: string \"ONCRMDEALADD\", expected the name of an event's \
                        kind, such as `CrmDealAdd`";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn part_of_an_event_code_is_not_a_code() {
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
