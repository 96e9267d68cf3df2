//! The lines of rejections and mismatches.

use super::*;

#[tokio::test(start_paused = true)]
async fn each_rejection_is_logged_at_its_level_with_its_reason() {
    for (kind, level, request) in rejections() {
        let (log, _guard) = Log::start();
        let layer = layer()
            .body_limit(1000)
            .body_timeout(Duration::from_secs(1));
        let response = send_observed(layer, request).await;
        let rejection = response.extensions().get::<Rejection>().unwrap();
        assert_eq!(rejection.kind(), kind);

        let [line] = &log.recorded().lines[..] else {
            panic!("{kind:?}: {:?}", log.recorded())
        };
        assert_eq!(line.level, level, "{kind:?}");
        assert_eq!(line.spans, ["bitrix24.event"]);
        assert_eq!(line.fields["reason"], kind.as_str());
        assert_eq!(line.fields["message"], rejection.to_string());
        let span = log.span();
        assert_eq!(span["reason"], kind.as_str());
        assert_eq!(span["outcome"], "rejected");
        // An unverified request is not attributed to a portal.
        for field in ["kind", "member_id", "handler_id"] {
            assert_eq!(span.get(field), None, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn failing_store_is_logged_as_an_error_with_its_message() {
    let (log, _guard) = Log::start();
    send_observed(EventLayer::new(unavailable), post(boxed_full(SEED))).await;
    let [line] = &log.lines()[..] else {
        panic!("{:?}", log.lines())
    };
    assert_eq!(line.level, Level::ERROR);
    assert_eq!(line.fields["reason"], "unavailable");
    assert_eq!(line.fields["error"], r"no\nroute to the database");
    assert_eq!(log.span()["reason"], "unavailable");
}

#[test]
fn logged_reason_is_the_kind_in_snake_case() {
    let kinds = rejections().into_iter().map(|(kind, ..)| kind);
    for kind in kinds.chain([RejectionKind::Unavailable]) {
        let mut snake = String::new();
        for letter in format!("{kind:?}").chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(letter.to_lowercase());
        }
        assert_eq!(kind.as_str(), snake);
    }
}

#[tokio::test]
async fn mismatch_is_logged_by_its_path_only() {
    let (log, _guard) = Log::start();
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    send_observed(layer(), post(boxed_full(body))).await;
    let lines = log.lines();
    let line = lines.iter().find(|line| line.level == Level::WARN).unwrap();
    assert_eq!(line.fields["path"], "data.FIELDS.ID");
    assert_eq!(log.span()["outcome"], "accepted");
    assert!(!log.written().contains("twentyseven"));
}

/// Sends a body to a router and to `On`, and returns the statuses.
async fn handled_as_requisite(body: &str) -> [u16; 2] {
    async fn on(requisite: On<kind::CrmRequisiteAdd>) -> String {
        requisite.id.to_string()
    }
    set_global_subscriber();
    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, async |_: ItemId, _| {})
        .build()
        .unwrap();
    let routed = layer()
        .wrap_body()
        .layer(router)
        .oneshot(post(boxed_full(body.to_owned())));
    let app: axum::Router = axum::Router::new()
        .route("/bitrix24/events", axum::routing::post(on))
        .layer(layer());
    let extracted = app.oneshot(post(axum::body::Body::from(body.to_owned())));
    [
        routed.await.unwrap().status().as_u16(),
        extracted.await.unwrap().status().as_u16(),
    ]
}

#[tokio::test]
async fn mismatch_rejected_by_every_handler_is_logged_as_an_error_and_counted() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    assert_eq!(handled_as_requisite(&body).await, [422, 422]);
    assert_eq!(handled_as_requisite(SEED).await, [200, 200]);

    let mut errors = log.lines();
    errors.retain(|line| line.level == Level::ERROR);
    assert_eq!(errors.len(), 2, "{errors:?}");
    for line in errors {
        assert_eq!(line.fields["code"], "ONCRMREQUISITEADD");
        assert_eq!(line.fields["member_id"], "a223c6b3710f85df22e9377d6c4f7553");
        assert_eq!(line.fields["domain"], "some-domain.bitrix24.com");
        assert_eq!(line.fields["path"], "data.FIELDS.ID");
        assert_eq!(line.spans, ["bitrix24.event"]);
    }
    for secret in ["twentyseven", TOKEN] {
        assert!(!log.written().contains(secret));
    }
    let counted = counted(&recorder.snapshotter());
    assert_eq!(
        counted["bitrix24_mismatches_total{kind=CrmRequisiteAdd}"],
        2
    );
}

#[tokio::test]
async fn mismatch_kept_by_a_fallback_is_not_an_error() {
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let body = SEED.replace("[ID]=27", "[ID]=twentyseven");
    let router = EventRouter::builder()
        .on(kind::CrmRequisiteAdd, async |_: ItemId, _| {})
        .fallback(async |_: Event| {})
        .build()
        .unwrap();
    let response = layer()
        .wrap_body()
        .layer(router)
        .oneshot(post(boxed_full(body.clone())));
    assert_eq!(response.await.unwrap().status(), 200);
    let keeps = async |requisite: Result<On<kind::CrmRequisiteAdd>, HandlerError>| {
        assert!(requisite.unwrap_err().event().is_some());
    };
    let app: axum::Router = axum::Router::new()
        .route("/bitrix24/events", axum::routing::post(keeps))
        .layer(layer());
    let response = app.oneshot(post(axum::body::Body::from(body)));
    assert_eq!(response.await.unwrap().status(), 200);

    assert!(log.lines().iter().all(|line| line.level != Level::ERROR));
    let counted = counted(&recorder.snapshotter());
    assert!(!counted.keys().any(|name| name.contains("mismatches")));
}
