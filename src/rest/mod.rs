//! The HTTPS client and the REST calls that this crate makes.

mod authorization_server;
#[cfg(feature = "https-client")]
mod https;

pub use self::authorization_server::AuthorizationServer;
#[cfg(feature = "https-client")]
pub use self::https::{HttpsBody, HttpsClient, HttpsError};
