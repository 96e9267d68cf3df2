//! The router and axum's extractors with callbacks: who gets which, and what the others get.

use std::convert::Infallible;

use axum::routing::post;
use axum::{Router, body::Body};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};
use tower_bitrix24::callback::{
    Callback, Message, Placement, PlacementCode, ProofLevel, Robot, Settings, html_response,
};
use tower_bitrix24::handler::extract::{Administrator, AnyProof, AtLeast, OnCallback, User};
use tower_bitrix24::handler::{EventRouterBuilder, HandlerError, HandlerErrorKind};
use tower_bitrix24::{Event, EventRouter};

use crate::common::{TOKEN, layer};

fn robot(code: &str) -> String {
    format!(
        "workflow_id=1&code={code}&document_id[0]=crm&document_id[1]=CCrmDocumentDeal\
         &document_id[2]=DEAL_18&event_token=1.a&auth[application_token]={TOKEN}"
    )
}

fn message(code: &str) -> String {
    format!(
        "type=SMS&code={code}&message_id=1&message_body=x&message_to=2\
         &auth[application_token]={TOKEN}"
    )
}

fn page(placement: &str) -> String {
    format!("AUTH_ID=4d&member_id=a&APPLICATION_TOKEN={TOKEN}&PLACEMENT={placement}")
}

fn settings() -> String {
    format!("event=OnAppSettingsInstall&auth[application_token]={TOKEN}")
}

fn event() -> String {
    format!("event=ONAPPTEST&auth[application_token]={TOKEN}")
}

/// A callback with a token and no type.
fn unknown() -> String {
    format!("page=2&auth[application_token]={TOKEN}")
}

/// A robot without its document.
fn misfit() -> String {
    format!("event_token=1.a&code=ship&workflow_id=1&auth[application_token]={TOKEN}")
}

fn request<B: From<String>>(uri: &str, form: &str) -> Request<B> {
    Request::post(uri)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(B::from(form.to_owned()))
        .unwrap()
}

struct Reply {
    status: StatusCode,
    body: String,
    kind: Option<HandlerErrorKind>,
}

async fn reply<S, B>(service: S, request: Request<Full<Bytes>>) -> Reply
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let response = service.oneshot(request).await.unwrap();
    let error = response.extensions().get::<HandlerError>();
    let kind = error.map(HandlerError::kind);
    if let Some(error) = error {
        assert_eq!(error.status(), response.status());
        assert!(error.event().is_none());
    }
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Reply {
        status,
        body: String::from_utf8(body.to_vec()).unwrap(),
        kind,
    }
}

async fn route(router: EventRouterBuilder, form: &str) -> Reply {
    let service = layer().callbacks().layer(router.build().unwrap());
    reply(service, request("/", form)).await
}

fn router() -> EventRouterBuilder {
    EventRouter::builder()
        .on_robot("ship", async |robot: Robot, _: Callback| {
            html_response(format!("robot {}", robot.document.id))
        })
        .on_robot("fail", async |_: Robot, _: Callback| {
            Err::<(), _>("no printer")
        })
        .on_message("provider", async |message: Message, _: Callback| {
            html_response(format!("message to {}", message.to))
        })
        .on_placement(
            "CRM_DYNAMIC_7_DETAIL_TAB",
            async |_: Placement, _: Callback| html_response("smart process"),
        )
        .on_placement(
            PlacementCode::Default,
            async |_: Placement, callback: Callback| {
                html_response(format!("page of {}", callback.auth().member_id().unwrap()))
            },
        )
        .on_settings(async |settings: Settings, _: Callback| {
            html_response(settings.action.as_str().to_owned())
        })
        .fallback(async |event: Event| html_response(event.code().to_owned()))
}

#[tokio::test]
async fn router_passes_each_callback_to_its_handler() {
    for (form, body) in [
        (robot("ship"), "robot DEAL_18"),
        (message("provider"), "message to 2"),
        (page("CRM_DYNAMIC_7_DETAIL_TAB"), "smart process"),
        (page("DEFAULT"), "page of a"),
        (page(""), "page of a"),
        (settings(), "OnAppSettingsInstall"),
        (event(), "ONAPPTEST"),
    ] {
        let reply = route(router(), &form).await;
        assert_eq!(
            (reply.status, &*reply.body),
            (StatusCode::OK, body),
            "{form}"
        );
    }
}

#[tokio::test]
async fn router_without_a_handler_acknowledges_what_nobody_reads_and_has_no_empty_page() {
    let no_handler = Some(HandlerErrorKind::NoHandler);
    for (form, status, kind) in [
        (robot("other"), StatusCode::ACCEPTED, None),
        // Codes are registered in one case.
        (robot("SHIP"), StatusCode::ACCEPTED, None),
        (message("other"), StatusCode::ACCEPTED, None),
        (unknown(), StatusCode::ACCEPTED, None),
        (page("LEFT_MENU"), StatusCode::NOT_FOUND, no_handler),
        (
            misfit(),
            StatusCode::UNPROCESSABLE_ENTITY,
            Some(HandlerErrorKind::PayloadMismatch),
        ),
        (
            robot("fail"),
            StatusCode::INTERNAL_SERVER_ERROR,
            Some(HandlerErrorKind::HandlerFailed),
        ),
    ] {
        let reply = route(router().unhandled(StatusCode::ACCEPTED), &form).await;
        assert_eq!((reply.status, reply.kind), (status, kind), "{form}");
        assert!(!reply.body.contains("printer"), "{}", reply.body);
    }
    let reply = route(EventRouter::builder(), &settings()).await;
    assert_eq!(reply.body, "no handler is registered for this settings\n");
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn fallback_of_callbacks_gets_all_that_no_other_handler_takes() {
    let with_fallback = || {
        router().callback_fallback(async |callback: Callback| {
            let mismatch = callback.mismatch().is_some();
            html_response(format!("{} {mismatch}", callback.kind()))
        })
    };
    for (form, body) in [
        (robot("ship"), "robot DEAL_18"),
        (robot("other"), "robot false"),
        (misfit(), "robot true"),
        (page("LEFT_MENU"), "placement false"),
        (unknown(), "unknown false"),
    ] {
        assert_eq!(route(with_fallback(), &form).await.body, body, "{form}");
    }
}

#[tokio::test]
async fn level_is_demanded_of_the_handlers_that_are_registered_within_it() {
    let handler = async |_: Placement, _: Callback| {};
    let router = || {
        EventRouter::builder()
            .at_least(ProofLevel::User, |router| {
                router
                    .on_placement(PlacementCode::LeftMenu, handler)
                    .at_least(ProofLevel::ApplicationToken, |router| {
                        router.on_placement(PlacementCode::TaskViewTab, handler)
                    })
                    .on_placement(PlacementCode::CallCard, handler)
            })
            .on_placement(PlacementCode::Default, handler)
    };
    for (placement, status) in [
        ("LEFT_MENU", StatusCode::FORBIDDEN),
        ("TASK_VIEW_TAB", StatusCode::OK),
        ("CALL_CARD", StatusCode::FORBIDDEN),
        ("DEFAULT", StatusCode::OK),
    ] {
        let reply = route(router(), &page(placement)).await;
        assert_eq!(reply.status, status, "{placement}");
        if status == StatusCode::FORBIDDEN {
            let body = "this placement needs the proof user, but has application_token\n";
            assert_eq!(reply.body, body);
        }
    }
}

#[test]
fn callback_with_two_handlers_is_a_config_error() {
    let robot = async |_: Robot, _: Callback| {};
    let message = async |_: Message, _: Callback| {};
    let placement = async |_: Placement, _: Callback| {};
    let settings = async |_: Settings, _: Callback| {};
    let fallback = async |_: Callback| {};
    let builder = EventRouter::builder;
    for (router, name) in [
        (
            builder().on_robot("a", robot).on_robot("a", robot),
            r#"the robot "a""#,
        ),
        (
            builder().on_message("a", message).on_message("a", message),
            r#"the message provider "a""#,
        ),
        (
            builder()
                .on_placement(PlacementCode::LeftMenu, placement)
                .on_placement("LEFT_MENU", placement),
            r#"the placement "LEFT_MENU""#,
        ),
        (
            builder().on_settings(settings).on_settings(settings),
            "the settings form",
        ),
        (
            builder()
                .callback_fallback(fallback)
                .callback_fallback(fallback),
            "the fallback of callbacks",
        ),
    ] {
        let error = router.build().unwrap_err().to_string();
        assert_eq!(error, format!("{name} has two handlers"));
    }
    assert!(
        builder()
            .on_robot("a", robot)
            .on_message("a", message)
            .build()
            .is_ok()
    );
}

fn app() -> Router {
    async fn optional(callback: Option<Callback>) -> String {
        callback.map_or("none".to_owned(), |callback| callback.kind().to_string())
    }
    async fn typed<L: AtLeast>(page: OnCallback<Placement, L>) -> String {
        page.placement.as_str().to_owned()
    }
    async fn maybe<L: AtLeast>(page: Option<OnCallback<Placement, L>>) -> String {
        page.map_or("none".to_owned(), |page| {
            page.into_inner().placement.as_str().to_owned()
        })
    }
    Router::new()
        .route(
            "/any",
            post(async |callback: Callback| callback.kind().to_string()),
        )
        .route("/optional", post(optional))
        .route(
            "/robot",
            post(async |robot: OnCallback<Robot>| robot.code.clone()),
        )
        .route("/page", post(typed::<AnyProof>))
        .route("/user", post(typed::<User>))
        .route("/admin", post(typed::<Administrator>))
        .route("/maybe", post(maybe::<AnyProof>))
        .route("/maybe-user", post(maybe::<User>))
        .layer(layer().callbacks())
        .route(
            "/bare",
            post(async |callback: Callback| callback.kind().to_string()),
        )
}

#[tokio::test]
async fn extractors_take_the_callbacks_of_their_type_and_proof() {
    let ok = |body: &str| (StatusCode::OK, body.to_owned());
    for (uri, form, expected) in [
        ("/any", robot("ship"), ok("robot")),
        ("/any", page("DEFAULT"), ok("placement")),
        ("/optional", event(), ok("none")),
        ("/optional", unknown(), ok("unknown")),
        ("/robot", robot("ship"), ok("ship")),
        ("/page", page("LEFT_MENU"), ok("LEFT_MENU")),
        ("/maybe", robot("ship"), ok("none")),
        ("/maybe", event(), ok("none")),
        ("/maybe", page("LEFT_MENU"), ok("LEFT_MENU")),
        ("/maybe-user", robot("ship"), ok("none")),
    ] {
        let response = app().oneshot(request::<Body>(uri, &form)).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1024)
            .await
            .unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!((status, body), expected, "{uri} {form}");
    }
    for (uri, form, status, kind) in [
        ("/any", event(), 500, HandlerErrorKind::NoCallback),
        ("/bare", robot("ship"), 500, HandlerErrorKind::NoCallback),
        (
            "/robot",
            page("DEFAULT"),
            422,
            HandlerErrorKind::UnexpectedKind,
        ),
        (
            "/page",
            robot("ship"),
            422,
            HandlerErrorKind::UnexpectedKind,
        ),
        ("/robot", misfit(), 422, HandlerErrorKind::PayloadMismatch),
        ("/user", page("DEFAULT"), 403, HandlerErrorKind::WeakProof),
        ("/admin", page("DEFAULT"), 403, HandlerErrorKind::WeakProof),
        (
            "/maybe-user",
            page("DEFAULT"),
            403,
            HandlerErrorKind::WeakProof,
        ),
    ] {
        let response = app().oneshot(request::<Body>(uri, &form)).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{uri}");
        let error = response.extensions().get::<HandlerError>().unwrap();
        assert_eq!(error.kind(), kind, "{uri}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(TOKEN) && !shown.contains("1.a"), "{shown}");
        let is_missing = kind == HandlerErrorKind::NoCallback;
        assert_eq!(error.callback().is_none(), is_missing, "{uri}");
    }
}
