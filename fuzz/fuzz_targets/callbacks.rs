//! Forms of the keys that decide what a request is, in every spelling: the kind and the token of a
//! callback are those that PHP finds, an event is never a callback too, and no output shows the token.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use tower_bitrix24::callback::CallbackKind;
use tower_bitrix24_fuzz::{
    TOKEN, check_callback, exercise, exercise_callback, verified, verified_callback,
};

/// The pairs of a request that is complete, to which a few others are added.
const BASES: [&str; 8] = [
    "",
    "workflow_id=w&code=c&document_id[0]=crm&document_id[1]=D&document_id[2]=DEAL_1\
     &document_type[0]=crm&document_type[1]=D&document_type[2]=DEAL&event_token=1.a",
    "type=SMS&code=c&message_id=1&message_body=x&message_to=2&properties[phone_number]=2",
    "workflow_id=w&type=SMS&code=c&properties[phone_number]=2&properties[message_text]=x",
    "AUTH_ID=4d&REFRESH_ID=3d&member_id=a&PLACEMENT=DEFAULT&PLACEMENT_OPTIONS=%7B%22ID%22%3A7%7D",
    "event=OnAppSettingsChange&data[key]=1",
    "data[key]=1&saveform=Y",
    "event=ONCRMDEALADD&data[FIELDS][ID]=1",
];

/// The keys of the token, mostly the right one.
const TOKENS: [&str; 8] = [
    "auth[application_token]",
    "auth[application_token]",
    "auth[application_token]",
    "auth%5Bapplication_token%5D",
    "APPLICATION_TOKEN",
    "APPLICATION_TOKEN",
    "application_token",
    "auth[x][application_token]",
];

const KEYS: [&str; 24] = [
    "event",
    "event_token",
    "message_id",
    "message_body",
    "AUTH_ID",
    "APPLICATION_TOKEN",
    "PLACEMENT",
    "PLACEMENT_OPTIONS",
    "member_id",
    "status",
    "auth[application_token]",
    "auth[access_token]",
    "auth[member_id]",
    "auth",
    "data",
    "data[x]",
    "ts",
    "code",
    "type",
    "workflow_id",
    "document_id[2]",
    "properties[phone_number]",
    "properties[x]",
    "x",
];

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Spelling {
    AsIs,
    AsIsToo,
    Encoded,
    OtherCase,
    Dots,
    Pluses,
    LeadingSpace,
    Array,
    OpenBracket,
    Nul,
    Nested,
}

fn spelled(key: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::AsIs | Spelling::AsIsToo => key.to_owned(),
        Spelling::Encoded => key.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        Spelling::OtherCase => key
            .chars()
            .map(|char| {
                if char.is_ascii_lowercase() {
                    char.to_ascii_uppercase()
                } else {
                    char.to_ascii_lowercase()
                }
            })
            .collect(),
        Spelling::Dots => key.replace('_', "."),
        Spelling::Pluses => key.replace('_', "+"),
        Spelling::LeadingSpace => format!("+{key}"),
        Spelling::Array => format!("{key}[]"),
        Spelling::OpenBracket => key.replacen('_', "[", 1),
        Spelling::Nul => format!("{key}%00"),
        Spelling::Nested => format!("[{key}]"),
    }
}

#[derive(Debug)]
struct Form {
    body: String,
}

impl<'a> Arbitrary<'a> for Form {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut pairs: Vec<String> = vec![(*u.choose(&BASES)?).to_owned()];
        for _ in 0..u.int_in_range(0..=3)? {
            let key = spelled(u.choose(&KEYS)?, u.arbitrary()?);
            let value = *u.choose(&["", "1", "ONAPPTEST", "OnAppSettingsInstall", "%5B%5D"])?;
            let at = u.int_in_range(0..=pairs.len())?;
            pairs.insert(at, format!("{key}={value}"));
        }
        let at = u.int_in_range(0..=pairs.len())?;
        pairs.insert(at, format!("{}={TOKEN}", u.choose(&TOKENS)?));
        pairs.retain(|pair| !pair.is_empty());
        Ok(Self {
            body: pairs.join("&"),
        })
    }
}

fuzz_target!(|form: Form| {
    let body = form.body.as_bytes();
    let kind = check_callback(body);
    let event = verified(body);
    if let Some(event) = &event {
        exercise(event);
        // Without callbacks, the settings form is an event like any other.
        assert!(
            matches!(kind, None | Some(CallbackKind::Settings)),
            "an event and a callback: {}",
            form.body
        );
    }
    if let Some(callback) = verified_callback(body) {
        assert_eq!(Some(callback.kind()), kind);
        for shown in exercise_callback(&callback) {
            assert!(!shown.contains(TOKEN), "the token is shown: {shown}");
        }
    }
});
