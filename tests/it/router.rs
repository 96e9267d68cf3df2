//! `EventRouter`: the handler of each event, and the response.

use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::catalogue::{body, documented};
use crate::common::server::{send, serve_axum, serve_hyper};
use crate::common::{SEED, TOKEN, forged, layer, post as request, verified};
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post, post_service};
use axum::{Extension, Router};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt};
use tower_bitrix24::event::payload::{CrmDynamicItem, ItemId};
use tower_bitrix24::event::{entity, kind};
use tower_bitrix24::handler::{
    EventRouterBuilder, HandlerError, HandlerErrorKind, IntoEventResponse, ResponseBody,
};
use tower_bitrix24::{ApplicationToken, Envelope, Event, EventKind, EventRouter};

fn form(code: &str, data: &str) -> String {
    format!("event={code}&{data}&auth[application_token]={TOKEN}")
}

async fn event(code: &str, data: &str) -> Event {
    verified(form(code, data)).await
}

async fn read(response: Response<ResponseBody>) -> (u16, String) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

fn error<T>(response: &Response<T>) -> &HandlerError {
    response
        .extensions()
        .get()
        .expect("the event is not handled")
}

fn named<T>(name: &'static str) -> impl Fn(T) -> std::future::Ready<Response<&'static str>> {
    move |_| std::future::ready(Response::new(name))
}

async fn taken_by(router: &EventRouter, code: &str, data: &str) -> String {
    read(router.handle(event(code, data).await).await).await.1
}

// Which handler gets an event.

#[tokio::test]
async fn typed_handler_gets_the_payload_and_the_event() {
    async fn requisite_added(requisite: ItemId, event: Event) -> Response<String> {
        Response::new(format!("{} on {}", requisite.id, event.auth().domain()))
    }
    let router = EventRouter::builder().on(kind::CrmRequisiteAdd, requisite_added);
    let service = layer().layer(router.build().unwrap());
    let sent = request(Full::new(Bytes::from_static(SEED.as_bytes())));
    let response = service.clone().oneshot(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "27 on some-domain.bitrix24.com");

    let sent = request(Full::new(Bytes::from(forged())));
    let response = service.oneshot(sent).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn router_prefers_code_then_longest_prefix_then_scope_then_fallback() {
    let router = EventRouter::builder()
        .fallback(named("fallback"))
        .on_scope("crm", named("scope"))
        .on_prefix("ONCRM", named("short prefix"))
        .on_prefix("oncrmdeal", named("long prefix"))
        .on_prefix("ONCRMDE", named("middle prefix"))
        .on_code("onCrmDealDelete", named("documented code"))
        .on_code("OnSomethingNew", named("undocumented code"))
        .on_kind(EventKind::CrmDealUpdate, named("kind"))
        .on(kind::CrmDealAdd, |_: ItemId, _| async {
            Response::new("typed")
        })
        .build()
        .unwrap();
    for (code, name) in [
        ("ONCRMDEALADD", "typed"),
        ("onCrmDealAdd", "typed"),
        ("ONCRMDEALUPDATE", "kind"),
        ("ONCRMDEALDELETE", "documented code"),
        ("ONSOMETHINGNEW", "undocumented code"),
        ("onSomethingNew", "undocumented code"),
        ("ONCRMDEALUSERFIELDADD", "long prefix"),
        ("onCrmDealSomethingNew", "long prefix"),
        ("ONCRMDELIGHT", "middle prefix"),
        ("ONCRMLEADADD", "short prefix"),
        ("ONTASKADD", "fallback"),
        ("ONSOMETHINGNEWER", "fallback"),
    ] {
        assert_eq!(
            taken_by(&router, code, "data[FIELDS][ID]=1").await,
            name,
            "{code}"
        );
    }

    let scoped = EventRouter::builder()
        .on_scope("crm", named("scope"))
        .on_prefix("ONCRMDEAL", named("prefix"))
        .fallback(named("fallback"))
        .build()
        .unwrap();
    for (code, name) in [
        ("ONCRMDEALADD", "prefix"),
        ("ONCRMLEADADD", "scope"),
        ("ONSOMETHINGNEW", "fallback"),
    ] {
        assert_eq!(
            taken_by(&scoped, code, "data[FIELDS][ID]=1").await,
            name,
            "{code}"
        );
    }
}

#[tokio::test]
async fn router_sends_an_unknown_event_to_the_scope_in_its_code() {
    let router = EventRouter::builder()
        .on_scope("crm", named("crm"))
        .on_scope("calendar", named("calendar"))
        .on_prefix("ONCRMSOMETHING", named("prefix"))
        .fallback(named("fallback"))
        .build()
        .unwrap();
    for (code, taken) in [
        ("ONCRMNEW", "crm"),
        ("onCrmNew", "crm"),
        ("ONCRMNEW_147", "crm"),
        ("ONCALENDARROOMCREATE", "calendar"),
        ("ONCALENDARNEW", "calendar"),
        ("ONCRMSOMETHINGNEW", "prefix"),
        // The scope of its code has no handler.
        ("ONTASKNEW", "fallback"),
        ("ONCR", "fallback"),
        ("ONNEW", "fallback"),
    ] {
        assert_eq!(taken_by(&router, code, "data=1").await, taken, "{code}");
    }
}

#[tokio::test]
async fn router_sends_every_documented_event_to_its_scope() {
    let mut scopes: Vec<_> = documented().into_iter().map(|event| event.scope).collect();
    scopes.sort();
    scopes.dedup();
    let router = scopes.iter().fold(EventRouter::builder(), |router, scope| {
        let name = scope.clone();
        router.on_scope(scope, move |_: Event| {
            std::future::ready(Response::new(name.clone()))
        })
    });
    let router = router.build().unwrap();
    let token = ApplicationToken::new(TOKEN).unwrap();
    for documented in documented() {
        let envelope = Envelope::scan(body(&documented)).unwrap();
        let event = Event::verify(envelope, &token).await.unwrap();
        assert_eq!(
            read(router.handle(event).await).await,
            (200, documented.scope)
        );
    }
}

#[tokio::test]
async fn router_sends_every_documented_event_to_its_entity() {
    let router = entity::ALL
        .iter()
        .fold(EventRouter::builder(), |router, entity| {
            router.on_entity(entity, named(entity))
        });
    let router = router.fallback(named("none")).build().unwrap();
    for &kind in EventKind::ALL {
        let expected = kind.entity().unwrap_or("none");
        // The data of most events do not fit: they are about the entity nevertheless.
        assert_eq!(taken_by(&router, kind.as_str(), "data=1").await, expected);
    }
    let of_type = taken_by(&router, "ONCRMDYNAMICITEMADD_147", "data=1").await;
    assert_eq!(of_type, "crm.item");
    assert_eq!(
        taken_by(&router, "ONCRMDEALSOMETHING", "data=1").await,
        "none"
    );
}

#[tokio::test]
async fn router_prefers_a_kind_to_its_entity_and_the_entity_to_a_prefix() {
    let router = EventRouter::builder()
        .on_prefix("ONCRMDEAL", named("prefix"))
        .on_entity(entity::CRM_DEAL, named("entity"))
        .on_kinds(
            [EventKind::CrmDealDelete, EventKind::CrmLeadDelete],
            named("kinds"),
        )
        .on_scope("crm", named("scope"))
        .build()
        .unwrap();
    for (code, taken) in [
        ("ONCRMDEALADD", "entity"),
        ("onCrmDealMoveToCategory", "entity"),
        ("ONCRMDEALDELETE", "kinds"),
        ("ONCRMLEADDELETE", "kinds"),
        ("ONCRMDEALUSERFIELDADD", "prefix"),
        ("ONCRMDEALRECURRINGDELETE", "prefix"),
        ("ONCRMLEADADD", "scope"),
    ] {
        assert_eq!(taken_by(&router, code, "data=1").await, taken, "{code}");
    }
}

/// Each form of handler, with the state and without.
#[tokio::test]
async fn handlers_of_a_router_with_a_state_may_take_a_clone_of_it() {
    async fn typed(deal: ItemId, _: Event, state: Arc<AtomicUsize>) {
        state.fetch_add(usize::try_from(deal.id).unwrap(), Ordering::Relaxed);
    }
    let state = Arc::new(AtomicUsize::new(0));
    let add = |number: usize| {
        move |_: Event, state: Arc<AtomicUsize>| async move {
            state.fetch_add(number, Ordering::Relaxed);
        }
    };
    let router = EventRouter::with_state(state.clone())
        .on(kind::CrmDealAdd, typed)
        .on_kind(EventKind::CrmDealUpdate, add(10))
        .on_kinds([EventKind::CrmDealDelete, EventKind::CrmLeadAdd], add(100))
        .on_code("ONNEW", add(1000))
        .on_entity(entity::CRM_CONTACT, add(10_000))
        .on_prefix("ONNEWER", add(100_000))
        .on_scope("task", add(1_000_000))
        .on(kind::CrmLeadUpdate, async |_: ItemId, _: Event| {
            StatusCode::ACCEPTED
        })
        .on_kind(EventKind::CrmLeadDelete, async |_: Event| {
            StatusCode::CREATED
        })
        .fallback(add(10_000_000))
        .build()
        .unwrap();
    let debug = format!("{:?}", EventRouter::with_state("canary"));
    assert!(!debug.contains("canary"), "{debug}");

    for code in [
        "ONCRMDEALADD",
        "ONCRMDEALUPDATE",
        "ONCRMDEALDELETE",
        "ONCRMLEADADD",
        "ONNEW",
        "ONCRMCONTACTADD",
        "ONNEWEST",
        "ONNEWERYET",
        "ONTASKADD",
    ] {
        let answer = router.handle(event(code, "data[FIELDS][ID]=1").await).await;
        assert_eq!(answer.status(), 200, "{code}");
    }
    assert_eq!(state.load(Ordering::Relaxed), 11_111_211);
    for (code, status) in [("ONCRMLEADUPDATE", 202), ("ONCRMLEADDELETE", 201)] {
        let answer = router.handle(event(code, "data[FIELDS][ID]=1").await).await;
        assert_eq!(answer.status(), status, "{code}");
    }
    assert_eq!(state.load(Ordering::Relaxed), 11_111_211);
}

#[tokio::test]
async fn router_prefers_the_code_of_an_item_type_to_its_kind() {
    let router = EventRouter::builder()
        .on(
            kind::CrmDynamicItemAdd,
            async |_: CrmDynamicItem, _: Event| Response::new("kind"),
        )
        .on_code("ONCRMDYNAMICITEMADD_147", named("type 147"))
        .build()
        .unwrap();
    let data = "data[FIELDS][ID]=1&data[FIELDS][ENTITY_TYPE_ID]=147";
    for (code, name) in [
        ("ONCRMDYNAMICITEMADD_147", "type 147"),
        ("onCrmDynamicItemAdd_147", "type 147"),
        ("ONCRMDYNAMICITEMADD_148", "kind"),
        ("ONCRMDYNAMICITEMADD", "kind"),
    ] {
        assert_eq!(taken_by(&router, code, data).await, name, "{code}");
    }
}

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

// What is registered wrongly.

#[test]
fn router_build_rejects_duplicate_and_invalid_registrations() {
    let handler = || async |_: Event| {};
    let typed = || async |_: ItemId, _: Event| {};
    let builder = EventRouter::builder;
    let cases: [(EventRouterBuilder, &str); 13] = [
        (
            builder()
                .on(kind::CrmDealAdd, typed())
                .on(kind::CrmDealAdd, typed()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on(kind::CrmDealAdd, typed())
                .on_kind(EventKind::CrmDealAdd, handler()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on_kind(EventKind::CrmDealAdd, handler())
                .on_code("onCrmDealAdd", handler()),
            "ONCRMDEALADD has two handlers",
        ),
        (
            builder()
                .on_code("onNew", handler())
                .on_code("ONNEW", handler()),
            "ONNEW has two handlers",
        ),
        (
            builder()
                .on_prefix("onCrm", handler())
                .on_prefix("ONCRM", handler()),
            "the prefix \"ONCRM\" has two handlers",
        ),
        (
            builder()
                .on_scope("crm", handler())
                .on_scope("crm", handler()),
            "the scope \"crm\" has two handlers",
        ),
        (
            builder().fallback(handler()).fallback(handler()),
            "there are two fallbacks",
        ),
        (
            builder()
                .on_entity(entity::CRM_DEAL, handler())
                .on_entity("crm.deal", handler()),
            "the entity \"crm.deal\" has two handlers",
        ),
        (
            builder().on_entity("CRM.DEAL", handler()),
            "no documented event is about the entity \"CRM.DEAL\"; `event::entity` has the constants",
        ),
        (
            builder().on_scope("cmr", handler()),
            "no documented event has the scope \"cmr\"",
        ),
        (
            builder().on_prefix("", handler()),
            "a prefix is empty: use `fallback` for all events",
        ),
        (builder().on_code("", handler()), "a code is empty"),
        (
            builder()
                .on_code("", handler())
                .on_prefix("", handler())
                .on_scope("crm", handler()),
            "a code is empty",
        ),
    ];
    for (builder, message) in cases {
        assert_eq!(builder.build().unwrap_err().to_string(), message);
    }
    let other_codes = builder()
        .on_kind(EventKind::CrmDealAdd, handler())
        .on_kind(EventKind::CrmDealUpdate, handler())
        .on_kind(EventKind::CrmDynamicItemAdd, handler())
        .on_code("ONCRMDYNAMICITEMADD_147", handler())
        .on_prefix("ONCRMDEALADD", handler())
        .on_prefix("ONCRMDEAL", handler());
    assert!(other_codes.build().is_ok());
}

// Responses.

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

// How handlers may be written.

#[tokio::test]
async fn router_takes_functions_closures_and_async_closures() {
    async fn function(event: Event) -> Result<(), HandlerError> {
        assert_eq!(event.kind(), Some(EventKind::CrmDealAdd));
        Ok(())
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counting = count.clone();
    let router = EventRouter::builder()
        .on_kind(EventKind::CrmDealAdd, function)
        .on(kind::CrmDealUpdate, |deal: ItemId, _: Event| async move {
            assert_eq!(deal.id, 1);
        })
        .on(kind::CrmDealDelete, async |deal: ItemId, event: Event| {
            tokio::task::yield_now().await;
            assert_eq!((deal.id, event.kind()), (1, Some(EventKind::CrmDealDelete)));
        })
        .fallback(move |_: Event| {
            let counting = counting.clone();
            async move {
                tokio::task::yield_now().await;
                counting.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .unwrap();
    let codes = [
        "ONCRMDEALADD",
        "ONCRMDEALUPDATE",
        "ONCRMDEALDELETE",
        "ONCRMLEADADD",
    ];
    for code in codes {
        // The future does not borrow the router.
        let response = router
            .clone()
            .handle(event(code, "data[FIELDS][ID]=1").await);
        assert_eq!(
            tokio::spawn(response).await.unwrap().status(),
            StatusCode::OK
        );
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn router_debug_lists_its_routes() {
    let builder = EventRouter::builder()
        .on_kind(EventKind::CrmDealAdd, async |_: Event| {})
        .on_prefix("OnTask", async |_: Event| {})
        .on_scope("im", async |_: Event| {});
    assert!(format!("{builder:?}").starts_with("EventRouterBuilder { codes: [\"ONCRMDEALADD\"]"));
    assert_eq!(
        format!("{:?}", builder.build().unwrap()),
        "EventRouter { codes: [\"ONCRMDEALADD\"], entities: [], prefixes: [\"ONTASK\"], scopes: [\"im\"], \
         fallback: false, unhandled: 200 }"
    );
}

// Where it stands.

fn router() -> EventRouter {
    EventRouter::builder()
        .on(
            kind::CrmRequisiteAdd,
            async |requisite: ItemId, _: Event| {
                Response::new(format!("requisite {}", requisite.id))
            },
        )
        .build()
        .unwrap()
}

#[tokio::test]
async fn router_is_a_route_service_in_axum() {
    let nested = Router::new()
        .route("/events", post_service(router()))
        .route_layer(layer());
    let app = Router::new()
        .route("/", get(|| async { "index" }))
        .route_service("/bitrix24/events", router())
        .route("/own", post_service(router()).layer(layer()))
        .layer(layer().path("/bitrix24/events"))
        .nest("/nested", nested)
        .route_service("/bare", router());
    let address = serve_axum(app).await;
    for path in ["/bitrix24/events", "/own", "/nested/events"] {
        assert_eq!(
            send(address, path, SEED).await,
            (200, "requisite 27".into()),
            "{path}"
        );
        assert_eq!(send(address, path, forged()).await.0, 403, "{path}");
        assert_eq!(
            send(address, path, form("ONAPPTEST", "a=1")).await,
            (200, "".into())
        );
    }
    let (status, text) = send(address, "/bare", SEED).await;
    assert_eq!(status, 500);
    assert!(text.contains("EventLayer"), "{text}");
}

#[tokio::test]
async fn router_is_a_service_in_hyper() {
    let address = serve_hyper(layer().path("/bitrix24/events").wrap_body().layer(router())).await;
    let path = "/bitrix24/events";
    assert_eq!(
        send(address, path, SEED).await,
        (200, "requisite 27".into())
    );
    assert_eq!(send(address, path, forged()).await.0, 403);
    assert_eq!(send(address, "/", SEED).await.0, 500);
}

#[tokio::test]
async fn one_url_serves_events_and_the_application_page() {
    async fn on_post(
        State(router): State<EventRouter>,
        event: Option<Extension<Event>>,
    ) -> axum::response::Response {
        match event {
            Some(Extension(event)) => router.handle(event).await.into_response(),
            None => "page".into_response(),
        }
    }
    let app = Router::new()
        .route("/", post(on_post))
        .layer(layer().pass_other_callbacks())
        .with_state(router());
    let address = serve_axum(app).await;
    assert_eq!(send(address, "/", SEED).await, (200, "requisite 27".into()));
    assert_eq!(send(address, "/", forged()).await.0, 403);
    assert_eq!(
        send(address, "/", "PLACEMENT=DEFAULT").await,
        (200, "page".into())
    );
}
