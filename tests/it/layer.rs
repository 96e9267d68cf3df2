//! `EventLayer`: the requests that it selects, rejects, passes on and ignores.

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

// What an event is and how it arrives.

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

// Rejections.

#[tokio::test]
async fn each_rejection_has_its_status_and_one_line_of_text() {
    let head = |edit: fn(&mut Request<Full<Bytes>>)| {
        let mut request = post(full(SEED));
        edit(&mut request);
        request
    };
    let body = |body: &str| post(full(body.to_owned()));
    let twice = format!("{SEED}&auth%5bapplication_token%5d={TOKEN}");
    use RejectionKind as Kind;
    for (request, kind, status, line) in [
        (
            head(|r| *r.method_mut() = Method::GET),
            Kind::MethodNotAllowed,
            405,
            "events are sent by POST",
        ),
        (
            head(|r| *r.method_mut() = Method::HEAD),
            Kind::MethodNotAllowed,
            405,
            "events are sent by POST",
        ),
        (
            head(|r| {
                r.headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }),
            Kind::NotAForm,
            415,
            "events are sent as application/x-www-form-urlencoded",
        ),
        (
            head(|r| {
                r.headers_mut().remove(CONTENT_TYPE);
            }),
            Kind::NotAForm,
            415,
            "events are sent as application/x-www-form-urlencoded",
        ),
        (
            head(|r| {
                r.headers_mut()
                    .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }),
            Kind::ContentEncoding,
            415,
            "events are sent without content encoding",
        ),
        (
            body(&"a".repeat(EventConfig::DEFAULT_BODY_LIMIT + 1)),
            Kind::BodyTooLarge,
            413,
            "the body is too large",
        ),
        (
            body("data[FIELDS][ID]=27"),
            Kind::NoEvent,
            400,
            "the body has no event",
        ),
        (body(""), Kind::NoEvent, 400, "the body has no event"),
        (
            body(&twice),
            Kind::Malformed,
            400,
            "the key auth[application_token] appears twice",
        ),
        (
            body(&format!("{SEED}&+event=X")),
            Kind::Malformed,
            400,
            "a key can be mistaken for event",
        ),
        (
            body(&"&a".repeat(20_000)),
            Kind::Malformed,
            400,
            "the body has too many pairs",
        ),
        (
            body("event=ONAPPTEST"),
            Kind::TokenMissing,
            403,
            "the application token is not accepted",
        ),
        (
            body("event=ONAPPTEST&auth[application_token]="),
            Kind::TokenMissing,
            403,
            "the application token is not accepted",
        ),
        (
            body(&forged()),
            Kind::TokenRejected,
            403,
            "the application token is not accepted",
        ),
    ] {
        let response = send(layer(), request).await;
        assert_eq!(rejection(&response), kind);
        assert_eq!(response.status(), status, "{kind:?}");
        let allow = (kind == Kind::MethodNotAllowed).then_some("POST");
        assert_eq!(
            response
                .headers()
                .get(ALLOW)
                .map(|value| value.to_str().unwrap()),
            allow
        );
        assert_eq!(text(response).await, format!("{line}\n"));
    }
}

#[tokio::test]
async fn unavailable_verifier_gets_503_without_the_cause() {
    let verifier =
        |_: &Envelope| async { Err(VerifyError::unavailable("the database is at 10.0.0.7")) };
    let response = send(EventLayer::new(verifier), post(full(SEED))).await;
    assert_eq!(rejection(&response), RejectionKind::Unavailable);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        text(response).await,
        "the application token cannot be verified now\n"
    );
}

#[test]
fn call_polled_after_a_verifier_panic_calls_no_service() {
    type Handled = Ready<Result<Response<Full<Bytes>>, Infallible>>;

    let verifier = |_: &Envelope| -> Ready<_> { panic!("verifying") };
    let handler = |_: Request<Full<Bytes>>| -> Handled { panic!("handling") };
    let layer = EventLayer::new(verifier).pass_other_callbacks();
    let mut call = pin!(layer.layer(service_fn(handler)).call(post(full(SEED))));
    let mut poll = || {
        let mut context = Context::from_waker(Waker::noop());
        let poll = AssertUnwindSafe(|| call.as_mut().poll(&mut context).is_ready());
        let panic = catch_unwind(poll).expect_err("it panics");
        match panic.downcast::<&str>() {
            Ok(text) => text.to_string(),
            Err(panic) => *panic.downcast::<String>().unwrap(),
        }
    };
    assert_eq!(poll(), "verifying");
    assert_eq!(poll(), "`ResponseFuture` polled after completion");
}

#[tokio::test]
async fn verifier_is_not_called_without_a_token() {
    let verifier = |_: &Envelope| async { panic!("called") };
    let response = send(
        EventLayer::new(verifier),
        post(full("event=ONAPPTEST&data[auth][application_token]=x")),
    )
    .await;
    assert_eq!(rejection(&response), RejectionKind::TokenMissing);
}

/// Accepts envelopes without a token if their code begins with `ONCRM`.
struct Tokenless;

impl VerifyToken for Tokenless {
    type Future = Ready<Result<(), VerifyError>>;

    fn verify(&self, envelope: &Envelope) -> Self::Future {
        let known = envelope.application_token().is_none() && envelope.code().starts_with("ONCRM");
        std::future::ready(if known {
            Ok(())
        } else {
            Err(VerifyError::rejected())
        })
    }

    fn insecure_verify_without_token(&self) -> bool {
        true
    }
}

const TOKENLESS: &str =
    "event=ONCRMDEALUPDATE&event_handler_id=3&data%5BFIELDS%5D%5BID%5D=662&ts=1764600000";

#[tokio::test]
async fn event_without_a_token_reaches_only_a_verifier_that_opts_in() {
    let response = send(EventLayer::new(Tokenless), post(full(TOKENLESS))).await;
    let event = seen(&response).event.as_ref().unwrap();
    assert_eq!(event.handler_id(), Some(3));
    assert_eq!(
        format!("{:?}", event.payload()),
        "CrmDealUpdate(ItemId { id: 662 })"
    );
    let shared = std::sync::Arc::new(Tokenless);
    let empty = format!("{TOKENLESS}&auth[application_token]=");
    assert!(
        seen(&send(EventLayer::new(shared), post(full(empty))).await)
            .event
            .is_some()
    );
    let envelope = Envelope::scan(TOKENLESS).unwrap();
    assert!(Event::verify(envelope.clone(), &Tokenless).await.is_ok());

    let everything = |_: &Envelope| std::future::ready(Ok(()));
    let response = send(EventLayer::new(everything), post(full(TOKENLESS))).await;
    assert_eq!(rejection(&response), RejectionKind::TokenMissing);
    let error = Event::verify(envelope, &everything).await.unwrap_err();
    assert_eq!(error.kind(), VerifyErrorKind::Missing);
    let token = ApplicationToken::new(TOKEN).unwrap();
    assert!(!token.insecure_verify_without_token());
    assert!(!TokenSet::from(token).insecure_verify_without_token());
    assert!(
        !tower_bitrix24::portals::PortalVerifier::new(tower_bitrix24::portals::MemoryStore::new())
            .insecure_verify_without_token()
    );
}

#[tokio::test]
async fn tokenless_verifier_still_gets_only_valid_events() {
    for (body, kind) in [
        ("event=ONTASKADD".to_owned(), RejectionKind::TokenRejected),
        (SEED.to_owned(), RejectionKind::TokenRejected),
        (
            format!("{TOKENLESS}&auth[application_token]=a&auth[application_token]=b"),
            RejectionKind::Malformed,
        ),
        (
            format!("{TOKENLESS}&auth[application_token][]=a"),
            RejectionKind::Malformed,
        ),
        (
            format!("{TOKENLESS}&auth[application_token]=&auth%5Bapplication_token]=a"),
            RejectionKind::Malformed,
        ),
        (
            format!("{TOKENLESS}&event=ONAPPTEST"),
            RejectionKind::Malformed,
        ),
        ("data[FIELDS][ID]=662".to_owned(), RejectionKind::NoEvent),
    ] {
        let response = send(EventLayer::new(Tokenless), post(full(body.clone()))).await;
        assert_eq!(rejection(&response), kind, "{body}");
    }
}

#[tokio::test]
async fn rejection_response_can_be_replaced() {
    let layer = layer().with_rejection_response(|rejection| {
        let status = if rejection.kind() == RejectionKind::TokenRejected {
            410
        } else {
            400
        };
        Response::builder()
            .status(status)
            .body(format!("no: {rejection}"))
            .unwrap()
    });
    let response = send(layer, post(full(forged()))).await;
    assert_eq!(response.status(), StatusCode::GONE);
    assert_eq!(rejection(&response), RejectionKind::TokenRejected);
    assert_eq!(
        text(response).await,
        "no: the application token is not accepted"
    );
}

#[tokio::test]
async fn acknowledge_policy_responds_200_without_text() {
    for request in [
        post(full(forged())),
        post(full("x")),
        Request::get("/").body(full("")).unwrap(),
    ] {
        let response = send(layer().on_rejection(RejectionPolicy::Acknowledge), request).await;
        assert_eq!(response.status(), StatusCode::OK);
        rejection(&response);
        assert_eq!(text(response).await, "");
    }
}

#[tokio::test]
async fn rejection_response_contains_nothing_of_the_request_but_keeps_its_extensions() {
    #[derive(Clone, Debug, PartialEq)]
    struct Mark(&'static str);

    let marked = |mut request: Request<Full<Bytes>>| {
        request.extensions_mut().insert(Mark("the request's"));
        request
    };
    let get = || Request::get("/").body(full("")).unwrap();
    for request in [get(), post(full(forged())), post(full("x"))] {
        let response = send(layer(), marked(request)).await;
        rejection(&response);
        assert_eq!(response.extensions().get::<Mark>(), None);
    }
    let own = layer().with_rejection_response(|_| {
        let mut response = Response::new("no");
        response.extensions_mut().insert(Mark("the response's"));
        response
    });
    for request in [get(), post(full(forged()))] {
        let response = send(own.clone(), marked(request)).await;
        rejection(&response);
        let mark = response.extensions().get::<Mark>();
        assert_eq!(mark, Some(&Mark("the response's")));
    }
}

// Immediate responses.

#[tokio::test]
async fn probe_gets_200_if_enabled_and_never_reaches_the_service() {
    for layer in [
        layer().respond_to_probes(),
        layer().respond_to_probes().pass_other_callbacks(),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let mut request = post(full(SEED));
            *request.method_mut() = method;
            let response = send(layer.clone(), request).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.extensions().get::<Seen>().is_none());
            assert!(response.extensions().get::<Rejection>().is_none());
            assert_eq!(text(response).await, "");
        }
    }
    let mut put = post(full(SEED));
    *put.method_mut() = Method::PUT;
    let response = send(layer().respond_to_probes(), put).await;
    assert_eq!(rejection(&response), RejectionKind::MethodNotAllowed);
    let response = send(layer().respond_to_probes(), post(full(forged()))).await;
    assert_eq!(rejection(&response), RejectionKind::TokenRejected);
    // What is not selected is the service's.
    let get = Request::get("/page").body(full("x")).unwrap();
    let elsewhere = layer().path("/bitrix24/events").respond_to_probes();
    assert_eq!(seen(&send(elsewhere, get).await).body, "x");
}

// What is selected, and what passes.

#[tokio::test]
async fn layer_guards_only_selected_paths() {
    let get = |path: &str| Request::get(path).body(full("untouched")).unwrap();
    let guarded = layer().path("/bitrix24/events").path("/other");
    for path in [
        "/",
        "/bitrix24/event",
        "/bitrix24/events/x",
        "/bitrix24/events/..",
        "/BITRIX24/events",
        "/bitrix24%252Fevents",
        "/x/other",
    ] {
        let response = send(guarded.clone(), get(path)).await;
        assert_eq!(seen(&response).body, "untouched", "{path}");
        assert!(seen(&response).event.is_none());
    }
    for path in [
        "/bitrix24/events",
        "/bitrix24/events?x=1",
        "/bitrix24/events/",
        "/bitrix24/events//",
        "//bitrix24//events",
        "/bitrix24/%65vents",
        "/bitrix24%2Fevents",
        "/bitrix24/./events/.",
        "/x/../bitrix24/events",
        "/%2E%2e/bitrix24/events",
        "/other",
    ] {
        rejection(&send(guarded.clone(), get(path)).await);
    }
    for (path, spelling) in [("/a/", "/a"), ("/%61", "/a"), ("/", "//"), ("/a", "/a")] {
        rejection(&send(layer().path(path), get(spelling)).await);
    }
    seen(&send(layer().path("/"), get("/a")).await);
    let guarded = layer()
        .path("/a")
        .when(|head| head.headers.contains_key("x-guard"));
    seen(&send(guarded.clone(), get("/a")).await);
    let mut both = get("/a");
    both.headers_mut()
        .insert("x-guard", HeaderValue::from_static("1"));
    rejection(&send(guarded, both).await);
}

#[tokio::test]
async fn unselected_request_passes_before_its_body_arrives() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let (first_part, mut received) = tokio::sync::mpsc::channel(1);
    let service = layer()
        .path("/bitrix24/events")
        .wrap_body()
        .layer(service_fn(
            move |request: Request<EventBody<Channel<Bytes>>>| {
                let first_part = first_part.clone();
                async move {
                    let mut body = request.into_body();
                    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
                    first_part.send(first).await.unwrap();
                    let rest = body.collect().await.unwrap().to_bytes();
                    Ok::<_, Infallible>(Response::new(Full::new(rest)))
                }
            },
        ));
    let call = service.oneshot(Request::post("/upload").body(body).unwrap());
    let sending = async {
        sender.send_data(Bytes::from("one")).await.unwrap();
        // The second part is sent only once the service has the first.
        assert_eq!(received.recv().await.unwrap(), "one");
        sender.send_data(Bytes::from("two")).await.unwrap();
        drop(sender);
    };
    let (response, ()) = tokio::join!(call, sending);
    let rest = response
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert_eq!(rest, "two");
}

#[tokio::test]
async fn other_callbacks_pass_unchanged_if_enabled() {
    let passing = || layer().pass_other_callbacks();
    let robot = "workflow_id=1&code=robot&auth[application_token]=x&auth[member_id]=m&ts=1";
    let response = send(passing(), post(full(robot))).await;
    assert_eq!(seen(&response).body, robot);
    assert!(seen(&response).event.is_none());

    let mut frames = vec![data("AUTH_ID=1&"), data("PLACEMENT=DEFAULT")];
    frames.push(Ok(Frame::trailers(HeaderMap::new())));
    let response = send(passing(), post(Frames(frames.into_iter()))).await;
    assert_eq!(seen(&response).body, "AUTH_ID=1&PLACEMENT=DEFAULT");
    assert!(seen(&response).trailers.is_some());

    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let mut request = post(full("x"));
        *request.method_mut() = method;
        request.headers_mut().remove(CONTENT_TYPE);
        assert_eq!(seen(&send(passing(), request).await).body, "x");
    }
    let mut json = post(full("{}"));
    json.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    assert_eq!(seen(&send(passing(), json).await).body, "{}");
}

#[tokio::test]
async fn form_without_an_event_passes_with_any_other_keys() {
    for form in [
        "auth=abc&x=1",
        "ts=1&ts=2&a=b",
        "auth[domain]=a&auth[domain]=b",
        "event=",
    ] {
        let response = send(layer().pass_other_callbacks(), post(full(form))).await;
        assert_eq!(seen(&response).body, form);
        assert!(seen(&response).event.is_none());
    }
}

#[test]
#[should_panic(expected = "does not start with /")]
fn layer_panics_on_a_path_without_a_leading_slash() {
    let _ = layer().path("bitrix24/events");
}

#[tokio::test]
async fn pass_other_callbacks_passes_no_unverified_event() {
    for body in [
        forged(),
        "event=ONAPPTEST".to_owned(),
        format!("event=A&event=B&auth[application_token]={TOKEN}"),
        format!("%65vent=A&auth[application_token]=x{TOKEN}"),
        "+event=A".to_owned(),
        "event[]=A".to_owned(),
        "event%00=A".to_owned(),
        "event%00[=A".to_owned(),
        format!("[event]=A&[auth][application_token]={TOKEN}"),
    ] {
        rejection(&send(layer().pass_other_callbacks(), post(full(body))).await);
    }
    let large = post(full("a".repeat(EventConfig::DEFAULT_BODY_LIMIT + 1)));
    assert_eq!(
        rejection(&send(layer().pass_other_callbacks(), large).await),
        RejectionKind::BodyTooLarge
    );
}

// Limits.

#[tokio::test]
async fn body_of_exactly_the_limit_is_accepted() {
    let response = send(layer().body_limit(SEED.len()), post(full(SEED))).await;
    assert!(seen(&response).event.is_some());
    let response = send(layer().body_limit(SEED.len() - 1), post(full(SEED))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
}

/// The longest documented body: a message of 20,000 characters, which a bot receives twice.
#[tokio::test]
async fn default_body_limit_allows_the_longest_chat_message() {
    let message = "%F0%9F%98%80".repeat(20_000);
    let body = format!(
        "event=ONIMBOTMESSAGEADD&data[PARAMS][MESSAGE]={message}\
         &data[PARAMS][MESSAGE_ORIGINAL]={message}&auth[application_token]={TOKEN}"
    );
    let response = send(layer(), post(full(body.clone()))).await;
    assert_eq!(seen(&response).body, body);
    let params = &seen(&response).event.as_ref().unwrap().data().unwrap()["PARAMS"];
    let message = params["MESSAGE_ORIGINAL"].as_str().unwrap();
    assert_eq!(message.chars().count(), 20_000);
}

#[tokio::test]
async fn too_large_content_length_is_rejected_before_the_body_is_polled() {
    let never = std::iter::from_fn(|| panic!("the body was polled"));
    let mut request = post(Frames(never));
    request
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from_static("1048577"));
    let response = send(layer(), request).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
}

#[tokio::test]
async fn body_of_unknown_length_is_rejected_at_the_limit() {
    let frames = (0..110).map(|_| data(&"a".repeat(10_000)));
    let response = send(layer(), post(Frames(frames))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTooLarge);
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn stalled_body_is_rejected_at_the_deadline() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let start = tokio::time::Instant::now();
    let sending = async {
        sender.send_data(Bytes::from("event=")).await.unwrap();
        pending::<()>().await;
    };
    let response = tokio::select! {
        response = send(layer(), post(body)) => response,
        () = sending => unreachable!(),
    };
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn dribbling_body_is_rejected_at_the_deadline() {
    let (mut sender, body) = Channel::<Bytes>::new(1);
    let start = tokio::time::Instant::now();
    let sending = async {
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _ = sender.send_data(Bytes::from("a")).await;
        }
    };
    let response = tokio::select! {
        response = send(layer().body_timeout(Duration::from_secs(3)), post(body)) => response,
        () = sending => unreachable!(),
    };
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
    assert!(
        (3000..3400).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn body_of_endless_empty_frames_is_rejected_at_the_deadline() {
    let layer = layer().body_timeout(Duration::from_millis(20));
    let response = send(layer, post(Frames(std::iter::repeat_with(|| data(""))))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyTimeout);
}

#[tokio::test]
async fn incomplete_body_is_rejected() {
    let frames = vec![data(SEED), Err("connection reset".into())];
    let response = send(layer(), post(Frames(frames.into_iter()))).await;
    assert_eq!(rejection(&response), RejectionKind::BodyIncomplete);
    assert_eq!(text(response).await, "the body is incomplete\n");
}

#[test]
fn complete_body_needs_no_timer_and_no_runtime() {
    let mut call = pin!(send(layer(), post(full(SEED))));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(response) = call.as_mut().poll(&mut context) else {
        panic!("the layer waits for nothing")
    };
    assert!(seen(&response).event.is_some());
}
