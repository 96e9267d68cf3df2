//! Captured requests that differ from the documentation: the response to each, and the data that
//! are read. They are in `corpus/real-events.jsonl`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::{Router, routing};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_bitrix24::event::kind;
use tower_bitrix24::portals::{InstallPolicy, MemoryStore, PortalVerifier, TokenIntrospection};
use tower_bitrix24::rest::AuthorizationServer;
use tower_bitrix24::{ApplicationToken, Event, EventKind, EventLayer, EventRouter, Payload};
use tower_http::normalize_path::NormalizePathLayer;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    #[expect(dead_code, reason = "for who reads the corpus")]
    source: String,
    #[serde(default = "events")]
    path: String,
    content_type: String,
    form: Option<String>,
    want: Want,
}

fn events() -> String {
    "/bitrix24/events".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Want {
    status: u16,
    kind: Option<String>,
    /// Some of the fields of the payload.
    typed: Option<Json>,
}

impl Row {
    fn form(&self) -> String {
        match &self.form {
            Some(form) => form.clone(),
            None => long_message(&self.name),
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        Request::post(&self.path)
            .header(CONTENT_TYPE, &self.content_type)
            .body(Full::from(self.form()))
            .unwrap()
    }

    fn check(&self, event: &Event) {
        let name = &self.name;
        assert_eq!(event.mismatch(), None, "{name}");
        if let Some(kind) = &self.want.kind {
            let found = event.kind().map(tower_bitrix24::EventKind::name);
            assert_eq!(found, Some(&**kind), "{name}");
            assert_ne!(*event.payload(), Payload::Unknown, "{name}");
        }
        let payload = serde_json::to_value(event.payload()).unwrap();
        if let Some(typed) = &self.want.typed {
            assert_has(&payload, typed, name);
        }
    }
}

/// Panics unless `found` has everything that `want` has.
fn assert_has(found: &Json, want: &Json, path: &str) {
    match want {
        Json::Object(entries) => {
            for (key, want) in entries {
                assert_has(&found[key], want, &format!("{path}.{key}"));
            }
        }
        Json::Array(values) => {
            for (at, want) in values.iter().enumerate() {
                assert_has(&found[at], want, &format!("{path}.{at}"));
            }
        }
        _ => assert_eq!(found, want, "{path}"),
    }
}

/// Returns a message with the maximum number of characters of a chat, twice, as group chats and
/// commands send it.
fn long_message(name: &str) -> String {
    let character = if name.contains("emoji") {
        "😀"
    } else {
        "字"
    };
    let encoded: String = character
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let text = encoded.repeat(20_000);
    let params = "data[PARAMS][MESSAGE_ID]=7&data[PARAMS][DIALOG_ID]=chat1&data[PARAMS][MESSAGE]";
    let (code, copy) = if name.ends_with("command") {
        ("ONIMCOMMANDADD", "data[COMMAND][7][COMMAND_PARAMS]")
    } else {
        ("ONIMBOTMESSAGEADD", "data[PARAMS][MESSAGE_ORIGINAL]")
    };
    format!("event={code}&{params}={text}&{copy}={text}&auth[application_token]=tok1")
}

fn rows() -> Vec<Row> {
    let lines = include_str!("../corpus/real-events.jsonl").lines();
    let rows: Vec<Row> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 36);
    rows
}

fn captures_layer() -> EventLayer<ApplicationToken> {
    EventLayer::new(ApplicationToken::new("tok1").unwrap())
}

async fn inspect(row: &Row) -> (StatusCode, Option<Event>) {
    let seen = Arc::new(Mutex::new(None));
    let handed_on = Arc::clone(&seen);
    let service = captures_layer().layer(service_fn(move |request: Request<_>| {
        *handed_on.lock().unwrap() = request.extensions().get::<Event>().cloned();
        drop(request);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    }));
    let response = service.oneshot(row.request()).await.unwrap();
    let event = seen.lock().unwrap().take();
    (response.status(), event)
}

/// Returns the status of a router with typed handlers, and a handler of a scope for undocumented
/// events.
async fn route(row: &Row) -> StatusCode {
    let router = EventRouter::builder()
        .on(kind::CrmTimelineCommentAdd, async |_, _: Event| {})
        .on(kind::CrmAddressRegister, async |_, _: Event| {})
        .on_scope("calendar", async |_: Event| {})
        .unhandled(StatusCode::IM_A_TEAPOT)
        .build()
        .unwrap();
    captures_layer()
        .layer(router)
        .oneshot(row.request())
        .await
        .unwrap()
        .status()
}

/// Returns the status of a layer whose verifier has no token of this portal.
async fn verify_by_policy(row: &Row, policy: InstallPolicy) -> StatusCode {
    let verifier = PortalVerifier::new(MemoryStore::new()).install_policy(policy);
    let service = EventLayer::new(verifier).layer(service_fn(|request: Request<_>| async move {
        let event = request.extensions().get::<Event>().expect("an event");
        assert_eq!(event.kind(), Some(EventKind::AppUserReady));
        drop(request);
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let response = service.oneshot(row.request()).await.unwrap();
    response.status()
}

/// The authorization server accepts `good-<member id>`.
fn introspect() -> InstallPolicy {
    let client = service_fn(|request: Request<String>| async move {
        let query = request.uri().query().unwrap_or_default();
        let member_id = query.strip_prefix("auth=good-").unwrap_or("none");
        let result = json!({"client_id": "app.1", "install": {"member_id": member_id}});
        Ok::<_, Infallible>(Response::new(json!({"result": result}).to_string()))
    });
    let server = AuthorizationServer::default();
    InstallPolicy::introspect(TokenIntrospection::new("app.1", server, client).unwrap())
}

/// Returns the status of an axum route behind the layer, which is in the router or in front of a
/// normalized path.
async fn serve_with_axum(row: &Row) -> StatusCode {
    let reached = || routing::post(|| async { "reached" });
    let response = if row.name == "trailing-slash" {
        let events = Router::new()
            .route("/bitrix24/events/", reached())
            .layer(captures_layer().path("/bitrix24/events"));
        let app: Router = Router::new().nest("/crm", events);
        app.oneshot(row.request()).await.unwrap()
    } else {
        let app: Router = Router::new().route("/bitrix24/events", reached());
        let service = ServiceBuilder::new()
            .layer(captures_layer().path("/bitrix24/events"))
            .layer(NormalizePathLayer::trim_trailing_slash())
            .map_request(|request: Request<Full<Bytes>>| request.map(Body::new))
            .service(app);
        service.oneshot(row.request()).await.unwrap().map(Body::new)
    };
    response.status()
}

#[tokio::test]
async fn every_captured_request_gets_its_status_and_payload() {
    for row in rows() {
        let name = &*row.name;
        let want = row.want.status;
        match name {
            _ if name.starts_with("router-") => {
                assert_eq!(route(&row).await.as_u16(), want, "{name}");
            }
            "user-ready-before-install-tofu" => {
                let policy = InstallPolicy::trust_on_first_use();
                assert_eq!(
                    verify_by_policy(&row, policy).await.as_u16(),
                    want,
                    "{name}"
                );
            }
            "user-ready-before-install-prove" => {
                let policy = introspect();
                assert_eq!(
                    verify_by_policy(&row, policy).await.as_u16(),
                    want,
                    "{name}"
                );
            }
            "trailing-slash" | "normalize-path-behind" => {
                assert_eq!(serve_with_axum(&row).await.as_u16(), want, "{name}");
            }
            _ => {
                let (status, event) = inspect(&row).await;
                assert_eq!(status.as_u16(), want, "{name}");
                let event = event.unwrap_or_else(|| panic!("{name} is not handed on"));
                row.check(&event);
                if name.starts_with("subject-") {
                    assert!(event.subject().is_some(), "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn system_user_tokens_are_secrets() {
    let rows = rows();
    let row = rows
        .iter()
        .find(|row| row.name == "app-user-ready")
        .unwrap();
    let (_, event) = inspect(row).await;
    let event = event.unwrap();
    let Payload::AppUserReady(user) = event.payload() else {
        panic!("{event:?}")
    };
    let exposed =
        |token: &Option<tower_bitrix24::Secret>| token.as_ref().unwrap().expose().to_owned();
    assert_eq!(exposed(&user.access_token), "s1a2");
    assert_eq!(exposed(&user.refresh_token), "r1a2");
    assert_eq!((user.user_id, user.expires_in), (Some(512), Some(3600)));
    assert_eq!(
        user.client_id.as_deref(),
        Some("app.573ad8a0346747.09223434")
    );
    assert_eq!(
        (user.scope.as_deref(), user.language_id.as_deref()),
        (Some("crm,user,task"), Some("de"))
    );
    for shown in [format!("{event:?}"), serde_json::to_string(&event).unwrap()] {
        assert!(
            !shown.contains("s1a2") && !shown.contains("r1a2"),
            "{shown}"
        );
    }
}
