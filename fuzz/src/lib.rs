//! Support for the fuzz targets: a verified event of any body, a model of PHP's reading of forms,
//! and an encoder like PHP's.

pub mod encode;
pub mod php;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tower_bitrix24::callback::{Callback, CallbackEnvelope, CallbackKind, CallbackPayload};
use tower_bitrix24::{ApplicationToken, Envelope, Event};

use crate::php::{Dialect, Node};

/// A token that no input has by chance.
pub const TOKEN: &str = "canary7f3a9be24c81";

/// Returns the event of `body` if its token is [`TOKEN`].
pub fn verified(body: impl Into<Vec<u8>>) -> Option<Event> {
    verified_by(TOKEN, Envelope::scan(body.into()).ok()?)
}

/// Returns the event of an envelope if its token is `token`.
pub fn verified_by(token: &str, envelope: Envelope) -> Option<Event> {
    let token = ApplicationToken::new(token).ok()?;
    let event = pin!(Event::verify(envelope, &token));
    match event.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event.ok(),
        Poll::Pending => panic!("a token in memory has nothing to wait for"),
    }
}

/// Returns the callback of `body` if its token is [`TOKEN`].
pub fn verified_callback(body: impl Into<Vec<u8>>) -> Option<Callback> {
    let envelope = CallbackEnvelope::scan(body.into()).ok()?;
    let token = ApplicationToken::new(TOKEN).ok()?;
    let callback = pin!(Callback::verify(envelope, &token));
    match callback.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(callback) => callback.ok(),
        Poll::Pending => panic!("a token in memory has nothing to wait for"),
    }
}

/// Calls the accessors of a callback, which must not panic, and returns it as text.
pub fn exercise_callback(callback: &Callback) -> [String; 2] {
    let _ = (callback.auth(), callback.unknown_kind(), callback.data());
    // A known kind has either a payload or a mismatch.
    assert_eq!(
        callback.kind() != CallbackKind::Unknown && callback.mismatch().is_none(),
        *callback.payload() != CallbackPayload::Unknown,
    );
    [
        format!("{callback:?}"),
        serde_json::to_string(callback).expect("a callback can be serialized"),
    ]
}

/// Scans a body as a callback, and compares the kind and the token with those that PHP finds. Returns
/// the kind.
///
/// # Panics
///
/// Panics if they differ.
pub fn check_callback(body: &[u8]) -> Option<CallbackKind> {
    let callback = CallbackEnvelope::scan(body.to_vec()).ok()?;
    let _ = format!("{callback:?} {:?}", callback.envelope().auth());
    let php = php::read(body, Dialect::Php);
    let in_auth = php
        .get(b"auth")
        .and_then(|auth| auth.get(b"application_token"));
    let at_top = php.get(b"APPLICATION_TOKEN");
    let (seen, other) = if callback.kind() == CallbackKind::Placement {
        (at_top, in_auth)
    } else {
        (in_auth, at_top)
    };
    assert!(other.is_none(), "a second token");
    let token = callback.envelope().application_token();
    if let Some(seen) = seen {
        let seen = seen.text().expect("PHP sees the token as a text");
        assert_eq!(seen, token.as_deref().unwrap_or_default());
    } else {
        assert!(token.is_none(), "PHP sees no token");
    }
    assert_kind(callback.kind(), &php);
    Some(callback.kind())
}

/// An application in PHP would tell the same kind by the keys.
fn assert_kind(kind: CallbackKind, php: &Node) {
    let has = |key: &str| php.get(key.as_bytes()).is_some();
    if let Some(event) = php.get(b"event") {
        let event = event.text().expect("PHP sees the event as a text");
        assert!(event.starts_with(b"OnAppSettings"), "an event");
        assert_eq!(kind, CallbackKind::Settings);
        return;
    }
    let properties = php.get(b"properties");
    let has_phone = properties.is_some_and(|all| all.get(b"phone_number").is_some());
    let seen = if has("AUTH_ID") || has("APPLICATION_TOKEN") || has("PLACEMENT") {
        CallbackKind::Placement
    } else if has("event_token") {
        CallbackKind::Robot
    } else if has("message_id") && has("message_body") || has("type") && has_phone {
        CallbackKind::Message
    } else if has("data") {
        CallbackKind::Settings
    } else {
        CallbackKind::Unknown
    };
    // PHP folds other spellings of the keys that decide nothing of a proof, such as `+data`, and ends a key at a NUL.
    let is_weak = |kind| matches!(kind, CallbackKind::Unknown | CallbackKind::Settings);
    let has_weak_message =
        seen == CallbackKind::Message && !(has("message_id") && has("message_body"));
    let is_folded = is_weak(kind) && (is_weak(seen) || has_weak_message);
    assert!(kind == seen || is_folded, "{kind} is {seen} to PHP");
}

/// Calls the accessors of an event, which must not panic, and returns it as text.
pub fn exercise(event: &Event) -> [String; 3] {
    let _ = (
        event.code(),
        event.kind(),
        event.handler_id(),
        event.timestamp(),
    );
    let _ = (event.time(), event.subject(), event.entity_type_id());
    // A documented event has either a payload or a mismatch.
    assert_eq!(
        event.kind().is_some() && event.mismatch().is_none(),
        *event.payload() != tower_bitrix24::Payload::Unknown,
    );
    // Data that are not read have a mismatch.
    assert!(
        event.data().is_some() || event.raw_data().is_none() || event.mismatch().is_some(),
        "{event:?}"
    );
    [
        format!("{event:?}"),
        format!("{event:#?}"),
        serde_json::to_string(event).expect("an event can be serialized"),
    ]
}

/// Returns `true` if `text` is in `body`, as it is or percent-decoded.
pub fn contains(body: &[u8], text: &str) -> bool {
    let finder = memchr::memmem::Finder::new(text);
    finder.find(body).is_some() || finder.find(&php::decode(body)).is_some()
}

/// Returns a key as the tree shows it. The bytes of a key that is not UTF-8 stay percent-encoded.
/// The percent signs of a key that looks like such a one are encoded too.
pub fn key_text(bytes: &[u8]) -> String {
    let escape = |&byte: &u8| match byte {
        b'%' => "%25".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    match std::str::from_utf8(bytes) {
        Err(_) => bytes.iter().map(escape).collect(),
        Ok(text) if text.split('%').skip(1).any(is_escape) => text.replace('%', "%25"),
        Ok(text) => text.to_owned(),
    }
}

/// Returns `true` if the text behind a `%` begins with an escape of a byte beyond ASCII, which may be
/// escaped itself.
fn is_escape(behind: &str) -> bool {
    let digits = behind.trim_start_matches("25").get(..2);
    digits.is_some_and(|digits| u8::from_str_radix(digits, 16).is_ok_and(|byte| byte >= 0x80))
}
