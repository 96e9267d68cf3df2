//! The handler kit behind the layer: the router, the extractors, their responses and errors.

mod error;
#[cfg(feature = "axum")]
pub mod extract;
mod response;
mod router;
mod routes;

pub use self::error::{HandlerError, HandlerErrorKind};
pub use self::response::{IntoEventResponse, ResponseBody};
pub use self::router::{EventRouter, EventRouterBuilder, RouterFuture};
