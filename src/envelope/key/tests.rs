//! The keys of the envelope in all their spellings.

use arbtest::{arbitrary, arbtest};

use super::*;
use crate::form::pairs::pairs;

const FIELDS: [Field; Field::COUNT] = [
    Field::Event,
    Field::EventHandlerId,
    Field::Ts,
    Field::AccessToken,
    Field::Expires,
    Field::ExpiresIn,
    Field::Scope,
    Field::Domain,
    Field::ServerEndpoint,
    Field::Status,
    Field::ClientEndpoint,
    Field::MemberId,
    Field::UserId,
    Field::RefreshToken,
    Field::ApplicationToken,
    Field::DateFinish,
    Field::ClientId,
    Field::Error,
    Field::ErrorDescription,
];

const TOKEN: Key = Key::Field(Field::ApplicationToken);

#[test]
fn envelope_key_is_read_with_any_spelling_of_its_brackets() {
    for key in [
        "auth[application_token]",
        "auth%5Bapplication_token%5D",
        "auth%5bapplication_token%5d",
        "auth%5bapplication_token]",
        "%61uth[application%5Ftoken]",
    ] {
        assert_eq!(Key::read(key.as_bytes()), TOKEN, "{key}");
    }
}

#[test]
fn envelope_fields_are_read_from_their_keys() {
    for field in FIELDS {
        assert_eq!(Key::read(field.key().as_bytes()), Key::Field(field));
    }
}

#[test]
fn canonical_spellings_are_read_without_decoding() {
    for (key, read) in [
        ("event", Key::Field(Field::Event)),
        ("auth[application_token]", TOKEN),
        ("auth%5Bapplication_token%5D", TOKEN),
        ("auth%5bapplication_token%5d", TOKEN),
        ("data[FIELDS][ID]", Key::Data),
        ("data%5BFIELDS%5D%5BID%5D", Key::Data),
        ("data%5bFIELDS%5d%5bID%5d", Key::Data),
    ] {
        assert_eq!(Key::parse_canonical(key.as_bytes()), Some(read), "{key}");
    }
}

#[test]
fn ambiguous_spellings_of_an_envelope_key_are_aliases() {
    for key in [
        "+event",
        "%20event",
        "event%00",
        "event%00x",
        "event[]",
        "event[x]",
        "event.handler.id",
        "event+handler_id",
        "ts[0]",
        "auth",
        "+auth[application_token]",
        "auth[application_token]x",
        "auth[application_token][]",
        "auth[application_token][x]",
        "auth%00[application_token]",
        "+data[FIELDS][ID]",
        "data%00",
        "[event]",
        "%5Bevent%5D",
        "[[event]]",
        "+[event",
        "[auth][application_token]",
        "[data][FIELDS][ID]",
        "event%00[",
        "event%00[x]",
        "auth%00[",
        "ts%00[x",
        "event[handler_id",
        "event[handler.id",
        "",
        "[]",
        "[0]",
        "%5B12%5d",
        "[][x]",
        "[]event",
    ] {
        assert!(matches!(Key::read(key.as_bytes()), Key::Alias(_)), "{key}");
    }
}

#[test]
fn unrelated_keys_are_not_envelope_keys() {
    for key in [
        "EVENT",
        "Auth[application_token]",
        "auth[APPLICATION_TOKEN]",
        "auth[+application_token]",
        "auth[application_token%00]",
        "event]",
        "0",
        "+[]",
        "[x]",
        "[0x]",
        "auth[x][application_token]",
        "auth[application_token",
        "auth.application_token",
        "auth%255Bapplication_token%255D",
        "APPLICATION_TOKEN",
        "event_token",
        "event[x",
        "data_x",
        "data[x",
        "document_id[0]",
    ] {
        assert_eq!(Key::read(key.as_bytes()), Key::Other, "{key}");
    }
}

#[test]
fn nul_in_a_data_key_is_data_in_every_spelling() {
    for key in ["data[\0]", "data[a%00b]", "data%5Ba%00%5D", "%64ata[a%00b]"] {
        assert_eq!(Key::read(key.as_bytes()), Key::Data, "{key}");
        assert_eq!(Key::parse_any(key.as_bytes()), Key::Data, "{key}");
    }
}

#[test]
fn token_deeper_in_data_is_data() {
    for key in [
        "data[auth][application_token]",
        "data%5BBOT%5D%5B7%5D%5Bapplication_token%5D",
    ] {
        assert_eq!(Key::read(key.as_bytes()), Key::Data, "{key}");
    }
}

#[test]
fn parse_canonical_and_parse_any_agree() {
    const ROOTS: [&str; 9] = [
        "data",
        "auth",
        "event",
        "ts",
        "event_handler_id",
        "",
        ".",
        " data",
        "auth.",
    ];
    const NAMES: [&str; 8] = [
        "application_token",
        "domain",
        "member_id",
        "ID",
        "",
        ".",
        "é",
        "[x",
    ];
    arbtest(|u| {
        let mut key = (*u.choose(&ROOTS)?).to_owned();
        for _ in 0..u.int_in_range(0..=3)? {
            key += u.choose(&["[", "%5B", "%5b"])?;
            key += u.choose(&NAMES)?;
            key += u.choose(&["]", "%5D", "%5d", ""])?;
        }
        if let Some(canonical) = Key::parse_canonical(key.as_bytes()) {
            assert_eq!(canonical, Key::parse_any(key.as_bytes()), "{key}");
        }
        Ok(())
    });
}

#[test]
fn key_of_a_form_means_the_same_as_read_alone() {
    const PARTS: [&str; 26] = [
        "event",
        "event_handler_id",
        "ts",
        "auth",
        "data",
        "[",
        "]",
        "%5B",
        "%5D",
        "%5b",
        "%5d",
        "=",
        "&",
        "&",
        "access_token",
        "application_token",
        "client_id",
        "domain",
        "error",
        "error_description",
        "expires",
        "expires_in",
        "member_id",
        "scope",
        "status",
        "x",
    ];
    arbtest(|u| {
        let parts = u.arbitrary_iter::<u8>()?;
        let parts = parts.map(|part| Ok(PARTS[usize::from(part?) % PARTS.len()]));
        let form = parts.collect::<arbitrary::Result<String>>()?;
        let mut visited = Vec::new();
        let scanned = visit_pairs(form.as_bytes(), |pair| {
            visited.push((pair.key, pair.start, pair.value_start, pair.end));
            Ok(())
        });
        assert_eq!(scanned, Ok(()));
        let read = pairs(form.as_bytes())
            .map(|pair| (Key::read(pair.key), pair.start, pair.value_start, pair.end));
        assert_eq!(visited, read.collect::<Vec<_>>(), "{form}");
        Ok(())
    });
}

#[test]
fn every_field_is_stripped_with_both_spellings_of_its_brackets() {
    for field in FIELDS {
        for key in [field.key().to_owned(), escaped(field.key())] {
            let form = format!("{key}=value");
            assert_eq!(
                Field::strip(form.as_bytes()),
                Some((field, &b"value"[..])),
                "{form}"
            );
            assert_eq!(Field::strip(key.as_bytes()), None, "{key}");
            assert_eq!(Field::strip(format!("{key}x=").as_bytes()), None, "{key}x");
        }
    }
}

fn escaped(key: &str) -> String {
    key.replace('[', "%5B").replace(']', "%5D")
}

#[test]
fn envelope_key_of_any_bytes_is_read_without_panic() {
    arbtest(|u| {
        let key: Vec<u8> = u.arbitrary()?;
        Key::read(&key);
        Ok(())
    });
}
