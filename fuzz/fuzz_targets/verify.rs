//! Any body, scanned, verified with the right token, parsed and shown: no output contains the
//! token.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Envelope;
use tower_bitrix24::callback::CallbackKind;
use tower_bitrix24_fuzz::{
    TOKEN, contains, exercise, exercise_callback, verified, verified_by, verified_callback,
};

fuzz_target!(|body: &[u8]| {
    // Verifies with the token that the body contains.
    if let Ok(envelope) = Envelope::scan(body.to_vec()) {
        let token = envelope.application_token().map(|token| token.into_owned());
        let token = token.and_then(|token| String::from_utf8(token).ok());
        if let Some(event) = token.and_then(|token| verified_by(&token, envelope)) {
            exercise(&event);
        }
    }

    if contains(body, TOKEN) {
        return;
    }
    // The same for a callback: a form is never both.
    for key in ["auth[application_token]", "APPLICATION_TOKEN"] {
        let body = [body, b"&", key.as_bytes(), b"=", TOKEN.as_bytes()].concat();
        let Some(callback) = verified_callback(body.clone()) else {
            continue;
        };
        // Without callbacks, the settings form is an event like any other.
        if callback.kind() != CallbackKind::Settings {
            assert!(verified(body).is_none(), "an event and a callback");
        }
        for shown in exercise_callback(&callback) {
            assert!(!shown.contains(TOKEN), "the token is shown: {shown}");
        }
    }

    // Adds the right token in its place, and then where events of bots repeat it.
    let body = [body, b"&auth[application_token]=", TOKEN.as_bytes()].concat();
    let Some(event) = verified(body.clone()) else {
        return;
    };
    let mut shown = exercise(&event).to_vec();
    let deeper = [
        "&data[BOT][7][access_token]=",
        "&data[TOKEN]=",
        "&auth[refresh_token]=",
    ];
    for key in deeper {
        let body = [&*body, key.as_bytes(), TOKEN.as_bytes()].concat();
        shown.extend(verified(body).iter().flat_map(exercise));
    }
    for shown in shown {
        assert!(!shown.contains(TOKEN), "the token is shown: {shown}");
    }
});
