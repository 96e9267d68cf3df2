//! A secret in the URL, and what a head must fulfill, through the layer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use serde_json::{Value as Json, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::callback::{Callback, CallbackKind, CallbackPayload, Proof, UnknownKind};
use tower_bitrix24::layer::UrlSecret;
use tower_bitrix24::{ApplicationToken, Event, EventLayer, Rejection, RejectionKind};

use crate::common::{SEED, TOKEN, layer};

const FORM: &str = "application/x-www-form-urlencoded";
const SECRET: &str = "canary9b1c7e02";
const WEBHOOK_ROBOT: &str = "document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
    &document_id[2]=DEAL_1&auth[domain]=a.bitrix24.com&auth[member_id]=a";

/// The request as the service behind the layer saw it, or the rejection.
#[derive(Debug)]
enum Outcome {
    Event(Uri),
    Callback(Box<Callback>, Uri),
    Passed(Uri),
    Rejected(RejectionKind),
}

impl Outcome {
    fn callback(self) -> Callback {
        match self {
            Self::Callback(callback, _) => *callback,
            other => panic!("{other:?}"),
        }
    }

    fn rejected(self) -> RejectionKind {
        match self {
            Self::Rejected(kind) => kind,
            other => panic!("{other:?}"),
        }
    }

    fn uri(&self) -> String {
        match self {
            Self::Event(uri) | Self::Callback(_, uri) | Self::Passed(uri) => uri.to_string(),
            Self::Rejected(kind) => panic!("{kind}"),
        }
    }
}

fn query() -> UrlSecret {
    UrlSecret::query("secret", ["the other one", SECRET]).unwrap()
}

async fn send(
    layer: &EventLayer<ApplicationToken>,
    method: Method,
    uri: &str,
    content_type: &str,
    body: &str,
) -> Outcome {
    let seen = Arc::new(Mutex::new(None));
    let keep = seen.clone();
    let service = layer.layer(service_fn(move |request: Request<Full<Bytes>>| {
        let uri = request.uri().clone();
        let extensions = request.extensions();
        let outcome = match (extensions.get::<Event>(), extensions.get::<Callback>()) {
            (Some(_), None) => Outcome::Event(uri),
            (None, Some(callback)) => Outcome::Callback(Box::new(callback.clone()), uri),
            (None, None) => Outcome::Passed(uri),
            both => panic!("{both:?}"),
        };
        *keep.lock().unwrap() = Some(outcome);
        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }
    }));
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(CONTENT_TYPE, content_type)
        .body(Full::from(body.to_owned()));
    let response = service.oneshot(request.unwrap()).await.unwrap();
    let seen = seen.lock().unwrap().take();
    seen.unwrap_or_else(|| {
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(response.status(), rejection.status());
        for shown in [
            format!("{rejection}"),
            format!("{rejection:?}"),
            format!("{response:?}"),
        ] {
            assert!(!shown.contains(SECRET), "{shown}");
        }
        Outcome::Rejected(rejection.kind())
    })
}

async fn post(layer: &EventLayer<ApplicationToken>, uri: &str, body: &str) -> Outcome {
    send(layer, Method::POST, uri, FORM, body).await
}

#[tokio::test]
async fn url_secret_is_a_second_lock_for_an_event_and_never_the_only_one() {
    let layer = layer().callbacks().url_secret(query());
    for (uri, body, expected) in [
        ("/", SEED.to_owned(), RejectionKind::UrlSecretRejected),
        (
            "/?secret=guess",
            SEED.to_owned(),
            RejectionKind::UrlSecretRejected,
        ),
        (
            "/?secret=",
            SEED.to_owned(),
            RejectionKind::UrlSecretRejected,
        ),
        (
            "/?secret=canary9b1c7e02&secret=canary9b1c7e02",
            SEED.to_owned(),
            RejectionKind::UrlSecretRejected,
        ),
        (
            "/?secret=canary9b1c7e02",
            SEED.replace(TOKEN, "guess"),
            RejectionKind::TokenRejected,
        ),
        (
            "/?secret=canary9b1c7e02",
            "event=ONAPPTEST".to_owned(),
            RejectionKind::TokenMissing,
        ),
        (
            "/?secret=canary9b1c7e02",
            "event=OnAppSettingsInstall".to_owned(),
            RejectionKind::TokenMissing,
        ),
        (
            "/?secret=canary9b1c7e02",
            "event_token=1&code=ship".to_owned(),
            RejectionKind::TokenMissing,
        ),
        (
            "/?secret=canary9b1c7e02",
            format!("{WEBHOOK_ROBOT}&auth[application_token]=guess"),
            RejectionKind::TokenRejected,
        ),
        (
            "/?secret=canary9b1c7e02",
            format!("{WEBHOOK_ROBOT}&event_token=1&AUTH_ID=2"),
            RejectionKind::Malformed,
        ),
        (
            "/?secret=canary9b1c7e02",
            format!("{WEBHOOK_ROBOT}&[]=ONAPPUNINSTALL"),
            RejectionKind::Malformed,
        ),
        (
            "/?secret=canary9b1c7e02",
            format!("{WEBHOOK_ROBOT}&event="),
            RejectionKind::NoEvent,
        ),
    ] {
        assert_eq!(
            post(&layer, uri, &body).await.rejected(),
            expected,
            "{uri} {body}"
        );
    }
    for secret in [SECRET, "the+other+one", "the%20other%20one"] {
        let outcome = post(&layer, &format!("/?a=1&secret={secret}"), SEED).await;
        assert!(matches!(outcome, Outcome::Event(_)), "{outcome:?}");
        assert_eq!(outcome.uri(), "/?a=1&secret=redacted");
    }
}

#[tokio::test]
async fn url_secret_alone_proves_what_has_no_token() {
    for layer in [
        layer().callbacks().url_secret(query()),
        layer().callbacks().url_secret(query().only_without_token()),
    ] {
        let callback = post(&layer, "/?secret=canary9b1c7e02", WEBHOOK_ROBOT)
            .await
            .callback();
        assert_eq!(callback.proof(), Proof::UrlSecret);
        assert_eq!(callback.kind(), CallbackKind::Unknown);
        assert_eq!(callback.payload(), &CallbackPayload::Unknown);
        assert_eq!(callback.unknown_kind(), Some(UnknownKind::WebhookRobot));
        assert_eq!(
            callback.data().unwrap()["document_id"]["2"].as_str(),
            Some("DEAL_1")
        );

        let message = "type=SMS&code=p&message_id=1&message_body=x&message_to=1&auth[member_id]=a";
        let callback = post(&layer, "/?secret=canary9b1c7e02", message)
            .await
            .callback();
        assert_eq!(callback.proof(), Proof::UrlSecret);
        assert!(matches!(callback.payload(), CallbackPayload::Message(_)));

        for layer in [layer.clone(), layer.pass_other_callbacks()] {
            for (uri, body) in [
                ("/", WEBHOOK_ROBOT),
                ("/?secret=guess", message),
                ("/", "anything=else"),
            ] {
                let kind = post(&layer, uri, body).await.rejected();
                assert_eq!(kind, RejectionKind::UrlSecretRejected, "{uri} {body}");
            }
        }
    }
}

#[tokio::test]
async fn url_secret_that_is_not_demanded_leaves_tokens_as_they_are() {
    let layer = layer().callbacks().url_secret(query().only_without_token());
    for uri in ["/", "/?secret=guess", "/?secret=canary9b1c7e02"] {
        let outcome = post(&layer, uri, SEED).await;
        assert!(matches!(outcome, Outcome::Event(_)), "{outcome:?}");
        assert!(!outcome.uri().contains("guess"), "{outcome:?}");
        let page = format!("AUTH_ID=4d&member_id=a&APPLICATION_TOKEN={TOKEN}");
        let callback = post(&layer, uri, &page).await.callback();
        assert_eq!(callback.proof(), Proof::ApplicationToken);
        let forged = page.replace(TOKEN, "guess");
        let kind = post(&layer, uri, &forged).await.rejected();
        assert_eq!(kind, RejectionKind::TokenRejected);
    }
}

#[tokio::test]
async fn url_secret_in_the_path_selects_its_template_and_is_redacted() {
    let secret = UrlSecret::path("/hook/{secret}/events", [SECRET]).unwrap();
    let layer = layer().callbacks().path("/events").url_secret(secret);
    for uri in [
        "/hook/canary9b1c7e02/events",
        "//hook/./canary9b1c7e%302/events/",
        "/hook%2Fcanary9b1c7e02/events",
    ] {
        let outcome = post(&layer, uri, WEBHOOK_ROBOT).await;
        assert!(outcome.uri().contains("redacted"), "{outcome:?}");
        assert!(!outcome.uri().contains("canary"), "{outcome:?}");
        assert_eq!(outcome.callback().proof(), Proof::UrlSecret);
    }
    for uri in ["/hook/guess/events", "/events"] {
        let kind = post(&layer, uri, SEED).await.rejected();
        assert_eq!(kind, RejectionKind::UrlSecretRejected, "{uri}");
    }
    let outcome = post(&layer, "/elsewhere", SEED).await;
    assert!(matches!(outcome, Outcome::Passed(_)), "{outcome:?}");
}

/// Redaction lengthens a URI, which has a maximum length.
#[tokio::test]
async fn url_that_is_too_long_to_be_redacted_is_rejected_and_not_a_panic() {
    let filled = |uri: &str| format!("{uri}{}", "a".repeat(65_530 - uri.len()));
    let in_query = || layer().callbacks().url_secret(query());
    let in_path = UrlSecret::path("/hook/{secret}", [SECRET]).unwrap();
    let in_path = layer().callbacks().url_secret(in_path);
    for (layer, uri) in [
        (in_query(), filled("/hook?secret=&x=")),
        (in_query(), format!("/hook?{}", "secret=&".repeat(8_000))),
        (in_path.clone(), filled("/hook/a?x=")),
        (
            in_path.clone(),
            format!("/{}hook/a", "a/../".repeat(13_000)),
        ),
    ] {
        assert!(uri.len() <= 65_534);
        let kind = post(&layer, &uri, SEED).await.rejected();
        assert_eq!(kind, RejectionKind::UrlSecretRejected);
    }
    // The secret is not shown even if it is right.
    let short = |secret: UrlSecret| layer().url_secret(secret);
    for (layer, uri) in [
        (
            short(UrlSecret::query("k", ["canary"]).unwrap()),
            filled("/?k=canary&x="),
        ),
        (
            short(UrlSecret::path("/hook/{secret}", ["canary"]).unwrap()),
            filled("/hook/canary?x="),
        ),
    ] {
        let outcome = post(&layer, &uri, SEED).await;
        assert!(matches!(outcome, Outcome::Event(_)), "{outcome:?}");
        assert!(outcome.uri().contains("redacted"));
        assert!(!outcome.uri().contains("canary"));
    }
}

#[tokio::test]
async fn url_secret_in_the_path_alone_selects_only_its_template() {
    let secret = UrlSecret::path("/hook/{secret}/events", [SECRET]).unwrap();
    let in_path = layer().callbacks().url_secret(secret);
    for (method, uri) in [
        (Method::GET, "/health"),
        (Method::POST, "/login"),
        (Method::POST, "/hook/canary9b1c7e02/events/more"),
        (Method::POST, "/"),
    ] {
        let outcome = send(&in_path, method, uri, FORM, SEED).await;
        assert!(matches!(outcome, Outcome::Passed(_)), "{outcome:?}");
    }
    let outcome = post(&in_path, "/hook/canary9b1c7e02/events", SEED).await;
    assert!(matches!(outcome, Outcome::Event(_)), "{outcome:?}");
    for uri in [
        "/hook/guess/events",
        "/hook/guess/events?secret=canary9b1c7e02",
        // axum takes each of these for the secret.
        "/hook/a%2Fb/events",
        "/hook/../events",
        "/hook/%2e%2E/events/",
        "/hook/%2F/events",
        "//hook/./events",
    ] {
        for method in [Method::GET, Method::POST] {
            let kind = send(&in_path, method, uri, FORM, SEED).await.rejected();
            assert_eq!(kind, RejectionKind::UrlSecretRejected, "{uri}");
        }
    }
    // A secret in the query may stand in every URL, so that every path stays selected.
    let both = in_path.url_secret(query());
    let kind = post(&both, "/login", SEED).await.rejected();
    assert_eq!(kind, RejectionKind::UrlSecretRejected);
}

#[tokio::test]
async fn one_of_several_url_secrets_suffices() {
    let path = UrlSecret::path("/{secret}", [SECRET]).unwrap();
    let layer = layer().callbacks().url_secret(query()).url_secret(path);
    for uri in ["/canary9b1c7e02", "/guess?secret=canary9b1c7e02"] {
        let outcome = post(&layer, uri, SEED).await;
        assert!(!outcome.uri().contains("canary"), "{outcome:?}");
    }
    let kind = post(&layer, "/guess?secret=guess", SEED).await.rejected();
    assert_eq!(kind, RejectionKind::UrlSecretRejected);
}

#[tokio::test]
async fn json_is_a_callback_only_with_a_url_secret() {
    let body = r#"{"auth": {"access_token": "4d"}, "prompt": "x", "callbackUrl": "https://p/?token=4d",
        "api_key": "4d", "ttl": 60}"#;
    let json = "application/json; charset=utf-8";
    let with = layer().callbacks().url_secret(query());
    let uri = "/?secret=canary9b1c7e02";
    let callback = send(&with, Method::POST, uri, json, body).await.callback();
    assert_eq!(callback.proof(), Proof::UrlSecret);
    assert_eq!(callback.unknown_kind(), Some(UnknownKind::AiEngine));
    assert_eq!(callback.data(), None);
    assert!(callback.data_as::<Json>().is_err());
    assert_eq!(callback.json_as::<Json>().unwrap()["ttl"], 60);
    assert_eq!(callback.body(), body);
    let shown = serde_json::to_value(&callback).unwrap();
    assert_eq!(
        shown["data"],
        json!({
            "prompt": "x", "callbackUrl": "https://p/?token=[redacted]", "api_key": "[redacted]",
            "ttl": 60
        })
    );
    assert!(!format!("{callback:?}").contains("4d"), "{callback:?}");

    for (layer, uri) in [
        (with.clone(), "/?secret=guess"),
        (layer().url_secret(query()), uri),
        (layer().callbacks(), uri),
        (with.clone(), "/?secret=canary9b1c7e02&event=ONAPPTEST"),
    ] {
        let kind = send(&layer, Method::POST, uri, json, body).await.rejected();
        let expected = [RejectionKind::UrlSecretRejected, RejectionKind::NotAForm];
        assert!(expected.contains(&kind), "{uri} {kind}");
    }
    // The secret is what proves JSON, even if a token proves the rest, and nothing passes without it.
    let secret = || query().only_without_token();
    for layer in [
        layer().callbacks().url_secret(secret()),
        layer()
            .callbacks()
            .url_secret(secret())
            .pass_other_callbacks(),
    ] {
        for uri in ["/", "/?secret=guess"] {
            let kind = send(&layer, Method::POST, uri, json, body).await.rejected();
            assert_eq!(kind, RejectionKind::UrlSecretRejected, "{uri}");
        }
        let callback = send(&layer, Method::POST, uri, json, body).await.callback();
        assert_eq!(callback.proof(), Proof::UrlSecret);
    }
    for content_type in [
        "application/json, text/plain",
        "application/jsonx",
        "text/plain",
    ] {
        let kind = send(&with, Method::POST, uri, content_type, body)
            .await
            .rejected();
        assert_eq!(kind, RejectionKind::NotAForm, "{content_type}");
    }
    // A body that is not JSON is delivered as well, since the URL verifies it.
    let callback = send(&with, Method::POST, uri, json, "{").await.callback();
    assert_eq!(callback.unknown_kind(), None);
    assert!(callback.json_as::<Json>().is_err());
}

#[tokio::test]
async fn head_that_does_not_fulfill_a_requirement_is_rejected_and_not_passed() {
    let admits = |layer: EventLayer<ApplicationToken>| {
        layer.require(|head| head.headers.contains_key(CONTENT_TYPE))
    };
    let layer = admits(layer().path("/events").pass_other_callbacks())
        .require(|head| head.uri.query() != Some("blocked"));
    let outcome = post(&layer, "/events", SEED).await;
    assert!(matches!(outcome, Outcome::Event(_)), "{outcome:?}");
    for method in [Method::POST, Method::GET, Method::PUT] {
        let outcome = send(&layer, method, "/events?blocked", FORM, SEED).await;
        assert_eq!(outcome.rejected(), RejectionKind::HeadRejected);
    }
    // It concerns only what is selected.
    let outcome = post(&layer, "/elsewhere?blocked", SEED).await;
    assert!(matches!(outcome, Outcome::Passed(_)), "{outcome:?}");
}

#[tokio::test]
async fn rejections_by_the_head_are_403_with_the_same_body() {
    let layer = layer()
        .require(|head| head.uri.path() != "/blocked")
        .url_secret(query());
    let service = layer.layer(service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    }));
    let mut bodies = Vec::new();
    for uri in ["/blocked?secret=canary9b1c7e02", "/?secret=guess"] {
        let request = Request::post(uri).header(CONTENT_TYPE, FORM);
        let request = request.body(Full::from(SEED)).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        bodies.push(format!("{:?}", response.body()));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[test]
fn debug_of_a_layer_shows_where_its_secret_stands_and_not_which_it_is() {
    let shown = format!("{:#?}", layer().url_secret(query()));
    assert!(shown.contains(r#"query: "secret""#), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}
