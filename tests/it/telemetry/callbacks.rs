//! The spans, lines and counters of callbacks, and the secrets that they never contain.

use super::*;
use tower_bitrix24::callback::{Callback, Placement, PlacementCode, ProofLevel, Robot};
use tower_bitrix24::testing::{CallbackTamper, TestCallback};

const CANARY: &str = "canary7f3a";

fn robot(code: &str) -> TestCallback {
    TestCallback::robot(code).token(TOKEN).member_id("a223")
}

fn page() -> TestCallback {
    TestCallback::placement(PlacementCode::Default)
        .token(TOKEN)
        .member_id("a223")
}

#[tokio::test]
async fn accepted_callback_has_a_span_with_its_kind_and_is_counted_as_it() {
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let form = robot("ship").form();
    {
        let (log, _guard) = Log::start();
        send_observed(layer().callbacks(), post(boxed_full(form.clone()))).await;
        let mut span = log.span();
        assert!(span.remove("elapsed_us").is_some());
        let expected = [
            ("body_bytes", &*form.len().to_string()),
            ("kind", "robot"),
            ("member_id", "a223"),
            ("outcome", "accepted"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(span, Fields::from(expected));
        let [line] = &log.lines()[..] else {
            panic!("{:?}", log.lines())
        };
        assert_eq!(
            (line.level, &*line.fields["message"]),
            (Level::DEBUG, "the callback is accepted")
        );
    }
    send_observed(layer().callbacks(), post(boxed_full(page().form()))).await;
    let forged = robot("ship").tampered(CallbackTamper::WrongToken).form();
    send_observed(layer().callbacks(), post(boxed_full(forged))).await;
    // A mismatch is accepted, and its line has the path without the value.
    let (log, _guard) = Log::start();
    let misfit = robot(CANARY).remove("document_id").form();
    send_observed(layer().callbacks(), post(boxed_full(misfit))).await;
    let lines = log.lines();
    assert_eq!(
        (lines[0].level, &*lines[0].fields["path"]),
        (Level::WARN, "document_id")
    );
    assert!(!log.written().contains(CANARY));

    let expected = [
        ("bitrix24_events_total{outcome=accepted,kind=robot}", 2),
        ("bitrix24_events_total{outcome=accepted,kind=placement}", 1),
        ("bitrix24_events_total{outcome=rejected,kind=none}", 1),
        ("bitrix24_rejections_total{reason=token_rejected}", 1),
        ("bitrix24_verification_seconds{outcome=accepted}", 3),
        ("bitrix24_verification_seconds{outcome=rejected}", 1),
    ];
    let counted = counted(&recorder.snapshotter());
    for (name, count) in expected {
        assert_eq!(counted.get(name), Some(&count), "{name} {counted:?}");
    }
}

#[tokio::test]
async fn callback_that_is_not_handled_is_one_line_with_its_reason() {
    let router = EventRouter::builder()
        .on_robot("fail", async |_: Robot, _: Callback| {
            Err::<(), _>("no printer")
        })
        .at_least(ProofLevel::User, |router| {
            router.on_placement(PlacementCode::Default, async |_: Placement, _: Callback| {})
        })
        .build()
        .unwrap();
    for (callback, kind, reason) in [
        (robot("fail"), "robot", "no printer"),
        (robot("fail").remove("document_id"), "robot", "document_id"),
        (page(), "placement", "needs the proof user"),
        (
            page().set("PLACEMENT", "LEFT_MENU"),
            "placement",
            "no handler",
        ),
    ] {
        let (log, _guard) = Log::start();
        let service = layer().callbacks().layer(router.clone());
        let request = post(Full::<Bytes>::from(callback.form()));
        let response = service.oneshot(request).await.unwrap();
        assert!(!response.status().is_success());
        let lines: Vec<_> = log.lines();
        let errors: Vec<_> = lines
            .iter()
            .filter(|line| line.level == Level::ERROR)
            .collect();
        let [line] = &errors[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(line.fields["message"], "the callback is not handled");
        assert_eq!(
            (&*line.fields["kind"], &*line.fields["member_id"]),
            (kind, "a223")
        );
        assert!(line.fields["error"].contains(reason), "{line:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_token_and_no_data_of_a_callback_are_logged_even_at_trace() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let auth = ["access_token", "refresh_token", "domain", "user_id"]
        .map(|key| format!("&auth[{key}]={CANARY}"))
        .concat();
    let auth = format!("{auth}&auth[application_token]={CANARY}");
    let robot = "workflow_id=canary7f3a&code=canary7f3a&document_id[0]=crm&document_id[1]=D\
        &document_id[2]=canary7f3a&event_token=canary7f3a&properties[canary7f3a]=canary7f3a";
    let page = "AUTH_ID=canary7f3a&REFRESH_ID=canary7f3a&APPLICATION_TOKEN=canary7f3a&member_id=a\
        &PLACEMENT=canary7f3a&PLACEMENT_OPTIONS=%7B%22token%22%3A%22canary7f3a%22%7D";
    let mut sent = 0;
    for form in [
        format!("{robot}{auth}"),
        format!("event_token=canary7f3a{auth}"),
        format!("{robot}{auth}&event_token=canary7f3a"),
        format!("{robot}{auth}&AUTH_ID=canary7f3a"),
        robot.to_owned(),
        page.to_owned(),
        format!("{page}{auth}"),
        page.replace("APPLICATION_TOKEN", "x"),
        format!("message_id=canary7f3a&message_body=canary7f3a&code=canary7f3a{auth}"),
        format!("event=OnAppSettingsInstall&data[canary7f3a]=canary7f3a{auth}"),
        format!("data[canary7f3a]=canary7f3a{auth}"),
        format!("canary7f3a=canary7f3a{auth}"),
    ] {
        for token in [CANARY, "configured51c2"] {
            let layer = EventLayer::new(ApplicationToken::new(token).unwrap()).callbacks();
            for layer in [layer.clone(), layer.pass_other_callbacks()] {
                send_observed(layer, post(boxed_full(form.clone()))).await;
                sent += 1;
            }
        }
        let layer = EventLayer::new(unavailable).callbacks();
        send_observed(layer, post(boxed_full(form))).await;
        sent += 1;
    }
    let recorded = log.recorded();
    assert_eq!(recorded.spans.len(), sent);
    let written = log.written();
    for outcome in ["the callback is accepted", "rejected", "kind=\"robot\""] {
        assert!(written.contains(outcome), "{written}");
    }
    let counted = format!("{:?}", counted(&recorder.snapshotter()));
    for shown in [format!("{recorded:?}"), written, counted] {
        for secret in [CANARY, "configured51c2"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
