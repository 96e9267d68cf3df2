//! The tests of the crate as a whole, in one binary: each file is a subject.
//!
//! A module is compiled if its features are enabled. Tests that count allocations or need a database
//! are in other binaries.

#[cfg(all(feature = "background", feature = "testing"))]
mod background;
#[cfg(feature = "axum")]
mod callback_routes;
#[cfg(feature = "portals")]
mod callbacks;
mod catalogue;
mod common;
mod concurrency;
mod corpus;
mod examples;
#[cfg(feature = "axum")]
mod extractors;
mod frameworks;
#[cfg(all(feature = "inbox", feature = "testing"))]
mod inbox;
mod layer;
mod on_handled;
mod open_enums;
#[cfg(feature = "portals")]
mod pages;
mod parsers;
mod php;
mod pitfalls;
#[cfg(feature = "portals")]
mod portals;
mod real_events;
mod router;
mod secrets;
#[cfg(feature = "testing")]
mod send;
mod smuggling;
#[cfg(all(
    feature = "axum",
    feature = "background",
    feature = "metrics",
    feature = "portals",
    feature = "tracing"
))]
mod telemetry;
#[cfg(feature = "testing")]
mod testing;
mod url_secret;
