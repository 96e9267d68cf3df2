//! The requests other than events, through the layer: what is verified, typed and kept, and what is
//! rejected. The samples are those of `corpus/callbacks.jsonl`.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::callback::{
    Callback, CallbackKind, CallbackPayload, Placement, PlacementCode, Proof, Robot, Settings,
    SettingsAction, UnknownKind,
};
use tower_bitrix24::layer::UrlSecret;
use tower_bitrix24::portals::{MemoryStore, PortalVerifier};
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventLayer, Rejection, RejectionKind, Secret, VerifyToken,
};

use crate::common::{TOKEN, corpus};

const FORM: &str = "application/x-www-form-urlencoded";
const OTHER_TOKEN: &str = "c289487163b58658eae5e8b42eaf11b8";
const ROBOT: &str = "workflow_id=1&code=ship&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    &document_id[2]=DEAL_18&document_type[0]=crm&document_type[1]=CCrmDocumentDeal\
    &document_type[2]=DEAL&event_token=1.a";
const PAGE: &str = "AUTH_ID=4d7c9b68&REFRESH_ID=3dfb&member_id=a223&PLACEMENT=DEFAULT";

#[derive(Deserialize)]
struct Sample {
    name: String,
    kind: String,
    method: String,
    query: Option<String>,
    content_type: String,
    form: String,
    tree: Json,
    proof: String,
}

fn samples() -> Vec<Sample> {
    let samples: Vec<Sample> = include_str!("../corpus/callbacks.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(samples.len(), 92);
    samples
}

impl Sample {
    /// Returns the kind that the layer gives a sample, or `None` if the sample carries no
    /// application token.
    fn verified_kind(&self) -> Option<CallbackKind> {
        let has_token = self.proof.starts_with("auth[application_token]")
            || self.proof.starts_with("APPLICATION_TOKEN");
        if !has_token || self.kind == "event" {
            return None;
        }
        Some(match &*self.kind {
            "robot" | "activity" => CallbackKind::Robot,
            "sms" | "sms_legacy" => CallbackKind::Message,
            "app_settings" | "app_settings_save" => CallbackKind::Settings,
            "app_page" | "install_page" | "placement" | "userfield" | "robot_settings" => {
                CallbackKind::Placement
            }
            other => panic!("{}: the kind {other} has no type", self.name),
        })
    }

    /// Returns `$_POST` without `auth`, as PHP prints it.
    fn data(&self) -> Json {
        let mut data = self.tree.clone();
        let fields = data.as_object_mut().unwrap();
        fields.remove("auth");
        if fields.is_empty() { json!([]) } else { data }
    }

    async fn send<V>(&self, layer: &EventLayer<V>) -> Outcome
    where
        V: VerifyToken + Clone,
    {
        let query = self.query.as_deref().unwrap_or_default();
        let request = Request::builder()
            .method(&*self.method)
            .uri(format!("/?{query}"))
            .header(CONTENT_TYPE, &*self.content_type)
            .body(Full::from(self.form.clone()));
        send(layer, request.unwrap()).await
    }
}

#[derive(Debug)]
enum Outcome {
    Event(Event),
    Callback(Callback),
    Passed,
    Rejected(StatusCode, RejectionKind),
}

async fn send<V>(layer: &EventLayer<V>, request: Request<Full<Bytes>>) -> Outcome
where
    V: VerifyToken + Clone,
{
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let service = layer.layer(service_fn(move |request: Request<Full<Bytes>>| {
        let extensions = request.extensions();
        let outcome = match (extensions.get::<Event>(), extensions.get::<Callback>()) {
            (Some(event), None) => Outcome::Event(event.clone()),
            (None, Some(callback)) => Outcome::Callback(callback.clone()),
            (None, None) => Outcome::Passed,
            both => panic!("{both:?}"),
        };
        *keep.lock().unwrap() = Some(outcome);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    }));
    let response = service.oneshot(request).await.unwrap();
    let seen = seen.lock().unwrap().take();
    seen.unwrap_or_else(|| {
        let rejection = response.extensions().get::<Rejection>().unwrap();
        Outcome::Rejected(response.status(), rejection.kind())
    })
}

async fn post<V>(layer: &EventLayer<V>, form: &str) -> Outcome
where
    V: VerifyToken + Clone,
{
    let request = Request::post("/").header(CONTENT_TYPE, FORM);
    send(layer, request.body(Full::from(form.to_owned())).unwrap()).await
}

fn layer(token: &str) -> EventLayer<ApplicationToken> {
    EventLayer::new(ApplicationToken::new(token).unwrap()).callbacks()
}

async fn callback(form: &str) -> Callback {
    match post(
        &layer(TOKEN),
        &format!("{form}&auth[application_token]={TOKEN}"),
    )
    .await
    {
        Outcome::Callback(callback) => callback,
        other => panic!("{form}: {other:?}"),
    }
}

async fn robot(form: &str) -> Robot {
    match callback(form).await.payload() {
        CallbackPayload::Robot(robot) => Robot::clone(robot),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_sample_with_a_token_is_verified_typed_and_lossless() {
    let mut verified = 0;
    for sample in samples() {
        let Some(kind) = sample.verified_kind() else {
            continue;
        };
        let Outcome::Callback(callback) = sample.send(&layer(TOKEN)).await else {
            panic!("{} is not verified", sample.name);
        };
        assert_eq!(callback.kind(), kind, "{}", sample.name);
        assert_eq!(callback.proof(), Proof::ApplicationToken);
        assert_eq!(callback.mismatch(), None, "{}", sample.name);
        let typed = match callback.payload() {
            CallbackPayload::Robot(_) => CallbackKind::Robot,
            CallbackPayload::Message(_) => CallbackKind::Message,
            CallbackPayload::Placement(_) => CallbackKind::Placement,
            CallbackPayload::Settings(_) => CallbackKind::Settings,
            other => panic!("{}: {other:?}", sample.name),
        };
        assert_eq!(typed, kind, "{}", sample.name);
        let data = serde_json::to_string(&callback.data().unwrap().expose()).unwrap();
        let expected = sample.data();
        // serde_json's maps are sorted, so only the values are compared.
        assert_eq!(
            serde_json::from_str::<Json>(&data).unwrap(),
            expected,
            "{}",
            sample.name
        );
        assert_eq!(callback.body(), &sample.form, "{}", sample.name);

        for other in [OTHER_TOKEN, &TOKEN[1..], "x"] {
            let outcome = sample.send(&layer(other).pass_other_callbacks()).await;
            let Outcome::Rejected(StatusCode::FORBIDDEN, kind) = outcome else {
                panic!("{}: {outcome:?}", sample.name);
            };
            assert_eq!(kind, RejectionKind::TokenRejected, "{}", sample.name);
        }
        verified += 1;
    }
    assert_eq!(verified, 57);
}

#[tokio::test]
async fn no_sample_without_a_token_becomes_a_callback() {
    let mut passed = Vec::new();
    for sample in samples() {
        if sample.verified_kind().is_some() || sample.kind == "event" {
            continue;
        }
        let outcome = sample.send(&layer(TOKEN)).await;
        assert!(
            matches!(outcome, Outcome::Rejected(..)),
            "{}: {outcome:?}",
            sample.name
        );
        match sample.send(&layer(TOKEN).pass_other_callbacks()).await {
            Outcome::Passed => passed.push(sample.name),
            Outcome::Rejected(StatusCode::FORBIDDEN, kind) => {
                assert_eq!(kind, RejectionKind::TokenMissing, "{}", sample.name);
                let has_access_token = ["AUTH_ID=4", "auth%5Baccess_token%5D=4"];
                let has = has_access_token.iter().any(|key| sample.form.contains(key));
                assert!(has, "{}", sample.name);
            }
            other => panic!("{}: {other:?}", sample.name),
        }
    }
    for name in [
        "webhook_robot_deal",
        "sms_no_author",
        "userfield_old_no_access",
        "bi_check",
    ] {
        assert!(passed.iter().any(|passed| passed == name), "{name}");
    }
    for name in ["page_default_old_build", "vibe_widget_fetch"] {
        assert!(!passed.iter().any(|passed| passed == name), "{name}");
    }
}

#[tokio::test]
async fn typed_values_of_every_sample_are_those_of_its_form() {
    let mut ids = Vec::new();
    let mut counts = [0; 4];
    for sample in samples() {
        if sample.verified_kind().is_none() {
            continue;
        }
        let Outcome::Callback(callback) = sample.send(&layer(TOKEN)).await else {
            panic!("{} is not verified", sample.name);
        };
        let tree = &sample.tree;
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let name = &sample.name;
        let user = tree["auth"]["user_id"].as_str();
        let user = user.map(|user| user.parse::<u64>().unwrap());
        match callback.payload() {
            CallbackPayload::Robot(robot) => {
                counts[0] += 1;
                assert_eq!(robot.code, tree["code"], "{name}");
                assert_eq!(robot.workflow_id, tree["workflow_id"], "{name}");
                assert_eq!(robot.event_token.expose(), tree["event_token"], "{name}");
                let document = &robot.document;
                let parts = json!([document.module, document.entity, document.raw]);
                assert_eq!(parts, tree["document_id"], "{name}");
                assert_eq!(document.document_type, tree["document_type"][2], "{name}");
                ids.push(document.id.clone());
                let properties = json!(robot.properties);
                let none = tree.get("properties").is_none();
                assert!(none && robot.properties.is_empty() || properties == tree["properties"]);
                let use_subscription = tree.get("use_subscription").map(|choice| choice == "Y");
                assert_eq!(robot.use_subscription, use_subscription, "{name}");
                let timeout = robot.timeout_duration.to_string();
                assert_eq!(timeout, tree["timeout_duration"], "{name}");
                assert_eq!(robot.user_id, user, "{name}");
            }
            CallbackPayload::Message(message) => {
                counts[1] += 1;
                assert_eq!(message.code, tree["code"], "{name}");
                assert_eq!(message.message_id, text(&tree["message_id"]), "{name}");
                assert_eq!(message.to, tree["properties"]["phone_number"], "{name}");
                assert_eq!(message.body, tree["properties"]["message_text"], "{name}");
                let bindings = tree["bindings"].as_array().map_or(0, Vec::len);
                assert_eq!(message.bindings.len(), bindings, "{name}");
                assert_eq!(message.user_id, user, "{name}");
            }
            CallbackPayload::Placement(page) => {
                counts[2] += 1;
                assert_eq!(page.placement.as_str(), tree["PLACEMENT"], "{name}");
                let options = page
                    .options
                    .as_ref()
                    .map(|options| options.as_json().to_owned());
                assert_eq!(options, text(&tree["PLACEMENT_OPTIONS"]), "{name}");
                assert!(page.domain.is_some() && page.app_sid.is_some(), "{name}");
            }
            CallbackPayload::Settings(settings) => {
                counts[3] += 1;
                // Saved settings have no event.
                let action = tree["event"].as_str().unwrap_or_default();
                assert_eq!(settings.action.as_str(), action, "{name}");
                let data = settings.data.as_ref().map(tower_bitrix24::Value::expose);
                assert_eq!(json!(data), tree["data"], "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(counts, [15, 4, 32, 6]);
    let expected = ["1188", "24", "49", "3", "1:5", "1839689", "311", "904"];
    for id in expected {
        assert!(ids.iter().any(|known| known == id), "{id} of {ids:?}");
    }
}

/// Returns the rarer request that a sample is.
fn unknown_kind(sample: &Sample) -> Option<UnknownKind> {
    Some(match &*sample.kind {
        "webhook_robot" => UnknownKind::WebhookRobot,
        "placement_error" => UnknownKind::PlacementError,
        "vibe_widget" => UnknownKind::PageWidget,
        "paysystem_form" | "paysystem_checkout" => UnknownKind::PaySystem,
        "cashbox_print" | "cashbox_check" => UnknownKind::Cashbox,
        "delivery" => UnknownKind::Delivery,
        "ai_engine" => UnknownKind::AiEngine,
        "bi_connector" => UnknownKind::BiConnector,
        "marketing" => UnknownKind::Marketing,
        _ => return None,
    })
}

#[tokio::test]
async fn every_sample_without_a_token_is_told_apart_and_lossless_by_a_secret_in_the_url() {
    let secret = UrlSecret::query("secret", ["9b1c7e02f4a84d55"]).unwrap();
    let layer = layer(TOKEN).url_secret(secret);
    let mut told = std::collections::BTreeMap::<_, usize>::new();
    for mut sample in samples() {
        if sample.verified_kind().is_some() || sample.kind == "event" || sample.method == "GET" {
            continue;
        }
        let outcome = sample.send(&layer).await;
        let kind = RejectionKind::UrlSecretRejected;
        assert!(
            matches!(outcome, Outcome::Rejected(StatusCode::FORBIDDEN, rejected) if rejected == kind),
            "{}: {outcome:?}",
            sample.name
        );
        let query = sample.query.unwrap_or_default();
        sample.query = Some(format!("{query}&secret=9b1c7e02f4a84d55"));
        let Outcome::Callback(callback) = sample.send(&layer).await else {
            panic!("{} is not verified", sample.name);
        };
        assert_eq!(callback.proof(), Proof::UrlSecret, "{}", sample.name);
        assert_eq!(
            callback.unknown_kind(),
            unknown_kind(&sample),
            "{}",
            sample.name
        );
        assert_eq!(callback.mismatch(), None, "{}", sample.name);
        assert_eq!(callback.body(), &sample.form, "{}", sample.name);
        if sample.content_type == "application/json" {
            let json: Json = callback.json_as().unwrap();
            assert_eq!(json, sample.tree, "{}", sample.name);
        } else {
            let data = serde_json::to_value(callback.data().unwrap().expose()).unwrap();
            assert_eq!(data, sample.data(), "{}", sample.name);
        }
        *told.entry(callback.kind().as_str()).or_default() += 1;
    }
    let told: Vec<_> = told.into_iter().collect();
    assert_eq!(told, [("message", 1), ("placement", 3), ("unknown", 25)]);
}

#[tokio::test]
async fn events_are_the_same_with_callbacks_on() {
    let mut events = 0;
    for sample in corpus() {
        let token = sample.token.as_deref().unwrap_or("any");
        let without = EventLayer::new(ApplicationToken::new(token).unwrap());
        let with = without.clone().callbacks();
        match (
            post(&with, &sample.form).await,
            post(&without, &sample.form).await,
        ) {
            (Outcome::Event(with), Outcome::Event(without)) => {
                let json = |event| serde_json::to_string(event).unwrap();
                assert_eq!(json(&with), json(&without), "{}", sample.name);
                events += 1;
            }
            (Outcome::Rejected(_, with), Outcome::Rejected(_, without)) => {
                assert_eq!(with, without, "{}", sample.name);
            }
            different => panic!("{}: {different:?}", sample.name),
        }
    }
    assert_eq!(events, 191);
}

#[tokio::test]
async fn callbacks_are_rejected_unless_they_are_on() {
    let off = EventLayer::new(ApplicationToken::new(TOKEN).unwrap());
    for form in [ROBOT, PAGE] {
        let form = format!("{form}&auth[application_token]={TOKEN}");
        let outcome = post(&off, &form).await;
        let no_event = matches!(outcome, Outcome::Rejected(_, RejectionKind::NoEvent));
        assert!(no_event, "{outcome:?}");
    }
}

#[tokio::test]
async fn forgeries_never_reach_the_service_not_even_as_another_callback() {
    let token = format!("auth[application_token]={TOKEN}");
    let robot = format!("{ROBOT}&{token}");
    let page = format!("{PAGE}&APPLICATION_TOKEN={TOKEN}");
    let message = format!("type=SMS&code=p&message_id=1&message_body=x&message_to=1&{token}");
    let rejected = |kind| (StatusCode::FORBIDDEN, kind);
    let malformed = (StatusCode::BAD_REQUEST, RejectionKind::Malformed);
    let missing = rejected(RejectionKind::TokenMissing);
    for (name, form, expected) in [
        (
            "event smuggled into a robot",
            format!("{robot}&event=ONAPPUNINSTALL"),
            malformed,
        ),
        (
            "event smuggled into a page",
            format!("{page}&event=ONAPPUNINSTALL"),
            malformed,
        ),
        (
            "event smuggled into a message",
            format!("{message}&event=ONAPPTEST"),
            malformed,
        ),
        (
            "empty event before a robot",
            format!("event=&{robot}"),
            malformed,
        ),
        (
            "empty event with a token",
            format!("event=&{token}"),
            malformed,
        ),
        (
            "event in another spelling",
            format!("{robot}&+event=ONAPPUNINSTALL"),
            malformed,
        ),
        (
            "nameless key",
            format!("{robot}&[]=ONAPPUNINSTALL"),
            malformed,
        ),
        (
            "robot smuggled into an event",
            format!("event=ONAPPTEST&event_token=1&{token}"),
            malformed,
        ),
        (
            "robot smuggled by a folded key",
            format!("event=ONAPPTEST&event.token=1&{token}"),
            malformed,
        ),
        (
            "page smuggled into a robot",
            format!("{robot}&AUTH_ID=1"),
            malformed,
        ),
        (
            "message smuggled into a robot",
            format!("{robot}&message_id=1"),
            malformed,
        ),
        (
            "two tokens of a robot",
            format!("{robot}&{token}"),
            malformed,
        ),
        (
            "two tokens of a page",
            format!("{page}&APPLICATION_TOKEN={TOKEN}"),
            malformed,
        ),
        (
            "two tokens in two places",
            format!("{page}&{token}"),
            malformed,
        ),
        (
            "token in two spellings",
            format!("{page}&APPLICATION.TOKEN=x"),
            malformed,
        ),
        (
            "token in two cases",
            format!("{page}&application_token=x"),
            malformed,
        ),
        (
            "token as an array",
            format!("{PAGE}&APPLICATION_TOKEN[]={TOKEN}"),
            malformed,
        ),
        (
            "token of a robot as an array",
            format!("{ROBOT}&{token}&auth[application_token][]=x"),
            malformed,
        ),
        ("code twice", format!("{robot}&code=other"), malformed),
        (
            "code as an array",
            format!("{robot}&code[0]=other"),
            malformed,
        ),
        (
            "document as a text, then as an array",
            format!("document_id=x&{robot}"),
            malformed,
        ),
        (
            "document as an array, then as a text",
            format!("{robot}&document_id=x"),
            malformed,
        ),
        (
            "properties as a text, then as an array",
            format!("{robot}&properties=&properties[weight]=1"),
            malformed,
        ),
        (
            "options of a page as an array",
            format!("{page}&PLACEMENT_OPTIONS[ID]=1"),
            malformed,
        ),
        ("two portals", format!("{page}&member_id=b"), malformed),
        (
            "auth as a string",
            format!("{ROBOT}&auth={TOKEN}"),
            malformed,
        ),
        (
            "other portal's token",
            format!("{ROBOT}&auth[application_token]={OTHER_TOKEN}"),
            rejected(RejectionKind::TokenRejected),
        ),
        (
            "other application's token",
            format!("{PAGE}&APPLICATION_TOKEN={OTHER_TOKEN}"),
            rejected(RejectionKind::TokenRejected),
        ),
        (
            "token as a page's in a robot",
            format!("{ROBOT}&APPLICATION_TOKEN={TOKEN}"),
            malformed,
        ),
        (
            "token at the top of a robot",
            format!("{ROBOT}&application_token={TOKEN}"),
            malformed,
        ),
        (
            "token deeper in a robot",
            format!("{ROBOT}&properties[auth][application_token]={TOKEN}"),
            missing,
        ),
        ("robot without a token", ROBOT.to_owned(), missing),
        (
            "robot with an empty token",
            format!("{ROBOT}&auth[application_token]="),
            missing,
        ),
        (
            "settings without a token",
            "event=OnAppSettingsInstall&auth[member_id]=a".to_owned(),
            missing,
        ),
        ("page that claims an old build", PAGE.to_owned(), missing),
        (
            "access token alone",
            "page=2&auth[access_token]=4d7c".to_owned(),
            missing,
        ),
    ] {
        for layer in [layer(TOKEN), layer(TOKEN).pass_other_callbacks()] {
            match post(&layer, &form).await {
                Outcome::Rejected(status, kind) => assert_eq!((status, kind), expected, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    for form in [robot, page, message] {
        let outcome = post(&layer(TOKEN), &form).await;
        assert!(
            matches!(outcome, Outcome::Callback(_)),
            "{form}: {outcome:?}"
        );
    }
}

/// The query, the method and the content type of a request say nothing of what verifies it.
#[tokio::test]
async fn token_counts_in_the_form_of_a_post_alone() {
    let token = format!("auth[application_token]={TOKEN}");
    let robot = format!("{ROBOT}&{token}");
    let page = format!("{PAGE}&APPLICATION_TOKEN={TOKEN}");
    let multipart = "multipart/form-data; boundary=x";
    let missing = RejectionKind::TokenMissing;
    for (method, uri, content_type, form, expected) in [
        ("POST", format!("/?{token}"), FORM, ROBOT, missing),
        (
            "POST",
            format!("/?APPLICATION_TOKEN={TOKEN}"),
            FORM,
            PAGE,
            missing,
        ),
        (
            "GET",
            format!("/?{robot}"),
            FORM,
            "",
            RejectionKind::MethodNotAllowed,
        ),
        (
            "GET",
            "/".into(),
            FORM,
            &*robot,
            RejectionKind::MethodNotAllowed,
        ),
        (
            "PUT",
            "/".into(),
            FORM,
            &*robot,
            RejectionKind::MethodNotAllowed,
        ),
        (
            "POST",
            "/".into(),
            multipart,
            &*robot,
            RejectionKind::NotAForm,
        ),
        (
            "POST",
            "/".into(),
            "text/plain",
            &*robot,
            RejectionKind::NotAForm,
        ),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(&uri)
            .header(CONTENT_TYPE, content_type);
        let request = request.body(Full::from(form.to_owned())).unwrap();
        let outcome = send(&layer(TOKEN), request).await;
        let rejected = matches!(outcome, Outcome::Rejected(_, kind) if kind == expected);
        assert!(rejected, "{method} {uri} {content_type}: {outcome:?}");
    }
    // The same keys in the query are ignored.
    let uri =
        "/?AUTH_ID=other&member_id=b&APPLICATION_TOKEN=guess&PLACEMENT=LEFT_MENU&event=ONAPPTEST";
    for form in [robot, page] {
        let request = Request::post(uri).header(CONTENT_TYPE, FORM);
        let outcome = send(&layer(TOKEN), request.body(Full::from(form)).unwrap()).await;
        let Outcome::Callback(callback) = outcome else {
            panic!("{outcome:?}");
        };
        assert_ne!(callback.auth().member_id(), Some("b"));
        if let CallbackPayload::Placement(page) = callback.payload() {
            assert_eq!(page.placement, PlacementCode::Default);
        }
    }
}

#[tokio::test]
async fn options_of_a_placement_are_as_large_and_as_deep_as_the_body_may_be() {
    let form = |options: &str| {
        let options = urlencoded(options);
        format!("{PAGE}&APPLICATION_TOKEN={TOKEN}&PLACEMENT_OPTIONS={options}")
    };
    let large = format!(r#"{{"template":"{}"}}"#, "x".repeat(900_000));
    let deep = "[".repeat(300_000);
    for (options, is_json) in [(large, true), (deep, false)] {
        let outcome = post(&layer(TOKEN), &form(&options)).await;
        let Outcome::Callback(callback) = outcome else {
            panic!("{outcome:?}");
        };
        let CallbackPayload::Placement(page) = callback.payload() else {
            panic!("{}", callback.kind());
        };
        let read = page.options.as_ref().unwrap();
        assert_eq!(read.as_json(), options);
        assert_eq!(read.options_as::<Json>().is_ok(), is_json);
        let shown = format!("{callback:?}{}", serde_json::to_string(&callback).unwrap());
        assert_eq!(shown.contains(&options), is_json);
    }
    let outcome = post(&layer(TOKEN), &form(&"x".repeat(1 << 20))).await;
    let large = matches!(outcome, Outcome::Rejected(_, RejectionKind::BodyTooLarge));
    assert!(large, "{outcome:?}");
}

#[tokio::test]
async fn callback_of_a_known_portal_is_verified_by_its_own_token() {
    let portals = PortalVerifier::new(MemoryStore::new());
    for (portal, token) in [("a223", TOKEN), ("b334", OTHER_TOKEN)] {
        portals
            .set_token(portal, &Secret::new(token))
            .await
            .unwrap();
    }
    let layer = EventLayer::new(portals).callbacks().pass_other_callbacks();
    for (token, is_verified) in [(TOKEN, true), (OTHER_TOKEN, false), ("x", false)] {
        for form in [
            format!("{ROBOT}&auth[member_id]=a223&auth[application_token]={token}"),
            format!("{PAGE}&APPLICATION_TOKEN={token}"),
        ] {
            let outcome = post(&layer, &form).await;
            let accepted = matches!(outcome, Outcome::Callback(_));
            assert_eq!(accepted, is_verified, "{form}: {outcome:?}");
        }
    }
}

/// Accepts events without a token.
#[derive(Clone)]
struct AcceptsAll;

impl VerifyToken for AcceptsAll {
    type Future = std::future::Ready<Result<(), tower_bitrix24::VerifyError>>;

    fn verify(&self, _: &Envelope) -> Self::Future {
        std::future::ready(Ok(()))
    }

    fn insecure_verify_without_token(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn callback_without_a_token_is_rejected_by_every_verifier() {
    let layer = EventLayer::new(AcceptsAll).callbacks();
    for form in [ROBOT, PAGE] {
        let outcome = post(&layer, form).await;
        let missing = matches!(outcome, Outcome::Rejected(_, RejectionKind::TokenMissing));
        assert!(missing, "{outcome:?}");
    }
    assert!(matches!(
        post(&layer, "event=ONAPPTEST").await,
        Outcome::Event(_)
    ));
}

#[tokio::test]
async fn debug_and_json_of_a_callback_show_no_secret() {
    let secrets = [
        TOKEN,
        "4d7c9b680077e1d10057b2f4000000010000075be2d1c04f9ea637c1d1d35e0b97f2a6",
        "3dfbc2680077e1d10057b2f400000001000007e0c6a3b41d7f58920bd9c35a6174f8ed",
        "588b8a98e848778a4ffb38fbcf70f2b9",
        "aaa40a72428e04d6f5b7cfc514e32c62f20d9c34d2dbdc5555953c43b7481119",
    ];
    let mut shown = 0;
    for sample in samples() {
        if sample.verified_kind().is_none() {
            continue;
        }
        let Outcome::Callback(callback) = sample.send(&layer(TOKEN)).await else {
            panic!("{} is not verified", sample.name);
        };
        let json = serde_json::to_string(&callback).unwrap();
        for text in [format!("{callback:?}"), format!("{callback:#?}"), json] {
            for secret in secrets {
                assert!(!text.contains(secret), "{}: {text}", sample.name);
            }
            shown += 1;
        }
    }
    assert_eq!(shown, 3 * 57);
}

#[tokio::test]
async fn debug_and_json_of_a_callback_show_no_secret_in_options_of_a_placement() {
    for options in [
        r#"{"ID":"8061","access_token":"canary"}"#,
        r#"{"ID":"8061","URI":"/d/?auth=canary"}"#,
        r#"{"ID":"8061","access_token":"canary""#,
    ] {
        let form = format!(
            "PLACEMENT=CRM_DEAL_DETAIL_TAB&PLACEMENT_OPTIONS={}&APPLICATION_TOKEN={TOKEN}",
            urlencoded(options)
        );
        let Outcome::Callback(callback) = post(&layer(TOKEN), &form).await else {
            panic!("{form} is not verified");
        };
        let data = callback
            .data()
            .and_then(|data| data.get("PLACEMENT_OPTIONS"));
        assert_eq!(data.and_then(tower_bitrix24::Value::as_str), Some(options));
        let json = serde_json::to_string(&callback).unwrap();
        for text in [format!("{callback:?}"), json] {
            assert!(!text.contains("canary"), "{text}");
        }
    }
}

fn urlencoded(text: &str) -> String {
    serde_urlencoded::to_string([("", text)]).unwrap()[1..].to_owned()
}

#[tokio::test]
async fn robot_has_its_document_properties_and_time_to_wait() {
    let robot = robot(&format!(
        "{ROBOT}&properties[users][0]=user_7&properties[users][1]=user_12&properties[Weight]=2.5\
         &properties[none]=&use_subscription=Y&timeout_duration=660&ts=5&auth[user_id]=7"
    ))
    .await;
    assert_eq!(
        (&*robot.document.id, &*robot.document.raw),
        ("18", "DEAL_18")
    );
    assert_eq!(
        (&*robot.document.module, &*robot.document.entity),
        ("crm", "CCrmDocumentDeal")
    );
    assert_eq!(robot.event_token.expose(), "1.a");
    assert_eq!((robot.user_id, robot.ts), (Some(7), Some(5)));
    assert!(robot.waits());
    assert_eq!(robot.timeout().unwrap().as_secs(), 660);
    assert_eq!(robot.properties["none"].as_str(), Some(""));

    #[derive(Debug, Deserialize, PartialEq)]
    struct Properties {
        users: Vec<String>,
        #[serde(rename = "Weight")]
        weight: f64,
    }
    let properties: Properties = robot.properties_as().unwrap();
    let users = vec!["user_7".to_owned(), "user_12".to_owned()];
    assert_eq!(properties, Properties { users, weight: 2.5 });

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Wrong {
        users: u64,
    }
    let mismatch = robot.properties_as::<Wrong>().unwrap_err();
    assert!(
        mismatch.path().starts_with("properties.users"),
        "{mismatch}"
    );
}

#[tokio::test]
async fn robot_without_use_subscription_does_not_wait() {
    for (choice, use_subscription) in [
        ("", None),
        ("&use_subscription=", None),
        ("&use_subscription=N", Some(false)),
    ] {
        let robot = robot(&format!("{ROBOT}{choice}&timeout_duration=0")).await;
        assert_eq!(robot.use_subscription, use_subscription);
        assert!(!robot.waits() && robot.timeout().is_none());
        assert!(robot.properties.is_empty());
        let none: std::collections::BTreeMap<String, String> = robot.properties_as().unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn robot_that_does_not_fit_is_delivered_with_its_data() {
    let callback = callback("event_token=1.a&code=ship&workflow_id=1&x[y.z]=1&a.b=2").await;
    assert_eq!(callback.kind(), CallbackKind::Robot);
    assert_eq!(callback.payload(), &CallbackPayload::Unknown);
    assert_eq!(callback.mismatch().unwrap().path(), "document_id");
    assert_eq!(
        serde_json::to_value(callback.data().unwrap().expose()).unwrap(),
        json!({"event_token": "1.a", "code": "ship", "workflow_id": "1", "x": {"y.z": "1"}, "a_b": "2"})
    );
}

#[tokio::test]
async fn callback_with_too_many_arrays_is_delivered_unread() {
    let arrays: String = (0..99)
        .map(|at| format!("&properties[{at}]{}=", "[]".repeat(9)))
        .collect();
    let callback = callback(&format!("{ROBOT}{arrays}")).await;
    assert_eq!(callback.payload(), &CallbackPayload::Unknown);
    assert!(
        callback
            .mismatch()
            .unwrap()
            .reason()
            .contains("are not read")
    );
    assert!(callback.data().is_none());
    assert!(callback.data_as::<Json>().is_err());
    assert!(callback.body().starts_with(b"workflow_id=1"));
}

#[tokio::test]
async fn form_of_no_known_kind_with_a_token_is_delivered_whole() {
    let callback = callback("page=2&filter[year]=2026").await;
    assert_eq!(callback.kind(), CallbackKind::Unknown);
    assert_eq!(callback.payload(), &CallbackPayload::Unknown);
    assert_eq!(callback.mismatch(), None);
    let data = serde_json::to_string(callback.data().unwrap()).unwrap();
    assert_eq!(data, r#"{"page":"2","filter":{"year":"2026"}}"#);
}

#[tokio::test]
async fn placement_has_its_options_its_tokens_and_the_query() {
    let samples = samples();
    let sample = samples
        .iter()
        .find(|sample| sample.name == "deal_detail_tab")
        .unwrap();
    let Outcome::Callback(callback) = sample.send(&layer(TOKEN)).await else {
        panic!("the sample is verified");
    };
    let CallbackPayload::Placement(placement) = callback.payload() else {
        panic!("{callback:?}");
    };
    let Placement {
        placement: code,
        domain,
        lang,
        is_https,
        app_sid,
        ..
    } = &**placement;
    assert_eq!(code, &PlacementCode::CrmDealDetailTab);
    assert_eq!(domain.as_deref(), Some("some-domain.bitrix24.com"));
    assert_eq!((lang.as_deref(), *is_https), (Some("en"), Some(true)));
    assert!(app_sid.is_some());
    let options: Json = placement.options.as_ref().unwrap().options_as().unwrap();
    assert_eq!(options["ID"], "8061");
    let auth = callback.auth();
    assert_eq!(auth.member_id(), Some("a223c6b3710f85df22e9377d6c4f7553"));
    assert_eq!(auth.expires_in(), Some(3600));
    assert!(auth.access_token().is_some() && auth.refresh_token().is_some());
    assert_eq!(
        auth.server_endpoint(),
        Some("https://oauth.bitrix.info/rest/")
    );
    assert_eq!(auth.scope(), ["crm", "placement"]);
}

#[tokio::test]
async fn settings_have_their_action_and_their_values() {
    for (form, action, data) in [
        ("event=OnAppSettingsInstall", SettingsAction::Install, None),
        ("event=OnAppSettingsDisplay", SettingsAction::Display, None),
        (
            "event=OnAppSettingsChange&data[key]=1",
            SettingsAction::Change,
            Some("1"),
        ),
        (
            "event=OnAppSettingsNew",
            SettingsAction::Other("OnAppSettingsNew".into()),
            None,
        ),
        ("data[key]=1&saveform=Y", SettingsAction::Save, Some("1")),
    ] {
        let callback = callback(form).await;
        let CallbackPayload::Settings(settings) = callback.payload() else {
            panic!("{callback:?}");
        };
        let Settings {
            action: found,
            data: values,
            ..
        } = &**settings;
        assert_eq!(found, &action);
        let value = values.as_ref().and_then(|values| values["key"].as_str());
        assert_eq!(value, data, "{form}");
    }
}
