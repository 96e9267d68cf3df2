//! Cloudflare Workers: compiled for wasm32, since only their runtime can call it.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower_bitrix24::layer::Verdict;
use tower_bitrix24::{ApplicationToken, Event, EventLayer, EventRouter};

type Events = (EventLayer<ApplicationToken>, EventRouter);

async fn respond((layer, router): &Events, request: Request<Bytes>) -> Response<Bytes> {
    match layer.verify(request).await {
        Verdict::Event(event) => {
            let response = router
                .handle(event.event().clone())
                .await
                .map(|body| body.into_bytes());
            event.responded(&response).await;
            response
        }
        Verdict::Respond(response) => response,
        _ => {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn events(env: &worker::Env) -> worker::Result<Events> {
    let token = env.secret("BITRIX24_APPLICATION_TOKEN")?.to_string();
    let token = ApplicationToken::new(token).map_err(|error| error.to_string())?;
    let router = EventRouter::builder()
        .on_code("ONAPPTEST", async |_: Event| {})
        .build()
        .map_err(|error| error.to_string())?;
    Ok((EventLayer::new(token).path("/bitrix24/events"), router))
}

#[worker::event(fetch)]
async fn fetch(
    request: worker::HttpRequest,
    env: worker::Env,
    _: worker::Context,
) -> worker::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let response = respond(&events(&env)?, Request::from_parts(head, body)).await;
    Ok(response.map(Full::new))
}
