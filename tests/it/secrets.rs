//! A canary in every token, which only `expose` may return.

use std::convert::Infallible;
use std::fmt::Debug;

use crate::common::{corpus, post};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventConfig, EventLayer, Rejection, TokenSet,
};

const CANARY: &str = "canary7f3a";

/// Returns forms of several events with the canary in place of every token.
fn bodies() -> Vec<String> {
    let auth = [
        "application_token",
        "access_token",
        "refresh_token",
        "error_description",
    ]
    .map(|key| format!("&auth[{key}]={CANARY}"))
    .concat();
    [
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27",
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=x",
        "event=ONAPPINSTALL&data[VERSION]=1",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a&data[METHOD]=user.get&data[CONFIRMED]=1",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a",
        "event=ONIMBOTMESSAGEADD&data[BOT][7][application_token]=canary7f3a\
         &data[BOT][7][AUTH][access_token]=canary7f3a&data[BOT][7][AUTH][refresh_token]=canary7f3a",
        "event=ONIMBOTV2MESSAGEADD&data[bot][auth][application_token]=canary7f3a&data[bot][id]=1",
        // REST's own name for an access token.
        "event=ONIMBOTV2MESSAGEADD&data[bot][auth]=canary7f3a&data[bot][id]=1",
        "event=ONIMBOTV2MESSAGEADD&data[bot][auth]=canary7f3a&data[bot][id]=1&data[message][id]=1",
        "event=ONIMBOTMESSAGEADD&data[BOT][7][AUTH]=canary7f3a&data[PARAMS][MESSAGE_ID]=1",
        "event=ONIMCOMMANDADD&data[COMMAND][7][AUTH]=canary7f3a&data[COMMAND][7][MESSAGE_ID]=1",
        "event=ONAPPTEST&data[QUERY][auth]=canary7f3a&data[auth]=canary7f3a",
        "event=ONUNKNOWN&data[authId]=canary7f3a&data[refreshId]=canary7f3a",
        "event=ONUNKNOWN&data[a][pwd]=canary7f3a&data[api-key]=canary7f3a",
        "event=ONAPPTEST&data[QUERY][client_secret]=canary7f3a&data[QUERY][AUTH_ID]=canary7f3a",
        "event=ONIMBOTCONTEXTGET&data[BOT][7][AUTH][access_token]=canary7f3a\
         &data[PARAMS][CONTEXT][token]=canary7f3a",
        // Links with a token.
        "event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=1\
         &data[PARAMS][FILES][5][urlShow]=https://p/%3F_esd%3Dcanary7f3a\
         &data[PARAMS][FILES][5][viewerAttrs][src]=https://p/%3Fauth%3Dcanary7f3a\
         &data[PARAMS][URL_ATTACH][0][BLOCKS][0][LINK]=https://p/%3Fa%3D1%26token%3Dcanary7f3a",
        "event=ONIMCONNECTORMESSAGEADD\
         &data[MESSAGES][0][message][files][0][link]=https://p/%3Fauth%3Dcanary7f3a",
        "event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE_ID]=https://p/%3Fauth%3Dcanary7f3a",
        "event=ONUNKNOWN&data[a][b][REFRESH_ID]=canary7f3a&data[password]=canary7f3a",
    ]
    .map(|body| format!("{body}{auth}"))
    .to_vec()
}

fn assert_silent(what: &str, shown: &str) {
    assert!(!shown.contains(CANARY), "{what} tells the token: {shown}");
}

fn assert_debug_silent(value: &impl Debug) {
    assert_silent(
        std::any::type_name_of_val(value),
        &format!("{value:?} {value:#?}"),
    );
}

#[tokio::test]
async fn no_token_is_in_debug_or_a_serialized_event() {
    let token = ApplicationToken::new(CANARY).unwrap();
    for body in bodies() {
        let envelope = Envelope::scan(body).unwrap();
        assert_debug_silent(&envelope);
        let event = Event::verify(envelope, &token).await.unwrap();
        assert_debug_silent(&event);
        assert_debug_silent(event.auth());
        assert_debug_silent(event.payload());
        assert_debug_silent(&event.data());
        assert_debug_silent(&event.mismatch());
        assert_silent("Event as JSON", &serde_json::to_string(&event).unwrap());
        assert_silent(
            "Auth as JSON",
            &serde_json::to_string(event.auth()).unwrap(),
        );
        assert_silent(
            "Payload as JSON",
            &serde_json::to_string(event.payload()).unwrap(),
        );
        assert_silent(
            "data as JSON",
            &serde_json::to_string(&event.data()).unwrap(),
        );

        // Otherwise the test could not fail.
        assert_eq!(event.auth().application_token().unwrap().expose(), CANARY);
    }
}

#[tokio::test]
async fn no_token_is_in_a_mismatch() {
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "read to fail")]
    struct Own {
        access_token: u64,
    }
    let token = ApplicationToken::new(CANARY).unwrap();
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "read to fail")]
    struct OwnAuth {
        auth: u64,
    }
    let form = |key| format!("event=X&data[{key}]={CANARY}&auth[application_token]={CANARY}");
    let event = async |key| {
        Event::verify(Envelope::scan(form(key)).unwrap(), &token)
            .await
            .unwrap()
    };
    for (mismatch, path) in [
        (
            event("access_token").await.data_as::<Own>().unwrap_err(),
            "data.access_token",
        ),
        (
            event("auth").await.data_as::<OwnAuth>().unwrap_err(),
            "data.auth",
        ),
    ] {
        assert_eq!(mismatch.path(), path);
        assert_debug_silent(&mismatch);
        assert_silent("Mismatch", &mismatch.to_string());
    }
}

#[tokio::test]
async fn no_token_of_a_sample_is_in_debug_or_json() {
    for sample in corpus() {
        let Some(token) = &sample.token else { continue };
        let verifier = ApplicationToken::new(token).unwrap();
        let event = Event::verify(Envelope::scan(sample.form).unwrap(), &verifier)
            .await
            .unwrap();
        for shown in [format!("{event:?}"), serde_json::to_string(&event).unwrap()] {
            for key in ["access_token", "refresh_token", "application_token"] {
                let Some(secret) = sample.tree["auth"][key].as_str() else {
                    continue;
                };
                // Two samples have `xxx…` and `...` as the token, one of them elsewhere too.
                let placeholder = secret.chars().all(|letter| secret.starts_with(letter));
                assert!(
                    placeholder || !shown.contains(secret),
                    "{}: {key}",
                    sample.name
                );
            }
        }
    }
}

#[tokio::test]
async fn no_token_is_in_a_response_an_error_or_a_config() {
    let configured = "configured51c2";
    let token = ApplicationToken::new(configured).unwrap();
    let shown = [
        format!("{token:?}"),
        format!("{:?}", TokenSet::from(token.clone())),
        format!("{:?}", EventConfig::new(token.clone())),
        format!("{:?}", EventLayer::new(token.clone())),
    ];
    assert!(
        shown.iter().all(|shown| !shown.contains(configured)),
        "{shown:?}"
    );

    let service =
        EventLayer::new(token.clone()).layer(service_fn(|_: Request<Full<Bytes>>| async {
            Ok::<_, Infallible>(Response::new(Full::default()))
        }));
    assert_debug_silent(&EventLayer::new(token.clone()).layer(()));
    for body in bodies() {
        let error = Event::verify(Envelope::scan(body.clone()).unwrap(), &token)
            .await
            .unwrap_err();
        assert_silent("VerifyError", &format!("{error} {error:?}"));

        let twice = format!("{body}&auth[application_token]={CANARY}");
        let error = Envelope::scan(twice.clone()).unwrap_err();
        assert_silent("EnvelopeError", &format!("{error} {error:?}"));

        for body in [body, twice] {
            let response: Response<Full<Bytes>> = service
                .clone()
                .oneshot(post(Full::from(body)))
                .await
                .unwrap();
            let rejection = response.extensions().get::<Rejection>().unwrap();
            assert_silent("Rejection", &format!("{rejection} {rejection:?}"));
            assert_silent("the response's head", &format!("{:?}", response.headers()));
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert_silent("the response", std::str::from_utf8(&text).unwrap());
        }
    }
}
