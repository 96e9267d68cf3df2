//! Verifying the events of many portals (feature `portals`).
//!
//! An application that is installed on many portals receives all their events at one URL, and each
//! portal has its own token. [`PortalVerifier`] verifies them. It keeps the tokens in a
//! [`TokenStore`], in memory or in a database, and follows the life cycle of an installation:
//!
//! | event | result |
//! |---|---|
//! | ONAPPINSTALL, ONAPPUPDATE with the current token | accepted |
//! | ONAPPINSTALL, ONAPPUPDATE with another token | the [`InstallPolicy`] decides. The previous token stays valid for the [grace period](PortalVerifier::grace_period). A token older than the current one is accepted for that period, but does not replace it |
//! | ONAPPUSERREADY with another token | accepted once, without storing the token, if it is verified by introspection or an installation is expected. It may come before ONAPPINSTALL and is never repeated. See [`InstallPolicy`] |
//! | ONAPPUNINSTALL with the current token | accepted. Once the handler has succeeded, the application's tokens are removed. If several handlers are registered for it at this URL, the later ones may be rejected |
//! | ONAPPUNINSTALL with a previous token, or from before the installation | rejected: it is late, or somebody who read it repeats it |
//! | any other with a known token | accepted |
//! | any other | rejected, whether the portal is known or not |
//!
//! Every decision that changes tokens is one step of the store, which carries the tokens that the
//! decision was made by. If two installations reach two instances at once, the one that was issued
//! later stays the current one. An installation that arrives during an earlier uninstallation is not
//! removed.
//!
//! The three outcomes stay apart. A rejected event gets the response 403, and so does an event that
//! arrives after its portal was removed. If the store fails or does not respond in
//! [time](PortalVerifier::store_timeout), the response is 503
//! ([`Unavailable`](crate::RejectionKind::Unavailable)). An unknown portal takes the same work as a
//! wrong token and gets the same response.
//!
//! ```
//! use tower_bitrix24::portals::{InstallPolicy, MemoryStore, PortalVerifier};
//! use tower_bitrix24::{Envelope, Event, EventLayer};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let portals = PortalVerifier::new(MemoryStore::new()).install_policy(InstallPolicy::trust_on_first_use());
//! let layer = EventLayer::new(portals.clone()).path("/bitrix24/events");
//!
//! // As the layer does with a body:
//! let receive = async |body: &'static str| -> Result<Event, Box<dyn std::error::Error>> {
//!     Ok(Event::verify(Envelope::scan(body)?, &portals).await?)
//! };
//! let event = "event=ONCRMDEALADD&data[FIELDS][ID]=1&auth[member_id]=a&auth[application_token]=1";
//! assert!(receive(event).await.is_err());
//! receive("event=ONAPPINSTALL&auth[member_id]=a&auth[application_token]=1").await?;
//! assert!(receive(event).await.is_ok());
//! // Nobody else can claim the portal.
//! let forged = "event=ONAPPINSTALL&auth[member_id]=a&auth[application_token]=2";
//! assert!(receive(forged).await.is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access;
mod claim;
mod clock;
mod error;
mod install_page;
mod introspection;
mod lifecycle;
mod owners;
mod pages;
mod policy;
mod queues;
pub mod store;
mod tokens;
mod turns;
mod uninstalls;
mod verifier;
mod verify_claim;

pub use self::error::{PortalsError, PortalsErrorKind};
pub use self::install_page::Installation;
pub use self::introspection::TokenIntrospection;
pub use self::pages::{NoTokens, PageVerifier};
pub use self::policy::InstallPolicy;
#[cfg(feature = "cache")]
pub use self::store::TokenCache;
pub use self::store::{MemoryStore, PortalToken, TokenKey, TokenKind, TokenStore};
#[cfg(feature = "postgres")]
pub use self::store::{PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "sqlite")]
pub use self::store::{SqliteStore, SqliteStoreBuilder};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use self::store::{StoreError, StoreErrorKind};
pub use self::verifier::PortalVerifier;
