//! Callbacks in the inbox: robots and messages are stored as events are, pages never.

use std::collections::HashSet;

use axum::Router;
use axum::routing::post as post_to;
use http::Request;
use serde::Deserialize;
use tower::Layer;
use tower_bitrix24::EventRouter;
use tower_bitrix24::callback::{
    Callback, CallbackKind, Message, Placement, PlacementCode, Proof, ProofLevel, Robot, Settings,
    SettingsAction, html_response, json_response,
};
use tower_bitrix24::handler::extract::{Administrator, OnCallback};
use tower_bitrix24::handler::{HandlerError, HandlerErrorKind};
use tower_bitrix24::inbox::{Accepted, Backoff, Entry, FORMAT, Filter, Receive, State};
use tower_bitrix24::layer::{UrlSecret, Verdict};
use tower_bitrix24::testing::{TestCallback, TestEvent};

use super::*;

const SECRET: &str = "canary-url-secret";

fn layer() -> EventLayer<ApplicationToken> {
    let secret = UrlSecret::query("secret", [SECRET]).unwrap();
    EventLayer::new(ApplicationToken::new(TestEvent::TOKEN).unwrap())
        .callbacks()
        .url_secret(secret.only_without_token())
}

async fn send_to(receive: Receive, callback: &TestCallback) -> Response<Bytes> {
    let request = callback.request(&format!("/bitrix24?secret={SECRET}"));
    let service = layer().layer(receive);
    let response = service.oneshot(request.map(|body: String| Full::<Bytes>::from(body)));
    let Ok(response) = response.await;
    let (head, body) = response.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap();
    Response::from_parts(head, body.to_bytes())
}

async fn store<S: Accept + 'static>(inbox: &Inbox<S>, callback: &TestCallback) {
    let response = send_to(inbox.receive(), callback).await;
    assert_eq!(response.status(), 200, "{callback:?}");
}

fn robot(document: u32) -> TestCallback {
    TestCallback::robot("ship")
        .set("document_id[2]", format!("DEAL_{document}"))
        .set("event_token", "canary-event-token")
        .access_token("canary-access")
}

fn message(id: &str, to: &str) -> TestCallback {
    TestCallback::message("sms")
        .set("message_id", id)
        .set("message_to", to)
}

/// Records each callback and responds with the status that `status_of` returns.
fn callbacks<F>(
    seen: &Arc<Mutex<Vec<(Callback, Delivery)>>>,
    status_of: F,
) -> impl Service<WorkerRequest, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static
where
    F: Fn(&Callback, Delivery) -> u16 + Clone + Send + 'static,
{
    let seen = seen.clone();
    service_fn(move |request: WorkerRequest| {
        let callback = request.extensions().get::<Callback>().unwrap().clone();
        assert!(request.extensions().get::<Event>().is_none());
        let delivery = *request.extensions().get::<Delivery>().unwrap();
        let status = status_of(&callback, delivery);
        seen.lock().unwrap().push((callback, delivery));
        async move {
            Ok(Response::builder()
                .status(status)
                .body(Full::default())
                .unwrap())
        }
    })
}

fn quick() -> Backoff {
    Backoff::new()
        .first(Duration::from_millis(5))
        .max_attempts(2)
}

type Names = Arc<Mutex<Vec<String>>>;

fn add(names: &Names, name: String) {
    names.lock().unwrap().push(name);
}

#[tokio::test]
async fn stored_robots_and_messages_reach_the_router_of_a_worker_with_their_proof() {
    let inbox = inbox();
    store(&inbox, &robot(18)).await;
    store(&inbox, &message("1f", "+371")).await;
    store(&inbox, &TestCallback::message("campaign").without_token()).await;
    store(&inbox, &TestCallback::webhook_robot()).await;

    let names = Names::default();
    let router = EventRouter::with_state(names.clone())
        .on_robot(
            "ship",
            async |robot: Robot, callback: Callback, names: Names| {
                add(
                    &names,
                    format!("robot {} {}", robot.document.id, callback.proof()),
                );
            },
        )
        .on_message(
            "sms",
            async |message: Message, callback: Callback, names: Names| {
                add(
                    &names,
                    format!("message {} {}", message.to, callback.proof()),
                );
            },
        )
        .callback_fallback(async |callback: Callback, names: Names| {
            add(&names, format!("{} {}", callback.kind(), callback.proof()));
        })
        .build()
        .unwrap();
    let worker = inbox.worker(router).spawn();
    wait_for(&inbox, |stats| stats.done == 4).await;
    worker.shutdown(Duration::ZERO).await;
    let mut names = names.lock().unwrap().clone();
    names.sort();
    assert_eq!(
        names,
        [
            "message +371 application_token",
            "message url_secret",
            "robot 18 application_token",
            "unknown url_secret",
        ]
    );
}

#[tokio::test]
async fn axum_router_behind_a_worker_takes_callbacks_by_its_extractors_unchanged() {
    async fn ship(robot: OnCallback<Robot>, delivery: Delivery) -> String {
        assert_eq!((delivery.attempt, delivery.replayed), (1, false));
        robot.document.id.clone()
    }
    let inbox = inbox();
    store(&inbox, &robot(18)).await;
    let app = Router::new().route("/bitrix24", post_to(ship));
    let worker = inbox.worker(app).spawn();
    let stats = wait_for(&inbox, |stats| stats.waiting + stats.running == 0).await;
    assert_eq!((stats.done, stats.dead), (1, 0));
    worker.shutdown(Duration::ZERO).await;
}

/// The number of samples that nobody waits for, with an empty form among them.
const STORED: usize = 27;

#[derive(Deserialize)]
struct Sample {
    name: String,
    kind: String,
    content_type: String,
    method: String,
    form: String,
}

/// Every sample that nobody waits for comes out of the inbox as it went in.
#[tokio::test]
async fn every_sample_that_can_be_stored_comes_out_of_the_inbox_unchanged() {
    let samples = include_str!("../../corpus/callbacks.jsonl").lines();
    let samples = samples.map(|line| serde_json::from_str::<Sample>(line).unwrap());
    let accept_any = |_: &tower_bitrix24::Envelope| async { Ok(()) };
    let secret = UrlSecret::query("secret", [SECRET]).unwrap();
    let layer = EventLayer::new(accept_any).stored_callbacks();
    let layer = layer.url_secret(secret.only_without_token());
    let mut stored = 0;
    for sample in samples.filter(|sample| sample.method == "POST" && sample.kind != "event") {
        let inbox = inbox();
        let form = Bytes::from(sample.form);
        let request = Request::post(format!("/?secret={SECRET}"))
            .header("content-type", sample.content_type)
            .body(Full::new(form.clone()))
            .unwrap();
        let Ok(response) = layer.layer(inbox.receive()).oneshot(request).await;
        let opened = inbox.get(1).await.unwrap();
        match (&*sample.kind, response.status().as_u16()) {
            (_, 200) => {
                let request = opened.unwrap().request.unwrap();
                let callback = request.callback().unwrap();
                assert_eq!(callback.body(), &form, "{}", sample.name);
                assert!(!callback.wants_response(), "{}", sample.name);
                stored += 1;
            }
            ("robot" | "activity" | "sms" | "sms_legacy", status) => {
                panic!("{}: {status}", sample.name)
            }
            (_, 400 | 404 | 415) => assert!(opened.is_none(), "{}", sample.name),
            (kind, status) => panic!("{} ({kind}): {status}", sample.name),
        }
    }
    assert_eq!(stored, STORED);
}

#[tokio::test]
async fn pages_and_settings_get_their_response_at_once_and_are_never_stored() {
    let inbox = inbox();
    let pages = EventRouter::builder()
        .on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {
            html_response("the page")
        })
        .on_settings(async |_: Settings, _: Callback| json_response(&["the form"]))
        .build()
        .unwrap();
    let service = layer().layer(inbox.receive().pages(pages));
    let send = async |callback: TestCallback| {
        let request = callback.request(&format!("/bitrix24?secret={SECRET}"));
        let request = request
            .map(|body: String| tower_bitrix24::EventBody::<Full<Bytes>>::from(Bytes::from(body)));
        let Ok(response) = service.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = http_body_util::BodyExt::collect(body)
            .await
            .unwrap()
            .to_bytes();
        (
            head.status.as_u16(),
            String::from_utf8(body.to_vec()).unwrap(),
        )
    };
    let page = send(TestCallback::placement(PlacementCode::Default)).await;
    assert_eq!(page, (200, "the page".to_owned()));
    let settings = send(TestCallback::settings(SettingsAction::Install)).await;
    assert_eq!(settings, (200, r#"["the form"]"#.to_owned()));
    assert_eq!(inbox.stats().await.unwrap().waiting, 0);
    assert_eq!(send(robot(18)).await, (200, String::new()));
    assert_eq!(inbox.stats().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn page_without_a_service_is_404_and_never_stored() {
    let inbox = inbox();
    for callback in [
        TestCallback::placement(PlacementCode::Default),
        TestCallback::settings(SettingsAction::Display),
    ] {
        let response = send_to(inbox.receive(), &callback).await;
        assert_eq!(response.status(), 404);
        let error = response.extensions().get::<HandlerError>().unwrap();
        assert_eq!(error.kind(), HandlerErrorKind::NoHandler);
        let source = std::error::Error::source(error).unwrap().to_string();
        assert!(source.contains("`Receive::pages`"), "{source}");
    }
    assert_eq!(inbox.stats().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn layer_of_stored_callbacks_lets_no_page_through() {
    let inbox = inbox();
    let layer = EventLayer::new(ApplicationToken::new(TestEvent::TOKEN).unwrap());
    let service = inbox.receive().behind(layer.stored_callbacks());
    for (callback, expected) in [
        (TestCallback::placement(PlacementCode::Default), 400),
        (TestCallback::settings(SettingsAction::Display), 400),
        (TestCallback::settings(SettingsAction::Save), 400),
        (robot(1), 200),
        (robot(1).token("guess"), 403),
        (message("1f", "+371"), 200),
        (TestCallback::webhook_robot(), 400),
    ] {
        let request = callback.request("/bitrix24");
        let request = request.map(|body: String| Full::<Bytes>::from(body));
        let Ok(response) = service.clone().oneshot(request).await;
        assert_eq!(response.status().as_u16(), expected, "{callback:?}");
    }
    assert_eq!(inbox.stats().await.unwrap().waiting, 2);
}

#[tokio::test]
async fn layer_of_stored_callbacks_passes_no_page_with_a_code_or_a_token_unverified() {
    let layer = EventLayer::new(ApplicationToken::new(TestEvent::TOKEN).unwrap());
    let layer = layer.stored_callbacks().pass_other_callbacks();
    let token = TestEvent::TOKEN;
    for (form, is_passed) in [
        (
            "event=OnAppSettingsDisplay&auth[application_token]=guess".to_owned(),
            false,
        ),
        (
            format!("event=OnAppSettingsDisplay&auth[application_token]={token}"),
            false,
        ),
        ("event=OnAppSettingsInstall".to_owned(), false),
        ("data[a]=1&auth[application_token]=guess".to_owned(), false),
        ("AUTH_ID=4d&APPLICATION_TOKEN=guess".to_owned(), false),
        ("AUTH_ID=4d&PLACEMENT=DEFAULT".to_owned(), false),
        (
            "PLACEMENT=DEFAULT&APPLICATION_TOKEN=guess".to_owned(),
            false,
        ),
        (
            format!("PLACEMENT=DEFAULT&APPLICATION_TOKEN={token}"),
            false,
        ),
        ("PLACEMENT=DEFAULT&DOMAIN=a".to_owned(), true),
        ("anything=else".to_owned(), true),
    ] {
        let request = Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.clone().into_bytes())
            .unwrap();
        match layer.verify(request).await {
            Verdict::Pass(request) => {
                assert!(is_passed, "{form}");
                assert!(request.extensions().get::<Callback>().is_none());
            }
            Verdict::Respond(response) => {
                assert!(!is_passed, "{form}");
                assert_eq!(response.status(), 400, "{form}");
            }
            verdict => panic!("{verdict:?}"),
        }
    }
}

#[tokio::test]
async fn layer_of_stored_callbacks_rejects_all_that_wants_its_response_now() {
    let inbox = inbox();
    let secret = UrlSecret::query("secret", [SECRET]).unwrap();
    let layer = EventLayer::new(ApplicationToken::new(TestEvent::TOKEN).unwrap())
        .stored_callbacks()
        .url_secret(secret.only_without_token());
    let service = inbox.receive().behind(layer);
    for (form, status) in [
        ("BX_PAYSYSTEM_ID=11&PAYMENT_ID=17", 400),
        ("cashbox_params[login]=x&type=sell", 400),
        ("uuid=check", 400),
        ("connection[login]=user", 400),
        ("page=2&auth[access_token]=4d", 400),
        ("BX_PAYSYSTEM_ID=11&auth[application_token]=192735", 400),
        ("BX_PAYSYSTEM_ID=11&auth[application_token]=guess", 403),
        (
            "document_id[0]=crm&document_id[1]=D&document_id[2]=DEAL_1",
            200,
        ),
    ] {
        let form = form.replace("192735", TestEvent::TOKEN);
        let request = Request::post(format!("/?secret={SECRET}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::<Bytes>::from(form.clone()))
            .unwrap();
        let Ok(response) = service.clone().oneshot(request).await;
        assert_eq!(response.status().as_u16(), status, "{form}");
    }
    assert_eq!(inbox.stats().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn callback_whose_proof_is_too_weak_for_its_handler_is_dead_and_not_done() {
    async fn ship(_: OnCallback<Robot, Administrator>) {
        panic!("the robot has no such proof");
    }
    let router = EventRouter::builder()
        .at_least(ProofLevel::Administrator, |router| {
            router.on_robot("ship", async |_: Robot, _: Callback| -> () {
                panic!("the robot has no such proof");
            })
        })
        .build()
        .unwrap();
    let app = Router::new().route("/bitrix24", post_to(ship));
    let of_router = inbox();
    store(&of_router, &robot(18)).await;
    let worker = of_router.worker(router).spawn();
    wait_for(&of_router, |stats| stats.dead == 1).await;
    worker.shutdown(Duration::ZERO).await;
    let of_axum = inbox();
    store(&of_axum, &robot(18)).await;
    let worker = of_axum.worker(app).spawn();
    wait_for(&of_axum, |stats| stats.dead == 1).await;
    worker.shutdown(Duration::ZERO).await;
    for inbox in [of_router, of_axum] {
        let record = inbox.list(&Filter::new(), 9).await.unwrap().remove(0);
        let error = record.error.unwrap();
        assert!(error.contains("needs the proof"), "{error}");
    }
}

#[tokio::test]
#[should_panic(expected = "without `pass_other_callbacks()`")]
async fn receiver_without_pages_rejects_a_layer_that_passes_others() {
    let layer = EventLayer::new(ApplicationToken::new(TestEvent::TOKEN).unwrap());
    let layer = layer.stored_callbacks().pass_other_callbacks();
    drop(inbox().receive().behind(layer));
}

#[tokio::test]
#[should_panic(expected = "use `stored_callbacks()`")]
async fn receiver_without_pages_rejects_a_layer_that_verifies_them() {
    drop(inbox().receive().behind(layer()));
}

#[tokio::test]
#[should_panic(expected = "a router of their own, for `Receive::pages`")]
async fn worker_rejects_a_router_with_a_handler_of_a_placement() {
    let router = EventRouter::builder()
        .on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {})
        .build();
    drop(inbox().worker(router.unwrap()));
}

#[tokio::test]
#[should_panic(expected = "a router of their own, for `Receive::pages`")]
async fn worker_rejects_a_router_with_a_handler_of_the_settings_form() {
    let router = EventRouter::builder()
        .on_settings(async |_: Settings, _: Callback| {})
        .build();
    drop(inbox().worker(router.unwrap()));
}

/// Stores one callback after another and returns the keys of what is kept.
async fn keys_of(all: &[TestCallback]) -> Vec<String> {
    let inbox = inbox();
    for callback in all {
        store(&inbox, callback).await;
    }
    let records = inbox.list(&Filter::new(), 100).await.unwrap();
    records
        .iter()
        .map(|record| record.entry.key.to_string())
        .collect()
}

#[tokio::test]
async fn equal_robot_is_stored_once_and_one_that_differs_in_anything_but_auth_again() {
    let equal = robot(18).access_token("another");
    assert_eq!(keys_of(&[robot(18), equal]).await.len(), 1);
    for other in [
        robot(19),
        robot(18).set("event_token", "another"),
        robot(18).set("properties[weight]", "7"),
        robot(18).ts(1_800_000_000),
        robot(18).member_id("another"),
    ] {
        assert_eq!(
            keys_of(&[robot(18), other.clone()]).await.len(),
            2,
            "{}",
            other.form()
        );
    }
}

#[tokio::test]
async fn robot_that_was_handled_is_not_handled_again_if_it_is_replayed_by_its_sender() {
    let inbox = inbox();
    store(&inbox, &robot(18)).await;
    let seen = Arc::default();
    let worker = inbox.worker(callbacks(&seen, |_, _| 200)).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    store(&inbox, &robot(18)).await;
    assert_eq!(inbox.list(&Filter::new(), 9).await.unwrap().len(), 1);
    worker.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn message_sent_again_is_a_duplicate_until_it_was_tried_and_then_has_the_same_key() {
    let again = message("1f", "+371").ts(1_800_000_000);
    assert_eq!(
        keys_of(&[message("1f", "+371"), again.clone()]).await.len(),
        1
    );
    assert_eq!(
        keys_of(&[message("1f", "+371"), message("2f", "+371")])
            .await
            .len(),
        2
    );
    assert_eq!(
        keys_of(&[message("1f", "+371"), message("1f", "+372")])
            .await
            .len(),
        2
    );

    let inbox = inbox();
    store(&inbox, &message("1f", "+371")).await;
    let seen = Arc::default();
    let worker = inbox.worker(callbacks(&seen, |_, _| 200)).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    store(&inbox, &again).await;
    wait_for(&inbox, |stats| stats.done == 2).await;
    worker.shutdown(Duration::ZERO).await;
    let seen = seen.lock().unwrap();
    let keys: HashSet<_> = seen.iter().map(|(_, delivery)| delivery.key).collect();
    assert_eq!((seen.len(), keys.len()), (2, 1));
}

/// Otherwise whoever knows the secret of the URL could have a message of a portal dropped.
#[tokio::test]
async fn what_a_url_secret_proves_is_no_duplicate_of_what_a_token_proves() {
    let forged = message("1f", "+371").without_token();
    let inbox = inbox();
    store(&inbox, &forged).await;
    store(&inbox, &message("1f", "+371")).await;
    let records = inbox.list(&Filter::new(), 9).await.unwrap();
    let [forged, real] = &records[..] else {
        panic!("{records:?}")
    };
    assert_ne!(forged.entry.key, real.entry.key);
    // Nor does it hold up the portal that it names, or take its places.
    assert_ne!(forged.entry.lane, real.entry.lane);
    assert_eq!(forged.entry.member_id, "");
    assert_ne!(real.entry.member_id, "");
}

#[tokio::test]
async fn equal_webhook_robots_are_each_stored() {
    let robot = TestCallback::webhook_robot();
    let keys = keys_of(&[robot.clone(), robot]).await;
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 2);
}

#[tokio::test]
async fn robots_of_a_document_run_in_order_and_messages_to_another_recipient_do_not_wait() {
    let inbox = inbox();
    for ts in 1..=3 {
        store(&inbox, &robot(18).ts(ts)).await;
    }
    for (id, to) in [("1", "+371"), ("2", "+371"), ("3", "+372")] {
        store(&inbox, &message(id, to)).await;
    }
    let seen = Arc::default();
    // The first robot and the first message fail once.
    let service = callbacks(&seen, |_, delivery| {
        if [1, 4].contains(&delivery.seq) && delivery.attempt == 1 {
            503
        } else {
            200
        }
    });
    let worker = inbox.worker(service).concurrency(1).retry(quick());
    let worker = worker.poll_interval(Duration::from_millis(5)).spawn();
    wait_for(&inbox, |stats| stats.done == 6).await;
    worker.shutdown(Duration::ZERO).await;
    let seen: Vec<i64> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(_, delivery)| delivery.seq)
        .collect();
    let of = |lane: &[i64]| -> Vec<i64> {
        seen.iter()
            .copied()
            .filter(|seq| lane.contains(seq))
            .collect()
    };
    assert_eq!(of(&[1, 2, 3]), [1, 1, 2, 3]);
    assert_eq!(of(&[4, 5]), [4, 4, 5]);
    assert_eq!(of(&[6]), [6]);
}

#[tokio::test]
async fn failing_robot_dies_is_shown_without_secrets_and_succeeds_after_a_retry() {
    let inbox = inbox();
    store(&inbox, &robot(18)).await;
    let failing = service_fn(async |request: WorkerRequest| {
        let callback = request.extensions().get::<Callback>().unwrap();
        let auth = callback.auth();
        let text = format!(
            "cannot send canary-event-token of {} as {}",
            auth.application_token().unwrap().expose(),
            auth.access_token().unwrap().expose(),
        );
        Err::<Response<Full<Bytes>>, _>(text)
    });
    let worker = inbox.worker(failing).retry(quick());
    let worker = worker.poll_interval(Duration::from_millis(5)).spawn();
    wait_for(&inbox, |stats| stats.dead == 1).await;
    worker.shutdown(Duration::ZERO).await;

    let dead = Filter::new().state(State::Dead).code("robot:ship");
    let record = inbox.list(&dead, 9).await.unwrap().remove(0);
    assert_eq!(record.entry.subject, "crm DEAL_18");
    assert_eq!(record.entry.format, FORMAT);
    let opened = inbox.get(record.seq).await.unwrap().unwrap();
    let callback = opened.request.clone().unwrap().callback().unwrap().clone();
    assert_eq!(
        (callback.kind(), callback.proof()),
        (CallbackKind::Robot, Proof::ApplicationToken)
    );
    let json = serde_json::to_string(&opened.request.as_ref().unwrap()).unwrap();
    let error = record.error.clone().unwrap();
    assert!(error.starts_with("cannot send"), "{error}");
    for shown in [format!("{opened:?}"), format!("{record:?}"), json, error] {
        assert!(
            !shown.contains("canary") && !shown.contains(TestEvent::TOKEN),
            "{shown}"
        );
    }
    let canary = |bytes: &[u8]| bytes.windows(6).any(|part| part == b"canary");
    assert!(!canary(&record.entry.body));

    assert!(inbox.retry(record.seq).await.unwrap());
    let seen = Arc::default();
    let worker = inbox.worker(callbacks(&seen, |_, _| 200)).spawn();
    wait_for(&inbox, |stats| stats.done == 1).await;
    worker.shutdown(Duration::ZERO).await;
    // The attempts are counted on, although a retry has all of them again.
    assert_eq!(seen.lock().unwrap()[0].1.attempt, 3);
}

#[tokio::test]
async fn secret_of_the_url_is_not_in_a_stored_target_or_the_request_of_a_worker() {
    let inbox = Inbox::insecure_unsealed(MemoryInbox::new()).build();
    store(&inbox, &TestCallback::webhook_robot()).await;
    let record = inbox.list(&Filter::new(), 1).await.unwrap().remove(0);
    let body = String::from_utf8_lossy(&record.entry.body).into_owned();
    assert!(body.contains("/bitrix24?secret=redacted"), "{body}");
    assert!(!body.contains(SECRET), "{body}");
}

#[tokio::test]
async fn callback_that_cannot_be_stored_is_handed_out_and_handled_by_the_fallback() {
    struct Full;
    impl Accept for Full {
        type Error = &'static str;

        async fn accept(&self, _: &[Entry]) -> Result<Vec<Accepted>, &'static str> {
            Err("the disk is full")
        }
    }
    let inbox = Inbox::builder(Full, key()).build();
    let response = send_to(inbox.receive(), &robot(18)).await;
    assert_eq!(response.status(), 503);
    let error = response.extensions().get::<HandlerError>().unwrap();
    assert_eq!(error.kind(), HandlerErrorKind::NotStored);
    assert_eq!(error.to_string(), "the inbox could not store this robot");
    assert_eq!(error.callback().unwrap().kind(), CallbackKind::Robot);

    let seen = Arc::default();
    let receive = inbox.receive().fallback(callbacks(&seen, |_, _| 200));
    assert_eq!(send_to(receive, &robot(18)).await.status(), 503);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), seen[0].1.seq), (1, 0));
}
