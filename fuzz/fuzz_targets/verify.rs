//! The whole way of any body: scanned, verified with the right token, parsed, shown. The token comes
//! out nowhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_bitrix24::Envelope;
use tower_bitrix24_fuzz::{TOKEN, ask, contains, verified, verified_by};

fuzz_target!(|body: &[u8]| {
    // The token that the body has is the right one.
    if let Ok(envelope) = Envelope::scan(body.to_vec()) {
        let token = envelope.application_token().map(|token| token.into_owned());
        let token = token.and_then(|token| String::from_utf8(token).ok());
        if let Some(event) = token.and_then(|token| verified_by(&token, envelope)) {
            ask(&event);
        }
    }

    if contains(body, TOKEN) {
        return;
    }
    // The right token is put where it belongs, and then where bots bring it a second time.
    let body = [body, b"&auth[application_token]=", TOKEN.as_bytes()].concat();
    let Some(event) = verified(body.clone()) else {
        return;
    };
    let mut shown = ask(&event).to_vec();
    let deeper = [
        "&data[BOT][7][access_token]=",
        "&data[TOKEN]=",
        "&auth[refresh_token]=",
    ];
    for key in deeper {
        let body = [&*body, key.as_bytes(), TOKEN.as_bytes()].concat();
        shown.extend(verified(body).iter().flat_map(ask));
    }
    for shown in shown {
        assert!(!shown.contains(TOKEN), "the token is shown: {shown}");
    }
});
