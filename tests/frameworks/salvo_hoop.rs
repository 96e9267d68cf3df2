//! salvo: the layer is a hoop.

use salvo::prelude::*;
use salvo::test::{ResponseExt, TestClient};
use tower_bitrix24::Event;

use crate::{FORGED, GOOD, events};

#[handler]
async fn on_event(request: &mut Request) -> String {
    let event: &Event = request
        .extensions()
        .get()
        .expect("the layer guards this path");
    event.code().to_owned()
}

#[handler]
async fn echo(request: &mut Request) -> String {
    String::from_utf8(request.payload().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn salvo_takes_the_layer_as_a_hoop() {
    let router = Router::new()
        .hoop(events().compat())
        .push(Router::with_path("bitrix24/events").post(on_event))
        .push(Router::with_path("echo").post(echo));
    let service = Service::new(router);
    for (path, form, status, want) in [
        ("/bitrix24/events", GOOD, 200, "ONAPPTEST"),
        (
            "/bitrix24/events",
            FORGED,
            403,
            "the application token is not accepted\n",
        ),
        ("/echo", "a=1", 200, "a=1"),
    ] {
        let mut response = TestClient::post(format!("http://127.0.0.1{path}"))
            .raw_form(form)
            .send(&service)
            .await;
        assert_eq!(response.status_code.unwrap(), status, "{path}");
        assert_eq!(response.take_string().await.unwrap(), want, "{path}");
    }
}
