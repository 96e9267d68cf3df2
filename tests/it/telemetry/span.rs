//! The span of an event and the lines in it, without secrets and line breaks.

use super::*;

#[tokio::test]
async fn accepted_event_has_a_span_with_its_fields() {
    let (log, _guard) = Log::start();
    let body = format!("{SEED}&event_handler_id=7");
    send_observed(layer(), post(boxed_full(body.clone()))).await;

    let mut span = log.span();
    let elapsed = span.remove("elapsed_us").unwrap();
    assert!(elapsed.parse::<u64>().unwrap() < 10_000_000);
    let expected = [
        ("body_bytes", &*body.len().to_string()),
        ("code", "ONCRMREQUISITEADD"),
        ("kind", "CrmRequisiteAdd"),
        ("member_id", "a223c6b3710f85df22e9377d6c4f7553"),
        ("handler_id", "7"),
        ("outcome", "accepted"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(span, Fields::from(expected));
    let [line] = &log.lines()[..] else {
        panic!("{:?}", log.lines())
    };
    assert_eq!(line.level, Level::DEBUG);
}

#[tokio::test]
async fn span_contains_the_lines_of_verifier_and_handler() {
    let (log, _guard) = Log::start();
    let verifier = |_: &Envelope| async {
        tracing::info!("looked up");
        tokio::task::yield_now().await;
        tracing::info!("found");
        Ok(())
    };
    let outer = tracing::info_span!("request");
    let sent = send_observed(EventLayer::new(verifier), post(boxed_full(SEED)));
    tracing::Instrument::instrument(sent, outer).await;
    tracing::info!("after");

    let mut lines = log.recorded().lines;
    lines.retain(|line| line.target != "tower_bitrix24");
    let recorded: Vec<_> = lines
        .iter()
        .map(|line| (&*line.fields["message"], &*line.spans))
        .collect();
    let inside: &[_] = &["bitrix24.event", "request"];
    assert_eq!(
        recorded,
        [
            ("looked up", inside),
            ("found", inside),
            ("begun", inside),
            ("done", inside),
            ("after", &[]),
        ]
    );
}

#[tokio::test]
async fn span_contains_the_lines_of_a_background_handler() {
    let (log, _guard) = Log::start();
    let background = BackgroundQueue::new();
    let handler = service_fn(|_: Request<EventBody<AnyBody>>| async {
        tokio::task::yield_now().await;
        tracing::info!("handled");
        Ok::<_, Infallible>(Response::new(AnyBody::default()))
    });
    let service = layer()
        .wrap_body()
        .layer(background.layer().wrap_body().layer(handler));
    let response = service.oneshot(post(boxed_full(SEED))).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response);
    assert!(
        background
            .shutdown(Duration::from_secs(10))
            .await
            .is_empty()
    );

    let lines = log.recorded().lines;
    let handled: Vec<_> = lines
        .iter()
        .filter(|line| line.target != "tower_bitrix24")
        .map(|line| (&*line.fields["message"], &*line.spans))
        .collect();
    assert_eq!(handled, [("handled", &["bitrix24.event"][..])]);
}

#[tokio::test]
async fn probe_is_recorded_with_its_outcome() {
    let (log, _guard) = Log::start();
    let mut get = post(boxed_full(""));
    *get.method_mut() = Method::GET;
    send_observed(layer().respond_to_probes(), get).await;
    assert_eq!(log.span().get("outcome").unwrap(), "probed");
    assert!(log.recorded().lines.is_empty());
}

#[tokio::test]
async fn forged_code_is_escaped_and_truncated_in_the_log() {
    let (log, _guard) = Log::start();
    let end = "Z".repeat(10_000);
    let body = format!(
        "event=A%0D%0A2026-01-01+ERROR+all+is+lost%1B[2J{end}&auth[member_id]=x%0Ay\
         &auth[application_token]=guess"
    );
    send_observed(layer(), post(boxed_full(body))).await;
    let code = &log.span()["code"];
    assert!(code.starts_with(r"A\r\n2026-01-01 ERROR all is lost\u{1b}[2J"));
    assert!(code.ends_with("Z…") && code.len() < 100, "{code}");
    let written = log.written();
    assert_eq!(written.lines().count(), 1, "{written}");
    assert!(!written.contains(['\r', '\x1b']) && written.len() < 500);
}

#[tokio::test]
async fn text_of_a_portal_is_escaped_in_the_log() {
    let (log, _guard) = Log::start();
    let body = format!("event=A&auth[member_id]=x%0Ay&auth[application_token]={TOKEN}");
    send_observed(layer(), post(boxed_full(body))).await;
    let span = log.span();
    assert_eq!(span["member_id"], r"x\ny");
    assert_eq!(span["kind"], "undocumented");
}

#[tokio::test]
async fn unselected_request_is_not_logged_but_a_passed_one_is() {
    let (log, _guard) = Log::start();
    send_observed(layer().path("/elsewhere"), post(boxed_full(SEED))).await;
    assert!(log.recorded().spans.is_empty());
    assert!(log.lines().is_empty());

    let placement = "DOMAIN=portal&AUTH_ID=canary";
    let page = Request::get("/").body(boxed_full(placement)).unwrap();
    for request in [post(boxed_full(placement)), page] {
        let (log, _guard) = Log::start();
        send_observed(layer().pass_other_callbacks(), request).await;
        let span = log.span();
        assert_eq!(span["outcome"], "passed");
        assert_eq!(span.get("code"), None);
        assert!(log.lines().is_empty());
        assert_eq!(log.recorded().lines[0].spans, ["bitrix24.event"]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_token_and_no_data_are_logged_even_at_trace() {
    const CANARY: &str = "canary7f3a";
    let (log, _guard) = Log::start();
    let recorder = DebuggingRecorder::new();
    let _recorder = metrics::set_default_local_recorder(&recorder);
    let auth = [
        "application_token",
        "access_token",
        "refresh_token",
        "domain",
    ]
    .map(|key| format!("&auth[{key}]={CANARY}"))
    .concat();
    let mut sent = 0;
    for pairs in [
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=27",
        "event=ONCRMREQUISITEADD&data[FIELDS][ID]=canary7f3a",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a&data[METHOD]=user.get&data[CONFIRMED]=1",
        "event=ONAPPMETHODCONFIRM&data[TOKEN]=canary7f3a",
        "event=ONIMBOTMESSAGEADD&data[BOT][7][application_token]=canary7f3a",
        "event=ONAPPTEST&data[QUERY][client_secret]=canary7f3a&canary7f3a=canary7f3a",
        "event=ONUNKNOWN&data[a][b]=canary7f3a&data[canary7f3a]=1",
        "notanevent=canary7f3a",
    ] {
        let body = format!("{pairs}{auth}");
        for body in [body.clone(), format!("{body}&auth[application_token]=x")] {
            let frames = Frames([data(&body), Err(CANARY.into())].into_iter());
            for token in [CANARY, "configured51c2"] {
                let layer = EventLayer::new(ApplicationToken::new(token).unwrap());
                send_observed(layer.clone(), post(boxed_full(body.clone()))).await;
                send_observed(layer.pass_other_callbacks(), post(boxed_full(body.clone()))).await;
                sent += 2;
            }
            send_observed(layer(), post(any(frames))).await;
            send_observed(EventLayer::new(unavailable), post(boxed_full(body))).await;
            sent += 2;
        }
    }
    let recorded = log.recorded();
    assert_eq!(recorded.spans.len(), sent);
    let counted: Vec<_> = recorder
        .snapshotter()
        .snapshot()
        .into_vec()
        .into_iter()
        .map(|(key, ..)| key)
        .collect();
    for shown in [
        format!("{recorded:?}"),
        log.written(),
        format!("{counted:?}"),
    ] {
        assert!(shown.contains("rejected"));
        for secret in [CANARY, "configured51c2"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
