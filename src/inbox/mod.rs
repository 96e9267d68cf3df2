//! A durable inbox: responds with 200 once an event is committed, and handles it afterwards
//! (feature `inbox`).
//!
//! Bitrix24 sends an event once, whatever the response. An [`Inbox`] stores a verified event in
//! SQLite, PostgreSQL or a store of your own, and its [`receive`](Inbox::receive) responds **after the
//! commit**. A [worker](Inbox::worker) hands each stored event to a service: at least once, in order
//! per object, with retries, until it is done or in the dead letters.
//!
//! ```
//! use std::time::Duration;
//!
//! use axum::body::Body;
//! use axum::http::{Request, StatusCode};
//! use axum::Router;
//! use tower::ServiceExt;
//! use tower_bitrix24::inbox::{Inbox, InboxKey, MemoryInbox};
//! use tower_bitrix24::{ApplicationToken, Event, EventLayer, EventRouter};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! // `SqliteInbox::open("inbox.sqlite")` for an application; this one is for tests.
//! let store = MemoryInbox::new();
//! let key = InboxKey::from_hex(&"2a".repeat(32))?; // a secret of the application
//! let inbox = Inbox::builder(store, key).build();
//! let layer = EventLayer::new(ApplicationToken::new("192735")?);
//! let app: Router = Router::new()
//!     .route_service("/bitrix24/events", inbox.receive().behind(layer));
//!
//! let handlers = EventRouter::builder()
//!     .on_prefix("ONCRMDEAL", async |event: Event| println!("{:?}", event.subject()))
//!     .build()?;
//! let worker = inbox.worker(handlers).concurrency(4).spawn();
//!
//! let status = async |body: &'static str| {
//!     let request = Request::post("/bitrix24/events")
//!         .header("content-type", "application/x-www-form-urlencoded")
//!         .body(Body::from(body));
//!     app.clone().oneshot(request.unwrap()).await.unwrap().status()
//! };
//! let deal = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=192735";
//! assert_eq!(status(deal).await, StatusCode::OK);
//!
//! // A request that fails verification is rejected and never stored.
//! let forged = "event=ONCRMDEALADD&data[FIELDS][ID]=42&auth[application_token]=guess";
//! assert_eq!(status(forged).await, StatusCode::FORBIDDEN);
//!
//! while inbox.stats().await?.done == 0 {
//!     tokio::time::sleep(Duration::from_millis(5)).await;
//! }
//! worker.shutdown(Duration::from_secs(10)).await;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! # What is promised
//!
//! - A 200 survives a crash, a panic, a loss of power, a full disk and a failing sync. If an event
//!   cannot be stored, the response is 503.
//! - Every entry is handled at least once, or merged into a later one, or in the dead letters.
//! - No object is handled twice at a time while leases hold. The end of an attempt whose lease ended
//!   changes nothing.
//! - The events about one object are handled in the order of their commits.
//! - No secret is readable in the database: request target and body are sealed, and an error's text
//!   holds none of the event's tokens, no pair of the target's query, and no value or segment of the target
//!   that has 16 bytes or more.
//!
//! Not promised: exactly once, an order between objects, a disk that is lost. For an effect exactly
//! once, store [`Delivery::key`] as a unique key in the transaction of the effect.
//!
//! # The response is the verdict
//!
//! | the service responds with | the entry |
//! |---|---|
//! | a status below 400, or a 4xx not listed below | is done |
//! | 404, 405, 410, 422; the 403 of a handler that demands a stronger [proof](crate::callback::Proof) | is dead at once: no retry would help, and nothing handled it |
//! | 408, 425, 429, 5xx; an error, a panic, a timeout | is retried after the [`Backoff`], or after `Retry-After`, though not before a tenth of the backoff |
//!
//! Dead entries are the dead letters: [`Inbox::list`] shows them, and [`Inbox::retry`] makes them wait
//! again.
//!
//! # Lanes
//!
//! The entries about one object are a lane: portal, entity, type and id. One entry of a lane runs at a
//! time, and an entry that waits for its next attempt holds its lane. An event about no object waits
//! for none, except that ONAPPINSTALL, ONAPPUPDATE and ONAPPUNINSTALL of a portal are one lane.
//!
//! # Two versions side by side
//!
//! A newer version of this crate brings the tables up to date when it opens them. Until the next minor
//! version it only adds to them, so that an older program works on beside it, and can be put back.
//! Tables of a later minor version are rejected with
//! [`NewerSchema`](https://docs.rs/tower-bitrix24/latest/tower_bitrix24/inbox/enum.StoreErrorKind.html).
//! An entry carries the version of its [format](FORMAT). A worker leaves an entry of a later format,
//! and those of its lane, for a program that knows it.
//!
//! # Callbacks
//!
//! Robots, workflow activities and messages are not repeated either. Behind a layer with
//! [`callbacks`](crate::EventLayer::callbacks), they are stored, sealed, retried and handed to a worker as
//! events are, with their [proof](crate::callback::Proof): an `EventRouter` with `on_robot`, or an axum
//! `Router` with `OnCallback<Robot>`. Their codes are `robot:…` and `message:…`.
//!
//! | callback | lane | duplicate |
//! |---|---|---|
//! | robot, activity | the document | an equal one, for as long as the first is kept: `event_token` is of one step alone |
//! | message | provider and recipient | one with the same `message_id`, while the first waits untried; afterwards it is an entry with the same [`Delivery::key`] |
//! | another, such as a Webhook robot | none | none: two true ones may be equal |
//!
//! Callbacks that only a [secret of the URL](crate::EventLayer::url_secret) proves have their own
//! lanes, keys and the portal `""`, so that they take no place of a portal that they merely name.
//! [`remove_portal`](Inbox::remove_portal) does not find them.
//!
//! Pages and the settings form want their response now, so they are never stored.
//! [`Receive::pages`] takes a service for them, and a router of a worker must have none of their handlers.
//!
//! | mistake | result |
//! |---|---|
//! | a router with a handler of a page | [`Inbox::worker`] panics |
//! | a receiver without `pages`, [`behind`](Receive::behind) a layer with [`callbacks`](crate::EventLayer::callbacks) | `behind` panics |
//! | the same, by `Router::layer` of axum or a `ServiceBuilder` | a page gets 404 and a line in the log: these hide which service is within |
//!
//! So prefer `behind`, with [`stored_callbacks`](crate::EventLayer::stored_callbacks).
//!
//! # Duplicates and merging
//!
//! An equal event, with the same portal, code, handler, time and data, is stored once while the first
//! still waits for its first attempt. For events that come once, those of additions and deletions, it
//! is a duplicate for as long as the first is kept.
//!
//! With [`coalesce`](InboxBuilder::coalesce), updates of an object that say nothing but its id are
//! merged while they wait. It is opt-in, because `auth` of each names the user who caused it.

mod backoff;
mod callback_entry;
mod clock;
mod commit;
mod delivery;
mod entry;
mod fallback;
mod operate;
mod pages;
mod receive;
mod request;
mod room;
mod seal;
mod service;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod store;
mod worker;

pub use self::backoff::Backoff;
pub use self::delivery::{Delivery, WorkerRequest};
pub use self::entry::{Entry, FORMAT};
pub use self::operate::OpenedEntry;
pub use self::pages::{PagesFuture, ReceiveWithPages};
pub use self::receive::{Receive, ReceiveFuture};
pub use self::request::StoredRequest;
pub use self::seal::InboxKey;
pub use self::service::{Inbox, InboxBuilder};
#[cfg(feature = "postgres")]
pub use self::sql::{PostgresInbox, PostgresInboxBuilder};
#[cfg(feature = "sqlite")]
pub use self::sql::{SqliteInbox, SqliteInboxBuilder};
pub use self::store::{
    Accept, Accepted, BlockedLane, Claim, ClaimRequest, Claims, Filter, Finish, InboxStore,
    MemoryInbox, Outcome, Owned, Record, State, Stats, UnknownState,
};
pub use self::worker::{EntryHandler, Worker, WorkerBuilder};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use crate::sql::{StoreError, StoreErrorKind};
