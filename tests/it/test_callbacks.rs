//! The test kit for callbacks: what it builds is verified and typed, and what it tampers with is not.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::callback::{
    Callback, CallbackKind, CallbackPayload, PlacementCode, SettingsAction,
};
use tower_bitrix24::layer::UrlSecret;
use tower_bitrix24::testing::{CallbackTamper, TestCallback};
use tower_bitrix24::{ApplicationToken, EventLayer, Rejection};

use crate::common::layer;

fn all() -> [(TestCallback, CallbackKind); 5] {
    [
        (TestCallback::robot("ship"), CallbackKind::Robot),
        (TestCallback::message("provider"), CallbackKind::Message),
        (
            TestCallback::placement(PlacementCode::LeftMenu),
            CallbackKind::Placement,
        ),
        (
            TestCallback::settings(SettingsAction::Install),
            CallbackKind::Settings,
        ),
        (
            TestCallback::settings(SettingsAction::Save),
            CallbackKind::Settings,
        ),
    ]
}

/// Returns the status, the rejection, and the kind that the service saw.
async fn send(
    layer: EventLayer<ApplicationToken>,
    callback: &TestCallback,
    address: &str,
) -> (StatusCode, Option<Rejection>, String) {
    let service = layer.layer(service_fn(|request: Request<Full<Bytes>>| async move {
        let callback: &Callback = request.extensions().get().unwrap();
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(
            callback.kind().to_string(),
        )))
    }));
    let request = callback.request::<String>(address).map(Full::from);
    let response = service.oneshot(request).await.unwrap();
    let rejection = response.extensions().get::<Rejection>().cloned();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, rejection, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn test_callback_of_each_kind_is_verified_and_typed() {
    for (test, kind) in all() {
        let callback = test.callback();
        assert_eq!(callback.kind(), kind);
        assert_eq!(callback.mismatch(), None, "{callback:?}");
        assert_ne!(callback.payload(), &CallbackPayload::Unknown);
        let auth = callback.auth();
        assert_eq!(auth.member_id(), Some("a223c6b3710f85df22e9377d6c4f7553"));
        assert!(auth.access_token().is_some(), "{kind}");
        let (status, _, seen) = send(layer().callbacks(), &test, "/").await;
        assert_eq!((status, &*seen), (StatusCode::OK, kind.as_str()));
    }
}

#[tokio::test]
async fn tampered_test_callback_is_rejected_for_its_reason() {
    for (test, kind) in all() {
        for &tamper in CallbackTamper::ALL {
            let tampered = test.clone().tampered(tamper);
            for layer in [
                layer().callbacks(),
                layer().callbacks().url_secret(secret()),
            ] {
                let (_, rejection, _) = send(layer, &tampered, "/?secret=9b1c7e02").await;
                let rejection =
                    rejection.unwrap_or_else(|| panic!("{kind} {tamper:?} is not rejected"));
                assert_eq!(rejection.kind(), tamper.rejection(), "{kind} {tamper:?}");
                // With the secret, JSON and what lacks only a token are proven by the URL.
                if matches!(tamper, CallbackTamper::Json | CallbackTamper::WithoutToken) {
                    break;
                }
            }
        }
    }
}

fn secret() -> UrlSecret {
    UrlSecret::query("secret", ["9b1c7e02"]).unwrap()
}

#[tokio::test]
async fn test_webhook_robot_is_proven_by_a_secret_in_the_url_alone() {
    let robot = TestCallback::webhook_robot();
    let layer = layer().callbacks().url_secret(secret());
    let (status, _, seen) = send(layer.clone(), &robot, "/?secret=9b1c7e02").await;
    assert_eq!((status, &*seen), (StatusCode::OK, "unknown"));
    assert_eq!(send(layer, &robot, "/").await.0, StatusCode::FORBIDDEN);
}

#[test]
fn values_of_a_test_callback_are_set_and_removed() {
    let robot = TestCallback::robot("ship")
        .set("properties[Weight]", 2)
        .set("document_id[2]", "DEAL_7")
        .remove("use_subscription")
        .callback();
    let CallbackPayload::Robot(robot) = robot.payload() else {
        panic!("{robot:?}");
    };
    assert_eq!(&*robot.document.id, "7");
    assert_eq!(robot.properties["Weight"].as_str(), Some("2"));
    assert_eq!(robot.use_subscription, None);

    let form = TestCallback::settings(SettingsAction::Save).set("data[country]", "DE");
    let callback = form.callback();
    assert_eq!(
        callback.data().unwrap()["data"]["country"].as_str(),
        Some("DE")
    );
    let page = TestCallback::placement("LEFT_MENU").portal("acme.bitrix24.eu");
    assert_eq!(
        page.request::<String>("/page?x=1").uri(),
        "/page?x=1&DOMAIN=acme.bitrix24.eu&PROTOCOL=1&LANG=en&APP_SID=5ac0f4"
    );
}

#[test]
fn debug_of_a_test_callback_shows_no_token() {
    for (test, _) in all() {
        let test = test
            .token("canary7f3a")
            .access_token("canary7f3a")
            .set("x", "canary7f3a");
        assert!(!format!("{test:?}").contains("canary"), "{test:?}");
        assert!(test.form().contains("canary7f3a"));
    }
}
