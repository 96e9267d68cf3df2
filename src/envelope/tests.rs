//! The parts that the scan finds in a body, and the bodies that it rejects.

use arbtest::{arbitrary, arbtest};

use super::*;

fn scan(body: &'static str) -> Result<Envelope, EnvelopeErrorKind> {
    Envelope::scan(body).map_err(|error| error.kind())
}

#[test]
fn envelope_is_found_in_any_order_of_its_keys() {
    let envelope =
        scan("auth[member_id]=m&ts=1466439714&data[ID]=1&auth[application_token]=t%2B&event=X&event_handler_id=7")
            .unwrap();
    assert_eq!(envelope.code(), "X");
    assert_eq!(envelope.handler_id(), Some(7));
    assert_eq!(envelope.timestamp(), Some(1_466_439_714));
    assert_eq!(envelope.member_id().as_deref(), Some("m"));
    assert_eq!(envelope.application_token().as_deref(), Some(&b"t+"[..]));
}

#[test]
fn empty_token_is_absent() {
    for (body, there) in [
        ("event=A", false),
        ("event=A&auth[application_token]", false),
        ("event=A&auth[application_token]=", false),
        ("event=A&auth[application_token]=%00", true),
        ("event=A&auth[application_token]=t", true),
    ] {
        let envelope = scan(body).unwrap();
        assert_eq!(envelope.has_application_token(), there, "{body}");
        assert_eq!(envelope.application_token().is_some(), there, "{body}");
    }
}

#[test]
fn envelope_keeps_the_body_and_its_debug_is_safe_to_log() {
    let body = "event=A&event_handler_id=7&ts=5&data[a]=x&auth[member_id]=m\
                &auth[application_token]=t";
    let envelope = scan(body).unwrap();
    assert_eq!(envelope.body(), body);
    assert_eq!(
        format!("{envelope:?}"),
        "Envelope { code: \"A\", handler_id: Some(7), ts: Some(5), member_id: Some(\"m\"), \
         body_bytes: 85, .. }"
    );
}

#[test]
fn duplicate_envelope_key_is_rejected() {
    for body in [
        "event=A&event=B",
        "event=A&%65vent=A",
        "event=A&auth[application_token]=a&auth[application_token]=a",
        "event=A&auth[application_token]=a&auth%5Bapplication_token%5D=b",
        "event=A&auth[application_token]=a&auth%5bapplication_token%5d=b",
        "event=A&auth[member_id]&auth[member_id]=b",
        "event=A&ts=&ts=1",
    ] {
        assert_eq!(
            scan(body).unwrap_err(),
            EnvelopeErrorKind::DuplicateKey,
            "{body}"
        );
    }
}

#[test]
fn ambiguous_envelope_key_is_rejected() {
    for body in [
        "event=A&+event=B",
        "event=A&[]=B",
        "event=A&=B",
        "event=A&auth[application_token]=a&auth[application_token][]=b",
    ] {
        assert_eq!(
            scan(body).unwrap_err(),
            EnvelopeErrorKind::AmbiguousKey,
            "{body}"
        );
    }
}

#[test]
fn body_without_an_event_has_no_envelope() {
    for body in [
        "auth=a&b=1",
        "ts=1&ts=2",
        "auth[domain]=a&auth[domain]=b",
        "",
        "&&",
        "event",
        "event=",
        "auth[application_token]=a",
        "data[event]=A",
    ] {
        assert_eq!(
            scan(body).unwrap_err(),
            EnvelopeErrorKind::NoEvent,
            "{body}"
        );
    }
}

#[test]
fn nested_token_is_not_the_envelope_token() {
    let envelope =
        scan("event=A&data[auth][application_token]=t&data[BOT][7][application_token]=t&auth[x][application_token]=t")
            .unwrap();
    assert_eq!(envelope.application_token(), None);
}

#[test]
fn scan_rejects_too_many_pairs() {
    let body = |pairs: usize| format!("event=A{}", "&a=".repeat(pairs - 1));
    assert!(Envelope::scan(body(Envelope::MAX_PAIRS)).is_ok());
    let error = Envelope::scan(body(Envelope::MAX_PAIRS + 1)).unwrap_err();
    assert_eq!(error.kind(), EnvelopeErrorKind::TooManyPairs);
}

#[test]
fn data_pairs_are_collected_from_between_other_keys() {
    let data = |body| {
        let data = scan(body).unwrap().data().map(Cow::into_owned);
        data.map(|data| String::from_utf8(data).unwrap())
    };
    assert_eq!(data("event=A&ts=1"), None);
    assert_eq!(data("event=A&data=107&ts=1").as_deref(), Some("data=107"));
    assert_eq!(
        data("data[a]=1&&data[b]=2&event=A").as_deref(),
        Some("data[a]=1&&data[b]=2")
    );
    assert_eq!(
        data("data[a]=1&event=A&data%5Bb%5D=2&x=y").as_deref(),
        Some("data[a]=1&data%5Bb%5D=2")
    );
}

#[test]
fn adjacent_data_pairs_are_not_copied() {
    for body in [
        "data[a]=1&data[b]=2&event=A",
        "event=A&data[a]=1&&data[b]=2&ts=1",
        "event=A&ts=1&data[a]=1",
    ] {
        let envelope = scan(body).unwrap();
        let data = envelope.data().unwrap();
        let place = body.find("data").unwrap();
        assert_eq!(data.as_ptr(), envelope.body()[place..].as_ptr(), "{body}");
    }
}

fn assert_scanned(body: impl Into<Bytes>) {
    let _ = Envelope::scan(body).map(|envelope| (envelope.auth(), envelope.data().is_some()));
}

#[test]
fn any_body_is_scanned_without_panic() {
    arbtest(|u| {
        assert_scanned(u.arbitrary::<Vec<u8>>()?);
        Ok(())
    });
}

#[test]
fn any_form_is_scanned_without_panic() {
    const PARTS: [&str; 14] = [
        "event", "ts", "auth", "data", "a", "[", "%5B", "]", "%5D", "=", "&", "%", "+", "",
    ];
    arbtest(|u| {
        let parts = u.arbitrary_iter::<u8>()?;
        let parts = parts.map(|part| Ok(PARTS[usize::from(part?) % PARTS.len()]));
        assert_scanned(parts.collect::<arbitrary::Result<String>>()?);
        Ok(())
    });
}
