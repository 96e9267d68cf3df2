//! The handler kit behind the layer: the router, the extractors, their responses and errors.

mod builder;
mod callback_builder;
#[cfg(feature = "axum")]
mod callback_extract;
mod callback_routes;
mod error;
#[cfg(feature = "axum")]
pub mod extract;
mod function;
mod response;
mod router;
mod routes;

pub use self::builder::EventRouterBuilder;
pub use self::error::{HandlerError, HandlerErrorKind};
pub use self::function::Handler;
pub use self::response::{IntoEventResponse, ResponseBody};
pub use self::router::{EventRouter, RouterFuture};
