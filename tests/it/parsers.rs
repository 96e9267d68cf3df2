//! Other parsers read an accepted body as the scan does: the verified token is the token that a
//! later parser of the body sees.

use std::collections::HashMap;

use proptest::prelude::*;
use serde::Deserialize;
use tower_bitrix24::Envelope;

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    application_token: Option<String>,
    #[serde(default)]
    member_id: Option<String>,
}

/// Forms of keys that are, or resemble, those of an envelope.
fn form() -> impl Strategy<Value = String> {
    let open = prop_oneof![Just("["), Just("%5B"), Just("%5b"), Just("%255B"), Just("")];
    let close = prop_oneof![Just("]"), Just("%5D"), Just("%5d"), Just("")];
    let name = prop_oneof![
        Just("event"),
        Just("%65vent"),
        Just("auth"),
        Just("application_token"),
        Just("application%5Ftoken"),
        Just("member_id"),
        Just("data"),
        Just("x"),
        Just("0"),
        Just(""),
        Just("+"),
        Just("%00"),
        Just("."),
        Just("[")
    ];
    let segment =
        (open, name.clone(), close).prop_map(|(open, name, close)| [open, name, close].concat());
    let key = (name, prop::collection::vec(segment, 0..3))
        .prop_map(|(root, rest)| format!("{root}{}", rest.concat()));
    let pair = (key, "[ab]?").prop_map(|(key, value)| format!("{key}={value}&"));
    prop::collection::vec(pair, 0..5).prop_map(|pairs| {
        format!(
            "event=E&auth[application_token]=T&auth[member_id]=M&{}",
            pairs.concat()
        )
    })
}

// serde fills the fields of a struct from a list in their order, so some readers take `auth[]=x`
// for a token.
#[test]
fn serde_qs_reads_no_token_from_a_list_beside_it() {
    for form in [
        "event=E&auth[]=x&auth[application_token]=T&auth[member_id]=M",
        "event=E&auth[application_token]=T&auth[member_id]=M&auth%5B%5D=x",
        "event=E&auth[0]=x&auth[1]=y&auth[application_token]=T&auth[member_id]=M",
    ] {
        assert!(Envelope::scan(form).is_ok(), "{form}");
        for form_encoding in [false, true] {
            let config = serde_qs::Config::new().use_form_encoding(form_encoding);
            if let Ok(body) = config.deserialize_str::<Body>(form) {
                let token = body.auth.unwrap().application_token;
                assert_eq!(token.as_deref(), Some("T"), "{form}");
            }
        }
    }
    let alone = serde_qs::from_str::<Body>("event=E&auth[]=x").unwrap();
    assert_eq!(alone.auth.unwrap().application_token.as_deref(), Some("x"));
    assert_eq!(
        Envelope::scan("event=E&auth[]=x")
            .unwrap()
            .application_token(),
        None
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, max_global_rejects: 16_384, ..Default::default() })]

    #[test]
    fn serde_qs_reads_the_scanned_envelope(form in form()) {
        prop_assume!(Envelope::scan(form.clone()).is_ok());
        for form_encoding in [false, true] {
            let config = serde_qs::Config::new().use_form_encoding(form_encoding);
            let Ok(body) = config.deserialize_str::<Body>(&form) else { continue };
            prop_assert_eq!(body.event.as_deref(), Some("E"));
            let auth = body.auth.unwrap();
            // Without form encoding it reads `%5B` as part of a name and finds fewer fields, never
            // others.
            prop_assert_eq!(auth.application_token.as_deref(), Some("T"));
            prop_assert_eq!(auth.member_id.as_deref(), Some("M"));
        }
    }

    #[test]
    fn flat_parser_reads_the_scanned_envelope(form in form()) {
        prop_assume!(Envelope::scan(form.clone()).is_ok());
        // The last of equal keys wins.
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&form).unwrap();
        let body: HashMap<String, String> = pairs.into_iter().collect();
        prop_assert_eq!(&body["event"], "E");
        prop_assert_eq!(&body["auth[application_token]"], "T");
        prop_assert_eq!(&body["auth[member_id]"], "M");
    }
}
