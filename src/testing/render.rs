//! The body, the request and the verified event of a `TestEvent`.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};

use super::auth::OAuth;
use super::defaults;
use super::event::{Change, TestEvent};
use super::literals::array;
use super::tamper::Tamper;
use super::text::Text;
use crate::envelope::Envelope;
use crate::event::Event;
use crate::form::Value;
use crate::form::encode::FormWriter;
use crate::verify::ApplicationToken;

/// Returns the form that was written, which is ASCII.
pub(super) fn into_text(writer: FormWriter) -> String {
    String::from_utf8(writer.into_form()).expect("a URL-encoded form is ASCII")
}

impl TestEvent {
    /// Returns the body, as PHP encodes it.
    pub fn form(&self) -> String {
        let mut writer = FormWriter::default();
        if self.tamper == Some(Tamper::RepeatedToken) {
            write_token(&mut writer, &self.wrong_token());
        }
        if self.tamper != Some(Tamper::WithoutEvent) {
            writer.root("event", |writer| writer.text(&self.code));
        }
        if let Some(id) = self.handler_id {
            writer.root("event_handler_id", |writer| writer.text(&id.to_string()));
        }
        if let Some(data) = self.data() {
            writer.root("data", |writer| writer.value(&data));
        }
        writer.root("ts", |writer| writer.text(&self.ts.to_string()));
        let auth = Value::from_entries(self.oauth().sent_by(self.sender));
        writer.root("auth", |writer| writer.value(&auth));
        match self.tamper {
            Some(Tamper::WithoutToken) => {}
            Some(Tamper::WrongToken) => write_token(&mut writer, &self.wrong_token()),
            _ => write_token(&mut writer, &self.token),
        }
        if self.tamper == Some(Tamper::AliasedToken) {
            writer.root("auth", |writer| {
                writer.entry("application_token", |writer| {
                    writer.entry("", |writer| writer.text(&self.wrong_token()));
                });
            });
        }
        let mut form = into_text(writer);
        if self.tamper == Some(Tamper::Truncated) {
            let token = form.rfind('=').map_or(0, |equals| equals + 1);
            form.truncate(token + (form.len() - token) / 2);
        }
        form
    }

    /// Returns the request that the platform would make, for a service of `Request<B>`. `B` is for
    /// example `axum::body::Body`, `http_body_util::Full<Bytes>`, `Bytes` or `String`. The address is a
    /// path or a URL.
    ///
    /// ```
    /// use tower_bitrix24::testing::TestEvent;
    /// use tower_bitrix24::EventKind;
    ///
    /// let event = TestEvent::new(EventKind::CrmDealAdd);
    /// let request = event.request::<axum::body::Body>("/bitrix24/events");
    /// assert_eq!(request.method(), "POST");
    /// assert_eq!(request.headers()["user-agent"], "Bitrix24 Webhook Engine");
    ///
    /// let request: http::Request<String> = event.request("http://127.0.0.1:3000/");
    /// assert_eq!(*request.body(), event.form());
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `address` is not a valid URI.
    pub fn request<B: From<String>>(&self, address: &str) -> Request<B> {
        let form = self.form();
        let content_type = match self.tamper {
            Some(Tamper::Json) => "application/json",
            _ => "application/x-www-form-urlencoded",
        };
        let mut request = Request::post(address)
            .header(USER_AGENT, Self::USER_AGENT)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, form.len())
            .body(B::from(form))
            .unwrap_or_else(|error| panic!("{address:?}: {error}"));
        match self.tamper {
            Some(Tamper::Get) => *request.method_mut() = Method::GET,
            Some(Tamper::Gzip) => {
                let gzip = HeaderValue::from_static("gzip");
                request.headers_mut().insert(CONTENT_ENCODING, gzip);
            }
            _ => {}
        }
        request
    }

    /// Returns the event as a handler gets it: scanned, verified with its own token and parsed, by the
    /// same code as an event that was received.
    ///
    /// # Panics
    ///
    /// Panics if the event would be rejected, because its body was [tampered](Self::tampered) with, or
    /// because its code or token is empty.
    pub fn event(&self) -> Event {
        let token = ApplicationToken::new(&*self.token);
        let token = token.unwrap_or_else(|error| panic!("{error}"));
        let envelope = Envelope::scan(self.form());
        let envelope = envelope.unwrap_or_else(|error| panic!("{error}"));
        let verification = pin!(Event::verify(envelope, &token));
        match verification.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event.unwrap_or_else(|error| panic!("{error}")),
            Poll::Pending => unreachable!("an ApplicationToken is compared without waiting"),
        }
    }

    fn data(&self) -> Option<Value> {
        let mut data = self.data_about(self.id.as_ref().map(Text::as_str));
        for Change { path, text } in &self.changes {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let data = data.get_or_insert_with(|| array! {});
            match text {
                Some(text) => data.set(&path, text.as_str()),
                None => data.remove(&path),
            }
        }
        data
    }

    /// Returns the data of the sample, about the object `id` if it is set.
    pub(super) fn data_about(&self, id: Option<&str>) -> Option<Value> {
        match self.kind {
            Some(kind) => defaults::data(kind, id, &self.oauth()),
            None => Some(array! { "FIELDS": array! { "ID": id.unwrap_or("1") } }),
        }
    }

    fn oauth(&self) -> OAuth<'_> {
        OAuth {
            kind: self.kind,
            ts: self.ts,
            domain: &self.domain,
            member_id: &self.member_id,
            access_token: &self.access_token,
            application_token: &self.token,
        }
    }

    fn wrong_token(&self) -> String {
        let mut wrong = self.token.clone();
        let last = wrong.pop();
        wrong.push(if last == Some('x') { 'y' } else { 'x' });
        wrong
    }
}

fn write_token(writer: &mut FormWriter, token: &str) {
    writer.root("auth", |writer| {
        writer.entry("application_token", |writer| writer.text(token));
    });
}
