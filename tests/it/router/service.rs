//! The router as a service in axum and hyper.

use super::*;

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
