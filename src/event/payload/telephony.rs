//! Payloads of the scope `telephony`.

use serde::{Deserialize, Serialize};

use crate::form::field::{Flag, List, lenient, objects, optional_flag, optional_number};
use crate::macros::open_enum;

/// A user started an outgoing call through the application. Documentation page:
/// *OnExternalCallStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ExternalCall {
    /// The number to call (`PHONE_NUMBER`), as the user saw it.
    pub phone_number: Option<String>,
    /// The same number in international form (`PHONE_NUMBER_INTERNATIONAL`).
    pub phone_number_international: Option<String>,
    /// The extension to dial (`EXTENSION`), or empty.
    pub extension: Option<String>,
    /// The id of the user that the call is for (`USER_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
    /// The id of the call list that the call is from (`CALL_LIST_ID`); 0 if it is not from one.
    #[serde(default, deserialize_with = "optional_number")]
    pub call_list_id: Option<u64>,
    /// The number of the external line to call from (`LINE_NUMBER`).
    pub line_number: Option<String>,
    /// Yes if the user started the call in the mobile application (`IS_MOBILE`).
    #[serde(default, deserialize_with = "optional_flag")]
    pub is_mobile: Option<Flag>,
    /// The call's id (`CALL_ID`). The call is already registered.
    pub call_id: Option<String>,
    /// The kind of CRM object that the call is about (`CRM_ENTITY_TYPE`).
    pub crm_entity_type: Option<CrmEntityType>,
    /// The id of that object (`CRM_ENTITY_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub crm_entity_id: Option<u64>,
    /// The id of the lead that was created for the call (`CRM_CREATED_LEAD`).
    #[serde(default, deserialize_with = "lenient")]
    pub crm_created_lead: Option<u64>,
    /// The CRM objects that were created for the call (`CRM_CREATED_ENTITIES`).
    #[serde(default, deserialize_with = "objects")]
    pub crm_created_entities: List<CrmCreatedEntity>,
}

/// A CRM object that was created for a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct CrmCreatedEntity {
    /// The kind of object (`ENTITY_TYPE`).
    #[serde(default, deserialize_with = "lenient")]
    pub entity_type: Option<CrmEntityType>,
    /// The object's id (`ENTITY_ID`).
    #[serde(default, deserialize_with = "lenient")]
    pub entity_id: Option<u64>,
}

/// A visitor requested a call in a CRM form. Documentation page: *OnExternalCallBackStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct ExternalCallback {
    /// The number to call (`PHONE_NUMBER`).
    pub phone_number: String,
    /// The text that is read to the operator before the call (`TEXT`).
    pub text: Option<String>,
    /// The id of the voice that reads it (`VOICE`), as listed by `voximplant.tts.voices.get`.
    pub voice: Option<String>,
    /// The kind of CRM object that the call is about (`CRM_ENTITY_TYPE`).
    pub crm_entity_type: Option<CrmEntityType>,
    /// The id of that object (`CRM_ENTITY_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub crm_entity_id: Option<u64>,
    /// The number of the external line to call from (`LINE_NUMBER`).
    pub line_number: Option<String>,
}

/// An incoming or outgoing call was initialized. Documentation page: *OnVoximplantCallInit*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct CallInit {
    /// The call's id (`CALL_ID`).
    pub call_id: String,
    /// The kind of call (`CALL_TYPE`).
    pub call_type: Option<CallType>,
    /// The id of the line (`ACCOUNT_SEARCH_ID`): a rented number, `reg…` for a cloud PBX, `sip…`
    /// for an office PBX. `None` for an application's calls.
    pub account_search_id: Option<String>,
    /// The number that is called (`PHONE_NUMBER`). `None` for an application's calls.
    pub phone_number: Option<String>,
    /// The line's id if the call is outgoing, or the client's number if it is incoming
    /// (`CALLER_ID`).
    pub caller_id: Option<String>,
    /// The id of the application that makes the call (`REST_APP_ID`). `None` for other calls.
    #[serde(default, deserialize_with = "optional_number")]
    pub rest_app_id: Option<u64>,
}

/// A call was answered. Documentation page: *OnVoximplantCallStart*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct CallStart {
    /// The call's id (`CALL_ID`).
    pub call_id: String,
    /// The id of the user who answered (`USER_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub user_id: Option<u64>,
}

/// A call has ended and is in the history. Documentation page: *OnVoximplantCallEnd*.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct CallEnd {
    /// The call's id (`CALL_ID`).
    pub call_id: String,
    /// The kind of call (`CALL_TYPE`).
    pub call_type: Option<CallType>,
    /// The client's number (`PHONE_NUMBER`).
    pub phone_number: Option<String>,
    /// The number of the portal (`PORTAL_NUMBER`), called or calling. `REST_APP:` for an application's
    /// calls.
    pub portal_number: Option<String>,
    /// The id of the operator (`PORTAL_USER_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub portal_user_id: Option<u64>,
    /// The duration of the call (`CALL_DURATION`), in seconds.
    #[serde(default, deserialize_with = "optional_number")]
    pub call_duration: Option<u64>,
    /// The start of the call (`CALL_START_DATE`), in ISO 8601.
    pub call_start_date: Option<String>,
    /// The price of the call (`COST`), a decimal number.
    pub cost: Option<String>,
    /// The currency of the price (`COST_CURRENCY`), or empty.
    pub cost_currency: Option<String>,
    /// The outcome of the call as a code (`CALL_FAILED_CODE`).
    pub call_failed_code: Option<CallFailedCode>,
    /// The outcome of the call in words (`CALL_FAILED_REASON`).
    pub call_failed_reason: Option<String>,
    /// The id of the call's activity in the CRM (`CRM_ACTIVITY_ID`).
    #[serde(default, deserialize_with = "optional_number")]
    pub crm_activity_id: Option<u64>,
}

open_enum! {
    /// The kind of a call (`CALL_TYPE`).
    ///
    /// Documentation pages: *OnVoximplantCallInit* and *OnVoximplantCallEnd*.
    CallType {
        /// An outgoing call.
        Outgoing = "1",
        /// An incoming call.
        Incoming = "2",
        /// An incoming call that was redirected.
        IncomingRedirected = "3",
        /// A callback.
        Callback = "4",
        /// An informational call.
        Informational = "5",
    }
}

open_enum! {
    /// The outcome of a call (`CALL_FAILED_CODE`).
    ///
    /// Documentation page: *OnVoximplantCallEnd*. It has the same text for 484 and 503. The
    /// names here are those of SIP.
    CallFailedCode {
        /// The call succeeded.
        Success = "200",
        /// The call was missed.
        Missed = "304",
        /// The account has not enough money.
        InsufficientFunds = "402",
        /// The call was forbidden.
        Forbidden = "403",
        /// The number does not exist.
        InvalidNumber = "404",
        /// The number was temporarily unavailable.
        TemporarilyUnavailable = "480",
        /// The direction was unavailable.
        AddressIncomplete = "484",
        /// The number was busy.
        Busy = "486",
        /// The call was blocked.
        Blocked = "423",
        /// The direction was unavailable.
        ServiceUnavailable = "503",
        /// The call was declined.
        Declined = "603",
        /// The call was canceled.
        Cancelled = "603-S",
        /// The outcome is unknown.
        Undefined = "OTHER",
    }
}

open_enum! {
    /// A kind of CRM object that a call is about (`CRM_ENTITY_TYPE`).
    ///
    /// Documentation pages: *OnExternalCallStart* and *telephony.externalCall.register*, which
    /// lists the values.
    CrmEntityType {
        /// A contact.
        Contact = "CONTACT",
        /// A company.
        Company = "COMPANY",
        /// A lead.
        Lead = "LEAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::payload::samples;
    use crate::form::FormReader;

    #[test]
    fn external_call_samples_are_typed() {
        let calls = samples::read(&["ONEXTERNALCALLSTART"], FormReader::data::<ExternalCall>);
        let call = &calls[0];
        assert_eq!(call.phone_number.as_deref(), Some("+494951234567"));
        assert_eq!((call.user_id, call.call_list_id), (Some(1269), Some(0)));
        assert_eq!(call.extension.as_deref(), Some(""));
        assert_eq!(call.is_mobile.map(Flag::is_yes), Some(false));
        assert_eq!(call.crm_entity_type, Some(CrmEntityType::Contact));
        assert_eq!(call.crm_entity_id, Some(797));

        let calls = samples::read(
            &["ONEXTERNALCALLBACKSTART"],
            FormReader::data::<ExternalCallback>,
        );
        assert_eq!(calls[0].phone_number, "+494951234567");
        assert_eq!(calls[0].crm_entity_id, Some(5785));
        assert_eq!(calls[0].line_number.as_deref(), Some("7"));
    }

    #[test]
    fn call_without_a_number_is_typed() {
        let form = "event=ONEXTERNALCALLSTART&data[CALL_ID]=externalCall.x";
        let call: ExternalCall = samples::data(form).data().unwrap();
        assert_eq!(call.call_id.as_deref(), Some("externalCall.x"));
        assert_eq!(call.phone_number, None);
    }

    #[test]
    fn external_call_has_the_crm_objects_created_for_it() {
        let read = |pairs: &str| {
            let form = format!("event=ONEXTERNALCALLSTART&data[CALL_ID]=externalCall.x{pairs}");
            samples::data(form).data::<ExternalCall>().unwrap()
        };
        let call = read(
            "&data[CRM_CREATED_LEAD]=55&data[CRM_CREATED_ENTITIES][0][ENTITY_TYPE]=LEAD\
             &data[CRM_CREATED_ENTITIES][0][ENTITY_ID]=55\
             &data[CRM_CREATED_ENTITIES][1][ENTITY_TYPE]=DEAL",
        );
        assert_eq!(call.crm_created_lead, Some(55));
        let [lead, deal] = &call.crm_created_entities[..] else {
            panic!("{call:?}")
        };
        assert_eq!(lead.entity_type, Some(CrmEntityType::Lead));
        assert_eq!(lead.entity_id, Some(55));
        assert_eq!(deal.entity_type.as_ref().unwrap().as_str(), "DEAL");
        assert_eq!(deal.entity_id, None);

        for pairs in [
            "&data[CRM_CREATED_LEAD][0]=55",
            "&data[CRM_CREATED_ENTITIES]=x",
            "&data[CRM_CREATED_ENTITIES][0]=LEAD",
            "&data[CRM_CREATED_ENTITIES][x][y]=LEAD",
            "&data[CRM_CREATED_ENTITIES][0][ENTITY_TYPE][x]=LEAD",
        ] {
            let call = read(pairs);
            assert_eq!(call.call_id.as_deref(), Some("externalCall.x"), "{pairs}");
            assert_eq!(call.crm_created_lead, None, "{pairs}");
        }
    }

    #[test]
    fn voximplant_call_samples_are_typed() {
        let calls = samples::read(&["ONVOXIMPLANTCALLINIT"], FormReader::data::<CallInit>);
        let [sip, application] = &calls[..] else {
            panic!("{calls:?}")
        };
        assert_eq!(sip.call_type, Some(CallType::Outgoing));
        assert_eq!(sip.account_search_id.as_deref(), Some("reg150908"));
        assert_eq!(sip.rest_app_id, None);
        assert_eq!(application.phone_number, None);
        assert_eq!(application.rest_app_id, Some(3));

        let calls = samples::read(&["ONVOXIMPLANTCALLSTART"], FormReader::data::<CallStart>);
        assert_eq!(calls[0].call_id, application.call_id);
        assert_eq!(calls[0].user_id, Some(1269));

        let calls = samples::read(&["ONVOXIMPLANTCALLEND"], FormReader::data::<CallEnd>);
        let call = &calls[0];
        assert_eq!(call.call_id, application.call_id);
        assert_eq!(call.call_duration, Some(0));
        assert_eq!(call.cost.as_deref(), Some("0"));
        assert_eq!(call.cost_currency.as_deref(), Some(""));
        assert_eq!(call.call_failed_code, Some(CallFailedCode::Missed));
        assert_eq!(call.crm_activity_id, Some(7953));
    }

    #[test]
    fn call_codes_that_are_not_numbers_are_typed() {
        for (text, code) in [
            ("603-S", CallFailedCode::Cancelled),
            ("OTHER", CallFailedCode::Undefined),
            ("500", CallFailedCode::Other("500".into())),
        ] {
            let form = format!(
                "event=ONVOXIMPLANTCALLEND&data[CALL_ID]=c&data[CALL_FAILED_CODE]={text}\
                 &data[CRM_ACTIVITY_ID]="
            );
            let call: CallEnd = samples::data(form).data().unwrap();
            assert_eq!(call.call_failed_code, Some(code));
            assert_eq!(call.crm_activity_id, None);
        }
    }
}
