//! Does not compile: hyper's `Incoming` cannot be made from bytes.

use hyper::Request;
use hyper::body::Incoming;
use tower::{Layer, Service};
use tower_bitrix24::{ApplicationToken, EventLayer, EventRouter};

pub fn call(layer: EventLayer<ApplicationToken>, router: EventRouter, request: Request<Incoming>) {
    drop(layer.layer(router).call(request));
}
