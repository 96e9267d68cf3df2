//! The response of the router, and of a handler.

use super::*;

#[tokio::test]
async fn router_tries_the_next_handler_if_the_payload_mismatches() {
    let typed = || {
        EventRouter::builder().on(kind::CrmDealAdd, |deal: ItemId, _| async move {
            Response::new(format!("deal {}", deal.id))
        })
    };
    let misfit = "data[FIELDS][ID]=canary";

    let all = typed()
        .on_prefix("ONCRMDEAL", named("long prefix"))
        .on_prefix("ONCRM", named("prefix"))
        .on_scope("crm", named("scope"))
        .fallback(named("fallback"));
    assert_eq!(
        taken_by(&all.build().unwrap(), "ONCRMDEALADD", misfit).await,
        "long prefix"
    );
    let scope = typed()
        .on_scope("crm", named("scope"))
        .fallback(named("fallback"));
    let scope = scope.build().unwrap();
    assert_eq!(taken_by(&scope, "ONCRMDEALADD", misfit).await, "scope");
    assert_eq!(
        taken_by(&scope, "ONCRMDEALADD", "data[FIELDS][ID]=4").await,
        "deal 4"
    );
    let fallback = typed().fallback(|event: Event| async move {
        assert_eq!(event.mismatch().unwrap().path(), "data.FIELDS.ID");
        Response::new("fallback")
    });
    let fallback = fallback.build().unwrap();
    assert_eq!(
        taken_by(&fallback, "ONCRMDEALADD", misfit).await,
        "fallback"
    );

    let by_kind = EventRouter::builder().on_kind(EventKind::CrmDealAdd, named("kind"));
    assert_eq!(
        taken_by(&by_kind.build().unwrap(), "ONCRMDEALADD", misfit).await,
        "kind"
    );
}

#[tokio::test]
async fn router_responds_422_if_the_payload_fits_no_handler() {
    let typed = EventRouter::builder().on(kind::CrmDealAdd, async |_: ItemId, _: Event| {});
    let typed = typed.build().unwrap();
    for (data, text) in [
        (
            "data[FIELDS][ID]=canary",
            "the data of ONCRMDEALADD do not fit its payload at data.FIELDS.ID\n",
        ),
        (
            "ts=1",
            "the data of ONCRMDEALADD do not fit its payload at data\n",
        ),
    ] {
        let response = typed.handle(event("ONCRMDEALADD", data).await).await;
        assert_eq!(error(&response).kind(), HandlerErrorKind::PayloadMismatch);
        assert!(error(&response).event().unwrap().mismatch().is_some());
        let debug = format!("{:?}", error(&response));
        assert!(!debug.contains("canary"), "{debug}");
        assert_eq!(read(response).await, (422, text.to_owned()));
    }
}

#[tokio::test]
async fn router_acknowledges_an_unhandled_event_by_default() {
    let builder = || EventRouter::builder().on_scope("task", named("task"));
    let router = builder().build().unwrap();
    for code in ["ONCRMDEALADD", "ONSOMETHINGNEW"] {
        let event = event(code, "data[FIELDS][ID]=canary").await;
        assert_eq!(read(router.handle(event).await).await, (200, String::new()));
    }
    let router = builder().unhandled(StatusCode::NOT_FOUND).build().unwrap();
    let event = event("ONCRMDEALADD", "data[FIELDS][ID]=1").await;
    assert_eq!(read(router.handle(event).await).await, (404, String::new()));
}

#[tokio::test]
async fn router_responds_with_the_return_value_of_the_handler() {
    async fn respond<T>(returned: T) -> (u16, String)
    where
        T: IntoEventResponse + Clone + Send + Sync + 'static,
    {
        let router =
            EventRouter::builder().fallback(move |_: Event| std::future::ready(returned.clone()));
        let router = router.build().unwrap();
        read(router.handle(event("ONAPPTEST", "data[a]=1").await).await).await
    }
    assert_eq!(respond(()).await, (200, String::new()));
    assert_eq!(respond(StatusCode::ACCEPTED).await, (202, String::new()));
    assert_eq!(respond(Response::new("text")).await, (200, "text".into()));
    assert_eq!(respond(Ok::<_, String>(())).await, (200, String::new()));
    assert_eq!(
        respond(Ok::<_, Infallible>(StatusCode::CREATED)).await.0,
        201
    );

    let failed = (500, "the handler of ONAPPTEST failed\n".to_owned());
    assert_eq!(respond(Err::<(), _>("canary")).await, failed);
    assert_eq!(respond(Err::<(), _>("canary".to_owned())).await, failed);
    assert_eq!(respond(Err::<StatusCode, _>(std::fmt::Error)).await, failed);
}

#[tokio::test]
async fn handler_error_is_visible_to_outer_layers_but_not_in_the_response() {
    let router = EventRouter::builder()
        .on_code("ONAPPTEST", async |event: Event| {
            let io = std::io::Error::other(format!("canary of {}", event.code()));
            Err::<(), Box<dyn Error + Send + Sync>>(io.into())
        })
        .build()
        .unwrap();
    let response = router.handle(event("ONAPPTEST", "data[a]=1").await).await;
    let error = error(&response).clone();
    assert_eq!(error.kind(), HandlerErrorKind::HandlerFailed);
    assert_eq!(error.event().unwrap().code(), "ONAPPTEST");
    assert_eq!(error.source().unwrap().to_string(), "canary of ONAPPTEST");
    assert!(!format!("{error} {error:?} {:?}", response.headers()).contains("canary"));
    assert_eq!(
        read(response).await,
        (500, "the handler of ONAPPTEST failed\n".into())
    );
}

#[tokio::test]
async fn router_escapes_the_code_in_a_response() {
    let router = EventRouter::builder().fallback(async |_: Event| Err::<(), _>("no"));
    let event = event("ON%0ANEW", "data[a]=1").await;
    let response = read(router.build().unwrap().handle(event).await).await;
    assert_eq!(response, (500, "the handler of ON\\nNEW failed\n".into()));
}

#[tokio::test]
async fn router_responds_500_naming_the_layer_if_there_is_no_event() {
    let router = EventRouter::builder()
        .fallback(named("fallback"))
        .build()
        .unwrap();
    // The router needs nothing of the body.
    let bare: Request<Rc<str>> = Request::new("event=ONAPPTEST".into());
    let response = router.clone().oneshot(bare).await.unwrap();
    assert_eq!(error(&response).kind(), HandlerErrorKind::NoEvent);
    assert!(error(&response).event().is_none());
    let (status, text) = read(response).await;
    assert_eq!(status, 500);
    assert!(
        text.contains("EventLayer") && text.contains("path"),
        "{text}"
    );

    let passing = layer().pass_other_callbacks().layer(router);
    let placement = request(Full::new(Bytes::from_static(b"PLACEMENT=DEFAULT")));
    let response = passing.oneshot(placement).await.unwrap();
    assert_eq!(error(&response).kind(), HandlerErrorKind::NoEvent);
}
