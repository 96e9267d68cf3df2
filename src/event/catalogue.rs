//! The table of the documented events: their codes, names, scopes and payloads.
//!
//! An event is added by adding its row, under its scope:
//!
//! ```text
//! CrmDealAdd = "ONCRMDEALADD" / "onCrmDealAdd" => fields(ItemId),
//!     "A deal was added.", "crm/deals/events/on-crm-deal-add.md";
//! ```
//!
//! that is the variant, the code on the wire, the name in the documentation, where the payload is
//! (`fields`: in `data[FIELDS]`; `data`: in `data` itself), its type, what the event says, and the
//! documentation page below `api-reference/`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::data::{Data, Mismatch};
use super::payload::*;

macro_rules! catalogue {
    ($(
        scope $scope:literal {$(
            $variant:ident = $code:literal / $name:literal => $place:ident($payload:ident),
                $says:literal, $page:literal $(, $deprecated:ident)?;
        )+}
    )+) => {
        /// The documented events.
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
            #[doc = concat!("\n\nDocumentation page: *", $name, "* (`api-reference/", $page, "`).")]
            $variant,
        )+)+}

        /// The payload of an event, by its kind.
        ///
        /// It is serialised as the payload alone, under the names of the wire, and `Unknown` as
        /// nothing (`null`).
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Payload {
            $($(
                #[doc = $says]
                $variant($payload),
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

            const ROWS: &'static [Row] = &[$($(
                Row {
                    code: $code,
                    documented_name: $name,
                    scope: $scope,
                    variant: stringify!($variant),
                    deprecated: false $(|| stringify!($deprecated).len() > 0)?,
                },
            )+)+];
        }

        impl Payload {
            /// Reads the payload of a `kind` of event.
            pub(super) fn read(kind: EventKind, data: &Data) -> Result<Self, Mismatch> {
                match kind {
                    $($(EventKind::$variant => data.$place().map(Self::$variant),)+)+
                }
            }
        }
    };
}

catalogue! {
    scope "basic" {
        AppInstall = "ONAPPINSTALL" / "OnAppInstall" => data(AppInstall),
            "The application was installed on a portal.", "common/events/on-app-install.md";
        AppMethodConfirm = "ONAPPMETHODCONFIRM" / "onAppMethodConfirm" => data(AppMethodConfirm),
            "An administrator allowed or refused a guarded REST method.", "common/events/on-app-method-confirm.md";
        AppPayment = "ONAPPPAYMENT" / "onAppPayment" => data(AppPayment),
            "The application was paid for.", "common/events/on-app-payment.md";
        AppTest = "ONAPPTEST" / "ONAPPTEST" => data(AppTest),
            "A test event, sent by the method event.test.", "events/test-handler.md";
        AppUninstall = "ONAPPUNINSTALL" / "onAppUninstall" => data(AppUninstall),
            "The application was removed from a portal.", "common/events/on-app-uninstall.md";
        AppUpdate = "ONAPPUPDATE" / "OnAppUpdate" => data(AppUpdate),
            "A new version of the application was installed.", "common/events/on-app-update.md";
        OfflineEvent = "ONOFFLINEEVENT" / "onOfflineEvent" => data(NoData),
            "The queue of offline events got new records.", "events/on-offline-event.md";
    }
    scope "user" {
        UserAdd = "ONUSERADD" / "onUserAdd" => data(User),
            "A new user finished registration on the portal.", "common/events/on-user-add.md";
    }
    scope "crm" {
        CrmAddressRegister = "ONCRMADDRESSREGISTER" / "onCrmAddressRegister" => fields(CrmAddress),
            "An address was registered.", "crm/requisites/events/on-crm-address-register.md";
        CrmAddressUnregister = "ONCRMADDRESSUNREGISTER" / "onCrmAddressUnregister" => fields(CrmAddress),
            "An address was removed.", "crm/requisites/events/on-crm-address-unregister.md";
        CrmBankDetailAdd = "ONCRMBANKDETAILADD" / "onCrmBankDetailAdd" => fields(ItemId),
            "A bank detail was added.", "crm/requisites/events/on-crm-bank-detail-add.md";
        CrmBankDetailDelete = "ONCRMBANKDETAILDELETE" / "onCrmBankDetailDelete" => fields(ItemId),
            "A bank detail was deleted.", "crm/requisites/events/on-crm-bank-detail-delete.md";
        CrmBankDetailUpdate = "ONCRMBANKDETAILUPDATE" / "onCrmBankDetailUpdate" => fields(ItemId),
            "A bank detail was changed.", "crm/requisites/events/on-crm-bank-detail-update.md";
        CrmRequisiteAdd = "ONCRMREQUISITEADD" / "onCrmRequisiteAdd" => fields(ItemId),
            "A requisite was added.", "crm/requisites/events/on-crm-requisite-add.md";
        CrmRequisiteDelete = "ONCRMREQUISITEDELETE" / "onCrmRequisiteDelete" => fields(ItemId),
            "A requisite was deleted.", "crm/requisites/events/on-crm-requisite-delete.md";
        CrmRequisiteUpdate = "ONCRMREQUISITEUPDATE" / "onCrmRequisiteUpdate" => fields(ItemId),
            "A requisite was changed.", "crm/requisites/events/on-crm-requisite-update.md";
        CrmRequisiteUserFieldAdd = "ONCRMREQUISITEUSERFIELDADD" / "onCrmRequisiteUserFieldAdd" => fields(UserField),
            "A custom field of requisites was added.", "crm/requisites/events/on-crm-requisite-user-field-add.md";
        CrmRequisiteUserFieldDelete = "ONCRMREQUISITEUSERFIELDDELETE" / "onCrmRequisiteUserFieldDelete" => fields(UserField),
            "A custom field of requisites was deleted.", "crm/requisites/events/on-crm-requisite-user-field-delete.md";
        CrmRequisiteUserFieldSetEnumValues = "ONCRMREQUISITEUSERFIELDSETENUMVALUES" / "onCrmRequisiteUserFieldSetEnumValues" => fields(UserField),
            "A custom field of requisites got another set of list values.", "crm/requisites/events/on-crm-requisite-user-field-set-enum-values.md";
        CrmRequisiteUserFieldUpdate = "ONCRMREQUISITEUSERFIELDUPDATE" / "onCrmRequisiteUserFieldUpdate" => fields(UserField),
            "A custom field of requisites was changed.", "crm/requisites/events/on-crm-requisite-user-field-update.md";
    }
}

struct Row {
    code: &'static str,
    documented_name: &'static str,
    scope: &'static str,
    variant: &'static str,
    deprecated: bool,
}

impl EventKind {
    /// The kinds sorted by their codes, so that a code is found in a few comparisons.
    const BY_CODE: [Self; Self::ALL.len()] = {
        let mut sorted = [Self::ALL[0]; Self::ALL.len()];
        let mut len = 0;
        while len < sorted.len() {
            let kind = Self::ALL[len];
            let mut at = len;
            while at > 0 && precedes(kind.row().code, sorted[at - 1].row().code) {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = kind;
            len += 1;
        }
        sorted
    };

    /// The kind of an event by its code, in upper or lower case; `None` where the code is not
    /// documented.
    ///
    /// ```
    /// use tower_bitrix24::EventKind;
    ///
    /// assert_eq!(EventKind::from_code("ONCRMREQUISITEADD"), Some(EventKind::CrmRequisiteAdd));
    /// assert_eq!(EventKind::from_code("onCrmRequisiteAdd"), Some(EventKind::CrmRequisiteAdd));
    /// assert_eq!(EventKind::from_code("ONSOMETHINGNEW"), None);
    /// ```
    pub fn from_code(code: &str) -> Option<Self> {
        let upper = code.bytes().map(|byte| byte.to_ascii_uppercase());
        let found = Self::BY_CODE.binary_search_by(|kind| kind.as_str().bytes().cmp(upper.clone()));
        found.ok().map(|at| Self::BY_CODE[at])
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

    /// Whether the documentation advises against the event.
    pub const fn is_deprecated(self) -> bool {
        self.row().deprecated
    }

    /// The name of the variant, such as `CrmRequisiteAdd`.
    pub const fn name(self) -> &'static str {
        self.row().variant
    }

    const fn row(self) -> &'static Row {
        &Self::ROWS[self as usize]
    }
}

const fn precedes(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut at = 0;
    while at < left.len() && at < right.len() {
        if left[at] != right[at] {
            return left[at] < right[at];
        }
        at += 1;
    }
    left.len() < right.len()
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
