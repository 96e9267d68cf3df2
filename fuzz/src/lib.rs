//! What the fuzz targets share: a verified event of any body, a model of PHP's reading of forms, and
//! an encoder like PHP's.

pub mod encode;
pub mod php;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tower_bitrix24::{ApplicationToken, Envelope, Event};

/// A token that no input has by chance.
pub const TOKEN: &str = "canary7f3a9be24c81";

/// The event of `body`, whose token must be [`TOKEN`].
pub fn verified(body: impl Into<Vec<u8>>) -> Option<Event> {
    verified_by(TOKEN, Envelope::scan(body.into()).ok()?)
}

/// The event of an envelope whose token must be `token`.
pub fn verified_by(token: &str, envelope: Envelope) -> Option<Event> {
    let token = ApplicationToken::new(token).ok()?;
    let event = pin!(Event::verify(envelope, &token));
    match event.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event.ok(),
        Poll::Pending => panic!("a token in memory has nothing to wait for"),
    }
}

/// Everything that an event can be asked, and that must answer whatever it is.
pub fn ask(event: &Event) -> [String; 3] {
    let _ = (
        event.code(),
        event.kind(),
        event.handler_id(),
        event.timestamp(),
    );
    let _ = (event.time(), event.subject(), event.entity_type_id());
    // What is documented and fits has a payload; what does not says why.
    assert_eq!(
        event.kind().is_some() && event.mismatch().is_none(),
        *event.payload() != tower_bitrix24::Payload::Unknown,
    );
    [
        format!("{event:?}"),
        format!("{event:#?}"),
        serde_json::to_string(event).expect("an event can be serialised"),
    ]
}

/// Whether `text` is in `body`, as it stands or percent-decoded.
pub fn contains(body: &[u8], text: &str) -> bool {
    let finder = memchr::memmem::Finder::new(text);
    finder.find(body).is_some() || finder.find(&php::decode(body)).is_some()
}
