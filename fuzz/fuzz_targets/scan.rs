//! The scan of any bytes: it does not panic, and the token that it finds is the one that PHP and
//! serde_qs find in the same body, or they find none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use tower_bitrix24::Envelope;
use tower_bitrix24_fuzz::check_callback;
use tower_bitrix24_fuzz::php::{self, Dialect};

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
}

fuzz_target!(|body: &[u8]| {
    check_callback(body);
    let Ok(envelope) = Envelope::scan(body.to_vec()) else {
        return;
    };
    let _ = (
        envelope.handler_id(),
        envelope.timestamp(),
        envelope.member_id(),
        envelope.auth(),
    );
    let _ = format!("{envelope:?} {:?}", envelope.auth());
    let token = envelope.application_token();

    let php = php::read(body, Dialect::Php);
    let event = php.get(b"event").expect("PHP sees the event");
    let event = String::from_utf8_lossy(event.text().expect("as a text"));
    assert_eq!(event, envelope.code());
    if let Some(seen) = php
        .get(b"auth")
        .and_then(|auth| auth.get(b"application_token"))
    {
        let seen = seen.text().expect("PHP sees the token as a text");
        assert_eq!(seen, token.as_deref().unwrap_or_default());
    }

    // Parsers disagree on a `%` that starts no escape: serde_qs keeps the `%5B` of `%5%5B`. Such a
    // value appears nowhere else in the body, so nothing depends on it.
    if has_broken_escape(body) {
        return;
    }
    for form_encoding in [false, true] {
        let config = serde_qs::Config::new().use_form_encoding(form_encoding);
        let Ok(seen) = config.deserialize_bytes::<Body>(body) else {
            continue;
        };
        if let Some(event) = seen.event {
            assert_eq!(event, envelope.code());
        }
        // Without a token the envelope is rejected. With one, `auth` cannot be the list `auth[]=a`,
        // from which serde fills the fields of a struct in their order.
        if let (Some(seen), Some(token)) =
            (seen.auth.and_then(|auth| auth.application_token), &token)
        {
            assert_eq!(seen.as_bytes(), &**token);
        }
    }
});

fn has_broken_escape(body: &[u8]) -> bool {
    let digit = |at: usize| body.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut percents = body.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    percents.any(|(at, _)| !digit(at + 1) || !digit(at + 2))
}
