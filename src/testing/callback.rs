//! `TestCallback`: a robot, a message, a page or a settings form for tests.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request};

use super::auth::{OAuth, Sender};
use super::callback_tamper::CallbackTamper;
use super::event::{Change, TestEvent, keys};
use super::literals::{Entries, array, entries};
use super::render::into_text;
use super::text::Text;
use crate::callback::{Callback, PlacementCode, SettingsAction};
use crate::envelope::CallbackEnvelope;
use crate::form::Value;
use crate::form::encode::FormWriter;
use crate::secret::REDACTED;
use crate::verify::ApplicationToken;

/// A callback for tests, built from a sample of the platform: a robot or an activity, a message, a page
/// or a settings form.
///
/// Its form is encoded as PHP encodes it, in the order of the wire.
///
/// ```
/// use tower_bitrix24::callback::{CallbackPayload, Robot};
/// use tower_bitrix24::testing::TestCallback;
///
/// let callback = TestCallback::robot("ship").set("properties[weight]", "2.5").callback();
/// let CallbackPayload::Robot(robot) = callback.payload() else { panic!("{callback:?}") };
/// assert_eq!((&*robot.code, &*robot.document.id), ("ship", "18"));
/// assert_eq!(robot.properties["weight"].as_str(), Some("2.5"));
/// ```
///
/// `Debug` shows neither tokens nor values.
#[derive(Clone)]
#[must_use]
pub struct TestCallback {
    form: Form,
    changes: Vec<Change>,
    ts: i64,
    domain: String,
    member_id: String,
    token: Option<String>,
    access_token: String,
    tamper: Option<CallbackTamper>,
}

#[derive(Clone, Debug)]
enum Form {
    Robot { code: String },
    Message { code: String },
    Placement { code: PlacementCode },
    Settings { action: SettingsAction },
    WebhookRobot,
}

impl TestCallback {
    /// Creates a robot, or an activity, of a deal with this code, for which the workflow waits.
    pub fn robot(code: impl Into<String>) -> Self {
        let code = code.into();
        Self::new(Form::Robot { code })
    }

    /// Creates an SMS to a contact, for the provider with this code.
    pub fn message(code: impl Into<String>) -> Self {
        let code = code.into();
        Self::new(Form::Message { code })
    }

    /// Creates a page at this place. [`PlacementCode::Default`] is the application's page.
    pub fn placement(code: impl Into<PlacementCode>) -> Self {
        let code = code.into();
        Self::new(Form::Placement { code })
    }

    /// Creates a request of the settings form.
    pub fn settings(action: SettingsAction) -> Self {
        Self::new(Form::Settings { action })
    }

    /// Creates a Webhook robot, which has no token. Only a
    /// [secret in the URL](crate::EventLayer::url_secret) proves it.
    pub fn webhook_robot() -> Self {
        Self::new(Form::WebhookRobot).without_token()
    }

    fn new(form: Form) -> Self {
        Self {
            form,
            changes: Vec::new(),
            ts: 1_769_083_200,
            domain: "some-domain.bitrix24.com".to_owned(),
            member_id: "a223c6b3710f85df22e9377d6c4f7553".to_owned(),
            token: Some(TestEvent::TOKEN.to_owned()),
            access_token: "s6p6eclrvim6da22ft9ch94ekreb52lv".to_owned(),
            tamper: None,
        }
    }

    /// Sets a value of the form, such as `properties[weight]`, `document_id[2]` or `PLACEMENT_OPTIONS`.
    ///
    /// # Panics
    ///
    /// Panics if `path` is not [a path](TestEvent::is_path), for example because its brackets do not
    /// match.
    pub fn set(self, path: &str, value: impl Into<Text>) -> Self {
        self.change(path, Some(value.into()))
    }

    /// Removes a value or an array of the form.
    ///
    /// # Panics
    ///
    /// Panics if `path` is not [a path](TestEvent::is_path), for example because its brackets do not
    /// match.
    pub fn remove(self, path: &str) -> Self {
        self.change(path, None)
    }

    fn change(mut self, path: &str, text: Option<Text>) -> Self {
        let below = keys(path).unwrap_or_else(|| panic!("{path:?} is not a path such as a[b]"));
        let is_data = path == "data" || path.starts_with("data[");
        let root = is_data.then_some("data");
        let path = root.into_iter().chain(below).map(str::to_owned).collect();
        self.changes.push(Change { path, text });
        self
    }

    /// Sets the time of the request, in unix seconds. Pages and settings have none.
    pub fn ts(mut self, seconds: i64) -> Self {
        self.ts = seconds;
        self
    }

    /// Sets the portal's host. Defaults to `some-domain.bitrix24.com`.
    pub fn portal(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into();
        self
    }

    /// Sets the portal's id. Defaults to `a223c6b3710f85df22e9377d6c4f7553`.
    pub fn member_id(mut self, id: impl Into<String>) -> Self {
        self.member_id = id.into();
        self
    }

    /// Sets the application token. Defaults to [`TestEvent::TOKEN`].
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Omits the application token, as a page of an old build does, and what has no author or no user:
    /// there is no access token then, except that of a page.
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// Sets the access token, which proves the user of a page. Defaults to
    /// `s6p6eclrvim6da22ft9ch94ekreb52lv`.
    pub fn access_token(mut self, token: impl Into<String>) -> Self {
        self.access_token = token.into();
        self
    }

    /// Tampers with the callback, so that the layer rejects it. A later call replaces an earlier one.
    pub fn tampered(mut self, tamper: CallbackTamper) -> Self {
        self.tamper = Some(tamper);
        self
    }

    /// Returns the body, as PHP encodes it.
    pub fn form(&self) -> String {
        let mut form = Value::from_entries(self.entries());
        for Change { path, text } in &self.changes {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            match text {
                Some(text) => form.set(&path, text.as_str()),
                None => form.remove(&path),
            }
        }
        let mut writer = FormWriter::default();
        if self.tamper == Some(CallbackTamper::RepeatedToken) {
            self.write_token(&mut writer, "guess");
        }
        if let Some(form) = form.as_array() {
            for (key, value) in form.iter() {
                writer.root(key, |writer| writer.value(value));
            }
        }
        match (self.tamper, &self.token) {
            (Some(CallbackTamper::WithoutToken), _) | (_, None) => {}
            (Some(CallbackTamper::WrongToken), _) => self.write_token(&mut writer, "guess"),
            (_, Some(token)) => self.write_token(&mut writer, token),
        }
        match self.tamper {
            Some(CallbackTamper::SmuggledEvent) => {
                for code in ["ONAPPUNINSTALL", "ONAPPTEST"] {
                    writer.root("event", |writer| writer.text(code));
                }
            }
            Some(CallbackTamper::SmuggledRobot) => {
                writer.root("event_token", |writer| writer.text("1.a"));
                writer.root("AUTH_ID", |writer| writer.text("guess"));
            }
            _ => {}
        }
        into_text(writer)
    }

    fn write_token(&self, writer: &mut FormWriter, token: &str) {
        if let Form::Placement { .. } = self.form {
            writer.root("APPLICATION_TOKEN", |writer| writer.text(token));
            return;
        }
        writer.root("auth", |writer| {
            writer.entry("application_token", |writer| writer.text(token));
        });
    }

    fn entries(&self) -> Entries {
        let ts = self.ts.to_string();
        let deal = || array! { "0": "crm", "1": "CCrmDocumentDeal", "2": "DEAL_18" };
        let deal_type = || array! { "0": "crm", "1": "CCrmDocumentDeal", "2": "DEAL" };
        let mut form = match &self.form {
            Form::Robot { code } => entries! {
                "workflow_id": "65808f8311b626.28237158", "code": &**code, "document_id": deal(),
                "document_type": deal_type(),
                "event_token": "65808f8311b626.28237158|A96649_8593_66588_9419|0rPL1vdQLA5Oxn51m1rq2qR5\
                                3P8sWk7e.aaa40a72428e04d6f5b7cfc514e32c62f20d9c34d2dbdc5555953c43b7481119",
                "properties": array! {}, "use_subscription": "Y", "timeout_duration": "660", "ts": ts,
            },
            Form::Message { code } => entries! {
                "module_id": "crm",
                "bindings": array! { "0": array! { "OWNER_TYPE_ID": "3", "OWNER_ID": "123" } },
                "properties": array! {
                    "phone_number": "+19990000000", "message_text": "Your order is shipped",
                },
                "type": "SMS", "code": &**code, "message_id": "9b1c7e02f4a84d559b1c7e02f4a84d55",
                "message_to": "+19990000000", "message_body": "Your order is shipped", "ts": ts,
            },
            Form::Placement { code } => {
                return entries! {
                    "AUTH_ID": &*self.access_token, "AUTH_EXPIRES": "3600",
                    "REFRESH_ID": "4s386p3q0tr8dy89xvmt96234v3dljg8",
                    "SERVER_ENDPOINT": "https://oauth.bitrix.info/rest/",
                    "APPLICATION_SCOPE": "crm,placement", "member_id": &*self.member_id,
                    "status": "L", "PLACEMENT": code.as_str(),
                    "PLACEMENT_OPTIONS": r#"{"ID":"8061"}"#,
                };
            }
            Form::Settings { action } => match action {
                SettingsAction::Save => entries! { "data": array! { "api-key": "cc1107f4" } },
                action => entries! { "event": action.as_str() },
            },
            Form::WebhookRobot => entries! { "document_id": deal() },
        };
        form.extend(entries! { "auth": Value::from_entries(self.auth()) });
        form
    }

    fn auth(&self) -> Entries {
        let oauth = OAuth {
            kind: None,
            ts: self.ts,
            domain: &self.domain,
            member_id: &self.member_id,
            access_token: &self.access_token,
            application_token: self.token.as_deref().unwrap_or_default(),
        };
        oauth.sent_by(match self.token {
            Some(_) => Sender::Application,
            None => Sender::Webhook,
        })
    }

    /// Returns the request that the platform would make, for a service of `Request<B>`. The address is a
    /// path or a URL. A page adds `DOMAIN`, `PROTOCOL`, `LANG` and `APP_SID` to its query.
    ///
    /// # Panics
    ///
    /// Panics if `address` is not a valid URI.
    pub fn request<B: From<String>>(&self, address: &str) -> Request<B> {
        let form = self.form();
        let address = self.address(address);
        let content_type = match self.tamper {
            Some(CallbackTamper::Json) => "application/json",
            _ => "application/x-www-form-urlencoded",
        };
        let mut request = Request::post(&address)
            .header(USER_AGENT, TestEvent::USER_AGENT)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, form.len())
            .body(B::from(form))
            .unwrap_or_else(|error| panic!("{address:?}: {error}"));
        match self.tamper {
            Some(CallbackTamper::Get) => *request.method_mut() = Method::GET,
            Some(CallbackTamper::Gzip) => {
                let gzip = HeaderValue::from_static("gzip");
                request.headers_mut().insert(CONTENT_ENCODING, gzip);
            }
            _ => {}
        }
        request
    }

    /// Returns the address at which Bitrix24 calls what was registered with `address`: a page adds its
    /// query.
    pub fn address(&self, address: &str) -> String {
        let Form::Placement { .. } = self.form else {
            return address.to_owned();
        };
        let separator = if address.contains('?') { '&' } else { '?' };
        let domain = &self.domain;
        format!("{address}{separator}DOMAIN={domain}&PROTOCOL=1&LANG=en&APP_SID=5ac0f4")
    }

    /// Returns the callback as a handler gets it: scanned, verified with its own token and parsed, by the
    /// same code as one that was received.
    ///
    /// # Panics
    ///
    /// Panics if the callback would be rejected, because it was [tampered](Self::tampered) with, or has no
    /// token.
    pub fn callback(&self) -> Callback {
        let token = self.token.as_deref().unwrap_or_default();
        let token = ApplicationToken::new(token).unwrap_or_else(|error| panic!("{error}"));
        let envelope = CallbackEnvelope::scan(self.form());
        let envelope = envelope.unwrap_or_else(|error| panic!("{error}"));
        let verification = pin!(Callback::verify(envelope, &token));
        match verification.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(callback) => callback.unwrap_or_else(|error| panic!("{error}")),
            Poll::Pending => unreachable!("an ApplicationToken is compared without waiting"),
        }
    }
}

impl fmt::Debug for TestCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCallback")
            .field("form", &self.form)
            .field("ts", &self.ts)
            .field("domain", &self.domain)
            .field("member_id", &self.member_id)
            .field("token", &format_args!("{REDACTED}"))
            .field("tamper", &self.tamper)
            .finish_non_exhaustive()
    }
}
