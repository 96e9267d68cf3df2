//! What runs behind the layer: the router, the extractors, responses and errors of handlers.

mod error;
#[cfg(feature = "axum")]
pub mod extract;
mod response;
mod router;

pub use self::error::{HandlerError, HandlerErrorKind};
pub use self::response::{IntoEventResponse, ResponseBody};
pub use self::router::{EventRouter, EventRouterBuilder, RouterFuture};
