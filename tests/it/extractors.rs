//! The extractors in axum, over a real socket.

use std::net::SocketAddr;

use crate::common::server::{send, serve_axum};
use crate::common::{SEED, TOKEN, forged, layer};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use bytes::Bytes;
use tower_bitrix24::event::kind;
use tower_bitrix24::handler::HandlerError;
use tower_bitrix24::handler::extract::On;
use tower_bitrix24::testing::TestEvent;
use tower_bitrix24::{Event, EventKind};

const NO_EVENT: &str = "the request has no Bitrix24 event: check that an EventLayer wraps this route, \
     that its path selects the request, and that it did not pass the request as another callback\n";

const LEAD: &str = "event=ONCRMLEADADD&data[FIELDS][ID]=31\
    &auth[application_token]=51856fefc120afa4b628cc82d3935cce";

const MISFIT: &str = "event=ONCRMREQUISITEADD&data[FIELDS][ID]=canary\
    &auth[application_token]=51856fefc120afa4b628cc82d3935cce";

const PLACEMENT: &str = "PLACEMENT=DEFAULT&member_id=a223c6b3710f85df22e9377d6c4f7553";

/// Serves one route behind a layer that passes other callbacks.
async fn serve(route: MethodRouter) -> SocketAddr {
    let layer = layer().pass_other_callbacks();
    serve_axum(Router::new().route("/", route).layer(layer)).await
}

async fn code(event: Event) -> String {
    event.code().to_owned()
}

async fn requisite(requisite: On<kind::CrmRequisiteAdd>) -> String {
    format!("requisite {}", requisite.id)
}

#[tokio::test]
async fn event_is_extracted_beside_state_and_body() {
    async fn handler(
        State(greeting): State<&'static str>,
        event: Event,
        On {
            payload,
            event: same,
        }: On<kind::CrmRequisiteAdd>,
        body: Bytes,
    ) -> String {
        assert_eq!(event.body(), &body);
        assert_eq!(same.kind(), Some(EventKind::CrmRequisiteAdd));
        format!("{greeting} {} {}", event.code(), payload.id)
    }
    let app = Router::new()
        .route("/", post(handler))
        .layer(layer())
        .with_state("read");
    let address = serve_axum(app).await;
    let read = (200, "read ONCRMREQUISITEADD 27".to_owned());
    assert_eq!(send(address, "/", SEED).await, read);
    assert_eq!(send(address, "/", forged()).await.0, 403);
}

#[tokio::test]
async fn event_is_extracted_in_nested_routers_and_route_layers() {
    let nested = Router::new()
        .route("/any", post(code))
        .route("/one", post(requisite).layer(layer()))
        .route("/bare", post(requisite));
    let app = Router::new()
        .route("/any", post(code))
        .route("/one", post(requisite))
        .route_layer(layer())
        .nest("/own", nested.clone())
        .nest("/outer", nested.layer(layer().path("/any")));
    let address = serve_axum(app).await;
    for (path, text) in [
        ("/any", "ONCRMREQUISITEADD"),
        ("/one", "requisite 27"),
        ("/own/one", "requisite 27"),
        ("/outer/any", "ONCRMREQUISITEADD"),
        ("/outer/one", "requisite 27"),
    ] {
        assert_eq!(
            send(address, path, SEED).await,
            (200, text.to_owned()),
            "{path}"
        );
        assert_eq!(send(address, path, forged()).await.0, 403, "{path}");
    }
    // Without the layer, and with a layer whose path does not select the route.
    for path in ["/own/any", "/own/bare", "/outer/bare"] {
        for body in [SEED.to_owned(), forged()] {
            assert_eq!(
                send(address, path, body).await,
                (500, NO_EVENT.into()),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn optional_event_is_none_for_a_passed_callback() {
    let handler = async |event: Option<Event>| match event {
        Some(event) => event.code().to_owned(),
        None => "page".to_owned(),
    };
    let address = serve(post(handler)).await;
    assert_eq!(
        send(address, "/", SEED).await,
        (200, "ONCRMREQUISITEADD".into())
    );
    assert_eq!(send(address, "/", PLACEMENT).await, (200, "page".into()));
    assert_eq!(send(address, "/", forged()).await.0, 403);

    let strict = serve(post(code)).await;
    assert_eq!(send(strict, "/", PLACEMENT).await, (500, NO_EVENT.into()));
}

#[tokio::test]
async fn on_rejects_another_kind_with_422_and_both_codes() {
    let address = serve(post(requisite)).await;
    assert_eq!(send(address, "/", SEED).await, (200, "requisite 27".into()));
    for (sent, shown) in [
        ("ONCRMLEADADD", "ONCRMLEADADD"),
        ("ONSOMETHINGNEW", "ONSOMETHINGNEW"),
        ("ON%0ANEW", "ON\\nNEW"),
    ] {
        let text = format!("this route takes ONCRMREQUISITEADD, but the event is {shown}\n");
        let body = LEAD.replace("ONCRMLEADADD", sent);
        assert_eq!(send(address, "/", body).await, (422, text));
    }
    assert_eq!(send(address, "/", PLACEMENT).await, (500, NO_EVENT.into()));
}

#[tokio::test]
async fn on_rejects_a_mismatch_with_422_and_the_path_but_no_value() {
    let optional = async |requisite: Option<On<kind::CrmRequisiteAdd>>| {
        format!("{:?}", requisite.map(|requisite| requisite.id))
    };
    for route in [post(requisite), post(optional)] {
        let address = serve(route).await;
        let text = "the data of ONCRMREQUISITEADD do not fit its payload at data.FIELDS.ID\n";
        assert_eq!(send(address, "/", MISFIT).await, (422, text.into()));
    }
    // The event itself is still an `Event`.
    let address = serve(post(code)).await;
    assert_eq!(
        send(address, "/", MISFIT).await,
        (200, "ONCRMREQUISITEADD".into())
    );
}

#[tokio::test]
async fn optional_on_is_none_for_another_kind_and_without_an_event() {
    let handler = async |requisite: Option<On<kind::CrmRequisiteAdd>>,
                         lead: Option<On<kind::CrmLeadAdd>>| {
        let requisite = requisite.map(|requisite| requisite.id);
        format!("{requisite:?} {:?}", lead.map(|lead| lead.id))
    };
    let address = serve(post(handler)).await;
    for (body, text) in [
        (SEED, "Some(27) None"),
        (LEAD, "None Some(31)"),
        (PLACEMENT, "None None"),
    ] {
        assert_eq!(send(address, "/", body).await, (200, text.into()));
    }
}

#[tokio::test]
async fn handler_can_respond_to_a_rejected_extraction() {
    let handler = async |requisite: Result<On<kind::CrmRequisiteAdd>, HandlerError>| match requisite
    {
        Ok(requisite) => format!("requisite {}", requisite.id),
        Err(error) => {
            let data = error.event().map(|event| event.data().is_some());
            format!("{:?} {data:?}", error.kind())
        }
    };
    let address = serve(post(handler)).await;
    for (body, text) in [
        (SEED, "requisite 27"),
        (LEAD, "UnexpectedKind Some(true)"),
        (MISFIT, "PayloadMismatch Some(true)"),
        (PLACEMENT, "NoEvent None"),
    ] {
        assert_eq!(send(address, "/", body).await, (200, text.into()));
    }
}

#[tokio::test]
async fn outer_layer_sees_the_handler_error() {
    async fn why(response: Response) -> (StatusCode, String) {
        let error = response.extensions().get::<HandlerError>();
        let text = error.map_or("handled".to_owned(), |error| format!("{error:?}"));
        (response.status(), text)
    }
    let route = post(requisite).layer(map_response(why));
    let address = serve(route).await;
    assert_eq!(send(address, "/", SEED).await, (200, "handled".into()));
    let (status, text) = send(address, "/", MISFIT).await;
    assert_eq!(
        (status, text.as_str()),
        (
            422,
            "HandlerError { kind: PayloadMismatch, code: Some(\"ONCRMREQUISITEADD\"), callback: None, .. }"
        )
    );
}

#[tokio::test]
async fn event_of_one_item_type_is_of_its_kind() {
    let handler = async |item: On<kind::CrmDynamicItemAdd>| format!("{:?}", item.event.subject());
    let address = serve(post(handler)).await;
    let body = format!(
        "event=ONCRMDYNAMICITEMADD_147&data[FIELDS][ID]=3&data[FIELDS][ENTITY_TYPE_ID]=147\
         &auth[application_token]={TOKEN}"
    );
    let (status, text) = send(address, "/", body).await;
    assert_eq!(status, 200);
    assert!(text.contains("147"), "{text}");
}

#[test]
fn on_is_equal_if_payload_and_event_are() {
    let on = |id: u64| {
        let event = TestEvent::new(EventKind::CrmDealAdd).id(id).event();
        let payload = event.payload_of::<kind::CrmDealAdd>().cloned().unwrap();
        On::<kind::CrmDealAdd> { payload, event }
    };
    assert_eq!(on(1), on(1));
    assert_ne!(on(1), on(2));
    let payload = on(2).payload;
    assert_ne!(on(1), On { payload, ..on(1) });
}
