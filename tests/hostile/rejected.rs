//! Bodies that are rejected: the cost of the scan, and keys and tokens in every spelling.

use std::pin::pin;

use allocation_counter::measure;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use http_body_util::Full;
use tower::{Layer, Service};
use tower_bitrix24::envelope::EnvelopeErrorKind;
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::{Envelope, RejectionKind};

use crate::common::{TOKEN, post};
use crate::{
    Handler, LARGE, SHAPES, SMALL, assert_linear, cost, event, layer, now, rejection, with_token,
};

#[test]
fn rejection_of_any_body_takes_linear_time_and_no_memory() {
    // The cost of a response alone, to a body whose announced length is too large.
    let response = {
        let mut request = post(Full::new(Bytes::new()));
        let length = HeaderValue::from_static("18446744073709551615");
        request.headers_mut().insert(CONTENT_LENGTH, length);
        let service = layer()
            .on_rejection(RejectionPolicy::Acknowledge)
            .wrap_body()
            .layer(Handler);
        measure(|| drop(now(pin!(service.clone().call(request)))))
    };
    for shape in &SHAPES {
        let [small, large] = [SMALL, LARGE].map(|size| {
            let body = with_token("ONUSERADD", "guess", &shape.of(size));
            let (info, rejected) = cost(&body);
            assert_eq!(rejection(&rejected), RejectionKind::TokenRejected);
            let more = info.count_total.saturating_sub(response.count_total);
            assert!(more <= 1, "{}: {more} allocations", shape.name);
            assert!(info.bytes_max < 2048, "{}: {info:?}", shape.name);
            body
        });
        assert_linear(shape.name, &small, &large, |body| drop(cost(body)));
    }
    println!("the response alone: {response:?}");
}

#[test]
fn scan_stops_at_the_maximum_number_of_pairs() {
    for unit in ["&a=1", "&data[FIELDS][ID]=1", "&%", "&+a", "&auth[x]"] {
        let [ten, hundred] = [10_000, 100_000].map(|pairs| {
            let body = with_token("ONUSERADD", TOKEN, &unit.repeat(pairs));
            assert_eq!(
                Envelope::scan(body.clone()).unwrap_err().kind(),
                EnvelopeErrorKind::TooManyPairs,
            );
            let (info, rejected) = cost(&body);
            assert_eq!(rejection(&rejected), RejectionKind::Malformed);
            (info.count_total, info.bytes_max)
        });
        assert_eq!(ten, hundred, "{unit}");
        assert!(hundred.1 < 2048, "{hundred:?}");
    }
}

#[test]
fn token_of_any_length_costs_at_most_its_decoding() {
    let token = "%61".repeat(64 * 1024);
    let (info, rejected) = cost(&with_token("X", &token, ""));
    assert_eq!(rejection(&rejected), RejectionKind::TokenRejected);
    // Decoded once to see whether it is empty and once to be compared, never both at a time.
    assert!(info.bytes_max < token.len() as u64 + 2048, "{info:?}");
}

/// Returns ways to write a key: with each byte escaped, all bytes escaped, only the brackets
/// escaped.
fn spellings(key: &str) -> Vec<String> {
    let escape = |which: &dyn Fn(usize, u8) -> bool, lower: bool| -> String {
        let bytes = key.bytes().enumerate().map(|(at, byte)| match byte {
            byte if !which(at, byte) => char::from(byte).to_string(),
            byte if lower => format!("%{byte:02x}"),
            byte => format!("%{byte:02X}"),
        });
        bytes.collect()
    };
    let bracket = |_, byte| matches!(byte, b'[' | b']');
    let mut spellings = vec![key.to_owned()];
    for lower in [false, true] {
        spellings.push(escape(&bracket, lower));
        spellings.push(escape(&|_, _| true, lower));
        spellings.extend((0..key.len()).map(|place| escape(&|at, _| at == place, lower)));
    }
    spellings
}

#[test]
fn duplicate_envelope_key_is_rejected_in_every_encoding() {
    let fields = [
        "access_token",
        "expires",
        "expires_in",
        "scope",
        "domain",
        "server_endpoint",
        "status",
        "client_endpoint",
        "member_id",
        "user_id",
        "refresh_token",
        "application_token",
        "date_finish",
        "client_id",
        "error",
        "error_description",
    ];
    let mut keys: Vec<_> = fields.map(|field| format!("auth[{field}]")).into();
    keys.extend(["event", "event_handler_id", "ts"].map(str::to_owned));
    let mut count = 0;
    for key in keys {
        let all = spellings(&key);
        for (first, second) in all.iter().zip(all.iter().rev()).chain(all.iter().zip(&all)) {
            let once = ["event", "auth[application_token]"];
            let rest = once.iter().filter(|name| **name != key);
            let rest: String = rest.map(|name| format!("{name}={TOKEN}&")).collect();

            let body = format!("{rest}{first}={TOKEN}");
            assert!(Envelope::scan(body).is_ok(), "{first}");
            for body in [
                format!("{rest}{first}={TOKEN}&{second}={TOKEN}"),
                format!("{first}={TOKEN}&{rest}&data[a]=1&{second}"),
            ] {
                let error = Envelope::scan(body).unwrap_err();
                assert_eq!(error.kind(), EnvelopeErrorKind::DuplicateKey);
            }
            count += 1;
        }
        // Keys that PHP or serde_qs would fold into the key.
        for alias in ["+{}", "%20{}", "{}%00", "{}%00x", "{}\0", "[{}]", "{}[]"] {
            for spelling in &all {
                let alias = alias.replace("{}", spelling);
                let body = format!("event=E&auth[application_token]={TOKEN}&{alias}=x");
                let Err(error) = Envelope::scan(body) else {
                    panic!("{alias} is let through")
                };
                assert_eq!(error.kind(), EnvelopeErrorKind::AmbiguousKey, "{alias}");
            }
        }
    }
    println!("{count} pairs of spellings");
}

#[test]
fn broken_escape_at_the_end_is_kept_and_makes_no_valid_token() {
    for tail in [
        "%",
        "%5",
        "%5%",
        "%GG",
        "%%",
        "%u0041",
        "+",
        "%00",
        "%ED%A0%80",
    ] {
        let body = with_token("X", &format!("{TOKEN}{tail}"), "");
        assert_eq!(rejection(&cost(&body).1), RejectionKind::TokenRejected);
        let body = with_token("X", TOKEN, &format!("data[a]=1{tail}"));
        assert!(event(&cost(&body).1).data().is_some());
        // At the end of a key, where it does not matter.
        let body = with_token("X", TOKEN, &format!("data[a]=1&x{tail}"));
        assert_eq!(
            event(&cost(&body).1).data().unwrap()["a"].as_str(),
            Some("1")
        );
    }
    for body in [
        "%", "event%", "event=%", "%=%", "&%", "=", "==&=", "&&&", "\0",
    ] {
        let rejected = cost(&Bytes::from(body)).1;
        let kind = rejection(&rejected);
        if body.starts_with('=') {
            // Readers that fill structs in order read a key without a name as any field.
            assert_eq!(kind, RejectionKind::Malformed, "{body}");
        } else {
            assert!(
                matches!(kind, RejectionKind::NoEvent | RejectionKind::TokenMissing),
                "{body}: {kind:?}"
            );
        }
    }
}
