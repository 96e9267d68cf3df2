//! `EventLayer`: the requests that it selects, rejects, passes on and ignores.

mod limits;
mod rejection;
mod selection;

use std::convert::Infallible;
use std::future::{Future, Ready, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::common::{BoxError, Frames, SEED, TOKEN, data, forged, full, layer, post};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Channel, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_bitrix24::rejection::RejectionPolicy;
use tower_bitrix24::verify::VerifyErrorKind;
use tower_bitrix24::{
    ApplicationToken, Envelope, Event, EventBody, EventConfig, EventLayer, Rejection,
    RejectionKind, TokenSet, VerifyError, VerifyToken,
};

#[derive(Clone, Debug, Default)]
struct Seen {
    event: Option<Event>,
    body: Bytes,
    trailers: Option<HeaderMap>,
}

/// Sends `request` through `layer` to a service that records the request.
async fn send<V, B>(layer: EventLayer<V>, request: Request<B>) -> Response<EventBody<Full<Bytes>>>
where
    V: tower_bitrix24::VerifyToken,
    B: Body,
    B::Error: Into<BoxError> + std::fmt::Debug,
{
    let service =
        layer
            .wrap_body()
            .layer(service_fn(|request: Request<EventBody<B>>| async move {
                let event = request.extensions().get::<Event>().cloned();
                let collected = request.into_body().collect().await.unwrap();
                let trailers = collected.trailers().cloned();
                let seen = Seen {
                    event,
                    body: collected.to_bytes(),
                    trailers,
                };
                let mut response = Response::new(Full::from("handled"));
                response.extensions_mut().insert(seen);
                Ok::<_, Infallible>(response)
            }));
    service.oneshot(request).await.unwrap()
}

fn seen<T>(response: &Response<T>) -> &Seen {
    response
        .extensions()
        .get()
        .expect("the request reached the service")
}

fn rejection<T>(response: &Response<T>) -> RejectionKind {
    assert!(
        response.extensions().get::<Seen>().is_none(),
        "the request reached the service"
    );
    response
        .extensions()
        .get::<Rejection>()
        .expect("the request is rejected")
        .kind()
}

async fn text(response: Response<EventBody<Full<Bytes>>>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn layer_passes_on_a_typed_event_and_the_whole_body() {
    let response = send(layer(), post(full(SEED))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let seen = seen(&response);
    assert_eq!(seen.body, SEED);
    let event = seen.event.as_ref().unwrap();
    assert_eq!(event.code(), "ONCRMREQUISITEADD");
    assert_eq!(event.timestamp(), Some(1_466_439_714));
    assert_eq!(
        event
            .time()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
        1_466_439_714
    );
    assert_eq!(
        format!("{:?}", event.payload()),
        "CrmRequisiteAdd(ItemId { id: 27 })"
    );
    assert_eq!(text(response).await, "handled");
}

#[tokio::test]
async fn layer_passes_on_many_frames_with_trailers() {
    let mut frames: Vec<_> = SEED
        .as_bytes()
        .chunks(7)
        .map(|chunk| data(std::str::from_utf8(chunk).unwrap()))
        .collect();
    frames.insert(3, data(""));
    let trailers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("x"))]);
    frames.push(Ok(Frame::trailers(trailers.clone())));

    let response = send(layer(), post(Frames(frames.into_iter()))).await;
    let seen = seen(&response);
    assert_eq!(seen.body, SEED);
    assert_eq!(seen.trailers.as_ref(), Some(&trailers));
    assert!(seen.event.is_some());
}

#[tokio::test]
async fn content_type_may_have_parameters_and_any_case() {
    for value in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded ;charset=windows-1251",
    ] {
        let mut request = post(full(SEED));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(value));
        request
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
        assert!(
            seen(&send(layer(), request).await).event.is_some(),
            "{value}"
        );
    }
}

#[tokio::test]
async fn repeated_content_type_is_rejected_if_the_values_differ() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for (lines, accepted) in [
        (&[FORM, FORM][..], true),
        (
            &["application/x-www-form-urlencoded, application/x-www-form-urlencoded"],
            true,
        ),
        (
            &["application/x-www-form-urlencoded,Application/X-WWW-form-urlencoded"],
            true,
        ),
        (
            &[
                "application/x-www-form-urlencoded; charset=UTF-8",
                "application/x-www-form-urlencoded; charset=utf-8",
            ],
            true,
        ),
        (&[FORM, "application/json"], false),
        (&["application/json", FORM], false),
        (&["application/x-www-form-urlencoded, text/plain"], false),
        (&["application/x-www-form-urlencoded,"], false),
        (
            &["application/x-www-form-urlencoded, application/x-www-form-urlencoded; a=b"],
            false,
        ),
        (&["application/x-www-form-urlencoded x"], false),
        (&["application/x-www-form-urlencodedX"], false),
    ] {
        let mut request = post(full(SEED));
        request.headers_mut().remove(CONTENT_TYPE);
        for line in lines {
            let value = HeaderValue::from_static(line);
            request.headers_mut().append(CONTENT_TYPE, value);
        }
        for layer in [layer(), layer().pass_other_callbacks()] {
            let response = send(layer, request.clone()).await;
            if accepted {
                assert!(seen(&response).event.is_some(), "{lines:?}");
            } else {
                assert_eq!(rejection(&response), RejectionKind::NotAForm, "{lines:?}");
            }
        }
    }
}

#[tokio::test]
async fn undocumented_event_is_delivered_with_its_data() {
    let body = format!("event=OnSomethingNew&data[x]=1&auth[application_token]={TOKEN}");
    let response = send(layer(), post(full(body))).await;
    let event = seen(&response).event.as_ref().unwrap();
    assert_eq!((event.code(), event.kind()), ("OnSomethingNew", None));
    assert_eq!(event.data().unwrap()["x"].as_str(), Some("1"));
    assert_eq!(event.mismatch(), None);
}

#[tokio::test]
async fn mismatching_event_is_delivered_with_the_reason() {
    for (data, reason) in [
        ("", "data: missing field `FIELDS`"),
        ("&data=107", "data: "),
        ("&data[FIELDS][ID]=", "data.FIELDS.ID: "),
        ("&data[FIELDS][ID]=27x", "data.FIELDS.ID: "),
    ] {
        let body = format!("event=ONCRMREQUISITEADD{data}&auth[application_token]={TOKEN}");
        let response = send(layer(), post(full(body))).await;
        let event = seen(&response).event.as_ref().unwrap();
        assert_eq!(event.payload(), &tower_bitrix24::Payload::Unknown);
        assert!(
            event.mismatch().unwrap().to_string().starts_with(reason),
            "{:?}",
            event.mismatch()
        );
    }
}

#[tokio::test]
async fn token_set_accepts_each_of_its_tokens() {
    let tokens = TokenSet::new([TOKEN, "c289487163b58658eae5e8b42eaf11b8"]).unwrap();
    for body in [SEED.to_owned(), forged()] {
        let response = send(EventLayer::new(tokens.clone()), post(full(body))).await;
        assert!(seen(&response).event.is_some());
    }
}
