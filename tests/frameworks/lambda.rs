//! lambda_http: a function handler and axum's router, both with the body of the runtime.

use std::convert::Infallible;

use axum::Extension;
use axum::routing::post;
use lambda_http::{Body, Error, IntoResponse, Request, Response, Service, service_fn};
use tower::ServiceBuilder;
use tower_bitrix24::Event;

use crate::{assert_guards, events};

/// Takes what `lambda_http::run` takes.
fn runnable<S, R, E>(service: S) -> S
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send,
    R: IntoResponse,
    E: std::fmt::Debug + Into<lambda_runtime_diagnostic::Diagnostic>,
{
    service
}

mod lambda_runtime_diagnostic {
    pub(super) use lambda_http::lambda_runtime::Diagnostic;
}

async fn handle(request: Request) -> Result<Response<Body>, Error> {
    Ok(match request.extensions().get::<Event>() {
        Some(event) => Response::new(event.code().into()),
        None => Response::new(request.into_body()),
    })
}

#[tokio::test]
async fn lambda_keeps_its_body_in_a_function() {
    let service = ServiceBuilder::new()
        .layer(events().body_from(|bytes| Body::from(bytes.to_vec())))
        .service(service_fn(handle));
    assert_guards(runnable(service), Body::from).await;
}

#[tokio::test]
async fn lambda_runs_an_axum_router_behind_the_layer() {
    let on_event = async |Extension(event): Extension<Event>| event.code().to_owned();
    let app = axum::Router::new()
        .route("/bitrix24/events", post(on_event))
        .route("/echo", post(async |body: String| body));
    let service = tower::Layer::layer(&events().wrap_body(), app);
    let service =
        tower::ServiceExt::<Request>::map_err(service, |never: Infallible| match never {});
    assert_guards(runnable::<_, _, Error>(service), Body::from).await;
}
