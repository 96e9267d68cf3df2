//! Rejections: their statuses and texts, and verifiers that accept no token.

use super::*;

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
